"""Replays: the same landmarks bit for bit, other settings, and what can go wrong."""

from __future__ import annotations

import errno
import json
import shutil
import threading
from dataclasses import fields, replace
from fractions import Fraction
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from app.core.errors import UserError
from app.core.frame import Frame
from app.core.modes import Baseline, Mode
from app.core.settings import SHIPPED, EngineSettings, ModelChoice, TrackingSettings
from app.sessions import replay as replaying
from app.sessions.estimates import Estimates
from app.sessions.form import FRAMES, REPLAYS, SessionError
from app.sessions.metadata import SourceFacts
from app.sessions.plan import RecordingChoices, SessionPlan
from app.sessions.recorder import SessionRecorder
from app.sessions.replay import replay
from app.sessions.session import Session, open_session
from app.sessions.writer import open_tracked_session
from app.sources.demo import DemoClip
from app.sources.video import VideoSource
from app.tracking.pipeline import Pipeline, build_pipeline
from model.errors import ModelError
from model.rwr.settings import RwrSettings
from tests.fakes import face_image
from tests.recording_fakes import make_video, result
from tests.session_fakes import EXACT, SIZE, again, plan, record, scene, square_pipeline, tracked
from tests.waiting import PATIENCE_SECONDS

pytestmark = pytest.mark.slow

ENGINE = EngineSettings()
CHANGES = {
    4: TrackingSettings(compare=True),
    9: TrackingSettings(rwr=False, compare=True, baseline=Baseline.EMA),
    14: TrackingSettings(recurrence=RwrSettings(evaluations=1, recurrence_weight=0.5)),
}
RESTARTS = (17,)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an exact session; tests work on copies."""
    return record(tmp_path_factory.mktemp("recorded") / "talk", tracked(24, CHANGES, RESTARTS), EXACT).folder


@pytest.fixture
def session(recorded: Path, tmp_path: Path) -> Session:
    return open_session(Path(shutil.copytree(recorded, tmp_path / "talk")))


def same(a: Estimates, b: Estimates) -> bool:
    """Whether every number is the same bit for bit, but for the identities."""
    names = [field.name for field in fields(Estimates) if field.name != "face"]
    pairs = [(getattr(a, name), getattr(b, name)) for name in names]
    return all(np.array_equal(x, y, equal_nan=x.dtype.kind == "f") for x, y in pairs)


def test_an_exact_session_replays_bit_for_bit(session: Session) -> None:
    assert session.frames.index.tolist() == list(range(2, 26))  # tracking had a memory in the one before
    assert session.metadata.exact
    take = again(session, as_recorded=True)
    assert same(take.estimates, session.recorded.estimates)
    assert take.name == "as-recorded"
    told, recorded = ([(e.kind, e.row) for e in events if e.kind != "stop"] for events in (take.events, session.events))
    assert told == recorded
    assert all(take.settings_at(row) == session.settings_at(row) for row in range(24))


def test_the_restart_counts(session: Session) -> None:
    events = [event for event in session.events if not (event.kind == "restart" and event.row)]
    session.events = tuple(events)
    assert not same(again(session, as_recorded=True).estimates, session.recorded.estimates)


def test_a_restart_in_a_frame_without_its_picture_counts_from_the_next_one(session: Session) -> None:
    picture = session.frames.picture.copy()
    (restart,) = (event.row for event in session.events if event.kind == "restart" and event.row)
    picture[restart] = -1
    session.frames = replace(session.frames, picture=picture)
    take = again(session, as_recorded=True)
    assert [event.row for event in take.events if event.kind == "restart"] == [0, restart + 1]


def test_other_settings_hold_throughout(session: Session) -> None:
    take = again(session, TrackingSettings(rwr=False))
    assert take.modes == (Mode.COLD,)
    assert take.name == "cold"
    assert take.estimates.row.tolist() == list(range(24))
    warm = again(session, TrackingSettings(compare=True, baseline=Baseline.EMA))
    assert (warm.name, warm.modes) == ("rwr-and-ema", (Mode.RWR, Mode.EMA))
    assert warm.tracking == TrackingSettings(compare=True, baseline=Baseline.EMA)
    assert np.isfinite(warm.frames.seconds).all()


def test_the_same_replay_twice_is_the_same(session: Session) -> None:
    first, second = again(session), again(session)
    assert (first.name, second.name) == ("rwr", "rwr-2")
    assert same(first.estimates, second.estimates)
    assert session.take_names == ("recorded", "rwr", "rwr-2")
    later = open_session(session.folder)
    assert same(later.take("rwr-2").estimates, first.estimates)
    assert not later.take("rwr").as_recorded
    assert later.take_names == session.take_names


@pytest.mark.parametrize("keeps_parquet", [True, False])
def test_pictures_that_changed_their_size_have_their_own_again(tmp_path: Path, keeps_parquet: bool) -> None:
    pipeline, results = square_pipeline(ENGINE, TrackingSettings()), []
    for index, (width, height) in enumerate([(161, 120)] * 3 + [(320, 200)] * 2 + [(120, 161)]):
        image = face_image(width, height, 0.6 * width, 0.5 * height, 0.4 * height)
        results.append(pipeline.process(Frame(index, index / 30, image, index / 30)))
    folder = record(tmp_path / "turned", results).folder
    if not keeps_parquet:  # as after a kill
        (folder / "landmarks.parquet").unlink()
    session = open_session(folder)
    with session.open_video() as video:
        sizes = [video.read(row).shape[:2] for row in (5, 0, 3)]  # type: ignore[union-attr]
    assert sizes == [(161, 120), (120, 161), (200, 320)]
    take = again(session, as_recorded=True)
    apart = np.abs(take.estimates.landmarks - session.recorded.estimates.landmarks).max(axis=(1, 2))
    assert len(apart) == 6
    assert apart.max() < 3.0  # those of a letterboxed picture would be 20 pixels off and more


def test_a_replay_of_small_pictures_is_close(tmp_path: Path) -> None:
    session = record(tmp_path / "talk", tracked(10))
    assert not session.metadata.exact
    take = again(session, as_recorded=True)
    apart = np.abs(take.landmarks(0) - session.recorded.landmarks(0))
    assert 0 < apart.max() < 2


@pytest.fixture
def every_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a busy machine drop no picture."""
    monkeypatch.setattr("app.sessions.recorder.PICTURE_SECONDS", PATIENCE_SECONDS)


def test_frames_without_a_picture_are_left_out(tmp_path: Path, every_picture: None) -> None:
    from tests.session_fakes import plan as plan_of

    recorder = SessionRecorder(tmp_path / "talk", plan_of(EXACT, size=SIZE))
    for place, item in enumerate(tracked(10)):
        if place in (5, 6):
            flat = np.zeros((SIZE[1], SIZE[0]), np.uint8)  # cannot be encoded
            item = replace(item, frame=replace(item.frame, image=flat))
        recorder.offer(item)
    assert recorder.stop(PATIENCE_SECONDS).error is None
    session = open_session(tmp_path / "talk")
    missing = np.flatnonzero(session.frames.picture < 0).tolist()
    assert missing == [4, 5]
    take = again(session, as_recorded=True)
    assert take.estimates.row.tolist() == [row for row in range(10) if row not in missing]
    assert np.isnan(take.landmarks(0)[missing]).all()


def test_progress_is_told_and_a_stopped_replay_leaves_nothing(session: Session) -> None:
    seen, stop = [], threading.Event()

    def progress(done: int, total: int | None) -> None:
        seen.append((done, total))
        if done == 5:
            stop.set()

    assert again(session, progress=progress, stop=stop) is None
    assert seen == [(k, 24) for k in range(1, 6)]
    assert session.take_names == ("recorded",)
    assert not any((session.folder / "replays").iterdir())


def test_a_replay_of_the_same_name_that_began_meanwhile_stays(session: Session) -> None:
    other = session.folder / REPLAYS / "rwr" / FRAMES

    def slow(engine: EngineSettings, tracking: TrackingSettings) -> Pipeline:
        other.parent.mkdir(parents=True)
        other.write_text("frames of another program's replay", encoding="utf-8")
        return square_pipeline(engine, tracking)

    with pytest.raises(UserError, match="exists already"):
        replay(session, TrackingSettings(), ENGINE, build=slow)
    assert other.read_text(encoding="utf-8") == "frames of another program's replay"


def test_a_failing_tracker_leaves_nothing(session: Session) -> None:
    class Broken:
        settings = TrackingSettings()
        engine_name = "broken"
        closed = False

        def forget(self) -> None:
            pass

        def process(self, frame: Frame) -> NoReturn:
            raise RuntimeError("out of memory")

        def close(self) -> None:
            self.closed = True

    tracker = Broken()
    with pytest.raises(RuntimeError):
        replay(session, TrackingSettings(), ENGINE, build=lambda engine, tracking: tracker)  # type: ignore[arg-type, return-value]
    assert tracker.closed
    assert session.take_names == ("recorded",)


@pytest.mark.parametrize("name", ["", "..", "a/b", "recorded", "taken", "mine ", "mine."])
def test_names_of_replays_are_checked(session: Session, name: str) -> None:
    (session.folder / "replays" / "taken").mkdir(parents=True)
    with pytest.raises(SessionError, match=r"cannot name|already"):
        again(session, name=name)


def test_a_replay_as_recorded_runs_the_recorded_model(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = tmp_path / "ldeq-xs.safetensors"
    small.touch()
    monkeypatch.setitem(SHIPPED, ModelChoice.LDEQ_XS, small)
    engines: list[EngineSettings] = []

    def build(engine: EngineSettings, tracking: TrackingSettings) -> NoReturn:
        engines.append(engine)
        raise ModelError("it is enough to know what would run")

    own = EngineSettings(tmp_path / "own.safetensors")
    for engine in (EngineSettings(small), own):
        for as_recorded in (True, False):
            with pytest.raises(UserError):
                replay(session, TrackingSettings(), engine, as_recorded=as_recorded, build=build)
    assert engines == [EngineSettings(), EngineSettings(small), own, own]
    engines.clear()
    with pytest.raises(UserError):
        replay(session, TrackingSettings(), EngineSettings(symmetric=True), as_recorded=True, build=build)
    assert engines == [EngineSettings()]


def test_a_model_that_cannot_be_used_is_one_sentence(session: Session) -> None:
    def build(engine: EngineSettings, tracking: TrackingSettings) -> NoReturn:
        raise ModelError("no weights at x")

    with pytest.raises(UserError, match="model cannot be used"):
        replay(session, TrackingSettings(), ENGINE, build=build)


def test_without_pictures_there_is_no_replay(tmp_path: Path) -> None:
    for choices, reason in ((RecordingChoices(privacy=True), "privacy"), (RecordingChoices(video=False), "without")):
        session = record(tmp_path / reason, [result(k) for k in range(3)], choices)
        with pytest.raises(SessionError, match=reason):
            again(session)


def test_unknown_takes_are_one_sentence(session: Session) -> None:
    for name in ("nothing", "../recorded", ".."):
        with pytest.raises(SessionError, match="has no take"):
            session.take(name)


@pytest.fixture
def tracked_file(tmp_path: Path) -> tuple[Session, Path]:
    """A session that refers to a video with uneven times, tracked by the fake engine."""
    path = tmp_path / "in.mp4"
    make_video(path, [0, 1000, 2001, 3700, 4000, 5200], Fraction(1, 30000), size=(64, 48))
    source = VideoSource(path)
    facts = plan().engine
    writer = open_tracked_session(tmp_path / "talk", str(path), source.info, facts, video=path)
    tracker = square_pipeline(ENGINE, TrackingSettings())
    while (frame := source.read()) is not None:
        writer.write(tracker.process(frame))
    source.close()
    writer.close()
    return open_session(tmp_path / "talk"), path


def test_a_tracked_file_is_its_own_video(tracked_file: tuple[Session, Path]) -> None:
    session, path = tracked_file
    assert session.metadata.exact
    assert not (session.folder / "video.mp4").exists()
    assert session.video_path == path
    take = again(session, as_recorded=True)
    assert same(take.estimates, session.recorded.estimates)
    assert len(take.frames) == 6
    with session.open_video() as video:
        pictures = list(session.pictures())
        assert [number for number, _ in pictures] == list(range(6))
        for number in (4, 1, 5, 0):
            assert (video.read(number) == pictures[number][1]).all()


def test_a_tracked_file_that_changed_is_not_replayed(
    tracked_file: tuple[Session, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(path: Path) -> NoReturn:
        raise OSError(errno.EIO, "Input/output error")

    session, path = tracked_file
    make_video(path, [0, 1000], Fraction(1, 30000), size=(64, 48))
    with pytest.raises(SessionError, match="not the file that was tracked"):
        again(session)
    monkeypatch.setattr(replaying, "sha256", unreadable)
    with pytest.raises(SessionError, match="cannot be read: Input/output error; check the file"):
        again(session)
    path.unlink()
    with pytest.raises(SessionError, match="put it back"):
        again(session)
    assert len(open_session(session.folder).recorded.frames) == 6


@pytest.mark.parametrize("place", [r"C:\Users\Ada\Videos\in.mp4", "/home/ada/in.mp4"])
def test_a_tracked_file_may_lie_beside_a_session_from_another_system(
    tracked_file: tuple[Session, Path], place: str
) -> None:
    session, path = tracked_file
    metadata = session.folder / "session.json"
    values = json.loads(metadata.read_text(encoding="utf-8"))
    values["video"]["file"] = place
    metadata.write_text(json.dumps(values), encoding="utf-8")
    moved = open_session(session.folder)
    assert moved.video_path == path
    assert same(again(moved, as_recorded=True).estimates, session.recorded.estimates)
    make_video(path, [0, 1000], Fraction(1, 30000), size=(64, 48))
    with pytest.raises(SessionError, match="not the file that was tracked"):
        again(moved)
    path.unlink()
    assert moved.video_path is None


@pytest.mark.slow
def test_the_shipped_model_replays_the_demo_bit_for_bit(tmp_path: Path, every_picture: None) -> None:
    engine = EngineSettings(threads=1)
    tracker = build_pipeline(engine, TrackingSettings())
    clip = DemoClip()
    facts = SourceFacts.of("demo", clip.info)
    recorder = SessionRecorder(tmp_path / "talk", SessionPlan(facts, replace(plan().engine, settings=engine), EXACT))
    for index in range(14):
        frame = clip.read()
        assert frame is not None
        if index == 2:
            tracker.forget()
        if index == 7:
            tracker.configure(TrackingSettings(rwr=False))
        if index == 10:
            tracker.configure(TrackingSettings(compare=True))
        tracked_frame = tracker.process(frame)
        if index:  # the first one, too, has no memory
            recorder.offer(tracked_frame)
    tracker.close()
    clip.close()
    assert recorder.stop(PATIENCE_SECONDS).error is None
    session = open_session(tmp_path / "talk")
    assert (session.metadata.exact, session.frames.index.tolist()) == (True, list(range(2, 14)))
    take = replay(session, TrackingSettings(), engine, as_recorded=True)
    assert take is not None
    assert same(take.estimates, session.recorded.estimates)
    assert take.estimates.landmarks.dtype == np.float32


def test_the_scene_of_these_tests_moves() -> None:
    assert (scene(0) != scene(1)).mean() > 0.3
