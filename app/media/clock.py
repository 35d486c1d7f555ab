"""Playing times of frames: wall-clock time for live sources, the file's own time stamps for files."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import av

from app.core.frame import Frame
from app.sources.decode import READ_ERRORS, find_pictures, frame_rate, open_container


@dataclass(frozen=True, slots=True)
class SourceTiming:
    """The clock of a video file.

    Attributes:
        time_base: unit of its frame times, in seconds.
        frame_rate: nominal frames per second; None if unknown.
        start: when the file starts, in seconds of its own clock, a multiple of ``time_base``.
        first_frame: when its first picture is shown, in seconds of its own clock.
    """

    time_base: Fraction
    frame_rate: Fraction | None
    start: Fraction
    first_frame: Fraction


def probe_timing(path: Path) -> SourceTiming | None:
    """Read the clock of a video file; None if it is no video that FFmpeg can read."""
    try:
        with open_container(str(path)) as container:
            stream = find_pictures(container)
            base = None if stream is None else stream.time_base
            if stream is None or base is None:
                return None
            frame = next(container.decode(stream), None)
            if frame is None or frame.pts is None:
                return None
            first = frame.pts * base
            opening = min(first, Fraction(container.start_time or 0, av.time_base))
            return SourceTiming(base, frame_rate(stream), opening // base * base, first)
    except READ_ERRORS:
        return None


class Timeline(Protocol):
    """Maps frames to playing times in seconds."""

    def time(self, frame: Frame) -> float:
        """Return the time of ``frame``."""
        ...


class RecordingClock:
    """Playing times that follow the wall clock.

    The source's time stamps are used, because they are regular, as long as they agree with the capture times. When
    they jump or drift away (a clip that restarts, another source, a drifting clock) they are aligned with the capture
    times again.
    """

    TOLERANCE = 0.25
    """Largest difference in seconds between time stamps and wall clock before they are aligned again."""
    SHORTEST = 0.001
    """Shortest time between two frames, in seconds."""

    def __init__(self) -> None:
        self._start: float | None = None
        self._offset = 0.0
        self._last = 0.0

    def time(self, frame: Frame) -> float:
        """Return when ``frame`` is shown, in seconds; 0 for the first, always later than the last."""
        if self._start is None:
            self._start = frame.captured
            self._offset = -frame.timestamp
            return 0.0
        wall = frame.captured - self._start
        time = frame.timestamp + self._offset
        if not (abs(time - wall) <= self.TOLERANCE and time > self._last):
            time = max(wall, self._last + self.SHORTEST)
            self._offset = time - frame.timestamp
        self._last = time
        return time


class FileClock:
    """Times of a file's frames: exactly the file's own, with 0 if the file starts.

    Args:
        timing: the file's clock; without it the first frame is at 0.
    """

    def __init__(self, timing: SourceTiming | None) -> None:
        self._first = float(timing.first_frame - timing.start) if timing is not None else 0.0
        self._offset: float | None = None

    def time(self, frame: Frame) -> float:
        """Return when ``frame`` is shown, in seconds."""
        if self._offset is None:
            self._offset = self._first - frame.timestamp
        return frame.timestamp + self._offset
