"""Writes video with exact frame times to a file that stays playable after a crash.

MP4 and MOV are written in fragments of a quarter of a second that reach the operating system at
once, so a killed process leaves a file that plays up to its last fragment. A proper end turns it
into a regular file with one index (FFmpeg's ``hybrid_fragmented``). Matroska and NUT need no such care.
How pictures are encoded is said in :mod:`app.media.encoding`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
import cv2
import numpy as np
from av.error import FFmpegError
from av.video.frame import PictureType
from numpy.typing import NDArray

from app.core.errors import RecordingError
from app.core.files import check_still_there, check_writable, failure
from app.media.encoding import FILE, Encoding
from app.media.safe_file import SafeFile

if TYPE_CHECKING:
    from app.media.streams import StreamCopy

_FORMATS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska", ".nut": "nut"}
VIDEO_SUFFIXES = FILE.suffixes
FINE_TIME_BASE = Fraction(1, 90000)
FRAGMENT_SECONDS = 0.25
LARGEST_SIDE = 16384


class VideoWriter:
    """An open video file. Used by one thread at a time.

    Args:
        path: its suffix must be one of the encoding's.
        width: of the frames, in pixels; odd sizes are padded by a copied row or column.
        height: of the frames, in pixels.
        time_base: the unit times are rounded to; a file's own makes its times exact.
        frame_rate: nominal frames per second, for the encoder's rate control.
        encoding: how pictures are encoded.
        threads: of the encoder; 0 leaves it to the encoder.
        copy: what to copy beside the pictures.
        overwrite: replace an existing file.

    Raises:
        RecordingError: if the file cannot be created or the size cannot be encoded.
    """

    def __init__(
        self,
        path: Path,
        width: int,
        height: int,
        *,
        time_base: Fraction = FINE_TIME_BASE,
        frame_rate: Fraction | None = None,
        encoding: Encoding = FILE,
        threads: int = 0,
        copy: StreamCopy | None = None,
        overwrite: bool = False,
    ) -> None:
        if path.suffix.lower() not in encoding.suffixes:
            names = ", ".join(encoding.suffixes)
            raise RecordingError(f"Cannot write {path}: give a video name that ends in {names}.")
        if not (0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE):
            raise RecordingError(
                f"Cannot write {path}: {width}x{height} pixels is outside what a video can hold "
                f"(up to {LARGEST_SIDE} a side); use smaller pictures."
            )
        check_writable(path, overwrite=overwrite)
        self._path = path
        self._size = (width, height)
        self._encoding = encoding
        self._time_base = time_base
        self._last_pts: int | None = None
        self._step = 1
        self._key_pts: int | None = None
        self._closed = False
        self._copy = copy
        try:
            self._file = SafeFile(path)
        except OSError as error:
            raise failure(path, error) from error
        try:
            self._container = av.open(
                self._file, "w", format=_FORMATS[path.suffix.lower()], options=_container_options(path, time_base)
            )
            self._stream = self._open_stream(frame_rate or Fraction(30), threads)
            if copy is not None:
                copy.attach(self._container)
        except (OSError, FFmpegError, ValueError) as error:
            self._file.close()
            with suppress(OSError):
                path.unlink()  # there is nothing in it
            raise self._failure(error) from error

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames it takes, in pixels."""
        return self._size

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        """Encode one picture.

        Args:
            image: (height, width, 3) uint8 RGB of the writer's size.
            time: when it is shown, in seconds; at least one unit of the time base after the last.

        Raises:
            ValueError: for a picture of another shape or a time that is not finite.
            RecordingError: if it cannot be written; what was written stays playable.
        """
        width, height = self._size
        if image.shape != (height, width, 3) or image.dtype != np.uint8:
            raise ValueError(f"expected a picture of {(height, width, 3)} uint8, got {image.shape} {image.dtype}")
        if not math.isfinite(time):
            raise ValueError(f"expected a time in seconds, got {time}")
        pts = round(Fraction(time) / self._time_base)
        if self._last_pts is not None:
            pts = max(pts, self._last_pts + 1)
        frame = self._encoding.frame(image)
        frame.pts, frame.time_base = pts, self._time_base
        if self._needs_key_frame(pts):
            frame.pict_type = PictureType.I
            self._key_pts = pts
        if self._last_pts is not None:
            self._step = pts - self._last_pts
        self._last_pts = pts
        try:
            self._mux(self._stream.encode(frame))
            if self._copy is not None:
                self._copy.copy_until(float(pts * self._time_base))
        except (OSError, FFmpegError) as error:
            raise self._failure(error) from error
        if self._file.error is not None:
            raise failure(self._path, self._file.error) from self._file.error
        self._file.mark()

    def close(self, *, copy_end: float | None = None) -> None:
        """Finish the file; safe to call twice.

        Args:
            copy_end: copy the rest up to this time in seconds, where the pictures stopped early;
                None copies all of it.

        Raises:
            RecordingError: if the end could not be written; the file plays up to its last fragment.
        """
        if self._closed:
            return
        self._closed = True
        problem: BaseException | None = None
        try:
            self._mux(self._stream.encode(None))
            if self._copy is not None:
                self._copy.finish(copy_end)
            self._file.mark()
        except Exception as error:  # whatever an encoder raises, the file is closed and what it holds is kept
            problem = error
        try:
            self._container.close()
        except Exception as error:
            problem = problem or error
        finally:
            self._file.close()
            if self._copy is not None:
                self._copy.close()
        problem = self._file.error or problem
        if problem is not None:
            raise self._failure(problem) from problem
        check_still_there(self._path)

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open_stream(self, frame_rate: Fraction, threads: int) -> av.VideoStream:
        encoding = self._encoding
        stream = self._container.add_stream(encoding.codec, rate=frame_rate)
        assert isinstance(stream, av.VideoStream)
        context = stream.codec_context
        context.width, context.height = encoding.size(*self._size)
        context.time_base = stream.time_base = self._time_base
        context.gop_size = max(1, round(encoding.keyframe_seconds * frame_rate))
        context.thread_count = threads
        encoding.configure(context)
        return stream

    def _needs_key_frame(self, pts: int) -> bool:
        """Whether the next picture may come too late; the encoder counts pictures and not the time between them."""
        seconds = self._encoding.keyframe_seconds
        if seconds == 0:  # every picture stands alone
            return False
        return self._key_pts is None or (pts + self._step - self._key_pts) * self._time_base > Fraction(seconds)

    def _mux(self, packets: Iterable[av.Packet]) -> None:
        for packet in packets:
            self._container.mux(packet)

    def _failure(self, error: BaseException) -> RecordingError:
        if isinstance(error, OSError) and not isinstance(error, FFmpegError):
            return failure(self._path, error)
        said = str(error) or type(error).__name__
        return RecordingError(f"Cannot write {self._path}: the video encoder said {said!r}; try another format.")


def letterbox(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """Return ``image`` scaled to fit (height, width, 3), centred between black bars."""
    rows, columns = image.shape[:2]
    if (columns, rows) == (width, height):
        return image
    left, top, *inner = _place_in_box(columns, rows, width, height)
    boxed = np.zeros((height, width, 3), np.uint8)
    boxed[top : top + inner[1], left : left + inner[0]] = _resized(image, inner[0], inner[1])
    return boxed


def unboxed(image: NDArray[np.uint8], box: tuple[int, int], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Return a picture that :func:`letterbox` has put into a box at its own size again.

    Args:
        image: from a video, whose encoder may have padded odd sides.
        box: width and height of the box.
        size: width and height of the picture.
    """
    width, height = size
    left, top, *inner = _place_in_box(width, height, *box)
    part = image[top : top + inner[1], left : left + inner[0]]
    return part if part.shape[:2] == (height, width) else _resized(part, width, height)


def _place_in_box(width: int, height: int, box_width: int, box_height: int) -> tuple[int, int, int, int]:
    """Return where a picture of a size lies in a box, in the middle: left, top, width, height."""
    scale = min(box_width / width, box_height / height)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    return (box_width - inner_width) // 2, (box_height - inner_height) // 2, inner_width, inner_height


def _resized(image: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    shrinks = width < image.shape[1] or height < image.shape[0]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (width, height), interpolation=way), np.uint8)


def _container_options(path: Path, time_base: Fraction) -> dict[str, str]:
    options = {"flush_packets": "1", "max_interleave_delta": str(round(FRAGMENT_SECONDS * 1e6))}
    if path.suffix.lower() == ".nut":
        return options
    if path.suffix.lower() == ".mkv":
        return options | {"cluster_time_limit": str(round(FRAGMENT_SECONDS * 1e3))}
    # delay_moov writes the first index with the first fragment, when edit lists (audio priming) are
    # known; the movie's own clock is as fine as the stream's, or a late first frame would be rounded.
    return options | {
        "movflags": "hybrid_fragmented+delay_moov",
        "frag_duration": str(round(FRAGMENT_SECONDS * 1e6)),
        "movie_timescale": str(max(1000, time_base.denominator)),
    }
