"""Outputs of tracking a whole input: an annotated video or pictures, and tables, on one timeline."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.errors import RecordingError
from app.core.files import (
    check_folder,
    check_new_folder,
    check_writable,
    identity,
    make_folder,
    nearest_folder,
    real_path,
    write_whole,
)
from app.core.frame import FrameResult
from app.media.clock import FileClock, RecordingClock, SourceTiming, Timeline
from app.media.overlay import draw_overlay
from app.media.streams import StreamCopy
from app.media.tables import TABLE_SUFFIXES, LandmarkTable, open_table
from app.media.video import FINE_TIME_BASE, VIDEO_SUFFIXES, VideoWriter, letterbox
from model.files import is_folder, is_there

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
JPEG_QUALITY = 95


@dataclass(frozen=True, slots=True)
class OutputPlan:
    """Where results are to go.

    Attributes:
        view: the annotated video, picture or folder of pictures; None for none.
        tables: .csv and .parquet files.
        overwrite: replace existing files.
        pictures: the input's picture files in their order, where it is a picture or a folder.
        session: the folder of a session that is written beside these.
    """

    view: Path | None = None
    tables: tuple[Path, ...] = ()
    overwrite: bool = False
    pictures: tuple[Path, ...] = field(default=())
    session: Path | None = None

    def check(self, inputs: Sequence[Path] = ()) -> None:
        """Check before any work that everything can be written.

        Args:
            inputs: files that must not be touched.

        Raises:
            RecordingError: for an output that cannot be written, is named twice, or is an input.
        """
        if self.view is None and not self.tables and self.session is None:
            raise RecordingError(
                "There is nothing to write: give -o OUTPUT, --csv FILE, --parquet FILE or --session FOLDER."
            )
        if self.session is not None:
            check_new_folder(self.session)
        files = list(self.tables)
        if self.view is not None:
            if self.wants_folder:
                check_folder(nearest_folder(self.view), self.view)
                files += self.view_pictures()
            elif self.view.suffix.lower() in PICTURE_SUFFIXES and len(self.pictures) != 1:
                raise RecordingError(
                    f"{self.view} is one picture but the input is more than one; "
                    "give a folder or a video name such as out.mp4."
                )
            elif self.view.suffix.lower() not in (*VIDEO_SUFFIXES, *PICTURE_SUFFIXES):
                names = ", ".join((*VIDEO_SUFFIXES, *PICTURE_SUFFIXES) if self.pictures else VIDEO_SUFFIXES)
                wanted = "a folder or a name" if self.pictures else "a name"
                raise RecordingError(f"Cannot write {self.view}: give {wanted} that ends in {names}.")
            else:
                files.append(self.view)
        for table in self.tables:
            if table.suffix.lower() not in TABLE_SUFFIXES:
                raise RecordingError(f"Cannot write {table}: give a table name that ends in .csv or .parquet.")
        originals = {identity(path) for path in inputs}
        named: set[Hashable] = set()
        for path in files:
            if self.session is not None and real_path(path).is_relative_to(real_path(self.session)):
                raise RecordingError(f"{path} would be in the way of the session {self.session}; choose another place.")
            known = identity(path)
            if known in originals:
                raise RecordingError(f"{path} is the input itself, which stays untouched; choose another output.")
            if known in named:
                raise RecordingError(f"{path} is named for two outputs; choose another name for one.")
            named.add(known)
            if is_there(path.parent) or path.parent != self.view:
                check_writable(path, overwrite=self.overwrite)

    def view_pictures(self) -> list[Path]:
        """Return the annotated pictures' paths, one per input picture, where a folder is asked for."""
        if self.view is None:
            return []
        return [
            self.view / (path.name if path.suffix.lower() in PICTURE_SUFFIXES else f"{path.name}.png")
            for path in self.pictures
        ]

    @property
    def written(self) -> list[Path]:
        """Paths of everything that is written."""
        return [path for path in (self.view, *self.tables, self.session) if path is not None]

    @property
    def wants_folder(self) -> bool:
        """Whether the view is a folder of annotated pictures."""
        return self.view is not None and bool(self.pictures) and (is_folder(self.view) or not self.view.suffix)


class View(Protocol):
    """Takes annotated pictures."""

    def write(self, image: NDArray[np.uint8], time: float, index: int) -> None:
        """Write the picture of frame ``index``, shown at ``time`` seconds."""
        ...

    def close(self, *, copy_end: float | None = None) -> None:
        """Finish; ``copy_end`` cuts what is copied if the pictures stopped early."""
        ...


class Outputs:
    """Everything one run writes. Used by one thread.

    Args:
        plan: checked before.
        live: the input runs in real time, so its wall clock counts.
        timing: the clock of an input file.
        copy: what else the input holds, to copy into a video.
        about: see :func:`app.media.tables.open_table`.
        files: the same.

    Attributes:
        copy: the same.
        resized: the size of the video, (width, height), once a picture of another size was scaled into it.
    """

    def __init__(
        self,
        plan: OutputPlan,
        *,
        live: bool = False,
        timing: SourceTiming | None = None,
        frame_rate: float | None = None,
        copy: StreamCopy | None = None,
        about: Mapping[str, str] | None = None,
        files: Sequence[str] = (),
    ) -> None:
        self._plan = plan
        self._timing = timing
        self._rate = Fraction(frame_rate).limit_denominator(1001) if frame_rate else None
        self.copy = copy
        self.resized: tuple[int, int] | None = None
        self._clock: Timeline = RecordingClock() if live else FileClock(timing)
        self._view: View | None = None
        self._last = 0.0
        self._tables: list[LandmarkTable] = []
        with ExitStack() as opened:
            for path in plan.tables:
                table = open_table(path, overwrite=plan.overwrite, about=about, files=files)
                opened.callback(table.close)
                self._tables.append(table)
            opened.pop_all()

    def write(self, result: FrameResult) -> None:
        """Draw and tabulate one result.

        Raises:
            RecordingError: if an output cannot be written.
        """
        time = self._last = self._clock.time(result.frame)
        for table in self._tables:
            table.write(result, time)
        if self._plan.view is not None:
            image = draw_overlay(result)
            if self._view is None:
                self._view = self._open_view(self._plan.view, image)
            self._view.write(image, time, result.frame.index)
            if isinstance(self._view, _VideoView) and (image.shape[1], image.shape[0]) != self._view.size:
                self.resized = self._view.size

    def close(self, *, complete: bool = True) -> None:
        """Finish every file, even if one of them fails; safe to call twice.

        Args:
            complete: the input was read to its end, so everything in it belongs to the output.

        Raises:
            RecordingError: if the end of a file could not be written; of several files the one closed last.
        """
        with ExitStack() as closing:
            if self.copy is not None:
                closing.callback(self.copy.close)
            for table in self._tables:
                closing.callback(table.close)
            if self._view is not None:
                self._view.close(copy_end=None if complete else self._last)

    def _open_view(self, view: Path, image: NDArray[np.uint8]) -> View:
        suffix = view.suffix.lower()
        if suffix in VIDEO_SUFFIXES and not view.is_dir():
            height, width = image.shape[:2]
            base = self._timing.time_base if self._timing is not None else FINE_TIME_BASE
            rate = self._timing.frame_rate if self._timing is not None else self._rate
            return _VideoView(
                VideoWriter(
                    view,
                    width,
                    height,
                    time_base=base,
                    frame_rate=rate,
                    copy=self.copy,
                    overwrite=self._plan.overwrite,
                )
            )
        return _PictureView(self._plan.view_pictures() if self._plan.wants_folder else [view])


class _VideoView:
    def __init__(self, writer: VideoWriter) -> None:
        self._writer = writer
        self.size = writer.size

    def write(self, image: NDArray[np.uint8], time: float, index: int) -> None:
        self._writer.write(letterbox(image, *self._writer.size), time)

    def close(self, *, copy_end: float | None = None) -> None:
        self._writer.close(copy_end=copy_end)


class _PictureView:
    """Writes the picture of each frame under the name that belongs to its index."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = tuple(paths)

    def write(self, image: NDArray[np.uint8], time: float, index: int) -> None:
        write_picture(self._paths[index], image)

    def close(self, *, copy_end: float | None = None) -> None:
        """Every picture is complete as it is written."""


def write_picture(path: Path, image: NDArray[np.uint8]) -> None:
    """Write an RGB picture, replacing ``path`` as a whole; its folder is created if it is missing.

    Raises:
        RecordingError: if it cannot be written.
    """
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY] if path.suffix.lower() in (".jpg", ".jpeg") else []
    try:
        done, data = cv2.imencode(path.suffix.lower(), cv2.cvtColor(image, cv2.COLOR_RGB2BGR), options)
    except cv2.error:
        done = False
    if not done:
        raise RecordingError(f"Cannot write {path}: the picture does not fit its format; choose .png.")
    make_folder(path.parent)
    write_whole(path, data.tobytes())  # not cv2.imwrite, which fails for some names on Windows
