"""Conditions of a picture: each measure answers to what it is named after, and to little else."""

from __future__ import annotations

from dataclasses import astuple

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.places import DEMO_CLIP
from app.sources.video import VideoSource
from app.tracking.conditions import (
    Conditions,
    Edge,
    SceneMean,
    box_conditions,
    face_conditions,
    face_view,
    scene_conditions,
)
from tests.fakes import face_points

Image = NDArray[np.uint8]


@pytest.fixture(scope="module")
def face() -> tuple[Image, NDArray[np.float32]]:
    """The first picture of the demo's video, and points over the face in it."""
    source = VideoSource(DEMO_CLIP)
    frame = source.read()
    source.close()
    assert frame is not None
    height, width = frame.image.shape[:2]
    return frame.image, face_points(width / 2, height / 2, 0.5 * height)


def scaled(image: Image, points: NDArray[np.float32], factor: float) -> Conditions:
    size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return face_conditions(np.asarray(cv2.resize(image, size, interpolation=way), np.uint8), points * factor)


def test_light_and_contrast_follow_the_gain(face: tuple[Image, NDArray[np.float32]]) -> None:
    image, points = face
    full, half = face_conditions(image, points), face_conditions(image // 2, points)
    assert half.light == pytest.approx(full.light / 2, abs=1.0)
    assert half.contrast == pytest.approx(full.contrast / 2, rel=0.03)
    assert half.sharpness == pytest.approx(full.sharpness, rel=0.1)  # darkness alone is no blur


def test_shares_of_lost_pixels() -> None:
    points = face_points(100, 100, 100)
    image = np.full((200, 200, 3), 128, np.uint8)
    plain = face_conditions(image, points)
    assert (plain.dark, plain.bright, plain.noise, plain.sharpness) == (0, 0, 0, 0)
    image[:100] = 3
    image[100:] = 255
    points[:33] = 100 + 1.8 * (points[:33] - 100)  # what the contour encloses besides does not count
    image[:, :50], image[:, 150:] = 128, 128
    split = face_conditions(image, points)
    assert split.dark == pytest.approx(0.5, abs=0.08)
    assert split.dark + split.bright == pytest.approx(1.0, abs=0.02)  # one row of the averaged picture mixes both


@pytest.mark.parametrize("deviation", [2.0, 5.0, 10.0])
def test_noise_is_measured_on_a_slope(deviation: float) -> None:
    slope = np.broadcast_to(np.linspace(60, 180, 300), (300, 300))[..., None].repeat(3, axis=2)
    noise = np.random.default_rng(0).normal(0, deviation, (300, 300, 1))  # the same in all colours: luma is their sum
    image = np.rint(slope + noise).clip(0, 255).astype(np.uint8)
    assert face_conditions(image, face_points(150, 150, 240)).noise == pytest.approx(deviation, rel=0.12)
    assert face_conditions(image, face_points(150, 150, 60)).sharpness < 10, "noise is no detail"


def test_small_faces_are_not_enlarged() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (60, 60, 1), np.uint8)
    found = box_conditions(noise.repeat(3, axis=2), 10, 15, 50, 45)
    assert (found.light, found.contrast) == pytest.approx((noise[15:45, 10:50].mean(), noise[15:45, 10:50].std()))


def test_blur_lowers_sharpness_and_noise_does_not_raise_it(face: tuple[Image, NDArray[np.float32]]) -> None:
    image, points = face
    read = [face_conditions(image, points).sharpness]
    for pixels in (2, 4, 8):
        blurred = np.asarray(cv2.GaussianBlur(image, (0, 0), pixels), np.uint8)
        read.append(face_conditions(blurred, points).sharpness)
        noisy = blurred + np.random.default_rng(1).normal(0, 4, image.shape[:2])[..., None]
        grainy = face_conditions(np.rint(noisy).clip(0, 255).astype(np.uint8), points).sharpness
        assert grainy == pytest.approx(read[-1], abs=0.1 * read[0])
    assert read == sorted(read, reverse=True)
    assert read[-1] < 0.2 * read[0]


def test_sharpness_knows_no_face_size(face: tuple[Image, NDArray[np.float32]]) -> None:
    image, points = face
    full = face_conditions(image, points).sharpness
    assert scaled(image, points, 0.5).sharpness == pytest.approx(full, rel=0.25)
    assert scaled(image, points, 1.5).sharpness == pytest.approx(full, rel=0.25)


def test_face_size_and_what_the_edges_cut_off() -> None:
    whole = face_view(face_points(320, 240, 200), 640, 480)
    assert whole.inter_ocular == pytest.approx(100)
    assert whole.height == pytest.approx(200 / 480, rel=0.01)
    assert (whole.cut_off, whole.edge) == (0, None)
    for edge, (x, y) in {
        Edge.LEFT: (0, 240),
        Edge.RIGHT: (639, 240),
        Edge.TOP: (320, 0),
        Edge.BOTTOM: (320, 479),
    }.items():
        cut = face_view(face_points(x, y, 200), 640, 480)
        assert cut.edge == edge
        assert cut.cut_off == pytest.approx(0.5, abs=0.12)
    corner = face_points(0, 0, 200)
    assert face_view(corner, 640, 480).cut_off == pytest.approx(1 - ((corner >= 0).all(axis=1)).mean())
    points = face_points(320, 240, 200)
    points[:3] = (639, 479), (639.5, 479), (639, 479.5)
    assert face_view(points, 640, 480).cut_off == pytest.approx(2 / 98)


@pytest.mark.parametrize("shape", [(1, 1), (2, 7), (5, 3), (48, 64), (2160, 3840)])
def test_any_picture_and_any_place(shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    for x, y, side in ((0, 0, 10), (-500, -500, 50), (1e5, 1e5, 2000), (shape[1] / 2, shape[0] / 2, 1)):
        assert face_conditions(image, face_points(x, y, side)).light == pytest.approx(90)
    assert scene_conditions(image).light == pytest.approx(90)
    assert box_conditions(image, -5, -5, 5, 5).light == pytest.approx(90)


def test_images_are_not_written_to(face: tuple[Image, NDArray[np.float32]]) -> None:
    image, points = face
    image = image.copy()
    image.setflags(write=False)
    face_conditions(image, points)
    scene_conditions(image)


def test_the_mean_of_scenes_follows_each_measure() -> None:
    mean = SceneMean(1.0)
    mean.add(Conditions(1, 2, 3, 4, 5, 6), 0.0)
    found = mean.add(Conditions(11, 22, 33, 44, 55, 66), float(np.log(2)))
    assert astuple(found) == pytest.approx((6, 12, 18, 24, 30, 36, None))


def test_the_mean_of_scenes_follows_by_its_time_constant() -> None:
    mean = SceneMean(1.0)
    assert mean.add(Conditions(100.0, 0, 0, 40, 0.3, 2), 5.0).light == 100.0
    found = [mean.add(Conditions(200.0, 0, 0, 40, 0.3, 2), 5.0 + k / 10) for k in range(1, 11)]
    assert found[-1].light == pytest.approx(200 - 100 / np.e, rel=1e-6)
    assert found[-1].sharpness == 0.3
    assert mean.add(Conditions(20.0, 0, 0, 40, 0.3, 2), 1.0).light == 20.0, "time ran back"
