"""Landmark tables in CSV and Parquet."""

from __future__ import annotations

import csv
import gc
import subprocess
import sys
import weakref
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet
import pytest

from app.core.errors import RecordingError
from app.core.frame import Estimate, FrameResult
from app.core.modes import Mode
from app.media import tables
from app.media.tables import COLUMNS, FLICKER, OF_PICTURES, CsvTable, open_table
from app.tracking.conditions import face_conditions
from model.signals.track import NAMES, SignalTracker
from model.solvers import SolveReport
from model.solvers.report import StopReason
from tests.recording_fakes import COLD_ESTIMATE, estimate, landmarks, result
from tests.signals_fakes import face
from tests.waiting import PROCESS_SECONDS


def write(path: Path, *results: FrameResult) -> None:
    table = open_table(path)
    for item in results:
        table.write(item, item.frame.timestamp)
    table.close()


def read(path: Path) -> list[dict[str, Any]]:
    """Return rows as dicts of text or None, from either format."""
    if path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    return pyarrow.parquet.read_table(path).to_pylist()


@pytest.fixture(params=[".csv", ".parquet"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"out{request.param}"


def test_columns_are_the_documented_ones(path: Path) -> None:
    write(path, result(0))
    row = read(path)[0]
    assert tuple(row) == COLUMNS
    assert len(row) == 4 + 3 * 98 + 5 + 7 + 21 + 98 + 2
    assert COLUMNS[: 4 + 3 * 98 + 5 + 7][-1] == "flicker_pupils"  # signals come last, so that older readers find theirs


def test_rows_of_pictures_name_their_files(path: Path) -> None:
    names = ["one.jpg", 'a, "b".png', "unused.png", "Zoë.png"]
    table = open_table(path, files=names)
    for item in (result(0), result(1, faces=[]), result(3, faces=[estimate(), estimate()])):
        table.write(item, item.frame.timestamp)
    table.close()
    rows = read(path)
    assert tuple(rows[0]) == (*COLUMNS, *OF_PICTURES, "file")
    assert [row["file"] for row in rows] == [names[0], names[1], names[3], names[3]]
    assert [row["height"] for row in rows] == [rows[0]["height"]] * 4


def test_rows_of_pictures_tell_where_the_face_is_and_how_well_it_can_be_seen(path: Path) -> None:
    image = np.random.default_rng(1).integers(60, 140, (48, 64, 3), np.uint8)
    points = landmarks((50.0, 24.0), 20.0)
    known = replace(estimate(points=points), radius80=np.full(98, 3.0, np.float32))
    gone = estimate(points=np.full((98, 2), np.nan, np.float32))
    table = open_table(path, files=["a.png", "b.png", "c.png"])
    for index, faces in enumerate(([known], [estimate(), gone], [])):
        table.write(result(index, faces=faces, image=image.copy()), 0.0)
    table.close()
    first, second, *others = read(path)
    seen = face_conditions(image, points)
    assert seen.face is not None
    assert {name: float(first[name]) for name in OF_PICTURES} == pytest.approx(
        {
            **dict(zip(("left", "top", "right", "bottom"), (*points.min(axis=0), *points.max(axis=0)), strict=True)),
            "doubt": 3 / seen.face.inter_ocular,
            **{name: getattr(seen, name) for name in ("light", "contrast", "sharpness", "noise")},
            "cut_off": seen.face.cut_off,
        },
        abs=1e-3,
    )
    assert 0 < float(first["cut_off"]) < 1
    assert (second["doubt"], second["light"] is None) == (None, False)
    assert {row[name] for row in others for name in OF_PICTURES} == {None}


def test_radii_are_written_where_they_are_known(path: Path) -> None:
    radii = np.linspace(1, 20, 98, dtype=np.float32)
    write(path, result(0, faces=[replace(estimate(), radius80=radii)]), result(1), result(2, faces=[]))
    known, unknown, nobody = read(path)
    assert [float(known[f"r80_{point}"]) for point in range(98)] == pytest.approx(radii.tolist(), abs=5e-4)
    assert {row[f"r80_{point}"] for row in (unknown, nobody) for point in range(98)} == {None}
    assert int(unknown["width"]) == int(known["width"])


def test_values_come_back(path: Path) -> None:
    points = landmarks() + np.float32(0.1234)
    write(path, result(7, 0.25, faces=[estimate(points=points, spread=2.5)]))
    (row,) = read(path)
    assert (int(row["frame"]), float(row["time"]), int(row["face"]), row["mode"]) == (7, 0.25, 0, Mode.RWR)
    found = np.array([[float(row[f"x{i}"]), float(row[f"y{i}"])] for i in range(98)])
    assert np.abs(found - points).max() <= 0.0006
    assert {float(row[f"u{i}"]) for i in range(98)} == {2.5}
    assert (int(row["evaluations"]), float(row["residual"]), int(row["warm"])) == (2, 0.0625, 1)
    assert not row["reset_reason"]


def test_age_and_flicker_have_columns(path: Path) -> None:
    base = estimate()
    warm = Estimate(Mode.RWR, base.landmarks, base.uncertainty, replace(base.report, age=41), base.flicker)
    blind = Estimate(Mode.RWR, base.landmarks, base.uncertainty, base.report)
    write(path, result(0, faces=[warm]), result(1, faces=[blind]))
    first, second = read(path)
    assert (int(first["age"]), float(first["flicker"]), float(first["flicker_mouth"])) == (41, 0.42, 0.5)
    assert tuple(name for name in first if name.startswith("flicker_")) == FLICKER[1:]
    assert {second[name] for name in FLICKER} == {None}
    assert int(second["age"]) == 0


def test_signals_have_columns(path: Path) -> None:
    tracker = SignalTracker()
    found = [tracker.update(face(), (1280, 720), index / 30) for index in range(90)]
    write(
        path, *(result(k, faces=[replace(estimate(), read_signals=found[i])]) for k, i in enumerate((0, 89))), result(2)
    )
    early, late, without = read(path)
    assert {name: float(late[name]) for name in ("head_z", "mouth", "gaze_right_x", "closure")} == pytest.approx(
        {"head_z": 57.6, "mouth": 0.2, "gaze_right_x": -0.1, "closure": 0}, abs=2e-3
    )
    assert int(late["blinks"]) == 0
    assert (early["closure"], late["perclos"]) == (None, None)
    assert {without[name] for name in NAMES} == {None}


def test_a_frame_without_faces_keeps_its_row(path: Path) -> None:
    write(path, result(0), result(1, faces=[]), result(2))
    rows = read(path)
    assert [int(row["frame"]) for row in rows] == [0, 1, 2]
    assert {name for name, value in rows[1].items() if value is not None} == {"frame", "time", "width", "height"}


def test_the_size_of_each_frame_is_written(path: Path) -> None:
    write(path, result(0), result(1, image=np.zeros((96, 128, 3), np.uint8)), result(2, faces=[]))
    assert [(int(row["width"]), int(row["height"])) for row in read(path)] == [(64, 48), (128, 96), (64, 48)]


def test_faces_and_compared_modes_have_rows_of_their_own(path: Path) -> None:
    write(path, result(0, faces=[estimate(), estimate()], other=COLD_ESTIMATE))
    rows = read(path)
    assert [(int(row["face"]), row["mode"]) for row in rows] == [
        (0, Mode.RWR),
        (0, Mode.COLD),
        (1, Mode.RWR),
        (1, Mode.COLD),
    ]
    assert [row["reset_reason"] for row in rows][1] == "RwR off"


def test_reasons_with_commas_and_missing_residuals(path: Path) -> None:
    base = estimate()
    report = SolveReport(1, (), -1, StopReason.BUDGET, False, 'lost, "found" again')
    write(path, result(0, faces=[Estimate(Mode.RWR, base.landmarks, base.uncertainty, report)]))
    (row,) = read(path)
    assert row["reset_reason"] == 'lost, "found" again'
    assert row["residual"] is None
    assert int(row["warm"]) == 0


def test_large_parquet_has_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 10)
    monkeypatch.setattr(tables, "FIRST_GROUP", 4)
    path = tmp_path / "out.parquet"
    write(
        path, *[result(i, faces=[] if i % 3 else [estimate()], image=np.zeros((2, 2, 3), np.uint8)) for i in range(25)]
    )
    file = pyarrow.parquet.ParquetFile(path)
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [4, 10, 10, 1]
    assert file.read().column("frame").to_pylist() == list(range(25))


def test_parquet_keeps_no_results_until_they_are_written(tmp_path: Path) -> None:
    table = open_table(tmp_path / "out.parquet")
    item = result(0)
    landmarks = weakref.ref(item.faces[0].estimate.landmarks)
    table.write(item, 0.0)
    del item
    gc.collect()
    assert landmarks() is None
    table.close()


def test_parquet_tells_unknown_values_of_a_full_group_from_those_of_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "ROW_GROUP", 2)  # and the first one no larger
    radii = np.linspace(1, 20, 98, dtype=np.float32)
    measured = replace(estimate(), radius80=radii)
    path = tmp_path / "out.parquet"
    write(path, *(result(i, faces=faces) for i, faces in enumerate(([measured], [measured], [], [estimate()]))))
    first, _, nobody, without = read(path)
    assert first["r80_97"] == 20
    assert nobody["x0"] is nobody["mode"] is nobody["r80_97"] is None
    assert without["x0"] == first["x0"]
    assert without["r80_97"] is None


def test_parquet_gets_its_name_when_it_is_complete(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    table = open_table(path)
    table.write(result(0), 0.0)
    assert not path.exists()
    table.close()
    table.close()
    assert [file.name for file in tmp_path.iterdir()] == ["out.parquet"]


def test_whole_lines_reach_the_disk_while_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables, "FLUSH_SECONDS", 0.0)
    table = CsvTable(tmp_path / "out.csv")
    for index in range(5):
        table.write(result(index), index / 30)
        lines = (tmp_path / "out.csv").read_bytes().split(b"\n")
        assert lines[-1] == b""
        assert len(lines) == index + 3
    table.close()


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.process
def test_a_killed_csv_keeps_its_rows(tmp_path: Path) -> None:
    code = """
import os, signal, sys
from pathlib import Path
from app.media import tables
from tests.recording_fakes import result
tables.FLUSH_SECONDS = 0.0
table = tables.open_table(Path(sys.argv[1]))
for index in range(50):
    table.write(result(index, image=__import__("numpy").zeros((2, 2, 3), "uint8")), index / 100)
os.kill(os.getpid(), signal.SIGKILL)
"""
    path = tmp_path / "out.csv"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)],
        capture_output=True,
        text=True,
        timeout=PROCESS_SECONDS,
        cwd=Path(__file__).parent.parent,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    rows = read(path)
    assert [int(row["frame"]) for row in rows] == list(range(50))


@pytest.mark.parametrize("name", ["out.txt", "out", "missing/out.csv", "missing/out.parquet"])
def test_places_that_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="Cannot write"):
        open_table(tmp_path / name)


def test_existing_tables_are_kept_unless_told_otherwise(path: Path) -> None:
    write(path, result(0))
    with pytest.raises(RecordingError, match="exists already"):
        open_table(path)
    table = open_table(path, overwrite=True)
    table.close()
    assert read(path) == []
