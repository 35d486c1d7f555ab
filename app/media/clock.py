"""When a frame is shown in a recording: live frames by the clock on the wall, a file's frames by its own."""

from __future__ import annotations

from typing import Protocol

from app.core.frame import Frame
from app.media.audio import SourceTiming


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
