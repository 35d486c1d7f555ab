"""Landmarks read back from a table: every solve of a take as a row of arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.media.tables import BEFORE_SIGNALS, COLUMNS, COORDINATES, FLICKER, RADII, UNCERTAINTIES, table_schema
from app.sessions.form import LANDMARKS_CSV, LANDMARKS_PARQUET, SessionError
from app.sessions.frames import FrameTable
from model.signals.track import NAMES
from model.topology import POINTS

if TYPE_CHECKING:
    import pyarrow


SIZE = ("width", "height")
LARGEST = 1e6
"""No picture is as wide, and no flicker as large."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimates:
    """m solves in the order of the table: by frame, the largest face first, the chosen mode before its baseline.

    Attributes:
        row: (m,) int64, row of the frame in the session's :class:`FrameTable`.
        face: (m,) int64, identity.
        mode: (m,) of str, a :class:`app.core.modes.Mode`.
        chosen: (m,) bool, the mode that was drawn and exported, not its baseline.
        landmarks: (m, 98, 2) float32, frame pixels.
        uncertainty: (m, 98) float32, frame pixels.
        evaluations: (m,) int64.
        residual: (m,) float64, NaN if none was measured.
        warm: (m,) bool.
        reason: (m,) of str, why the solve was cold, "" where warm.
        age: (m,) int64, frames since the last cold start.
        flicker: (m,) float64, percent of the inter-ocular distance, NaN if not measured.
        regions: (m, 6) float64, the same by region, in the order of ``model.topology.REGIONS``.
        signals: (m, 21) float64, in the order of ``model.signals.track.NAMES``, NaN for those that are not known, as in
            recordings by versions without signals.
        radius80: (m, 98) float32, frame pixels, NaN where it is not known, as in recordings by versions without it.
    """

    row: NDArray[np.int64]
    face: NDArray[np.int64]
    mode: NDArray[np.str_]
    chosen: NDArray[np.bool_]
    landmarks: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    evaluations: NDArray[np.int64]
    residual: NDArray[np.float64]
    warm: NDArray[np.bool_]
    reason: NDArray[np.str_]
    age: NDArray[np.int64]
    flicker: NDArray[np.float64]
    regions: NDArray[np.float64]
    signals: NDArray[np.float64]
    radius80: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.row)

    def select(self, which: Any) -> Estimates:
        """Return the solves that a mask (m,), a slice or indices choose."""
        return Estimates(*(getattr(self, field.name)[which] for field in fields(self)))

    def of(self, face: int, mode: str | None = None) -> Estimates:
        """Return the solves of one face under one mode; None takes the mode that was chosen in each frame."""
        return self.select((self.face == face) & (self.chosen if mode is None else self.mode == mode))

    def at(self, row: int) -> Estimates:
        """Return the solves of one frame."""
        start, end = np.searchsorted(self.row, [row, row + 1])
        return self.select(slice(start, end))

    def spread(self, values: NDArray[Any], frames: int) -> NDArray[Any]:
        """Return float ``values`` (m, ...) of these solves, of one face and mode, as (frames, ...), NaN elsewhere."""
        whole = np.full((frames, *values.shape[1:]), np.nan, values.dtype)
        whole[self.row] = values
        return whole


def read_estimates(folder: Path, frames: FrameTable) -> Estimates:
    """Read a folder's landmarks: exactly from Parquet, or to 0.001 pixels from CSV if a kill left no Parquet file.

    Solves of frames that ``frames`` does not know are left out.

    Raises:
        SessionError: if neither can be read.
    """
    import pyarrow

    path = _table_of(folder)
    try:
        return _estimates(_read(path, _known), frames)
    except (OSError, pyarrow.ArrowException, KeyError, ValueError) as error:
        raise SessionError(f"{path} is missing or damaged, so its landmarks cannot be read; restore it.") from error


def read_sizes(folder: Path, frames: FrameTable) -> NDArray[np.int64]:
    """Return width and height of each frame's picture as it was tracked, (n, 2) pixels; 0 where that is not known.

    It is not known of recordings by versions that did not note it, and where the table is missing or damaged.
    """
    import pyarrow

    sizes = np.zeros((len(frames), 2), np.int64)
    try:
        table = _read(_table_of(folder), lambda names: ["time", *SIZE])
        found = np.stack([_numbers(table, name, np.float64) for name in SIZE], axis=-1)
        rows = frames.rows_of(_numbers(table, "time", np.float64))
    except (OSError, pyarrow.ArrowException, KeyError, ValueError):
        return sizes
    kept = (rows >= 0) & (found > 0).all(axis=1) & (found <= LARGEST).all(axis=1)
    sizes[rows[kept]] = found[kept]
    return sizes


def _table_of(folder: Path) -> Path:
    exact = folder / LANDMARKS_PARQUET
    return exact if exact.is_file() else folder / LANDMARKS_CSV


def _read(path: Path, choose: Callable[[list[str]], list[str]]) -> pyarrow.Table:
    """Return those columns of a table that ``choose`` returns, given the names of all."""
    if path.suffix == ".parquet":
        import pyarrow.parquet

        # Not memory-mapped: a session may be deleted while it is open, also on Windows. Not by its path, which need not
        # be text.
        with path.open("rb") as file:
            names = pyarrow.parquet.read_schema(file).names
            return pyarrow.parquet.read_table(file, columns=choose(names))
    import pyarrow
    import pyarrow.csv

    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]  # the last line may have been cut short by a kill
    names = whole[: whole.find(b"\n")].decode().split(",")
    options = pyarrow.csv.ConvertOptions(column_types=table_schema(), include_columns=choose(names))
    return pyarrow.csv.read_csv(pyarrow.BufferReader(whole), convert_options=options)


def _known(names: list[str]) -> list[str]:
    """Return which columns to read of a table that has ``names``: all, but not what older versions did not write."""
    return [name for name in COLUMNS if name in names or name in BEFORE_SIGNALS]


def _estimates(table: pyarrow.Table, frames: FrameTable) -> Estimates:
    times = _numbers(table, "time", np.float64)
    rows = frames.rows_of(times)
    faces = _numbers(table, "face", np.float64)
    kept = (rows >= 0) & np.isfinite(faces)
    row, face = rows[kept], faces[kept].astype(np.int64)
    first = np.ones(len(row), bool)
    first[1:] = (row[1:] != row[:-1]) | (face[1:] != face[:-1])

    def column(name: str, kind: type[np.generic]) -> NDArray[Any]:
        return _numbers(table, name, kind)[kept]

    def matrix(names: tuple[str, ...], kind: type[np.generic]) -> NDArray[Any]:
        return np.stack([column(name, kind) for name in names], axis=-1)

    def newer(names: tuple[str, ...], kind: type[np.generic]) -> NDArray[Any]:
        known = set(names) <= set(table.column_names)
        return matrix(names, kind) if known else np.full((len(row), len(names)), np.nan, kind)

    return Estimates(
        row=row,
        face=face,
        mode=_texts(table, "mode")[kept],
        chosen=first,
        landmarks=_possible(matrix(COORDINATES, np.float32).reshape(-1, POINTS, 2)),
        uncertainty=matrix(UNCERTAINTIES, np.float32),
        evaluations=column("evaluations", np.float64).astype(np.int64),
        residual=_possible(column("residual", np.float64)),
        warm=column("warm", np.float64) == 1,
        reason=_texts(table, "reset_reason")[kept],
        age=column("age", np.float64).astype(np.int64),
        flicker=_possible(column(FLICKER[0], np.float64)),
        regions=_possible(matrix(FLICKER[1:], np.float64)),
        signals=_possible(newer(NAMES, np.float64)),
        radius80=_possible(newer(RADII, np.float32)),
    )


def _possible(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values with NaN for those that only a damaged file can hold."""
    return np.where(np.abs(values) <= LARGEST, values, values.dtype.type(np.nan))


def _numbers(table: pyarrow.Table, name: str, kind: type[np.generic]) -> NDArray[Any]:
    """Return a column of numbers, NaN if it is empty."""
    return np.asarray(table.column(name).to_numpy(zero_copy_only=False), kind)


def _texts(table: pyarrow.Table, name: str) -> NDArray[np.str_]:
    """Return a column of texts, "" where it is empty."""
    return np.array([text or "" for text in table.column(name).to_pylist()], np.str_)
