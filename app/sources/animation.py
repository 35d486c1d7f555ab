"""Animated WebP, AVIF and APNG, picture by picture with their times; of these FFmpeg reads APNG only, without its
transparency."""

from __future__ import annotations

import bisect
import itertools
import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Frame
from app.sources.base import Adaptation, SourceInfo, adaptation_remark
from app.sources.content import PNG
from app.sources.picture_files import TOO_MANY_PIXELS, has_too_many_pixels, open_image, orientation_of, turn
from app.sources.presentation import flatten

if TYPE_CHECKING:
    from PIL.Image import Image

SHORTEST = 0.01
"""Pictures of this length or shorter are shown for :data:`INSTEAD`, as browsers do."""
INSTEAD = 0.1


class AnimationSource:
    """Every picture of an animation once. ``timestamp`` is the sum of the durations before it.

    Args:
        path: the file.

    Raises:
        SourceError: the file cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = False
        self._damaged = False
        try:
            self._data = data = path.read_bytes()
            self._image = open_image(data)
            durations = _durations(data, self._image)
            # The still picture for programs that cannot show the animation, where it is not part of it.
            self._skipped = int(bool(self._image.info.get("default_image")))
            self._orientation = orientation_of(self._image, data)
            self._done = {Adaptation.TURNED} if self._orientation != 1 else set()
            first = self._picture(0)
        except Exception as error:  # whatever Pillow raises for damaged files
            if has_too_many_pixels(getattr(self, "_data", b""), error):
                raise SourceError(TOO_MANY_PIXELS.format(path)) from error
            raise SourceError(f"{path} cannot be read as an animation; it may be damaged.") from error
        self._times = [0.0, *itertools.accumulate(durations)]
        self._next = 0
        frames = len(durations)
        adaptations = tuple(adaptation for adaptation in Adaptation if adaptation in self._done)
        self._info = SourceInfo(
            name=path.name,
            width=first.shape[1],
            height=first.shape[0],
            fps=frames / self._times[-1],
            frames=frames,
            live=False,
            adaptations=adaptations,
            remark=adaptation_remark(adaptations),
        )

    @property
    def info(self) -> SourceInfo:
        """Facts about the animation; ``fps`` is the mean rate."""
        return self._info

    @property
    def note(self) -> str:
        """One sentence about what could not be read, "" if everything could."""
        if not self._damaged:
            return ""
        return f"{self._path.name} is damaged: {self._next} of {self._info.frames} pictures could be read."

    @property
    def start(self) -> float:
        """Timestamp of the first picture."""
        return 0.0

    @property
    def duration(self) -> float:
        """Sum of all durations in seconds."""
        return self._times[-1]

    def seek(self, timestamp: float) -> None:
        """Let the next :meth:`read` return the picture shown at ``timestamp``."""
        index = bisect.bisect_right(self._times, timestamp + 1e-7) - 1
        self._next = min(max(index, 0), len(self._times) - 2)

    def read(self) -> Frame | None:
        """Return the next picture; None after the last, where the file is damaged, or once closed."""
        if self._closed or self._next >= len(self._times) - 1:
            return None
        try:
            image = self._picture(self._next)
        except Exception:  # likewise
            self._damaged = True
            return None
        frame = Frame(self._next, self._times[self._next], image, time.perf_counter())
        self._next += 1
        return frame

    def close(self) -> None:
        """End the animation."""
        self._closed = True

    def _picture(self, index: int) -> NDArray[np.uint8]:
        place = index + self._skipped
        if place < self._image.tell():  # Pillow cannot go back to every picture of an APNG
            self._image = open_image(self._data)
        self._image.seek(place)
        image, transparent = flatten(np.asarray(self._image.convert("RGBA"), np.uint8))
        if transparent:
            self._done.add(Adaptation.FLATTENED)
        return np.ascontiguousarray(turn(image, self._orientation))


def _durations(data: bytes, image: Image) -> list[float]:
    """Return the seconds of each picture."""
    if data.startswith(PNG):
        return _apng_durations(data)
    if data.startswith(b"RIFF"):
        return _webp_durations(data)
    seconds = []  # Pillow tells them as it decodes
    for index in range(int(getattr(image, "n_frames", 1))):
        image.seek(index)
        image.load()
        seconds.append(_shown(float(image.info.get("duration", 0)) / 1000))
    return seconds


def _apng_durations(data: bytes) -> list[float]:
    """Return the seconds of each picture from its chunk "fcTL" (PNG specification, third edition)."""
    durations, place = [], len(PNG)
    while place + 8 <= len(data):
        size, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        if kind == b"fcTL":
            delay, unit = (int.from_bytes(data[at : at + 2]) for at in (place + 28, place + 30))
            durations.append(_shown(delay / (unit or 100)))
        place += size + 12
    return durations or [INSTEAD]


def _webp_durations(data: bytes) -> list[float]:
    """Return the seconds of each picture from its chunk "ANMF" (RFC 9649)."""
    durations, place = [], 12
    while place + 24 <= len(data):
        kind, size = data[place : place + 4], int.from_bytes(data[place + 4 : place + 8], "little")
        if kind == b"ANMF":
            durations.append(_shown(int.from_bytes(data[place + 20 : place + 23], "little") / 1000))
        place += 8 + size + size % 2
    return durations or [INSTEAD]


def _shown(seconds: float) -> float:
    return seconds if seconds > SHORTEST else INSTEAD
