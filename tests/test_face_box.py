"""The landmark box expected from what a face detector sees, in plain numbers."""

from __future__ import annotations

import numpy as np
import pytest

from app.tracking.detector import FULL_RANGE_BOX, SHORT_RANGE_BOX
from app.tracking.face_box import (
    MOST_GROWTH,
    MOST_SHIFT,
    BoxModel,
    even_features,
    landmark_box,
    odd_features,
    relative_keypoints,
)

MODELS = (SHORT_RANGE_BOX, FULL_RANGE_BOX)
BOX = (200.0, 100.0, 300.0, 200.0)
TURNED = np.array([(222, 130), (262, 133), (228, 152), (236, 176), (228, 140), (292, 146)], float)
"""A face that looks to the left of the picture, its head a little tilted."""
PERSONS_OTHER_SIDE = [1, 0, 2, 3, 5, 4]
LIMIT = 1e-9


def mirrored(keypoints: np.ndarray) -> np.ndarray:
    """Mirror keypoints (6, 2) at x = 0; the right eye becomes the left one."""
    return keypoints[PERSONS_OTHER_SIDE] * (-1, 1)


@pytest.mark.parametrize("model", MODELS)
def test_a_mirrored_face_has_the_mirrored_box(model: BoxModel) -> None:
    x1, y1, x2, y2 = landmark_box(BOX, TURNED, model)
    other = landmark_box((-BOX[2], BOX[1], -BOX[0], BOX[3]), mirrored(TURNED), model)
    assert other == pytest.approx((-x2, y1, -x1, y2))


@pytest.mark.parametrize("model", MODELS)
def test_the_box_moves_and_grows_with_the_face(model: BoxModel) -> None:
    x1, y1, x2, y2 = landmark_box(BOX, TURNED, model)
    left, top, right, bottom = BOX
    larger = landmark_box((3 * left + 10, 3 * top + 10, 3 * right + 10, 3 * bottom + 10), 3 * TURNED + 10, model)
    assert larger == pytest.approx((3 * x1 + 10, 3 * y1 + 10, 3 * x2 + 10, 3 * y2 + 10))


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("narrow", [(200.0, 110.0, 300.0, 190.0), (210.0, 100.0, 290.0, 200.0)])
def test_the_larger_side_of_a_box_counts(model: BoxModel, narrow: tuple[float, float, float, float]) -> None:
    assert landmark_box(narrow, TURNED, model) == landmark_box(BOX, TURNED, model)


@pytest.mark.parametrize("model", MODELS)
def test_a_turned_face_shifts_the_box_and_a_frontal_one_does_not(model: BoxModel) -> None:
    frontal = TURNED - (250, 0)
    frontal = (frontal + mirrored(frontal)) / 2 + (250, 0)
    x1, _, x2, _ = landmark_box(BOX, frontal, model)
    assert (x1 + x2) / 2 == pytest.approx(250)
    x1, _, x2, _ = landmark_box(BOX, TURNED, model)
    assert abs((x1 + x2) / 2 - 250) > 0.1


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("seed", range(5))
def test_keypoints_off_the_face_move_and_scale_the_box_only_so_far(model: BoxModel, seed: int) -> None:
    keypoints = np.random.default_rng(seed).uniform(-5000, 5000, (6, 2))
    x1, y1, x2, y2 = landmark_box(BOX, keypoints, model)
    assert abs((x1 + x2) / 2 - 250) <= 100 * MOST_SHIFT + LIMIT
    assert abs((y1 + y2) / 2 - 150) <= 100 * MOST_SHIFT + LIMIT
    assert 100 / MOST_GROWTH - LIMIT <= x2 - x1 <= 100 * MOST_GROWTH + LIMIT
    assert x2 - x1 == pytest.approx(y2 - y1)


@pytest.mark.parametrize("model", MODELS)
def test_a_pixel_of_keypoint_noise_moves_the_box_by_about_a_pixel(model: BoxModel) -> None:
    """Else the first crop would jitter with what the detector sees in each frame."""
    noise = np.random.default_rng(0).normal(0, 1, (200, 6, 2))
    boxes = np.array([landmark_box(BOX, TURNED + each, model) for each in noise])
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2
    assert (centres.std(axis=0) < 1).all()
    assert (boxes[:, 2] - boxes[:, 0]).std() < 3


def test_features_say_what_mirroring_does() -> None:
    keypoints = relative_keypoints(BOX, TURNED)
    assert odd_features(mirrored(keypoints)) == pytest.approx(-odd_features(keypoints))
    assert even_features(mirrored(keypoints)) == pytest.approx(even_features(keypoints))


@pytest.mark.parametrize("model", MODELS)
def test_each_feature_has_its_weight(model: BoxModel) -> None:
    keypoints = relative_keypoints(BOX, TURNED)
    assert len(model.right) == len(odd_features(keypoints))
    assert len(model.down) == len(model.log_growth) == len(even_features(keypoints))
