"""When a frame is shown in a recording: live frames by the clock on the wall, a file's frames by its own."""

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
    """Read the clock of a video file; None where it is no video that FFmpeg can read."""
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
    """Says when a frame is shown, in seconds of the outputs."""

    def time(self, frame: Frame) -> float:
        """Return the time of ``frame``."""
        ...


class RecordingClock:
    """Turns frames into playing times that run like the clock on the wall.

    The source's own time stamps are used for their regularity as long as they keep step with the
    moments the frames were captured; where they jump or run away (a clip that starts over, another
    source, a clock that drifts) they are tied anew to those moments.
    """

    TOLERANCE = 0.25
    """Seconds that time stamps may differ from the wall clock before they are tied anew."""
    SHORTEST = 0.001
    """Least seconds between two frames."""

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
    """Times of a file's frames: exactly the file's own, with 0 where the file starts.

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
