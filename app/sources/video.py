"""Video files, frame by frame, with their exact times."""

from __future__ import annotations

import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
from av.video.frame import VideoFrame

from app.errors import SourceError
from app.pipeline.frame import Frame
from app.sources.base import SourceInfo
from app.sources.decode import READ_ERRORS, find_pictures, frame_rate, open_container, upright_rgb
from app.sources.release import ReleaseGuard

_FALLBACK_RATE = Fraction(30)


class VideoSource:
    """Every frame of a video file, in order. ``timestamp`` is the presentation time in the file.

    A file that was cut off or damaged gives the frames that can be decoded, then ends with
    :attr:`truncated` or :attr:`damaged` set and a sentence in :attr:`note`.

    Attributes:
        path: the file.
        time_base: unit of the file's presentation times, in seconds.
        rate: frames per second as a fraction; None if unknown.
        truncated: the file ended before its own index says; known once ``read`` returned None.
        damaged: packets that could not be decoded so far.

    Raises:
        SourceError: the file is missing, empty, no video or not decodable.
    """

    def __init__(self, path: Path) -> None:
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
        self._guard = ReleaseGuard(self._container.close)
        stream = find_pictures(self._container)
        if stream is None:
            self.close()
            raise SourceError(f"{path} has no video track; choose a video file.")
        self._stream = stream
        self.rate = frame_rate(stream)
        self.time_base = Fraction(stream.time_base or 1 / _FALLBACK_RATE)
        # Kept, because PyAV's objects must not be asked once the file is closed.
        self._declared = stream.frames
        self._declared_end = self._end_by_index()
        self._decoded = self._decode()
        self._index = 0
        self._last: Fraction | None = None
        self._end: Fraction | None = None
        try:
            self._first: VideoFrame | None = next(self._decoded, None)
            if self._first is None:
                raise SourceError(f"No picture of {path} can be decoded; the file is damaged or in an unknown format.")
            height, width = upright_rgb(self._first).shape[:2]
        except BaseException:
            self.close()
            raise
        self._info = SourceInfo(
            name=path.name,
            width=width,
            height=height,
            fps=float(self.rate) if self.rate else None,
            frames=self._declared or self._estimated_frames(),
            live=False,
        )

    @property
    def info(self) -> SourceInfo:
        """Facts about the file; ``frames`` is an estimate where the file does not store it."""
        return self._info

    @property
    def note(self) -> str:
        """One sentence about what could not be read, "" if nothing."""
        if self.truncated:
            known = f" of {self._declared}" if self._declared else ""
            return f"{self.path.name} ends too early, it was cut off: {self._index}{known} frames could be read."
        if self.damaged:
            return f"{self.path.name} is damaged: {self.damaged} parts of it could not be decoded and were left out."
        return ""

    def read(self) -> Frame | None:
        """Return the next frame; None at the end or once closed."""
        with self._guard.using() as usable:
            if not usable:
                return None
            decoded, self._first = self._first or next(self._decoded, None), None
            if decoded is None:
                self._judge_end()
                return None
            image = upright_rgb(decoded)
        frame = Frame(self._index, float(self._presentation(decoded)), image, time.perf_counter())
        self._index += 1
        return frame

    def close(self) -> None:
        """Close the file, once a read in progress has returned."""
        self._guard.close()

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
        # What the decoder still holds is good, although the file broke off after it.
        try:
            yield from self._stream.codec_context.decode(None)
        except READ_ERRORS:
            self.damaged += 1

    def _presentation(self, frame: VideoFrame) -> Fraction:
        """The frame's time in seconds; a frame without one, or not after the last, follows one frame period later."""
        base = Fraction(frame.time_base or self.time_base)
        period = 1 / (self.rate or _FALLBACK_RATE)
        when = None if frame.pts is None else frame.pts * base
        if when is None or (self._last is not None and when <= self._last):
            when = Fraction(0) if self._last is None else self._last + period
        self._last = when
        self._end = when + (frame.duration * base if frame.duration else period)
        return when

    def _end_by_index(self) -> Fraction | None:
        """When the video track ends as the file declares it, in seconds; None if it does not say."""
        if self._stream.duration is not None:
            return ((self._stream.start_time or 0) + self._stream.duration) * self.time_base
        # The length of the whole file may be that of its audio.
        if self._container.duration is None or len(self._container.streams) > 1:
            return None
        return Fraction(max(self._container.start_time or 0, 0) + self._container.duration, av.time_base)

    def _estimated_frames(self) -> int | None:
        if self.rate is None or self._container.duration is None:
            return None
        return max(1, round(Fraction(self._container.duration, av.time_base) * self.rate))

    def _judge_end(self) -> None:
        """Find out whether the file ended before the length it declares."""
        if self._declared_end is None or self._end is None or (self._declared and self._index >= self._declared):
            return
        tolerance = max(2 / (self.rate or _FALLBACK_RATE), Fraction(1, 10))
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
