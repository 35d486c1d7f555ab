"""Video files, frame by frame, with exact times and random access."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame

from app.core.errors import SourceError
from app.core.frame import Frame
from app.core.text_table import counted
from app.sources.base import CLOCK_BACK, FALLBACK_RATE, LEAP, SourceInfo, adaptation_remark
from app.sources.decode import (
    READ_ERRORS,
    find_pictures,
    frame_rate,
    lacks_time_stamps,
    may_leap,
    measure_extent,
    open_container,
)
from app.sources.presentation import Presentation
from app.sources.release import ReleaseGuard

_FASTEST = 240
"""A higher rate is checked, since files of variable rate may declare that of their clock, 1000."""
_BACK_OFF = (Fraction(0), Fraction(2), Fraction(20))
"""Seconds before the wanted time at which to look for a key frame, in turn: the index of some files points too late."""
_ROUNDING = Fraction(1, 10**7)
"""Seconds by which a timestamp may have been rounded down as a float."""


@dataclass(frozen=True, slots=True, eq=False)
class _Timed:
    """A decoded frame with its presentation time in seconds and its place in the file."""

    frame: VideoFrame
    when: Fraction
    index: int


class VideoSource:
    """Every frame of a video file, in order. ``timestamp`` is the presentation time in the file.

    A truncated or damaged file delivers the frames that can be decoded, then ends with :attr:`truncated` or
    :attr:`damaged` set and a sentence in :attr:`note`.

    After :meth:`seek` a frame's ``index`` is computed from its time and the file's rate, since counting would mean
    reading everything before it; at a constant rate the result is the same.

    Args:
        path: the file.
        name: for display; the file's own by default.

    Attributes:
        path: the file.
        time_base: unit of the file's presentation times, in seconds.
        rate: frames per second as a fraction; None if unknown.
        truncated: the file ends before its index says; known once ``read`` has returned None.
        damaged: packets that could not be decoded so far.

    Raises:
        SourceError: the file is missing, empty, no video or cannot be decoded.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self.truncated = False
        self.damaged = 0
        _check_file(path)
        try:
            self._container = open_container(str(path))
        except READ_ERRORS as error:
            raise SourceError(
                f"{path} cannot be read as a video; it may be damaged or incomplete, or no video at all."
            ) from error
        self.truncated = self._container.file is not None
        self._ahead: deque[_Timed] = deque()
        self._decoded: Iterator[VideoFrame] = iter(())
        self._guard = ReleaseGuard(self._release)
        stream = find_pictures(self._container)
        if stream is None:
            self.close()
            raise SourceError(f"{path} has no video track; choose a video file.")
        self._stream = stream
        self._presentation = Presentation(stream)
        self.rate = frame_rate(stream)
        self.time_base = Fraction(stream.time_base or 1 / FALLBACK_RATE)
        # Stored, because PyAV's objects must not be used once the file is closed.
        self._declared = stream.frames
        self._declared_end = self._end_by_index()
        self._counted: int | None = None
        if self._container.duration is None or self.rate is None or self.rate > _FASTEST:
            self._measure()
        self._decoded = self._decode()
        self._index = 0
        self._last: Fraction | None = None
        self._shift = Fraction(0)
        self._leaps = may_leap(self._container)
        self._end: Fraction | None = None
        try:
            first = self._next()
            if first is None:
                raise SourceError(f"No picture of {path} can be decoded; the file is damaged or in an unknown format.")
            height, width = self._presentation.picture(first.frame).shape[:2]
        except BaseException:
            self.close()
            raise
        self._start = first.when
        self._ahead.append(first)
        self._info = SourceInfo(
            name=name or path.name,
            width=width,
            height=height,
            fps=float(self.rate) if self.rate else None,
            frames=self._declared or self._counted or self._estimated_frames(),
            live=False,
            adaptations=self._presentation.adaptations,
            remark=" ".join(filter(None, (self._clock_remark(), adaptation_remark(self._presentation.adaptations)))),
        )

    @property
    def info(self) -> SourceInfo:
        """Facts about the file; ``frames`` is an estimate if the file does not store it."""
        return self._info

    @property
    def start(self) -> float:
        """Timestamp of the first frame, in seconds."""
        return float(self._start)

    @property
    def duration(self) -> float | None:
        """Seconds from the first frame to the end of the last, as the file declares it; None if it does not."""
        end = self._declared_end
        if end is None and self._info.frames and self.rate:
            end = self._start + self._info.frames / self.rate
        return None if end is None or end <= self._start else float(end - self._start)

    @property
    def note(self) -> str:
        """One sentence about what could not be read, or was not foreseen in ``info.remark``; "" for nothing."""
        if self.truncated:
            read = f"{self._index} of {self._declared} frames" if self._declared else counted(self._index, "frame")
            return f"{self.path.name} ends too early, it was cut off: {read} could be read."
        if self.damaged:
            parts, were = counted(self.damaged, "part"), "was" if self.damaged == 1 else "were"
            return f"{self.path.name} is damaged: {parts} of it could not be decoded and {were} left out."
        later = [done for done in self._presentation.adaptations if done not in self._info.adaptations]
        return adaptation_remark(later, "Some pictures")

    def read(self) -> Frame | None:
        """Return the next frame; None at the end or once closed."""
        with self._guard.using() as usable:
            if not usable:
                return None
            timed = self._ahead.popleft() if self._ahead else self._next()
            if timed is None:
                self._judge_end()
                return None
            image = self._presentation.picture(timed.frame)
        return Frame(timed.index, float(timed.when), image, time.perf_counter())

    def seek(self, timestamp: float) -> None:
        """Let the next :meth:`read` return the last frame whose timestamp is not after ``timestamp``.

        This is exact: everything from the key frame before it is decoded. It takes at most as long as decoding what is
        between two key frames, or the whole file up to there if it has no index.

        Raises:
            SourceError: the file can no longer be read.
        """
        with self._guard.using() as usable:
            if not usable:
                return
            wanted = max(Fraction(timestamp) + _ROUNDING, self._start)
            if self._declared_end is not None:
                # Plus one second: the declared end may be rounded, or be the time at which the last frame begins.
                wanted = min(wanted, max(self._declared_end, self._start) + 1)
            try:
                if not any(self._jump(wanted - back) and self._hold(wanted) for back in _BACK_OFF):
                    self._open_again()
                    self._hold(wanted)
            except READ_ERRORS as error:
                raise SourceError(f"{self.path} cannot be searched; it may be damaged: open it again.") from error

    def close(self) -> None:
        """Close the file, once a read in progress has returned."""
        self._guard.close()

    def _release(self) -> None:
        # The decoder's pictures are freed at once: a loop opens the file again every few seconds.
        self._decoded = iter(())
        self._ahead.clear()
        self._container.close()

    def _next(self) -> _Timed | None:
        decoded = next(self._decoded, None)
        if decoded is None:
            return None
        timed = _Timed(decoded, self._time_of(decoded), self._index)
        self._index += 1
        return timed

    def _jump(self, moment: Fraction) -> bool:
        """Continue at the key frame before ``moment``; return False if the file's index does not lead to one."""
        self._ahead.clear()
        try:
            self._container.seek(int(moment / self.time_base), stream=self._stream)
        except READ_ERRORS:
            return False
        self._decoded = self._decode()
        decoded = next(self._decoded, None)
        if decoded is None or decoded.pts is None:
            return False
        self._last, self._shift = None, Fraction(0)
        when = self._time_of(decoded)
        self._index = max(0, round((when - self._start) * (self.rate or FALLBACK_RATE)))
        self._ahead.append(_Timed(decoded, when, self._index))
        self._index += 1
        return True

    def _hold(self, wanted: Fraction) -> bool:
        """Decode up to the frame shown at ``wanted`` and keep it for ``read``; return False if it is already past."""
        held = self._ahead.popleft() if self._ahead else self._next()
        if held is None or held.when > max(wanted, self._start):
            return False
        while (following := self._next()) is not None and following.when <= wanted:
            held = following
        self._ahead.append(held)
        if following is not None:
            self._ahead.append(following)
        return True

    def _open_again(self) -> None:
        """Start at the beginning, for files without random access."""
        self._container.close()
        self._container = open_container(str(self.path))
        stream = find_pictures(self._container)
        if stream is None:
            raise OSError("the video track is gone")
        self._stream = stream
        self._decoded = self._decode()
        self._ahead.clear()
        self._last, self._shift, self._index = None, Fraction(0), 0

    def _decode(self) -> Iterator[VideoFrame]:
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except READ_ERRORS:
                self.truncated = True
                break
            try:
                frames = packet.decode()
            except READ_ERRORS:
                self.damaged += 1
                continue
            yield from (frame for frame in frames if isinstance(frame, VideoFrame))
        # Frames still in the decoder are valid, although the file ends after them.
        try:
            yield from self._stream.codec_context.decode(None)
        except READ_ERRORS:
            self.damaged += 1

    def _time_of(self, frame: VideoFrame) -> Fraction:
        """Return the frame's time in seconds; if it is missing or not after the last one, one frame period later.

        Where recordings were joined, and the times begin again or leap, those that follow are moved as much.
        """
        base = Fraction(frame.time_base or self.time_base)
        period = 1 / (self.rate or FALLBACK_RATE)
        last = self._last
        when = None if frame.pts is None else frame.pts * base + self._shift
        if when is not None and last is not None and self._set_anew(when - last, period):
            self._shift += last + period - when
            when = last + period
        if when is None or (last is not None and when <= last):
            when = Fraction(0) if last is None else last + period
        self._last = when
        self._end = when + (frame.duration * base if frame.duration else period)
        return when

    def _set_anew(self, step: Fraction, period: Fraction) -> bool:
        """Whether the file's clock begins again or leaps between two frames."""
        return step < -CLOCK_BACK or (self._leaps and step > LEAP + period)

    def _end_by_index(self) -> Fraction | None:
        """Return when the video track ends according to the file, in seconds; None if the file does not tell."""
        if self._stream.duration is not None:
            return ((self._stream.start_time or 0) + self._stream.duration) * self.time_base
        # The duration of the whole file may be that of its audio.
        if self._container.duration is None or len(self._container.streams) > 1:
            return None
        return Fraction(max(self._container.start_time or 0, 0) + self._container.duration, av.time_base)

    def _measure(self) -> None:
        """Find out the length and the rate, which the file does not declare or cannot mean."""
        try:
            extent = measure_extent(self.path)
        except READ_ERRORS:
            return
        self._counted = extent.frames or None
        if extent.rate is not None:
            self.rate = extent.rate
        if self._declared_end is None:
            self._declared_end = extent.end

    def _clock_remark(self) -> str:
        if not lacks_time_stamps(self._container) or self.rate is None:
            return ""
        return f"{self.path.name} has no time stamps: {float(self.rate):g} frames per second are assumed."

    def _estimated_frames(self) -> int | None:
        if self.rate is None or self._container.duration is None:
            return None
        return max(1, round(Fraction(self._container.duration, av.time_base) * self.rate))

    def _judge_end(self) -> None:
        """Determine whether the file ended before the duration it declares."""
        if self._declared_end is None or self._end is None or (self._declared and self._index >= self._declared):
            return
        if self._shift:  # of joined recordings, the end of one of them is declared
            return
        tolerance = max(2 / (self.rate or FALLBACK_RATE), Fraction(1, 10))
        self.truncated |= self._end < self._declared_end - tolerance


def _check_file(path: Path) -> None:
    if not path.exists():
        raise SourceError(f"There is no file {path}; check its name.")
    if not path.is_file():
        raise SourceError(f"{path} is not a file; choose a video file.")
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise SourceError(f"{path} is empty; choose another file.")
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror or error}.") from error
