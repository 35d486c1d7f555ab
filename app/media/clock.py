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
    times again. Where that is soon too late, since they run at another rate, as those of a file that is played slowly,
    the capture times are used until both run at one rate again.
    """

    TOLERANCE = 0.25
    """Largest difference in seconds between time stamps and wall clock before they are aligned again."""
    SHORTEST = 0.001
    """Shortest time between two frames, in seconds."""
    SOON = 5.0
    """Time stamps that have to be aligned again within so many seconds run at another rate."""
    TRIAL = 1.0
    """Seconds over which the two rates are compared then,"""
    SAME = 0.05
    """and the largest difference in seconds at which they are the same."""

    def __init__(self) -> None:
        self._start: float | None = None
        self._offset = 0.0
        self._last = 0.0
        self._aligned = 0.0
        self._trial: tuple[float, float] | None = None
        """While capture times are used: a time stamp, and the wall's time then."""

    def time(self, frame: Frame) -> float:
        """Return when ``frame`` is shown, in seconds; 0 for the first, always later than the last."""
        if self._start is None:
            self._start = frame.captured
            self._offset = -frame.timestamp
            return 0.0
        wall = frame.captured - self._start
        time = frame.timestamp + self._offset
        if self._trial is not None or not (abs(time - wall) <= self.TOLERANCE and time > self._last):
            self._watch_rate(frame.timestamp, wall)
            time = max(wall, self._last + self.SHORTEST)
            self._offset = time - frame.timestamp
            self._aligned = wall
        self._last = time
        return time

    def _watch_rate(self, stamp: float, wall: float) -> None:
        """Begin to use capture times where that is due, or end it."""
        if self._trial is None:
            self._trial = (stamp, wall) if wall - self._aligned < self.SOON else None
        elif wall - self._trial[1] >= self.TRIAL:
            same = abs((stamp - self._trial[0]) - (wall - self._trial[1])) <= self.SAME
            self._trial = None if same else (stamp, wall)


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
