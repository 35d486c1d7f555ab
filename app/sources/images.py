"""One picture, or a folder of pictures as the frames of a sequence."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Frame
from app.sources.base import SourceInfo
from app.sources.opencv import cv2, quiet_opencv
from app.sources.spec import PICTURE_SUFFIXES

SEQUENCE_FPS = 30.0
"""Frame rate assumed for a folder, which has none of its own."""
_PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\x00", b"MM\x00*")


def list_pictures(folder: Path) -> tuple[Path, ...]:
    """Return the pictures directly in ``folder`` in natural order: 2.png before 10.png."""
    pictures = (
        path
        for path in folder.iterdir()
        if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()
    )
    return tuple(sorted(pictures, key=lambda path: (_natural(path.name), path.name)))


def read_picture(path: Path) -> NDArray[np.uint8]:
    """Return a picture as (h, w, 3) uint8 RGB, turned as its EXIF data says.

    16 bits are reduced to 8 (scaled up if only the lower bits are used, as by 10- and 12-bit sensors), grey becomes
    RGB, and transparent parts become white.

    Raises:
        SourceError: the file is missing or cannot be decoded.
    """
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise SourceError(f"{path} cannot be opened: {error.strerror or error}.") from error
    image: NDArray[Any] | None = None
    if data.size:
        # From memory, because OpenCV cannot open names outside the code page on Windows.
        flags = cv2.IMREAD_UNCHANGED if _has_more_than_rgb8(data[:26].tobytes()) else cv2.IMREAD_COLOR_RGB
        try:
            with quiet_opencv():
                image = cv2.imdecode(data, flags)
                if image is not None and flags == cv2.IMREAD_UNCHANGED:
                    image = _plain_rgb(image)
        except (cv2.error, MemoryError):
            image = None
    if image is None or image.size == 0:
        raise SourceError(f"{path} cannot be read as a picture; it may be damaged or in an unknown format.")
    return np.ascontiguousarray(image, np.uint8)


class ImageSource:
    """Pictures as frames. Those that cannot be read are left out, and named in :attr:`note`.

    ``index`` is the position in the list of all pictures, so an unreadable one leaves a gap; ``timestamp`` is
    ``index / fps``. Pictures may differ in size; ``info`` has the size of the first readable one.

    Args:
        paths: the pictures in order.
        name: for display.

    Attributes:
        skipped: the pictures that could not be read so far.

    Raises:
        SourceError: there are no pictures, or none can be read.
    """

    def __init__(self, paths: Sequence[Path], name: str) -> None:
        self.skipped: list[Path] = []
        self._paths = tuple(paths)
        self._next_index = 0
        self._closed = False
        if not self._paths:
            raise SourceError(f"{name} holds no pictures; choose another folder.")
        self._first = self._advance()
        if self._first is None:
            raise SourceError(
                f"{self._paths[0]} cannot be read as a picture; it may be damaged or in an unknown format."
                if len(self._paths) == 1
                else f"None of the {len(self._paths)} pictures in {name} can be read; they may be damaged."
            )
        height, width = self._first.image.shape[:2]
        self._info = SourceInfo(
            name=name, width=width, height=height, fps=SEQUENCE_FPS, frames=len(self._paths), live=False
        )

    @property
    def info(self) -> SourceInfo:
        """Facts about the pictures; ``frames`` includes unreadable ones."""
        return self._info

    @property
    def paths(self) -> tuple[Path, ...]:
        """The picture files; a frame's ``index`` is its place here."""
        return self._paths

    @property
    def note(self) -> str:
        """One sentence about pictures that were left out, "" if there are none."""
        if not self.skipped:
            return ""
        names = ", ".join(path.name for path in self.skipped[:3]) + (", ..." if len(self.skipped) > 3 else "")
        plural = "picture" if len(self.skipped) == 1 else "pictures"
        return f"{len(self.skipped)} {plural} could not be read and were left out: {names}."

    @property
    def start(self) -> float:
        """Timestamp of the first picture."""
        return 0.0

    @property
    def duration(self) -> float:
        """Duration of all pictures in seconds."""
        return len(self._paths) / SEQUENCE_FPS

    def seek(self, timestamp: float) -> None:
        """Let the next :meth:`read` return the picture shown at ``timestamp``, or the next readable one."""
        # Timestamps are index / fps, rounded; a millionth of a picture compensates for that.
        index = int(max(0.0, timestamp) * SEQUENCE_FPS + 1e-6)
        self._next_index = min(index, len(self._paths) - 1)
        self._first = None

    def read(self) -> Frame | None:
        """Return the next readable picture; None after the last or once closed."""
        if self._closed:
            return None
        frame, self._first = self._first or self._advance(), None
        return frame

    def close(self) -> None:
        """End the sequence."""
        self._closed = True
        self._first = None

    def _advance(self) -> Frame | None:
        while self._next_index < len(self._paths):
            index, path = self._next_index, self._paths[self._next_index]
            self._next_index += 1
            try:
                image = read_picture(path)
            except SourceError:
                if path not in self.skipped:
                    self.skipped.append(path)
                continue
            return Frame(index, index / SEQUENCE_FPS, image, time.perf_counter())
        return None


def open_picture(path: Path) -> ImageSource:
    """Open one picture as a source of one frame."""
    if not path.is_file():
        raise SourceError(f"There is no file {path}; check its name.")
    return ImageSource([path], path.name)


def open_folder(folder: Path) -> ImageSource:
    """Open all pictures directly in ``folder``."""
    try:
        pictures = list_pictures(folder)
    except OSError as error:
        raise SourceError(f"{folder} cannot be opened: {error.strerror or error}.") from error
    return ImageSource(pictures, folder.resolve().name or str(folder))


def _has_more_than_rgb8(header: bytes) -> bool:
    """Whether OpenCV's plain decoding would lose transparency or 16 bits."""
    if len(header) < 26:
        return False
    if header.startswith(_PNG):
        depth, colour = header[24], header[25]
        return depth == 16 or colour in (4, 6)
    if header[8:16] == b"WEBPVP8X":
        return bool(header[20] & 0x10)
    if header[8:16] == b"WEBPVP8L":
        return bool(header[24] & 0x10)
    return header.startswith(_TIFF)


def _plain_rgb(image: NDArray[Any]) -> NDArray[np.uint8] | None:
    """Convert the result of ``IMREAD_UNCHANGED`` to RGB; None for floating point and other unsupported formats."""
    if image.ndim == 2:
        image = image[..., None]
    channels = image.shape[2]
    if image.dtype == np.uint16:
        colours = image[..., :3] if channels == 4 else image
        highest = max(int(colours.max()), 1)
        scale = 255 / 65535 if highest > 4095 else 255 / (1023 if highest <= 1023 else 4095)
        eight = np.rint(image * np.float32(scale)).clip(0, 255).astype(np.uint8)
        if channels == 4:
            eight[..., 3] = (image[..., 3] >> 8).astype(np.uint8)
        image = eight
    if image.dtype != np.uint8 or channels not in (1, 3, 4):
        return None
    if channels == 1:
        return np.repeat(image, 3, axis=2).astype(np.uint8, copy=False)
    rgb = image[..., 2::-1].astype(np.uint8, copy=False)
    if channels == 3:
        return rgb
    alpha = image[..., 3:]
    if (alpha == 255).all():
        return rgb
    share = alpha.astype(np.float32) / 255
    return np.rint(rgb * share + 255 * (1 - share)).astype(np.uint8)


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
