"""The form of a session: what is written comes back, and what is damaged is one sentence."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import threading
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from app.core.errors import RecordingError, UserError
from app.core.events import FaceFound
from app.core.files import check_new_folder
from app.core.modes import Baseline
from app.core.places import ROOT
from app.core.presets import PRESETS
from app.core.settings import EngineSettings, TrackingSettings
from app.media.clock import RecordingClock
from app.media.tables import RADII
from app.sessions.compare import compare_takes
from app.sessions.describe import session_lines
from app.sessions.events import Event, changed_settings
from app.sessions.form import SessionError, create_folder, is_session
from app.sessions.frames import FrameTable, read_frames
from app.sessions.listing import list_sessions
from app.sessions.metadata import SessionMetadata, read_metadata
from app.sessions.plain import from_plain, to_plain
from app.sessions.session import open_session
from app.sessions.writer import SessionWriter
from model.engine.names import Device, EngineName
from model.signals.track import NAMES, SignalTracker, signal_values
from model.topology import REGIONS
from tests.recording_fakes import COLD_ESTIMATE, estimate, landmarks, result
from tests.session_fakes import EXACT, plan, record, told
from tests.signals_fakes import face
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "talk"


def rewrite(folder: Path, **changes: Any) -> None:
    path = folder / "session.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


@pytest.mark.parametrize(
    "settings",
    [
        TrackingSettings(),
        *(
            TrackingSettings(rwr=False, compare=True, baseline=Baseline.EMA, recurrence=preset.settings)
            for preset in PRESETS
        ),
        EngineSettings(Path("some where/ä.safetensors"), EngineName.ONNX, Device.CPU, 2),
    ],
)
def test_settings_survive_json(settings: Any) -> None:
    assert from_plain(type(settings), json.loads(json.dumps(to_plain(settings)))) == settings


def test_settings_of_a_newer_version_keep_what_is_known() -> None:
    assert from_plain(TrackingSettings, {"rwr": False, "later": 3}) == TrackingSettings(rwr=False)


@pytest.mark.parametrize(
    "value", [None, 3, {"rwr": "yes"}, {"max_faces": 1.5}, {"max_faces": True}, {"recurrence": {"gains": []}}]
)
def test_settings_of_the_wrong_kind_are_refused(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^Expected .*, got "):
        from_plain(TrackingSettings, value)


def test_the_baseline_keeps_its_first_name_in_files() -> None:
    settings = TrackingSettings(baseline=Baseline.EMA)
    assert to_plain({"tracking": settings})["tracking"]["rival"] == "ema"
    assert from_plain(TrackingSettings, {"rival": "ema"}) == settings


def test_what_has_no_plain_form_is_refused() -> None:
    with pytest.raises(ValueError, match="float values"):
        to_plain(float("nan"))
    with pytest.raises(TypeError, match="no form in JSON"):
        to_plain(object())


def test_metadata_comes_back(folder: Path) -> None:
    session = record(folder, [told(k, *(() if k else (FaceFound(0),))) for k in range(3)], EXACT)
    facts = read_metadata(folder)
    assert facts == session.metadata
    assert from_plain(SessionMetadata, json.loads((folder / "session.json").read_text())) == facts
    assert facts.started.endswith("Z")
    assert facts.ended is not None
    assert {"python", "numpy", "av", "opencv-contrib-python"} <= set(facts.versions)


def test_landmarks_come_back_bit_for_bit(folder: Path) -> None:
    points = [landmarks() + np.float32(0.1234567 * k) for k in range(4)]
    items = [result(k, faces=[estimate(points=points[k])], other=COLD_ESTIMATE) for k in range(4)]
    items[2] = result(2, faces=[])
    take = record(folder, items).recorded
    found = take.landmarks(0)
    assert found.shape == (4, 98, 2)
    assert np.isnan(found[2]).all()
    for k in (0, 1, 3):
        assert (found[k] == points[k]).all()
    one = take.estimates.of(0, "cold")
    assert one.row.tolist() == [0, 1, 3]
    assert one.evaluations.tolist() == [5] * 3
    assert one.residual.tolist() == [0.0625] * 3
    assert one.reason.tolist() == ["RwR off"] * 3
    assert one.warm.tolist() == [False] * 3
    assert take.regions(0).shape == (4, len(REGIONS))
    assert take.regions(0)[0].tolist() == [0.5] * len(REGIONS)
    assert take.main_face == 0


def test_a_result_is_rebuilt_for_drawing(folder: Path) -> None:
    item = told(0, FaceFound(0), max_faces=3)
    session = record(folder, [item, result(1, faces=[estimate(), estimate()], other=COLD_ESTIMATE)])
    first, second = (session.recorded.result(row, item.frame.image) for row in (0, 1))
    assert first.settings == item.settings
    assert first.events == (FaceFound(0),)
    assert first.seconds == {"total": 0.02}
    assert (first.frame.index, first.frame.timestamp) == (0, 0.0)
    mine, theirs = first.faces[0].estimate, item.faces[0].estimate
    assert (mine.landmarks == theirs.landmarks).all()
    assert mine.report.residual == theirs.report.residual
    assert mine.flicker == theirs.flicker
    assert [face.face for face in second.faces] == [0, 1]
    assert all(face.other is not None and face.other.mode == "cold" for face in second.faces)


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are text there")
def test_a_session_in_a_folder_whose_name_is_no_text_is_read(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9") / "talk"
    record(folder, [result(0), result(1)])
    assert open_session(folder).recorded.faces


def test_without_parquet_the_csv_is_read(folder: Path) -> None:
    points = landmarks() + np.float32(0.12345)
    exact = record(folder, [result(0, faces=[estimate(points=points)]), result(1, faces=[]), result(2)])
    (folder / "landmarks.parquet").unlink()
    take = open_session(folder).recorded
    assert np.abs(take.landmarks(0)[0] - points).max() < 0.0006
    assert take.estimates.row.tolist() == [0, 2]
    for name in ("evaluations", "warm", "reason", "age", "chosen", "mode"):
        assert getattr(take.estimates, name).tolist() == getattr(exact.recorded.estimates, name).tolist()
    assert take.flicker(0)[0] == 0.42


@pytest.mark.parametrize("name", ["landmarks.csv", "landmarks.parquet"])
def test_signals_and_radii_come_back(folder: Path, name: str) -> None:
    tracker = SignalTracker()
    found = [tracker.update(face(), (1280, 720), index / 30) for index in range(40)]
    radii = np.linspace(1, 20, 98, dtype=np.float32)
    base = replace(estimate(points=face()), radius80=radii)
    items = [result(k, faces=[replace(base, read_signals=found[i])]) for k, i in enumerate((0, 39))]
    record(folder, items)
    for other in {"landmarks.csv", "landmarks.parquet"} - {name}:
        (folder / other).unlink()
    take = open_session(folder).recorded
    for row, item in enumerate(items):
        back = take.result(row, item.frame.image).faces[0].estimate
        assert back.radius80 is not None
        np.testing.assert_allclose(back.radius80, radii, atol=5e-4)
        assert signal_values(back.signals) == pytest.approx(signal_values(item.faces[0].estimate.signals), abs=0.01)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["landmarks.csv", "landmarks.parquet"])
def test_recordings_by_versions_without_signals_and_radii_are_read(folder: Path, name: str) -> None:
    record(folder, [result(0), result(1)])
    path = folder / "landmarks.parquet"
    old = pyarrow.parquet.read_table(path).drop_columns([*NAMES, *RADII])
    pyarrow.parquet.write_table(old, path)
    pyarrow.csv.write_csv(old, folder / "landmarks.csv")
    for other in {"landmarks.csv", "landmarks.parquet"} - {name}:
        (folder / other).unlink()
    take = open_session(folder).recorded
    assert (take.landmarks(0)[1] == landmarks()).all()
    back = take.result(0, result(0).frame.image).faces[0].estimate
    assert (back.signals, back.radius80) == (None, None)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX")
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.process
def test_a_killed_recording_is_recovered(folder: Path, exact: bool) -> None:
    script = textwrap.dedent(f"""
        import os, signal, sys, time
        from dataclasses import replace
        from pathlib import Path
        from app.core.events import FaceFound
        from app.media import tables
        from app.sessions import recorder as recording
        from app.sessions.plan import RecordingChoices
        from tests.recording_fakes import result
        from tests.session_fakes import plan
        tables.FLUSH_SECONDS = 0.0
        recording.PICTURE_SECONDS = 3600.0  # none is refused on a busy computer
        recorder = recording.SessionRecorder(Path(sys.argv[1]), plan(RecordingChoices(exact={exact})))
        for index in range(18):
            recorder.offer(replace(result(index), events=() if index else (FaceFound(0),)))
        while recorder.frames < 18:
            time.sleep(0.005)
        os.kill(os.getpid(), signal.SIGKILL)
    """)
    done = subprocess.run([sys.executable, "-c", script, str(folder)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    for path in folder.iterdir():  # cut short, as a power failure leaves files
        if path.suffix in (".csv", ".jsonl", ".nut"):
            path.write_bytes(path.read_bytes()[: -700 if path.suffix == ".nut" else -7])
    session = open_session(folder)
    assert session.state == "recovered"
    assert len(session.frames) == 17
    assert session.recorded.landmarks(0).shape == (17, 98, 2)
    assert 16 <= len(session.recorded.estimates) <= 17
    with session.open_video() as video:
        pictures = [video.read(number) for number in range(17)]
    whole = [image for image in pictures if image is not None]
    assert len(whole) == 17 if exact else len(whole) >= 7  # fragments of a quarter second
    assert [round((image.mean() - 20) / 10) for image in whole] == list(range(len(whole)))
    assert session.events[0].kind == "start"
    assert [entry.state for entry in list_sessions(folder.parent)] == ["recovered"]


def test_rows_are_found_by_time() -> None:
    times = np.array([0.0, 0.1, 0.25])
    table = FrameTable(np.arange(3), times, times, np.arange(3), times)
    assert [table.row_at(time) for time in (-1, 0, 0.05, 0.1, 0.2499999, 0.25, 9)] == [0, 0, 0, 1, 2, 2, 2]
    assert table.rows_of(np.array([0.1000002, 0.2, 0.25])).tolist() == [1, -1, 2]
    assert table.duration == pytest.approx(0.4)
    empty = FrameTable(*[np.zeros(0)] * 5)  # type: ignore[arg-type]
    assert empty.rows_of(times).tolist() == [-1, -1, -1]
    assert empty.duration == 0
    with pytest.raises(IndexError, match="no rows"):
        empty.row_at(0)


def test_a_session_is_opened_although_its_events_are_damaged(folder: Path) -> None:
    record(folder, [told(0, max_faces=2), told(1)])
    path = folder / "events.jsonl"
    path.write_bytes(b'not json\n{"kind": "odd"}\n[1, 2]\n' + path.read_bytes())
    session = open_session(folder)
    assert [event.kind for event in session.events] == ["start", "settings", "stop"]
    assert session.settings_at(1) == TrackingSettings()


@pytest.mark.parametrize("changes", [None, 3, ["follow"], {"follow": "first"}, {"follow": ["first"]}])
def test_an_event_of_another_version_has_a_text(changes: Any) -> None:
    event = Event(1.0, 3, 3, "settings", {"changes": changes})
    assert event.text in ("settings", "")
    with pytest.raises(SessionError, match="update LDEQ Live"):
        changed_settings(TrackingSettings(), event)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format": "else"}, "does not describe a session"),
        ({"version": 2}, "reads version 1"),
        ({"tracking": {"max_faces": 0}}, "At least 1 face"),
        ({"tracking": None}, "Expected object, got null at tracking"),
        ({"counts": {"frames": "many"}}, "Expected int, got str at counts.frames"),
        ({"tracking": {"recurrence": {"evaluations": 0}}}, "at least 1 evaluation"),
    ],
)
def test_metadata_that_cannot_be_used_is_one_sentence(folder: Path, changes: Any, sentence: str) -> None:
    record(folder, [result(0)])
    rewrite(folder, **changes)
    with pytest.raises(SessionError, match=sentence) as caught:
        open_session(folder)
    assert len(str(caught.value).splitlines()) == 1
    (entry,) = list_sessions(folder.parent)
    assert sentence in entry.error


def damage_json(folder: Path) -> None:
    (folder / "session.json").write_text("{")


def remove_json(folder: Path) -> None:
    (folder / "session.json").unlink()


def remove_frames(folder: Path) -> None:
    (folder / "frames.csv").unlink()


def garble_frames(folder: Path) -> None:
    (folder / "frames.csv").write_text("frame,time,timestamp,picture,seconds\n1,2,three,4,5\n")


def foreign_frames(folder: Path) -> None:
    (folder / "frames.csv").write_text("a,b\n1,2\n")


@pytest.mark.parametrize("damage", [damage_json, remove_json, remove_frames, garble_frames, foreign_frames])
def test_a_damaged_session_is_one_sentence(folder: Path, damage: Any) -> None:
    record(folder, [result(0)])
    damage(folder)
    with pytest.raises(SessionError, match=r"restore|choose") as caught:
        open_session(folder)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["landmarks.parquet", "landmarks.csv"])
def test_damaged_landmarks_are_one_sentence(folder: Path, name: str) -> None:
    record(folder, [result(0)])
    if name == "landmarks.csv":
        (folder / "landmarks.parquet").unlink()
    (folder / name).write_bytes(b"nothing\n")
    session = open_session(folder)
    with pytest.raises(SessionError, match="restore it"):
        session.take("recorded")


def test_settings_from_the_future_stop_only_who_needs_them(folder: Path) -> None:
    session = record(folder, [told(0), told(1, max_faces=2)])
    path = folder / "events.jsonl"
    path.write_text(path.read_text(encoding="utf-8").replace("[1, 2]", "[1, 0]"), encoding="utf-8")
    session = open_session(folder)
    assert session.settings_at(0) == TrackingSettings()
    with pytest.raises(UserError, match="update LDEQ Live"):
        session.settings_at(1)


def test_sessions_are_listed_newest_first(folder: Path, tmp_path: Path) -> None:
    for place, name in enumerate(("first", "second", "third")):
        record(tmp_path / name, [result(0), result(1)])
        rewrite(tmp_path / name, started=f"2026-11-2{place}T10:00:00Z")
    (tmp_path / "no session").mkdir()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "session.json").write_text("{}")
    entries = list_sessions(tmp_path)
    assert {entry.name for entry in entries if entry.error} == {"broken"}
    whole = [entry for entry in entries if not entry.error]
    assert [entry.name for entry in whole] == ["third", "second", "first"]
    assert whole[0].seconds == pytest.approx(2 / 30)
    assert whole[0].source == "Camera"
    assert whole[0].thumbnail is not None
    assert whole[0].started.astimezone(UTC).day == 22
    assert list_sessions(tmp_path / "missing") == []


def test_folders_for_sessions_must_be_free(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    create_folder(tmp_path / "a" / "b")
    with pytest.raises(RecordingError, match="holds files"):
        create_folder(tmp_path / "a" / "b")
    assert not is_session(tmp_path / "a" / "b")


def test_of_programs_that_create_a_folder_at_once_one_gets_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ready, got, refused = threading.Barrier(4), [], []

    def check(folder: Path) -> None:
        check_new_folder(folder)
        ready.wait(PATIENCE_SECONDS)  # all of them have found it free

    def create() -> None:
        try:
            SessionWriter(tmp_path / "session", plan(), RecordingClock()).close()
            got.append(True)
        except RecordingError as error:
            refused.append(str(error))

    monkeypatch.setattr("app.sessions.form.check_new_folder", check)
    monkeypatch.setattr(SessionWriter, "close", lambda self: self._sync.close() or self._take.close())
    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert len(got) == 1
    assert len(refused) == 3
    assert "Another program has just created" in refused[0]
    assert (tmp_path / "session" / "landmarks.csv").is_file()


@pytest.mark.parametrize("name", ["talk ", "talk."])
def test_names_that_windows_cannot_keep_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(RecordingError, match="ends in a space or a dot"):
        create_folder(tmp_path / name)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("started", ["0001-01-01T00:00:00+14:00", "yesterday", "9999-12-31T23:59:59-14:00"])
def test_one_impossible_date_does_not_hide_other_sessions(tmp_path: Path, started: str) -> None:
    for name in ("good", "odd"):
        record(tmp_path / name, [result(0)])
    rewrite(tmp_path / "odd", started=started)
    assert {entry.name for entry in list_sessions(tmp_path)} == {"good", "odd"}


def test_replays_are_sorted_by_when_they_began_also_after_a_copy(tmp_path: Path) -> None:
    session = record(tmp_path / "talk", [result(0)])
    for name, started, written in (("b", "2026-11-20T10:00:00Z", 300), ("a", "2026-11-21T10:00:00Z", 100)):
        folder = session.folder / "replays" / name
        folder.mkdir(parents=True)
        (folder / "replay.json").write_text(json.dumps({"started": started}))
        os.utime(folder / "replay.json", (written, written))
    (session.folder / "replays" / "damaged").mkdir()
    (session.folder / "replays" / "damaged" / "replay.json").write_text("{")
    assert session.take_names == ("recorded", "damaged", "b", "a")


def test_frame_times_survive_exactly(folder: Path) -> None:
    stamps = [1 / 3, 0.1 + 0.2 + 1, 1e9 / 7]
    items = [result(k) for k in range(3)]
    items = [replace(item, frame=replace(item.frame, timestamp=t)) for item, t in zip(items, stamps, strict=True)]
    record(folder, items)
    assert read_frames(folder / "frames.csv").timestamp.tolist() == stamps


def spoiled(data: bytes, dice: random.Random) -> bytes:
    """Return ``data`` cut short, with other bytes, or with some more or fewer."""
    place = dice.randrange(len(data))
    return dice.choice(
        [
            data[:place],
            data[:place] + bytes([dice.randrange(256)]) + data[place + 1 :],
            data[:place] + data[place + dice.randint(1, 40) :],
            data[:place] + dice.choice([b"9", b",", b'"', b"{", b"-", b"\n", b"e9"]) + data[place:],
        ]
    )


def use(folder: Path) -> None:
    """Do with a session what people do."""
    session = open_session(folder)
    session_lines(session)
    for row in range(len(session.frames)):
        session.recorded.result(row, np.zeros((48, 64, 3), np.uint8))
    compare_takes(session.recorded, session.recorded).lines()


@pytest.mark.parametrize("name", ["session.json", "frames.csv", "landmarks.csv", "landmarks.parquet", "events.jsonl"])
@pytest.mark.slow
def test_random_damage_is_at_most_one_sentence(tmp_path: Path, name: str) -> None:
    whole = record(tmp_path / "whole", [told(k, max_faces=1 + k // 2) for k in range(4)])
    if name == "landmarks.csv":
        (whole.folder / "landmarks.parquet").unlink()
    data, dice, told_why = (whole.folder / name).read_bytes(), random.Random(name), []
    for _ in range(25):
        (whole.folder / name).write_bytes(spoiled(data, dice))
        try:
            use(whole.folder)
        except UserError as error:
            told_why.append(str(error))
        assert len(list_sessions(tmp_path)) == 1
    assert all(len(sentence.splitlines()) == 1 for sentence in told_why)
    assert len(told_why) < 25  # a byte of a number does no harm
