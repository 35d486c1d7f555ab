"""The real face detector on the demo's portrait."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

import app.pipeline.detector as detector_module
from app.errors import UserError
from app.pipeline.detector import MediaPipeDetector

PORTRAIT = Path(__file__).resolve().parent.parent / "app" / "assets" / "portrait.jpg"


@pytest.fixture(scope="module")
def detector() -> Iterator[MediaPipeDetector]:
    opened = MediaPipeDetector()
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(PORTRAIT)), cv2.COLOR_BGR2RGB)


def test_finds_the_one_face(detector: MediaPipeDetector, portrait: np.ndarray) -> None:
    (face,) = detector.detect(portrait)
    assert face.confidence > 0.7
    height, width = portrait.shape[:2]
    assert 0 < face.x1 < face.x2 < width
    assert 0 < face.y1 < face.y2 < height


def test_finds_a_small_face_with_the_second_model(detector: MediaPipeDetector, portrait: np.ndarray) -> None:
    scene = np.full((720, 1280, 3), 90, np.uint8)
    small = cv2.resize(portrait, None, fx=0.22, fy=0.22, interpolation=cv2.INTER_AREA)
    scene[300 : 300 + small.shape[0], 900 : 900 + small.shape[1]] = small
    faces = detector.detect(scene)
    assert len(faces) == 1
    assert 900 < (faces[0].x1 + faces[0].x2) / 2 < 900 + small.shape[1]


@pytest.mark.parametrize("shape", [(1, 1, 3), (9, 17, 3), (720, 1280, 3)])
def test_finds_nothing_where_nothing_is(detector: MediaPipeDetector, shape: tuple[int, int, int]) -> None:
    assert detector.detect(np.full(shape, 127, np.uint8)) == []


def test_accepts_a_view_that_is_not_contiguous(detector: MediaPipeDetector, portrait: np.ndarray) -> None:
    assert len(detector.detect(portrait[:, ::-1])) == 1


def test_writes_nothing_to_the_terminal(portrait: np.ndarray, capfd: pytest.CaptureFixture[str]) -> None:
    detector = MediaPipeDetector()
    detector.detect(portrait)
    detector.close()
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def test_a_missing_model_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(detector_module, "SHORT_RANGE", tmp_path / "gone.tflite")
    with pytest.raises(UserError, match="is missing; restore it"):
        MediaPipeDetector()
