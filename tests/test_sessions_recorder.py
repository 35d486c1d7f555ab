"""The live recorder of sessions: never in the way, landmarks first, one summary at the end."""

from __future__ import annotations

import csv
import errno
import io
import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import RecordingError
from app.core.events import FaceFound, FaceLost, LossReason, RecordedFault, SceneCut, TrackingRestarted
from app.core.frame import Estimate, FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.media.clock import RecordingClock
from app.media.tables import CsvTable
from app.media.video import VideoWriter
from app.sessions import recorder as module
from app.sessions.events import Event, EventKind, EventLog, read_events, tracking_event, write_event_table
from app.sessions.form import SessionState
from app.sessions.frames import read_frames
from app.sessions.listing import list_sessions
from app.sessions.metadata import write_metadata
from app.sessions.pictures import PictureTrack
from app.sessions.plan import RecordingChoices
from app.sessions.recorder import RecordingSummary, SessionRecorder
from app.sessions.session import open_session
from app.sessions.take_writer import TakeWriter
from app.sessions.writer import SessionWriter
from app.sources.video import VideoSource
from model.signals.eyes import EyeClosure, EyeState
from model.signals.track import Signals, SignalTracker
from model.solvers import SolveReport
from tests import signals_fakes
from tests.recording_fakes import COLD_ESTIMATE, estimate, picture, read_video, result
from tests.session_fakes import EXACT, plan, record, told
from tests.sources_fakes import read_all
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

BOTH = RecordingChoices(annotated=True)


def alive() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "session-recorder"]


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    for thread in alive():
        thread.join(PATIENCE_SECONDS)
    assert not alive()


@pytest.fixture(autouse=True)
def _a_busy_machine_drops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PICTURE_SECONDS", 3600.0)
    monkeypatch.setattr(module, "ANNOTATED_WAITING", 1000)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "talk"


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Hold every picture back until the event is set."""
    event = threading.Event()
    write = VideoWriter.write

    def slow(self: VideoWriter, image: NDArray[np.uint8], time: float) -> None:
        assert event.wait(PATIENCE_SECONDS)
        write(self, image, time)

    monkeypatch.setattr(VideoWriter, "write", slow)
    yield event
    event.set()


def failing_after(monkeypatch: pytest.MonkeyPatch, count: int, name: str = "video.mp4") -> None:
    add = PictureTrack.add

    def fail(self: PictureTrack, found: FrameResult, time: float) -> int:
        if self.path.name == name and self.count == count:
            raise RecordingError("The disk is full.")
        return add(self, found, time)

    monkeypatch.setattr(PictureTrack, "add", fail)


def finished(recorder: SessionRecorder) -> RecordingSummary:
    """Stop, and wait for the checksums, too."""
    summary = recorder.stop(PATIENCE_SECONDS)
    for thread in alive():
        thread.join(PATIENCE_SECONDS)
    return summary


def test_records_what_it_is_offered(folder: Path) -> None:
    recorder = SessionRecorder(folder, plan(BOTH))
    for index in range(20):
        recorder.offer(result(index, 7 + index / 30))
    summary = finished(recorder)
    assert (summary.path, summary.frames, summary.dropped, summary.damaged) == (folder, 20, 0, 0)
    assert summary.error is None
    assert summary.seconds == pytest.approx(20 / 30, abs=1e-3)
    video = read_video(folder / "video.mp4")
    assert video.indices == list(range(20))
    assert [float(time) for time in video.times] == pytest.approx([k / 30 for k in range(20)], abs=1e-4)
    assert len(read_video(folder / "annotated.mp4").times) == 20
    session = open_session(folder)
    assert session.state == SessionState.COMPLETE
    assert session.frames.index.tolist() == list(range(20))
    assert session.frames.timestamp.tolist() == [7 + k / 30 for k in range(20)]
    assert session.frames.picture.tolist() == list(range(20))
    facts = session.metadata
    assert (facts.counts.frames, facts.counts.pictures, facts.counts.annotated) == (20, 20, 20)
    assert facts.seconds == pytest.approx(20 / 30, abs=1e-3)
    assert facts.engine.sha256 is not None
    assert set(facts.checksums) == {path.name for path in folder.iterdir()} - {"session.json"}


def test_the_annotated_video_is_drawn_and_the_clean_one_is_not(folder: Path) -> None:
    record(folder, [result(0), result(1)], BOTH)
    assert np.ptp(read_video(folder / "annotated.mp4").images[0]) > 100
    assert np.ptp(read_video(folder / "video.mp4").images[0]) < 8


def test_an_exact_recording_keeps_every_value(folder: Path) -> None:
    noise = [np.random.default_rng(k).integers(0, 256, (47, 63, 3), np.uint8) for k in range(5)]
    found = (FaceFound(0),)
    items = [replace(result(k, image=noise[k]), events=() if k else found) for k in range(5)]
    session = record(folder, items, EXACT)
    assert (session.metadata.exact, session.metadata.exact_frames) == (True, 5)
    for number, image in session.pictures():
        assert (image == noise[number]).all()


def test_privacy_keeps_no_picture(folder: Path) -> None:
    choices = RecordingChoices(video=True, annotated=True, exact=True, privacy=True)
    session = record(folder, [result(k) for k in range(3)], choices)
    names = {path.name for path in folder.iterdir()}
    assert names == {"session.json", "landmarks.csv", "landmarks.parquet", "frames.csv", "events.jsonl"}
    assert session.metadata.privacy
    assert not session.metadata.exact
    assert session.frames.picture.tolist() == [-1] * 3
    assert len(session.recorded.estimates) == 3
    assert session.metadata.counts.dropped == 0


def test_offering_never_waits_and_drops_pictures_only(
    folder: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PICTURES_WAITING", 4)
    recorder = SessionRecorder(folder, plan())
    for index in range(20):
        recorder.offer(result(index))
    dropped = recorder.dropped
    assert dropped == 16
    gate.set()
    summary = recorder.stop(PATIENCE_SECONDS)
    assert (summary.frames, summary.dropped) == (20, dropped)
    session = open_session(folder)
    assert session.recorded.estimates.row.tolist() == list(range(20))
    assert session.frames.picture.tolist() == [0, 1, 2, 3] + [-1] * 16
    assert len(read_video(folder / "video.mp4").times) == 4
    assert session.metadata.counts.dropped == 16
    assert [event.data["pictures"] for event in session.events if event.kind == "dropped"] == [16]


def test_waiting_pictures_are_bounded_in_bytes_too(
    folder: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PICTURE_BYTES", 3 * picture(0).nbytes)
    recorder = SessionRecorder(folder, plan())
    for index in range(10):
        recorder.offer(result(index))
    assert recorder.dropped == 7
    gate.set()
    assert recorder.stop(PATIENCE_SECONDS).frames == 10


def test_a_late_encoder_keeps_new_pictures_out(
    folder: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = SessionRecorder(folder, plan())
    recorder.offer(result(0))
    monkeypatch.setattr(module, "PICTURE_SECONDS", -1.0)
    recorder.offer(result(1))
    assert recorder.dropped == 1
    gate.set()
    assert recorder.stop(PATIENCE_SECONDS).frames == 2


def test_the_annotated_picture_is_the_first_to_be_left_out(
    folder: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANNOTATED_WAITING", 3)
    recorder = SessionRecorder(folder, plan(BOTH))
    for index in range(10):
        recorder.offer(result(index))
    gate.set()
    assert recorder.stop(PATIENCE_SECONDS).dropped == 0
    counts = open_session(folder).metadata.counts
    assert counts.pictures == 10
    assert counts.annotated_dropped >= 6  # all that were written while more than three waited
    assert counts.annotated == 10 - counts.annotated_dropped >= 1


def test_results_that_pile_up_without_end_are_an_error(
    folder: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RESULTS_WAITING", 5)
    recorder = SessionRecorder(folder, plan())
    for index in range(7):
        recorder.offer(result(index))
    assert "does not respond" in str(recorder.error)
    gate.set()
    assert recorder.stop(PATIENCE_SECONDS).frames == 5


def test_dropped_frames_do_not_change_the_speed(folder: Path) -> None:
    session = record(folder, [result(index) for index in (0, 1, 2, 9, 10)])
    assert float(read_video(folder / "video.mp4").times[-1]) == pytest.approx(10 / 30, abs=1e-4)
    assert session.metadata.counts.skipped == 6


def test_a_picture_that_cannot_be_encoded_does_not_cost_its_landmarks(folder: Path) -> None:
    session = record(folder, [result(0), result(1, image=np.zeros((48, 64), np.uint8)), result(2)])
    assert session.frames.picture.tolist() == [0, -1, 1]
    assert session.recorded.estimates.row.tolist() == [0, 1, 2]
    assert read_video(folder / "video.mp4").indices == [0, 2]


def test_a_frame_without_a_time_is_counted_as_damaged(folder: Path) -> None:
    recorder = SessionRecorder(folder, plan())
    for item in (result(0), result(1, time=float("nan")), result(2)):
        recorder.offer(item)
    summary = recorder.stop(PATIENCE_SECONDS)
    assert (summary.frames, summary.damaged, summary.error) == (2, 1, None)
    assert len(open_session(folder).frames) == 2


def test_a_change_of_size_is_letterboxed_and_told(folder: Path) -> None:
    big = np.full((100, 40, 3), 255, np.uint8)
    items = [replace(result(0), events=(FaceFound(0),)), result(1, image=big), result(2)]
    session = record(folder, items, EXACT)
    stored = read_all(VideoSource(folder / "video.nut"))
    assert {frame.image.shape for frame in stored} == {(48, 64, 3)}
    assert stored[1].image[24, 32].mean() > 240
    assert stored[1].image[24, 4].mean() < 20
    shown = [image for _, image in session.pictures()]
    assert [image.shape for image in shown] == [(48, 64, 3), (100, 40, 3), (48, 64, 3)]
    assert shown[1].min() > 240
    assert (session.metadata.exact, session.metadata.exact_frames) == (False, 1)
    told_kinds = [(event.kind, event.row) for event in session.events if event.kind in ("source", "inexact")]
    assert told_kinds == [("source", 1), ("inexact", 1), ("source", 2)]


def test_an_exact_recording_begins_without_memory(folder: Path) -> None:
    items = [result(k) for k in range(6)]
    items[1] = replace(items[1], faces=())  # the tracker remembers how far its search has come
    items[3] = replace(items[3], events=(TrackingRestarted(), FaceFound(0)))
    session = record(folder, items, EXACT)
    assert session.frames.index.tolist() == [3, 4, 5]
    assert session.metadata.exact


def test_an_exact_recording_that_cannot_begin_so_begins_anyway(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FRESH_RESULTS", 2)
    session = record(folder, [result(k) for k in range(5)], EXACT)
    assert session.frames.index.tolist() == [2, 3, 4]
    assert (session.metadata.exact, session.metadata.exact_frames) == (False, 0)
    assert "memory" in next(event.text for event in session.events if event.kind == "inexact")


def test_a_dropped_picture_ends_exactness(folder: Path, gate: threading.Event, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PICTURES_WAITING", 1)  # times the patience of exact recordings
    recorder = SessionRecorder(folder, plan(EXACT))
    for index in range(6):
        recorder.offer(replace(result(index), events=() if index else (FaceFound(0),)))
    gate.set()
    recorder.stop(PATIENCE_SECONDS)
    session = open_session(folder)
    kept = session.metadata.counts.pictures
    assert 4 <= kept < 6
    assert (session.metadata.exact, session.metadata.exact_frames) == (False, kept)
    assert [event.row for event in session.events if event.kind == "inexact"] == [kept]


def test_a_full_disk_is_kept_for_the_summary_and_costs_no_landmarks(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing_after(monkeypatch, 3)
    recorder = SessionRecorder(folder, plan())
    for index in range(6):
        recorder.offer(result(index))
    while recorder.error is None:
        pass
    recorder.offer(result(9))
    assert recorder.dropped == 1
    summary = recorder.stop(PATIENCE_SECONDS)
    assert (summary.error, recorder.error) == ("The disk is full.", "The disk is full.")
    session = open_session(folder)
    rows = len(session.frames)
    assert 4 <= rows == summary.frames
    assert session.frames.picture[:4].tolist() == [0, 1, 2, -1]
    assert session.recorded.estimates.row.tolist() == list(range(rows))
    assert [event.text for event in session.events if event.kind == "error"] == ["The disk is full."]
    assert session.state == SessionState.RECOVERED
    assert read_video(folder / "video.mp4").indices == [0, 1, 2]


def test_a_failing_annotated_video_ends_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failing_after(monkeypatch, 2, "annotated.mp4")
    session = record(folder, [result(k) for k in range(5)], BOTH)
    assert session.metadata.counts.pictures == 5
    assert session.metadata.counts.annotated == 2
    assert [event.kind for event in session.events if event.kind == "annotated"] == ["annotated"]


def test_tables_that_fail_leave_what_was_written(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = CsvTable.write

    def fail(self: CsvTable, found: FrameResult, time: float) -> None:
        if found.frame.index >= 2:
            raise RecordingError("The disk is full.")
        write(self, found, time)

    monkeypatch.setattr(CsvTable, "write", fail)
    recorder = SessionRecorder(folder, plan())
    for index in range(5):
        recorder.offer(result(index))
    assert recorder.stop(PATIENCE_SECONDS).error == "The disk is full."
    session = open_session(folder)
    assert session.recorded.estimates.row.tolist()[:2] == [0, 1]
    assert (session.state, session.metadata.state) == (SessionState.RECOVERED, SessionState.RECOVERED)
    assert list_sessions(folder.parent)[0].seconds == session.metadata.seconds > 0


def test_a_disk_that_is_full_from_the_start_leaves_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> NoReturn:
        raise RecordingError("The disk is full.")

    monkeypatch.setattr("app.sessions.writer.write_metadata", full)
    recorder = SessionRecorder(folder, plan())
    recorder.offer(result(0))
    summary = recorder.stop()
    assert (summary.frames, summary.error) == (0, "The disk is full.")
    assert not folder.exists()


def test_a_first_frame_that_is_lost_makes_no_complete_session(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = [RecordingError("The disk is full.")]

    def full_at_first(*told: Any) -> None:
        if failures:
            raise failures.pop()
        write_metadata(*told)

    monkeypatch.setattr("app.sessions.writer.write_metadata", full_at_first)
    recording = SessionWriter(folder, plan(), RecordingClock())
    with pytest.raises(RecordingError, match="full"):
        recording.write(result(0))
    recording.write(result(1))
    recording.close()
    assert open_session(folder).metadata.state == SessionState.RECOVERED


def test_a_row_that_a_full_disk_took_later_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    take = TakeWriter(tmp_path)
    take.write(told(0), 0.0, None)
    flush, failures = io.BufferedWriter.flush, [OSError(errno.ENOSPC, "No space left on device")]

    class Full(io.BufferedWriter):
        """A disk that is full when one line is written."""

        def flush(self) -> None:
            if failures:
                raise failures.pop()
            flush(self)

    take._frames._file.close()
    take._frames._file = io.TextIOWrapper(Full(io.FileIO(tmp_path / "frames.csv", "a")), line_buffering=True)
    with pytest.raises(RecordingError, match="full"):
        take.write(told(1), 0.1, None)
    take.write(told(2, FaceFound(3)), 0.2, None)
    take.close()
    frames = read_frames(tmp_path / "frames.csv")
    assert frames.index.tolist() == [0, 1, 2]
    assert [event.row for event in read_events(tmp_path / "events.jsonl") if event.kind == EventKind.FOUND] == [2]


def test_stopping_has_a_time_limit(folder: Path, gate: threading.Event) -> None:
    recorder = SessionRecorder(folder, plan())
    recorder.offer(result(0))
    assert "not finished" in str(recorder.stop(timeout=0.05).error)
    gate.set()
    assert recorder.stop(PATIENCE_SECONDS).error is None
    assert open_session(folder).state == SessionState.COMPLETE


def test_while_it_is_written_a_session_can_be_opened(folder: Path, gate: threading.Event) -> None:
    recorder = SessionRecorder(folder, plan(RecordingChoices(video=False)))
    for index in range(3):
        recorder.offer(result(index))
    while recorder.frames < 3:
        pass
    assert open_session(folder).state == SessionState.RECOVERED
    assert recorder.stop(PATIENCE_SECONDS).error is None


def test_stopping_twice_and_without_frames(folder: Path) -> None:
    recorder = SessionRecorder(folder, plan())
    summary = recorder.stop(PATIENCE_SECONDS)
    assert (summary.frames, summary.seconds, summary.error) == (0, 0.0, None)
    assert recorder.stop(PATIENCE_SECONDS) == summary
    assert not folder.exists()
    recorder.offer(result(0))
    assert recorder.dropped == 0


def test_what_cannot_be_written_is_refused_at_once(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (folder / "precious").write_text("precious")
    with pytest.raises(RecordingError, match="holds files"):
        SessionRecorder(folder, plan())
    with pytest.raises(RecordingError, match="is a file"):
        SessionRecorder(folder / "precious", plan())
    assert not alive()
    assert [path.name for path in folder.iterdir()] == ["precious"]


def test_events_of_earlier_versions_are_read(tmp_path: Path) -> None:
    lines = [
        '{"time": 0.0, "row": 0, "frame": 3, "kind": "restart", "text": "tracking started anew"}',
        '{"time": 0.0, "row": 0, "frame": 3, "kind": "found", "face": 0, "reason": ""}',
        '{"time": 0.1, "row": 3, "frame": 6, "kind": "lost", "face": 0, "reason": "face too small"}',
        '{"time": 0.2, "row": 6, "frame": 9, "kind": "cut", "text": "scene cut"}',
        '{"time": 0.3, "row": 9, "frame": 12, "kind": "fault", "text": "onnxruntime, CUDA failed (gone), so it was"}',
        '{"time": 0.4, "row": 12, "frame": 15, "kind": "found", "face": "damaged"}',
        '{"time": 0.5, "row": 15, "frame": 18, "kind": "later", "text": "of a newer version"}',
    ]
    (tmp_path / "events.jsonl").write_text("\n".join(lines) + "\n")
    events = read_events(tmp_path / "events.jsonl")
    assert [json.loads(line)["kind"] for line in lines] == [event.kind for event in events]
    assert [tracking_event(event) for event in events] == [
        TrackingRestarted(),
        FaceFound(0),
        FaceLost(0, LossReason.TOO_SMALL),
        SceneCut(),
        RecordedFault("onnxruntime, CUDA failed (gone), so it was"),
        None,
        None,
    ]


def test_events_tell_what_happened(folder: Path) -> None:
    cold = Estimate(
        Mode.RWR, *(lambda e: (e.landmarks, e.uncertainty))(estimate()), SolveReport(5, (0.1,), 0, None, False, "drift")
    )
    items = [
        told(0, FaceFound(0)),
        told(1, max_faces=2),
        replace(told(2, max_faces=2), faces=(replace(told(2).faces[0], estimate=cold),)),
        told(3, FaceLost(0, LossReason.NOT_SEEN), FaceFound(1), max_faces=2, rwr=False),
        told(4, SceneCut(), FaceFound(2), max_faces=2, rwr=False),
        told(5, TrackingRestarted(), FaceFound(0), max_faces=2, rwr=False),
    ]
    late = replace(items[-1], frame=replace(items[-1].frame, index=6, timestamp=9.0, captured=109.0), events=())
    session = record(folder, [*items, late])
    assert [(event.kind, event.row) for event in session.events] == [
        *(("start", 0), ("found", 0), ("settings", 1), ("reset", 2)),
        *(("settings", 3), ("lost", 3), ("found", 3), ("cut", 4), ("found", 4)),
        *(("restart", 5), ("found", 5), ("source", 6), ("stop", 6)),
    ]
    texts = [event.text for event in session.events]
    assert [event for event in map(tracking_event, session.events) if event] == [
        event for item in items for event in item.events
    ]
    assert texts[2] == "max_faces: 1 → 2"
    assert texts[3] == "reset face 0: drift"
    assert texts[5] == "lost face 0: not seen by the detector"
    assert texts[11].startswith("no frame for")
    assert session.settings_at(0) == TrackingSettings()
    assert session.settings_at(2) == TrackingSettings(max_faces=2)
    assert session.settings_at(5) == TrackingSettings(max_faces=2, rwr=False)


def test_times_of_closed_eyes_are_events(folder: Path) -> None:
    signals = SignalTracker().update(signals_fakes.face(), signals_fakes.SIZE, 0.0)()
    assert signals is not None
    face_signals = signals.face

    def at(index: int, ended: EyeClosure | None) -> FrameResult:
        known = result(index)
        told = Signals(face_signals, EyeState(0.1, 0, None, ended))
        face = replace(known.faces[0], estimate=replace(known.faces[0].estimate, read_signals=lambda: told))
        return replace(known, faces=(face,))

    closures = [None, None, None, EyeClosure(0.04, 0.9), None, EyeClosure(0.7, 1.0)]
    session = record(folder, [at(index, ended) for index, ended in enumerate(closures)])
    first, second = [event for event in session.events if event.kind == EventKind.CLOSURE]
    times = session.recorded.frames.time
    assert (first.row, second.row) == (3, 5)
    assert first.data == {
        "face": 0, "blink": True, "start": pytest.approx(times[3] - 0.04), "seconds": 0.04, "deepest": 0.9
    }  # fmt: skip
    assert first.text == "face 0 blinked for 0.04 s"
    assert second.text == "face 0 closed its eyes for 0.70 s"
    table = folder.parent / "events.csv"
    write_event_table(table, session.events)
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [row["kind"] for row in rows] == [event.kind for event in session.events]
    blinked, closed = (row for row in rows if row["kind"] == "closure")
    assert (blinked["blink"], closed["blink"]) == ("1", "0")
    assert float(closed["start"]) == pytest.approx(times[5] - 0.7, abs=1e-4)
    assert closed["reason"] == ""


def test_compared_modes_are_both_kept(folder: Path) -> None:
    session = record(folder, [result(k, other=COLD_ESTIMATE) for k in range(3)])
    take = session.recorded
    assert take.modes == ("rwr", "cold")
    assert take.estimates.chosen.tolist() == [True, False] * 3
    assert take.flicker(0).tolist() == [0.42] * 3
    assert take.flicker(0, "cold").tolist() == [0.9] * 3


def test_an_event_may_name_a_file_whose_name_is_not_text(tmp_path: Path) -> None:
    told = Event(1.5, 3, 4, EventKind.ERROR, {"text": "Cannot write caf\udce9: the disk is full."})
    log = EventLog(tmp_path / "events.jsonl")
    log.write(told)
    log.close()
    assert read_events(tmp_path / "events.jsonl") == (told,)
