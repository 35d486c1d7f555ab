"""Blurred pictures: nobody to be recognised, landmarks untouched."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from app.pipeline.detector import MediaPipeDetector
from app.privacy import PATCHES, blurred, without_faces
from tests.gui_fakes import frame_result

PORTRAIT = Path(__file__).resolve().parent.parent / "app" / "assets" / "portrait.jpg"


def test_a_blurred_portrait_shows_no_face() -> None:
    portrait = cv2.cvtColor(cv2.imread(str(PORTRAIT)), cv2.COLOR_BGR2RGB)
    detector = MediaPipeDetector()
    try:
        assert len(detector.detect(portrait)) == 1
        found = detector.detect(portrait)[0]
        close = portrait[int(found.y1) - 30 : int(found.y2) + 30, int(found.x1) - 30 : int(found.x2) + 30]
        for picture in (portrait, cv2.resize(portrait, (1280, 720)), np.ascontiguousarray(close)):
            assert detector.detect(blurred(picture)) == []
    finally:
        detector.close()


@pytest.mark.parametrize("size", [(720, 1280), (1280, 720), (5, 9), (1, 1), (100, 2000)])
def test_blur_keeps_size_kind_and_colour(size: tuple[int, int]) -> None:
    image = np.random.default_rng(3).integers(0, 255, (*size, 3), np.uint8)
    before = image.copy()
    result = blurred(image)
    assert (result.shape, result.dtype) == (image.shape, np.uint8)
    np.testing.assert_array_equal(image, before)
    assert abs(result.mean() - image.mean()) < 3 or min(size) < PATCHES


def test_no_detail_finer_than_a_patch_is_left() -> None:
    stripes = np.zeros((720, 1280, 3), np.uint8)
    stripes[:, (np.arange(1280) // 20) % 2 == 0] = 255  # four stripes to a patch
    assert blurred(stripes).std() < 0.2 * stripes.std()


def test_a_result_without_faces_keeps_its_landmarks_alone() -> None:
    clear = np.random.default_rng(0).integers(0, 255, (90, 160, 3), np.uint8)
    result = frame_result(image=clear)
    private = without_faces(result)
    assert private.faces == result.faces
    assert (private.frame.index, private.frame.captured) == (result.frame.index, result.frame.captured)
    np.testing.assert_array_equal(private.frame.image, blurred(clear))
