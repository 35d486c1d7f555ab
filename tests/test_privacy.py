"""Blurred pictures: nobody to be recognised, landmarks untouched."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from pytestqt.qtbot import QtBot

from app.core.frame import FrameResult
from app.core.slot import LatestSlot
from app.gui.live.presenters.snapshot import save_snapshot
from app.gui.presenters.picture import made_private, prepare, prepare_private
from app.gui.widgets.frame_bridge import FrameBridge
from app.media.privacy import PATCHES, blurred, without_faces
from app.tracking.detector import MediaPipeDetector
from tests.fakes import portrait
from tests.gui_fakes import frame_result
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS


def test_a_blurred_portrait_shows_no_face() -> None:
    face = portrait()
    detector = MediaPipeDetector()
    try:
        assert len(detector.detect(face)) == 1
        found = detector.detect(face)[0]
        close = face[int(found.y1) - 30 : int(found.y2) + 30, int(found.x1) - 30 : int(found.x2) + 30]
        for picture in (face, np.asarray(cv2.resize(face, (1280, 720)), np.uint8), np.ascontiguousarray(close)):
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


def picture_of(value: int) -> tuple[FrameResult, tuple[int, int]]:
    image = np.zeros((90, 160, 3), np.uint8)
    image[:, ::2] = value  # detail that a blur takes away
    return frame_result(image=image), (160, 90)


@pytest.mark.parametrize("mirrored", [False, True])
def test_private_pictures_hold_no_clear_pixel(mirrored: bool) -> None:
    result, size = picture_of(255)
    picture = prepare_private(result, size, mirrored)
    assert picture.private
    assert picture.result.faces == result.faces
    for image in (picture.pixels[..., :3], picture.result.frame.image):
        assert 100 < image.min() <= image.max() < 156
    late = made_private(prepare(result, size, mirrored))
    np.testing.assert_array_equal(late.pixels, picture.pixels)
    np.testing.assert_array_equal(late.result.frame.image, picture.result.frame.image)
    assert made_private(late) is late


def test_snapshots_of_private_pictures_are_blurred(tmp_path: Path) -> None:
    result, size = picture_of(255)
    private = prepare_private(result, size, False).result
    annotated, clean = save_snapshot(private, tmp_path)
    np.testing.assert_array_equal(cv2.imread(str(clean)), blurred(result.frame.image))
    drawn = cv2.imread(str(annotated))
    assert (np.abs(drawn.astype(int) - blurred(result.frame.image)).max(axis=-1) < 3).mean() > 0.5


def test_the_bridge_blurs_from_the_moment_it_is_told(qtbot: QtBot) -> None:
    slot: LatestSlot[FrameResult] = LatestSlot()
    bridge = FrameBridge(lambda: slot)
    bridge.show_at(160, 90, False)
    bridge.start()
    result, _ = picture_of(255)
    try:
        with qtbot.waitSignal(bridge.ready, timeout=PATIENCE_MS):
            slot.put(result)
        bridge.blur(True)  # after the clear picture was made, before it is taken
        first = bridge.take()
        assert first is not None
        assert first.private
        with qtbot.waitSignal(bridge.ready, timeout=PATIENCE_MS):
            slot.put(result)
        second = bridge.take()
        assert second is not None
        assert second.private
        with qtbot.waitSignal(bridge.ready, timeout=PATIENCE_MS):
            bridge.blur(False)  # no new frame comes, as in a paused file
        third = bridge.take()
        assert third is not None
        assert not third.private
        assert third.result is result
        with qtbot.waitSignal(bridge.ready, timeout=PATIENCE_MS):
            bridge.blur(True)  # no new frame comes: the one in view is blurred
        fourth = bridge.take()
        assert fourth is not None
        assert fourth.private
        assert bridge.take() is None
        with qtbot.assertNotEmitted(bridge.ready):
            bridge.blur(True)
    finally:
        slot.close()
        assert bridge.stop(PATIENCE_SECONDS)
