"""Landmark tables as CSV or Parquet: one row per frame, face and mode.

Columns: ``frame`` (index in the source), ``time`` (seconds), ``face`` (identity), ``mode`` (one of
:class:`app.core.modes.Mode`), ``x0, y0 ... x97, y97`` (frame pixels), ``u0 ... u97`` (standard deviation of each
landmark's heatmap, frame pixels), ``evaluations`` of the cell, ``residual`` of the returned state, ``warm`` (1 if the
solve started from the last frame's state), ``reset_reason`` (why it did not, empty when warm), ``age``
(frames since the last cold start), ``flicker`` and ``flicker_contour`` ... ``flicker_pupils`` (motion that
the picture does not explain, overall and by region, percent of the inter-ocular distance; empty where it
was not measured), then the signals of :data:`model.signals.track.SIGNALS` (head pose, eyes, mouth, brows, gaze; empty
where they are not known), then ``r80_0 ... r80_97`` (radius of the disc that holds a landmark with a probability of
80 %, frame pixels; empty with weights of which :mod:`model.uncertainty` has no constants), then ``width`` and
``height`` of the frame in pixels, which may change within a stream or a folder. Tables of pictures also have the
columns :data:`OF_PICTURES` and ``file``, the name of each. A frame without a face has one row with
everything between ``time`` and ``width`` empty, so frames can be counted. Where two modes are compared each face has
two rows, the chosen mode first.

After a kill a CSV lacks at most the last fifth of a second (its last line may be cut short). A Parquet file
has its index at the end, so it is written as ``NAME.parquet.part`` and gets its name when it is
complete; after a kill the ``.part`` cannot be read. Use CSV where that matters.
"""

from __future__ import annotations

import csv
import io
import json
import time as clock
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import numpy as np

from app.core.errors import RecordingError
from app.core.files import check_still_there, check_writable, failure, finish, writing
from app.core.frame import Estimate, FrameResult
from app.tracking.conditions import face_conditions
from model.files import move_whole
from model.signals.track import NAMES, SIGNALS, signal_values
from model.topology import POINTS, REGIONS

if TYPE_CHECKING:
    import pyarrow.parquet

ABOUT = "ldeq-live"
"""Key of the metadata of a Parquet file under which JSON says what it was made with."""
TABLE_SUFFIXES = (".csv", ".parquet")
COORDINATES = tuple(f"{axis}{point}" for point in range(POINTS) for axis in "xy")
UNCERTAINTIES = tuple(f"u{point}" for point in range(POINTS))
RADII = tuple(f"r80_{point}" for point in range(POINTS))
FLICKER = ("flicker", *(f"flicker_{region.name}" for region in REGIONS))
REPORT = ("evaluations", "residual", "warm", "reset_reason", "age", *FLICKER)
"""Columns of what was reported about a solve; see :func:`_report`."""
BEFORE_SIGNALS = (*("frame", "time", "face", "mode"), *COORDINATES, *UNCERTAINTIES, *REPORT)
"""All columns of tables by versions that knew no signals."""
COLUMNS = (*BEFORE_SIGNALS, *NAMES, *RADII, "width", "height")
OF_PICTURES = ("left", "top", "right", "bottom", "doubt", "light", "contrast", "sharpness", "noise", "cut_off")
"""Columns of tables of pictures: the box of the landmarks in frame pixels, ``doubt`` (mean of ``r80`` over the
inter-ocular distance) and :class:`app.tracking.conditions.Conditions`."""
FILE = "file"
"""Last column of tables of pictures."""
FLUSH_SECONDS = 0.2
ROW_GROUP = 16384
"""Rows of a Parquet row group, nine minutes of one face. Each group costs a third of a megabyte until the end, for the
descriptions of its 430 columns: in groups of 2048 rows that was 19 MiB an hour."""
FIRST_GROUP = 256
"""Rows of the first one, so that a table that cannot be written says so within seconds."""

_BUFFER = 1 << 20
_NUMBERS = ",".join(["%.3f"] * (3 * POINTS))
_RADII = ",".join(["%.3f"] * POINTS)

Size = tuple[int, int]
"""Width and height of a frame."""
Row = tuple[int, float, Size, int, Estimate] | tuple[int, float, Size, None, None]


class LandmarkTable(Protocol):
    """An open table; used by one thread at a time."""

    def write(self, result: FrameResult, time: float) -> None:
        """Append the rows of one frame.

        Args:
            result: what the pipeline returned.
            time: for the ``time`` column, in seconds.

        Raises:
            RecordingError: if it cannot be written; earlier rows are kept.
        """
        ...

    def close(self) -> None:
        """Finish the file; safe to call twice.

        Raises:
            RecordingError: if the end could not be written.
        """
        ...


def open_table(
    path: Path, *, overwrite: bool = False, about: Mapping[str, str] | None = None, files: Sequence[str] = ()
) -> LandmarkTable:
    """Create the table that ``path`` names by its suffix, .csv or .parquet.

    Args:
        path: of the table.
        overwrite: replace an existing file.
        about: what it was made with, for the metadata of a Parquet file. CSV has no place for that: many programs would
            take a comment for the header.
        files: of a folder of pictures the name of each frame's, for the column ``file``; without names there is none.

    Raises:
        RecordingError: for another suffix, or if the file cannot be created.
    """
    suffix = path.suffix.lower()
    if suffix not in TABLE_SUFFIXES:
        raise RecordingError(f"Cannot write {path}: give a table name that ends in .csv or .parquet.")
    check_writable(path, overwrite=overwrite)
    with writing(path):
        return CsvTable(path, files) if suffix == ".csv" else ParquetTable(path, about or {}, files)


class CsvTable:
    """Rows as text, coordinates with three decimals; whole lines reach the disk five times a second."""

    def __init__(self, path: Path, files: Sequence[str] = ()) -> None:
        self._path = path
        self._files = [f",{_quoted(name)}" for name in files]
        self._file = path.open("wb", buffering=_BUFFER)
        self._file.write((",".join((*COLUMNS, *OF_PICTURES, FILE) if files else COLUMNS) + "\n").encode())
        self._file.flush()
        self._flushed = clock.monotonic()

    def write(self, result: FrameResult, time: float) -> None:
        """Append the rows of one frame; see :class:`LandmarkTable`."""
        try:
            for row in _rows(result, time):
                end = ""
                if self._files:
                    seen = ("" if value is None else f"{value:.4f}" for value in _of_picture(result, row[-1]))
                    end = f",{','.join(seen)}{self._files[result.frame.index]}"
                self._file.write(f"{_line(row)}{end}\n".encode(errors="replace"))
            now = clock.monotonic()
            if now - self._flushed >= FLUSH_SECONDS:
                self._file.flush()
                self._flushed = now
        except OSError as error:
            raise failure(self._path, error) from error

    def close(self) -> None:
        """Finish the file; see :class:`LandmarkTable`."""
        finish(self._file, self._path)


class ParquetTable:
    """Rows in row groups of :data:`ROW_GROUP` (coordinates float32); complete and readable only after :meth:`close`."""

    def __init__(self, path: Path, about: Mapping[str, str], files: Sequence[str] = ()) -> None:
        import pyarrow

        self._path = path
        self._part = path.with_name(path.name + ".part")
        schema = table_schema().with_metadata({ABOUT: json.dumps(about)} if about else None)
        if files:
            for name in OF_PICTURES:
                schema = schema.append(pyarrow.field(name, pyarrow.float32()))
            schema = schema.append(pyarrow.field(FILE, pyarrow.string()))
        self._of_pictures = bool(files)
        self._group = _RowGroup(schema, ROW_GROUP, files)
        self._next_group = min(FIRST_GROUP, ROW_GROUP)
        self._closed = False
        self._file = self._part.open("wb")
        self._writer = parquet_writer(self._file, schema)

    def write(self, result: FrameResult, time: float) -> None:
        """Append the rows of one frame; see :class:`LandmarkTable`."""
        with writing(self._path):
            for row in _rows(result, time):
                self._group.add(row, _of_picture(result, row[-1]) if self._of_pictures else ())
                if len(self._group) == self._next_group:
                    self._write_group()
                    self._next_group = ROW_GROUP

    def close(self) -> None:
        """Finish the file; see :class:`LandmarkTable`."""
        if self._closed:
            return
        self._closed = True
        with writing(self._path), self._file:
            if len(self._group):
                self._write_group()
            self._writer.close()
        try:
            move_whole(self._part, self._path)
        except OSError as error:
            check_still_there(self._part)
            raise RecordingError(f"{str(failure(self._path, error))[:-1]}; the table is in {self._part}.") from error

    def _write_group(self) -> None:
        try:
            self._writer.write_table(self._group.table())
        finally:  # rows that the disk did not take would be refused again
            self._group.clear()


def parquet_writer(file: IO[bytes], schema: pyarrow.Schema) -> pyarrow.parquet.ParquetWriter:
    """Return what writes rows of a landmark table."""
    import pyarrow.parquet

    # Statistics and dictionaries of 430 columns of floats would cost more memory and time than they are worth.
    return pyarrow.parquet.ParquetWriter(
        file, schema, compression="zstd", write_statistics=False, use_dictionary=["mode", "reset_reason"]
    )


class _RowGroup:
    """Rows that wait to be written, column by column in memory that is taken at once and does not grow.

    Kept as results they took about three times as much, in small pieces that keep the pages of pictures from being
    returned.

    Args:
        schema: of the table.
        capacity: rows.
        files: see :func:`open_table`.
    """

    def __init__(self, schema: pyarrow.Schema, capacity: int, files: Sequence[str] = ()) -> None:
        self._schema = schema
        self._files = [name.encode(errors="replace").decode() for name in files]
        self._length = 0
        self._points = np.full((2 * POINTS, capacity), np.nan, np.float32)
        self._spread, self._radii = (np.full((POINTS, capacity), np.nan, np.float32) for _ in range(2))
        self._faceless, self._unknown = (np.full(capacity, False) for _ in range(2))
        """Rows without landmarks, and those without radii."""
        drawn = {*COORDINATES, *UNCERTAINTIES, *RADII}
        self._others = [name for name in schema.names if name not in drawn]
        kinds = {name: schema.field(name).type.to_pandas_dtype() for name in self._others}
        # Not zeros, whose pages the system gives only when they are first written to.
        self._values = {name: np.full(capacity, 0, kind) for name, kind in kinds.items()}
        self._missing = {name: np.full(capacity, False) for name in self._others}

    def __len__(self) -> int:
        return self._length

    def add(self, row: Row, of_picture: Sequence[float | None] = ()) -> None:
        """Take one row, with the values of :data:`OF_PICTURES` in tables of those."""
        index, time, (width, height), face, estimate = row
        place, self._length = self._length, self._length + 1
        radii = None if estimate is None else estimate.radius80
        self._faceless[place], self._unknown[place] = estimate is None, radii is None
        if estimate is not None:
            self._points[:, place] = estimate.landmarks.reshape(-1)
            self._spread[:, place] = estimate.uncertainty
        if radii is not None:
            self._radii[:, place] = radii
        signals = None if estimate is None else estimate.signals
        values = (
            *(index, time, face, None if estimate is None else estimate.mode),
            *((None,) * len(REPORT) if estimate is None else _report(estimate)),
            *((None,) * len(NAMES) if signals is None else signal_values(signals)),
            *(width, height),
            *of_picture,
            *((self._files[index],) if self._files else ()),
        )
        for name, value in zip(self._others, values, strict=True):
            self._missing[name][place] = value is None
            if value is not None:
                self._values[name][place] = value

    def table(self) -> pyarrow.Table:
        """Return the rows; it shares their memory and must not be used after they change."""
        import pyarrow

        end = self._length
        columns: dict[str, Any] = {
            name: pyarrow.array(self._values[name][:end], self._schema.field(name).type, self._missing[name][:end])
            for name in self._others
        }
        for names, block, mask in (
            (COORDINATES, self._points, self._faceless),
            (UNCERTAINTIES, self._spread, self._faceless),
            (RADII, self._radii, self._unknown),
        ):
            columns |= {name: pyarrow.array(block[i, :end], mask=mask[:end]) for i, name in enumerate(names)}
        return pyarrow.table({name: columns[name] for name in self._schema.names}, schema=self._schema)

    def clear(self) -> None:
        """Drop all rows."""
        self._length = 0


def _rows(result: FrameResult, time: float) -> Iterator[Row]:
    index, size = result.frame.index, result.frame.size
    if not result.faces:
        yield index, time, size, None, None
    for face in result.faces:
        yield index, time, size, face.face, face.estimate
        if face.other is not None:
            yield index, time, size, face.face, face.other


def _of_picture(result: FrameResult, estimate: Estimate | None) -> tuple[float | None, ...]:
    """Return the values of the columns :data:`OF_PICTURES`, None where there is no face."""
    if estimate is None or not np.isfinite(estimate.landmarks).all():
        return (None,) * len(OF_PICTURES)
    points, radii = estimate.landmarks, estimate.radius80
    seen = face_conditions(result.frame.image, points)
    assert seen.face is not None
    doubt = None if radii is None else _finite(float(radii.mean()) / max(seen.face.inter_ocular, 1e-6))
    box = map(float, (*points.min(axis=0), *points.max(axis=0)))
    return (*box, doubt, seen.light, seen.contrast, seen.sharpness, seen.noise, seen.face.cut_off)


def _report(estimate: Estimate) -> tuple[float | str | None, ...]:
    """Return the values of the columns :data:`REPORT`, None if nothing was measured."""
    report, reading = estimate.report, estimate.flicker
    flicker = (None,) * len(FLICKER) if reading is None else (reading.overall, *reading.regions)
    solve = (report.evaluations, _finite(report.residual), int(report.warm), str(report.reason), report.age)
    return (*solve, *map(_finite, flicker))


def _finite(value: float | None) -> float | None:
    return float(value) if value is not None and np.isfinite(value) else None


def _line(row: Row) -> str:
    """Return a row as the values of :data:`COLUMNS`."""
    index, time, (width, height), face, estimate = row
    if estimate is None:
        return f"{index},{time:.6f}" + "," * (len(COLUMNS) - 3) + f"{width},{height}"
    numbers = _NUMBERS % (*estimate.landmarks.reshape(-1).tolist(), *estimate.uncertainty.tolist())
    report = ",".join(map(_field, _report(estimate)))
    signals = _signal_fields(estimate)
    radii = "," * (POINTS - 1) if estimate.radius80 is None else _RADII % tuple(estimate.radius80.tolist())
    mode = _quoted(estimate.mode)
    return f"{index},{time:.6f},{face},{mode},{numbers},{report},{signals},{radii},{width},{height}"


def _signal_fields(estimate: Estimate) -> str:
    if estimate.signals is None:
        return "," * (len(NAMES) - 1)
    values = zip(SIGNALS, signal_values(estimate.signals), strict=True)
    return ",".join("" if value is None else f"{value:.{signal.decimals}f}" for signal, value in values)


def _field(value: float | str | None) -> str:
    """Return a value as one CSV field."""
    if value is None:
        return ""
    if isinstance(value, str):
        return _quoted(value)
    return format(value, ".6g") if isinstance(value, float) else str(value)


def _quoted(text: str) -> str:
    """Return ``text`` as one CSV field."""
    if text.isalnum() or not text:
        return text
    field = io.StringIO()
    csv.writer(field, lineterminator="").writerow([text])
    return field.getvalue()


def table_schema() -> pyarrow.Schema:
    """Return the columns with their types, as they are in Parquet."""
    import pyarrow

    types = {
        "frame": pyarrow.int64(),
        "time": pyarrow.float64(),
        "face": pyarrow.int64(),
        "mode": pyarrow.string(),
        "evaluations": pyarrow.int32(),
        "residual": pyarrow.float64(),
        "warm": pyarrow.int8(),
        "reset_reason": pyarrow.string(),
        "age": pyarrow.int32(),
        **dict.fromkeys(FLICKER, pyarrow.float64()),
        "blinks": pyarrow.int32(),
        "width": pyarrow.int32(),
        "height": pyarrow.int32(),
    }
    return pyarrow.schema([(name, types.get(name, pyarrow.float32())) for name in COLUMNS])
