"""The capture thread: newest frame only, errors kept, stalls noticed, always stoppable."""

from __future__ import annotations

import gc
import math
import threading
import weakref
from pathlib import Path

import numpy as np
import pytest

from app.core.errors import SourceError
from app.core.frame import Frame
from app.core.slot import LatestSlot
from app.sources.capture import FAILURES_IN_A_ROW, CaptureThread
from app.sources.release import ReleaseGuard
from tests.sources_fakes import ScriptedSource
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow


def capture_of(source: ScriptedSource, patience: float | None = None) -> tuple[CaptureThread, LatestSlot[Frame]]:
    slot: LatestSlot[Frame] = LatestSlot()
    return CaptureThread(source, slot, patience=patience), slot


def drain(slot: LatestSlot[Frame]) -> list[Frame]:
    """Take until the slot is closed and empty."""
    frames = []
    while (frame := slot.take(PATIENCE_SECONDS)) is not None:
        frames.append(frame)
    return frames


def test_keeps_only_the_newest() -> None:
    source = ScriptedSource(5, "block")
    capture, slot = capture_of(source)
    capture.start()
    assert source.blocked.wait(PATIENCE_SECONDS)
    frame = slot.take(PATIENCE_SECONDS)
    assert frame is not None
    assert frame.index == 4
    assert (capture.captured, slot.replaced) == (5, 4)
    assert capture.error is None
    assert capture.stop(PATIENCE_SECONDS)
    assert source.closed.is_set()


def test_end_closes_the_slot_and_the_source() -> None:
    source = ScriptedSource(3, "end")
    capture, slot = capture_of(source)
    capture.start()
    assert drain(slot)[-1].index == 2
    assert slot.closed
    assert capture.ended
    assert capture.error is None
    assert source.closed.wait(PATIENCE_SECONDS)
    assert capture.stop(PATIENCE_SECONDS)


def test_a_source_that_ended_is_not_kept_for_the_garbage_collector() -> None:
    """It may hold a decoder's pictures, twenty megabytes for each start of a file."""
    gc.disable()
    try:
        source = ScriptedSource(3, "end")
        capture, slot = capture_of(source, patience=math.inf)
        capture.start()
        drain(slot)
        assert capture.stop(PATIENCE_SECONDS)
        gone = weakref.ref(source)
        del source, capture
        assert gone() is None
    finally:
        gc.enable()


def test_error_of_the_source_is_kept_for_others() -> None:
    capture, slot = capture_of(ScriptedSource(2, SourceError("The cable is loose: push it in.")))
    capture.start()
    drain(slot)
    assert str(capture.error) == "The cable is loose: push it in."
    assert not capture.ended
    assert capture.stop(PATIENCE_SECONDS)


def test_unexpected_errors_are_survived() -> None:
    capture, slot = capture_of(ScriptedSource(1, ValueError("odd"), ValueError("odd"), 1, "end"))
    capture.start()
    drain(slot)
    assert capture.captured == 2
    assert capture.error is None
    assert capture.ended


def test_too_many_unexpected_errors_end_the_capture() -> None:
    capture, slot = capture_of(ScriptedSource(1, *[ValueError("odd")] * FAILURES_IN_A_ROW, 1))
    capture.start()
    drain(slot)
    assert capture.captured == 1
    assert "cannot be read any more (odd)" in str(capture.error)


@pytest.mark.parametrize("kind", ["block", "hang"])
def test_source_that_stops_delivering_is_noticed(kind: str) -> None:
    source = ScriptedSource(1, kind)
    capture, slot = capture_of(source, patience=0.2)
    capture.start()
    drain(slot)
    assert "Scripted stopped delivering pictures for 0.2 s" in str(capture.error)
    assert not capture.ended
    assert source.closed.wait(PATIENCE_SECONDS)
    source.unblock.set()
    assert capture.stop(PATIENCE_SECONDS)
    assert "stopped delivering" in str(capture.error)  # the late answer changed nothing


def test_stop_ends_a_blocked_read() -> None:
    source = ScriptedSource("block")
    capture, slot = capture_of(source)
    capture.start()
    assert source.blocked.wait(PATIENCE_SECONDS)
    assert capture.stop(PATIENCE_SECONDS)
    assert capture.stop(PATIENCE_SECONDS)
    assert slot.closed
    assert not capture.ended
    assert capture.error is None


def test_stop_gives_up_on_a_hanging_driver_but_says_so() -> None:
    source = ScriptedSource("hang")
    capture, _ = capture_of(source)
    capture.start()
    assert source.blocked.wait(PATIENCE_SECONDS)
    assert not capture.stop(0.1)
    source.unblock.set()
    assert capture.stop(PATIENCE_SECONDS)
    assert capture.error is None  # an error after the stop is nobody's business


def test_stop_before_start_closes_the_source() -> None:
    source = ScriptedSource(1)
    capture, slot = capture_of(source)
    assert capture.stop(PATIENCE_SECONDS)
    assert source.closed.is_set()
    assert slot.closed


@pytest.mark.slow
def test_fifty_starts_and_stops_leave_no_thread() -> None:
    before = set(threading.enumerate())
    for number in range(50):
        source = ScriptedSource(number % 7, ("block", "end", ValueError("odd"), SourceError("gone."))[number % 4])
        capture, slot = capture_of(source)
        capture.start()
        if number % 3:
            slot.take(0.001)
        assert capture.stop(PATIENCE_SECONDS)
        assert source.closed.is_set()
    assert set(threading.enumerate()) <= before


def test_guard_never_releases_under_a_reader() -> None:
    released = []
    guard = ReleaseGuard(lambda: released.append(1))
    with guard.using() as usable:
        assert usable
        guard.close()
        assert not released
    assert released == [1]
    guard.close()
    with guard.using() as usable:
        assert not usable
    assert released == [1]


def test_video_file_closed_from_another_thread_while_read(tmp_path: Path) -> None:
    from app.sources.video import VideoSource
    from tests.sources_fakes import write_video

    path = write_video(tmp_path / "a.mp4", list(np.random.default_rng(0).integers(0, 255, (60, 96, 128, 3), np.uint8)))
    for _ in range(10):
        source = VideoSource(path)
        slot: LatestSlot[Frame] = LatestSlot()
        capture = CaptureThread(source, slot)
        capture.start()
        slot.take(PATIENCE_SECONDS)
        source.close()
        assert capture.stop(PATIENCE_SECONDS)
        assert capture.error is None
