"""End to end without a window: a video as a live source, faster than it can be followed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import UserError
from app.core.frame import Frame, FrameResult
from app.core.settings import TrackingSettings
from app.sources.base import Source, SourceInfo
from app.sources.paced import PacedSource
from app.sources.video import VideoSource
from app.tracking.live import LivePipeline
from app.tracking.pipeline import Pipeline

FASTER_THAN_ALL = 120.0
"""Frames a second that the video claims to have."""
SETTLE_SECONDS = 1.0
LONGEST_START = 60.0


class Retimed:
    """A file source whose frames claim to come at another rate."""

    note = ""

    def __init__(self, inner: Source, fps: float) -> None:
        self._inner = inner
        self._fps = fps
        self._count = 0

    @property
    def info(self) -> SourceInfo:
        """The inner source's facts at the new rate."""
        return replace(self._inner.info, fps=self._fps)

    def read(self) -> Frame | None:
        """Return the next frame with its new timestamp."""
        frame = self._inner.read()
        if frame is None:
            return None
        self._count += 1
        return replace(frame, timestamp=(self._count - 1) / self._fps)

    def close(self) -> None:
        """Close the inner source."""
        self._inner.close()


@dataclass(frozen=True, slots=True)
class Round:
    """One engine's turn.

    Attributes:
        fps: tracked frames a second.
        latencies: milliseconds from capture to result of each frame.
    """

    fps: float
    latencies: list[float]


def run_live(video: Path, build: Callable[[], Pipeline], seconds: float) -> Round:
    """Follow the video for ``seconds``, begun after a second to settle.

    Raises:
        UserError: if the run failed.
    """
    latencies: list[float] = []

    def note(result: FrameResult) -> None:
        latencies.append(1e3 * (time.perf_counter() - result.frame.captured))

    def source() -> PacedSource:
        return PacedSource(lambda: Retimed(VideoSource(video), FASTER_THAN_ALL), loop=True)

    live = LivePipeline(source, build, TrackingSettings())
    live.add_consumer(note)
    live.start()
    try:
        _wait_for_one(latencies, live)
        time.sleep(SETTLE_SECONDS)
        latencies.clear()
        started = time.perf_counter()
        time.sleep(seconds)
        _wait_for_one(latencies, live)  # a short turn beside other programs may end before its first frame does
        elapsed, taken = time.perf_counter() - started, list(latencies)
    finally:
        live.stop()
    return Round(len(taken) / elapsed, taken)


def _wait_for_one(latencies: list[float], live: LivePipeline) -> None:
    """Return when a frame was tracked.

    Raises:
        UserError: if none is.
    """
    end = time.perf_counter() + LONGEST_START
    while not latencies and not live.status.error and time.perf_counter() < end:
        time.sleep(0.02)
    if not latencies:
        raise UserError(live.status.error or f"Nothing was tracked within {LONGEST_START:.0f} seconds.")
