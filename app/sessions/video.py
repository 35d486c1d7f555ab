"""Pictures of a session's video by number, for scrubbing and replaying."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from numpy.typing import NDArray

from app.media.video import unboxed
from app.sessions.form import SessionError
from app.sources.base import CLOCK_BACK, LEAP
from app.sources.decode import READ_ERRORS, find_pictures, may_leap, open_container
from app.sources.presentation import Presentation

CACHE_BYTES = 96 << 20
"""Pictures that are kept: more than lie between two key frames of a 720p recording, so stepping back is quick."""
KEPT_BEFORE = 24
"""Of the pictures that are decoded on the way to one that was asked for, so many before it are kept."""
LONGEST_RUN = 30
"""Pictures that are decoded one after another rather than sought."""

Picture = NDArray[np.uint8]


class SessionVideo:
    """Random access to the pictures of a video. Used by one thread at a time.

    Args:
        path: the video.
        times: (m,) when each picture is shown, in seconds of the file, ever increasing.
        sizes: (m, 2) width and height of each picture when it was tracked, 0 where that is not known. The video has
            the first one's; others were letterboxed into it, and are returned at their own size again, as their
            landmarks need it. None where pictures are those of the file.
        whole: the file was finished; else its last picture may be cut short and is not shown.

    Raises:
        SessionError: if the video cannot be read.
    """

    def __init__(
        self,
        path: Path,
        times: NDArray[np.float64],
        sizes: NDArray[np.int64] | None = None,
        *,
        whole: bool = True,
    ) -> None:
        self._path = path
        self._sizes: list[tuple[int, int]] = (
            [] if sizes is None else [(width, height) for width, height in sizes.tolist()]
        )
        self._whole = whole
        self._times = times
        try:
            self._container = open_container(str(path))
        except READ_ERRORS as error:
            raise SessionError(f"{path} is missing or damaged, so its pictures cannot be shown; restore it.") from error
        stream = find_pictures(self._container)
        if stream is None:
            self._container.close()
            raise SessionError(f"{path} has no pictures; restore it from a copy.")
        self._stream = stream
        self._presentation = Presentation(stream)
        self._base = Fraction(stream.time_base or Fraction(1, 90000))
        self._stamps = _stamps(times, self._base)
        self._counts = self._begins_again()
        self._decoded: Iterator[VideoFrame] = self._decode()
        self._next = 0
        self._cache: OrderedDict[int, Picture] = OrderedDict()
        self._cached_bytes = 0

    def __len__(self) -> int:
        """How many pictures it should hold; the last ones may be missing after a kill."""
        return len(self._times)

    def read(self, number: int) -> Picture | None:
        """Return picture ``number`` as (h, w, 3) uint8 RGB, never written to; None if the video lacks it.

        Raises:
            IndexError: for a number that no picture has.
        """
        if not 0 <= number < len(self._times):
            raise IndexError(f"the video has no picture {number}")
        if number in self._cache:
            self._cache.move_to_end(number)
            return self._cache[number]
        if not self._next <= number < self._next + LONGEST_RUN:
            self._seek(number)
        for place, frame in self._run():
            if place < number - KEPT_BEFORE:
                continue
            image = self._picture(place, frame)
            self._remember(place, image)
            if place >= number:
                return image if place == number else None
        return None

    def frames(self) -> Iterator[tuple[int, Picture]]:
        """Yield every picture from the first one on, with its number; nothing is cached."""
        self._rewind()
        for place, frame in self._run():
            yield place, self._picture(place, frame)

    def close(self) -> None:
        """Close the file; safe to call twice."""
        self._decoded = iter(())
        self._container.close()

    def __enter__(self) -> SessionVideo:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> Iterator[tuple[int, VideoFrame]]:
        """Yield the coming pictures with their numbers."""
        for frame in self._decoded:
            place = self._next if frame.pts is None or self._counts else self._number(frame.pts)
            if place < 0:
                continue
            self._next = place + 1
            yield place, frame

    def _picture(self, number: int, frame: VideoFrame) -> Picture:
        image = self._presentation.picture(frame)
        if number >= len(self._sizes) or not (all(self._sizes[0]) and all(self._sizes[number])):
            return image
        return np.ascontiguousarray(unboxed(image, self._sizes[0], self._sizes[number]))

    def _number(self, stamp: int) -> int:
        """Return which picture has a time stamp: the nearest one; -1 before the first."""
        place = int(np.searchsorted(self._stamps, stamp))
        if place == len(self._stamps) or (place and stamp - self._stamps[place - 1] <= self._stamps[place] - stamp):
            place -= 1
        return place if place > 0 or stamp >= self._stamps[0] - 1 else -1

    def _begins_again(self) -> bool:
        """Whether pictures must be counted: the file's times begin again or leap, as where recordings were joined."""
        length = self._container.duration
        if length is None or not len(self._times):
            return False
        end = (max(self._container.start_time or 0, 0) + length) / av.time_base
        last = float(self._times[-1])
        return last > end + CLOCK_BACK or (may_leap(self._container) and last < end - LEAP)

    def _seek(self, number: int) -> None:
        if self._counts:
            if number < self._next:
                self._rewind()
            return
        try:
            self._container.seek(int(self._stamps[number]), stream=self._stream)
        except READ_ERRORS:
            self._rewind()
            return
        self._decoded = self._decode()
        first = next(self._run(), None)
        if first is None or first[0] > number:  # a container without an index may land too late
            self._rewind()
            return
        self._next, frame = first
        self._decoded = _chained(frame, self._decoded)

    def _rewind(self) -> None:
        self._container.close()
        self._container = open_container(str(self._path))
        stream = find_pictures(self._container)
        assert stream is not None  # it was there when the file was opened
        self._stream, self._decoded, self._next = stream, self._decode(), 0

    def _decode(self) -> Iterator[VideoFrame]:
        """Yield pictures as long as the file gives whole ones."""
        packets = self._packets()
        while (packet := next(packets, None)) is not None:
            try:
                frames = packet.decode()
            except READ_ERRORS:
                break
            yield from (frame for frame in frames if isinstance(frame, VideoFrame))
        try:
            yield from self._stream.codec_context.decode(None)
        except READ_ERRORS:
            return

    def _packets(self) -> Iterator[av.Packet]:
        """Yield the file's packets up to its end or a place that cannot be read.

        HuffYUV decodes the missing rest of a packet that a kill cut short as noise and reports no error, so where the
        file was not finished the last packet is held back.
        """
        held: av.Packet | None = None
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets, None)
            except READ_ERRORS:
                return
            if packet is None or packet.size == 0:
                break
            if self._whole:
                yield packet
            elif held is not None:
                yield held
            held = packet

    def _remember(self, number: int, image: Picture) -> None:
        image.setflags(write=False)
        if number in self._cache:
            return
        self._cache[number] = image
        self._cached_bytes += image.nbytes
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.nbytes


def _stamps(times: NDArray[np.float64], base: Fraction) -> NDArray[np.int64]:
    """Return the times in units of the file's clock, each later than the last, as the writer rounds them."""
    stamps = np.array([round(Fraction(float(time)) / base) for time in times], np.int64)
    for place in range(1, len(stamps)):
        stamps[place] = max(stamps[place], stamps[place - 1] + 1)
    return stamps


def _chained(first: VideoFrame, rest: Iterator[VideoFrame]) -> Iterator[VideoFrame]:
    yield first
    yield from rest
