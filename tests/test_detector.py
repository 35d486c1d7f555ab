"""The real face detector on the demo's portrait."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import app.tracking.detector as detector_module
from app.core.errors import UserError
from app.core.places import FULL_RANGE_DETECTOR, ROOT, SHORT_RANGE_DETECTOR
from app.tracking.detector import (
    FULL_RANGE_BOX,
    SHORT_RANGE_BOX,
    SURE,
    BlazeFace,
    Detection,
    MediaPipeDetector,
    Sighting,
    largest_first,
    without_nested,
    without_twins,
)
from app.tracking.face_box import BoxModel
from model.geometry import Crop
from tests.fakes import portrait

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def detector() -> Iterator[MediaPipeDetector]:
    opened = MediaPipeDetector()
    yield opened
    opened.close()


@pytest.mark.parametrize(("quarters", "angle", "looks"), [(0, 0.0, 1), (1, 90.0, 8)])
def test_views_are_turned_only_where_the_first_is_not_surely_upright(
    detector: MediaPipeDetector, monkeypatch: pytest.MonkeyPatch, quarters: int, angle: float, looks: int
) -> None:
    picture = np.ascontiguousarray(np.rot90(portrait(), -quarters))
    (face,) = detector.detect(portrait())
    upright = face.crop(1.0)
    middle = Crop(portrait().shape[0] - 1 - upright.centre_y, upright.centre_x, upright.side) if quarters else upright
    seen = []
    look = BlazeFace.look
    monkeypatch.setattr(BlazeFace, "look", lambda model, image: seen.append(image) or look(model, image))
    found = detector.turned_box(picture, middle)
    assert len(seen) == looks
    assert found is not None
    assert found.box.angle == pytest.approx(angle, abs=15)


def test_finds_the_one_face(detector: MediaPipeDetector) -> None:
    (face,) = detector.detect(portrait())
    assert face.confidence > 0.7
    height, width = portrait().shape[:2]
    assert 0 < face.x1 < face.x2 < width
    assert 0 < face.y1 < face.y2 < height


def test_finds_a_small_face_with_the_second_model(detector: MediaPipeDetector) -> None:
    scene = np.full((720, 1280, 3), 90, np.uint8)
    small = cv2.resize(portrait(), None, fx=0.22, fy=0.22, interpolation=cv2.INTER_AREA)
    scene[300 : 300 + small.shape[0], 900 : 900 + small.shape[1]] = small
    faces = detector.detect(scene)
    assert len(faces) == 1
    assert 900 < (faces[0].x1 + faces[0].x2) / 2 < 900 + small.shape[1]


@pytest.mark.parametrize("shape", [(1, 1, 3), (9, 17, 3), (720, 1280, 3)])
def test_finds_nothing_where_nothing_is(detector: MediaPipeDetector, shape: tuple[int, int, int]) -> None:
    assert detector.detect(np.full(shape, 127, np.uint8)) == []


def test_accepts_a_view_that_is_not_contiguous(detector: MediaPipeDetector) -> None:
    assert len(detector.detect(portrait()[:, ::-1])) == 1


def test_loading_and_closing_write_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    MediaPipeDetector().close()
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_missing_model_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(detector_module, "SHORT_RANGE_DETECTOR", tmp_path / "gone.tflite")
    with pytest.raises(UserError, match="is missing; restore it"):
        MediaPipeDetector()


def seen(path: Path, image: np.ndarray, box: BoxModel) -> Detection:
    model = BlazeFace(path)
    try:
        (sighting,) = model.look(image)
    finally:
        model.close()
    return sighting.expected(box)


def test_both_models_expect_the_same_box() -> None:
    short, full = (
        seen(SHORT_RANGE_DETECTOR, portrait(), SHORT_RANGE_BOX),
        seen(FULL_RANGE_DETECTOR, portrait(), FULL_RANGE_BOX),
    )
    assert short.overlap(full) > 0.85


def test_a_mirrored_picture_gives_the_mirrored_box(detector: MediaPipeDetector) -> None:
    (face,), (mirrored,) = detector.detect(portrait()), detector.detect(portrait()[:, ::-1])
    width = portrait().shape[1]
    back = Detection(width - mirrored.x2, mirrored.y1, width - mirrored.x1, mirrored.y2, mirrored.confidence)
    assert face.overlap(back) > 0.9


def square(centre_x: float, side: float, confidence: float) -> Detection:
    return Detection(centre_x - side / 2, 0, centre_x + side / 2, side, confidence)


def test_overlap_is_the_shared_part_of_the_union() -> None:
    assert square(50, 100, 0.9).overlap(square(50, 100, 0.9)) == 1
    assert square(50, 100, 0.9).overlap(square(100, 100, 0.9)) == pytest.approx(1 / 3)
    assert square(50, 100, 0.9).overlap(square(300, 100, 0.9)) == 0


def test_of_twins_the_surer_one_stays() -> None:
    weak, sure, other = square(50, 100, 0.6), square(60, 100, 0.8), square(300, 100, 0.5)
    assert without_twins([weak, sure, other]) == [sure, other]


def test_a_face_inside_a_larger_one_is_none() -> None:
    face, nose, beside = square(50, 100, 0.55), square(55, 25, 0.7), square(120, 60, 0.5)
    assert nose.inside(face) == 1
    assert without_nested([face, nose, beside]) == [face, beside]


def test_different_faces_come_largest_first() -> None:
    small, large, twin, nose = square(300, 40, 0.9), square(50, 100, 0.6), square(55, 100, 0.5), square(55, 25, 0.7)
    assert largest_first([small, twin, nose, large]) == [large, small]


class TwoModels:
    """Stands in for BlazeFace: each model reports one face at its own place; counts the looks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, short: list[float], full: list[float]) -> None:
        self.looks: list[Path] = []
        confidences = {SHORT_RANGE_DETECTOR: short, FULL_RANGE_DETECTOR: full}
        keypoints = np.array([(40, 40), (60, 40), (50, 55), (50, 70), (30, 45), (70, 45)], float)

        def model(path: Path) -> TwoModels.Model:
            return TwoModels.Model(
                self.looks, path, [Sighting((0, 0, 100, 100), keypoints, value) for value in confidences[path]]
            )

        monkeypatch.setattr(detector_module, "BlazeFace", model)

    class Model:
        def __init__(self, looks: list[Path], path: Path, sightings: list[Sighting]) -> None:
            self._looks, self._path, self._sightings = looks, path, sightings

        def look(self, image: np.ndarray) -> list[Sighting]:
            self._looks.append(self._path)
            return self._sightings


@pytest.mark.parametrize(
    ("short", "full", "looks", "confidences"),
    [
        ([SURE], [0.99], 1, [SURE]),
        ([SURE - 0.01], [0.99], 2, [0.99]),
        ([SURE - 0.01], [0.5], 2, [SURE - 0.01]),
        ([SURE - 0.01], [], 2, [SURE - 0.01]),
        ([SURE, SURE - 0.01], [0.5], 2, [SURE]),
        ([], [0.6], 2, [0.6]),
        ([], [], 2, []),
    ],
)
def test_the_second_model_is_asked_where_the_first_is_not_sure(
    monkeypatch: pytest.MonkeyPatch, short: list[float], full: list[float], looks: int, confidences: list[float]
) -> None:
    models = TwoModels(monkeypatch, short, full)
    found = MediaPipeDetector().detect(np.zeros((100, 100, 3), np.uint8))
    assert models.looks == [SHORT_RANGE_DETECTOR, FULL_RANGE_DETECTOR][:looks]
    assert [face.confidence for face in found] == confidences


USE_THE_DETECTOR = """
import os, socket
proxy = socket.create_server(("127.0.0.1", 0))
os.environ["https_proxy"] = "http://127.0.0.1:%d" % proxy.getsockname()[1]
os.environ.pop("no_proxy", None)
from app.core.places import SHORT_RANGE_DETECTOR
from app.tracking.detector import BlazeFace
BlazeFace(SHORT_RANGE_DETECTOR).close()
proxy.settimeout(2.0)
try:
    print("asked for:", proxy.accept()[0].recv(100))
except TimeoutError:
    print("nothing was asked for")
"""


@pytest.mark.process
def test_mediapipe_sends_no_metrics() -> None:
    done = subprocess.run([sys.executable, "-c", USE_THE_DETECTOR], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "nothing was asked for\n", done.stderr
