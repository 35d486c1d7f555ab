"""One picture, or a folder of pictures as the frames of a sequence."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.core.errors import SourceError
from app.core.frame import Frame
from app.core.text_table import counted, listed
from app.sources.base import Adaptation, SourceInfo, adaptation_remark
from app.sources.continuity import why_photos
from app.sources.picture_files import load_picture
from app.sources.presentation import UsedBits
from app.sources.spec import PICTURE_SUFFIXES

SEQUENCE_FPS = 30.0
"""Frame rate assumed for a folder, which has none of its own."""
PHOTO_SECONDS = 2.0
"""How long each of several photos is shown: long enough to look at it."""


def list_pictures(folder: Path) -> tuple[Path, ...]:
    """Return the pictures directly in ``folder`` in natural order: 2.png before 10.png.

    Raises:
        SourceError: the folder cannot be read.
    """
    try:
        pictures = [
            path
            for path in folder.iterdir()
            if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".") and path.is_file()
        ]
    except OSError as error:
        raise SourceError(f"{folder} cannot be opened: {error.strerror or error}; check who may read it.") from error
    return in_natural_order(pictures)


def in_natural_order(pictures: Iterable[Path]) -> tuple[Path, ...]:
    """Return the pictures of one folder in natural order of their names."""
    return tuple(sorted(pictures, key=lambda path: (_natural(path.name), path.name)))


class ImageSource:
    """Pictures as frames. Those that cannot be read are left out, and named in :attr:`note`.

    ``index`` is the position in the list of all pictures, so an unreadable one leaves a gap; ``timestamp`` is
    ``index / fps``. Pictures may differ in size; ``info`` has the size of the first readable one.

    Photos, which do not continue each other (:func:`app.sources.continuity.why_photos`), say so in every frame and
    follow each other every :data:`PHOTO_SECONDS`.

    Args:
        paths: the pictures in order.
        name: for display.
        photos: they are known to be photos; otherwise their names, sizes and likeness decide.

    Attributes:
        skipped: the pictures that could not be read so far, with a sentence that says why.

    Raises:
        SourceError: there are no pictures, or none can be read and they are not known to be photos.
    """

    def __init__(self, paths: Sequence[Path], name: str, *, photos: bool = False) -> None:
        self.skipped: dict[Path, str] = {}
        self._paths = tuple(paths)
        self._next_index = 0
        self._closed = False
        self._more: dict[Path, int] = {}
        if not self._paths:
            raise SourceError(f"{name} holds no pictures; choose another folder.")
        reason = "" if photos else why_photos(self._paths)
        self._photos = photos or bool(reason) or len(self._paths) == 1
        self._fps = 1 / PHOTO_SECONDS if photos or reason else SEQUENCE_FPS
        self._bits = None if self._photos else UsedBits()
        self._done: set[Adaptation] = set()
        self._first = self._advance()
        if self._first is None and not photos:
            raise SourceError(
                f"{self._paths[0]} cannot be read as a picture; it may be damaged or in an unknown format."
                if len(self._paths) == 1
                else f"None of the {len(self._paths)} pictures in {name} can be read; they may be damaged."
            )
        width, height = self._first.size if self._first is not None else (0, 0)
        adaptations = tuple(done for done in Adaptation if done in self._done)
        self._info = SourceInfo(
            name=name,
            width=width,
            height=height,
            fps=self._fps,
            frames=len(self._paths),
            live=False,
            photos=self._photos,
            adaptations=adaptations,
            remark=" ".join(filter(None, (self._kind(reason), self._adapted(adaptations)))),
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
        """What was left out, or was not foreseen in ``info.remark``; "" for nothing."""
        sentences = []
        if self.skipped:
            names, were = listed([path.name for path in self.skipped]), "was" if len(self.skipped) == 1 else "were"
            which = counted(len(self.skipped), "picture")
            sentences.append(f"{which} could not be read and {were} left out: {names}.")
        if self._more:
            count, files = sum(self._more.values()), listed([path.name for path in self._more])
            sentences.append(f"{count} further {'picture was' if count == 1 else 'pictures were'} left out of {files}.")
        later = tuple(done for done in Adaptation if done in self._done and done not in self._info.adaptations)
        return " ".join(filter(None, (*sentences, self._adapted(later))))

    @property
    def start(self) -> float:
        """Timestamp of the first picture."""
        return 0.0

    @property
    def duration(self) -> float:
        """Duration of all pictures in seconds."""
        return len(self._paths) / self._fps

    def seek(self, timestamp: float) -> None:
        """Let the next :meth:`read` return the picture shown at ``timestamp``, or the next readable one."""
        # Timestamps are index / fps, rounded; a millionth of a picture compensates for that.
        index = int(max(0.0, timestamp) * self._fps + 1e-6)
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
                picture = load_picture(path, self._bits)
            except SourceError as error:
                self.skipped[path] = str(error)
                continue
            if picture.more:
                self._more[path] = picture.more
            self._done.update(picture.adaptations)
            captured = time.perf_counter()
            return Frame(index, index / self._fps, picture.image, captured, continues=not self._photos)
        return None

    def _adapted(self, adaptations: Sequence[Adaptation]) -> str:
        return adaptation_remark(adaptations, "Some pictures" if len(self._paths) > 1 else "Pictures")

    def _kind(self, reason: str) -> str:
        """Return as what the pictures of a folder are taken."""
        count = len(self._paths)
        if reason:
            return f"The {count} pictures are taken as photos, each on its own, since {reason}."
        if self._photos:
            return ""
        return (
            f"The {count} pictures are taken as a video at {SEQUENCE_FPS:g} frames per second, since they are "
            "numbered, of one size and alike."
        )


def open_picture(path: Path) -> ImageSource:
    """Open one picture as a source of one frame."""
    if not path.is_file():
        raise SourceError(f"There is no file {path}; check its name.")
    return ImageSource([path], path.name)


def open_photos(paths: Sequence[Path], name: str) -> ImageSource:
    """Open pictures that have nothing to do with each other; ``name`` is for display."""
    return ImageSource(paths, name, photos=True)


def open_folder(folder: Path) -> ImageSource:
    """Open all pictures directly in ``folder``."""
    return ImageSource(list_pictures(folder), folder.resolve().name or str(folder))


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name.casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]
