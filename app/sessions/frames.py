"""``frames.csv``: one row for every tracked frame, with its exact times and the number of its picture."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.files import finish, writing
from app.core.frame import FrameResult
from app.sessions.form import SessionError

COLUMNS = ("frame", "time", "timestamp", "picture", "seconds")
NO_PICTURE = -1

_HALF_MICROSECOND = 0.5e-6


@dataclass(frozen=True, slots=True, eq=False)
class FrameTable:
    """The n tracked frames of a session, in order; a *row* is a place in these arrays.

    Attributes:
        index: (n,) int64, index in the source; goes back if a person seeks back in a file.
        time: (n,) float64, playing time in the videos, seconds, ever increasing.
        timestamp: (n,) float64, the source's own clock, exactly as the tracker saw it.
        picture: (n,) int64, number of its picture in the clean video, -1 if it has none.
        seconds: (n,) float64, time that tracking took, NaN if unknown.
    """

    index: NDArray[np.int64]
    time: NDArray[np.float64]
    timestamp: NDArray[np.float64]
    picture: NDArray[np.int64]
    seconds: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.index)

    def row_at(self, time: float) -> int:
        """Return the row that is shown at ``time``: the last that began by then, or the first.

        Raises:
            IndexError: if there are no frames.
        """
        if not len(self):
            raise IndexError("a session without frames has no rows")
        return max(0, int(np.searchsorted(self.time, time + _HALF_MICROSECOND, "right")) - 1)

    def rows_of(self, times: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the rows that begin at ``times`` (m,), given to the microsecond; -1 for times of no frame."""
        if not len(self):
            return np.full(len(times), -1, np.int64)
        rows = np.clip(np.searchsorted(self.time, times - 2 * _HALF_MICROSECOND), 0, len(self) - 1)
        near = np.abs(self.time[rows] - times) <= 2 * _HALF_MICROSECOND
        return np.where(near, rows, -1).astype(np.int64)

    @property
    def duration(self) -> float:
        """Playing time in seconds, the last frame included."""
        if len(self) < 2:
            return 0.0
        return float(self.time[-1] - self.time[0] + (self.time[-1] - self.time[-2]))


class FramesFile:
    """An open ``frames.csv``; every line is passed to the system at once. Used by one thread.

    Raises:
        RecordingError: if it cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with writing(path):
            self._file = path.open("w", buffering=1, encoding="ascii", newline="\n")
            self._file.write(",".join(COLUMNS) + "\n")

    def write(self, result: FrameResult, time: float, picture: int | None) -> None:
        """Append the row of one frame.

        Args:
            result: what the pipeline returned.
            time: playing time, seconds.
            picture: number of its picture in the video; None if it has none.

        Raises:
            RecordingError: if it cannot be written.
        """
        frame, total = result.frame, result.seconds.get("total")
        spent = "" if total is None else f"{total:.6f}"
        shown = "" if picture is None else picture
        with writing(self._path):
            self._file.write(f"{frame.index},{float(time)!r},{float(frame.timestamp)!r},{shown},{spent}\n")

    def close(self) -> None:
        """Finish the file; safe to call twice.

        Raises:
            RecordingError: if the end could not be written.
        """
        finish(self._file, self._path)


def read_frames(path: Path) -> FrameTable:
    """Read a ``frames.csv``; an incomplete last line is left out.

    Raises:
        SessionError: if it is missing or not such a table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.reader(_whole_lines(file.read())))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SessionError(f"{path} is missing or damaged, so the session cannot be opened; restore it.") from error
    if not rows or tuple(rows[0]) != COLUMNS:
        raise SessionError(f"{path} has no header that this version knows; restore it from a copy.")
    try:
        return FrameTable(
            np.array([int(row[0]) for row in rows[1:]], np.int64),
            np.array([float(row[1]) for row in rows[1:]], np.float64),
            np.array([float(row[2]) for row in rows[1:]], np.float64),
            np.array([int(row[3]) if row[3] else NO_PICTURE for row in rows[1:]], np.int64),
            np.array([float(row[4]) if row[4] else np.nan for row in rows[1:]], np.float64),
        )
    except (ValueError, IndexError, OverflowError) as error:
        raise SessionError(f"{path} is damaged: a line of it is no frame; restore it from a copy.") from error


def _whole_lines(text: str) -> list[str]:
    """Return the lines that were written to their end."""
    return text[: text.rfind("\n") + 1].splitlines()
