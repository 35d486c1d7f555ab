"""Start, stop, change and record, without a window: what is true becomes what is wanted."""

from __future__ import annotations

import gc
import threading
import time
import weakref
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.core.errors import RecordingError
from app.core.settings import EngineSettings, TrackingSettings
from app.gui.live.presenters.model import ModelInUse
from app.gui.live.presenters.page import LivePresenter
from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.session import LiveSession, SessionParts
from app.gui.live.presenters.settings import LiveSettings
from app.gui.live.presenters.state import RecordingPlan, SessionState
from app.gui.presenters.actions import ActionName
from app.sessions.form import create_folder
from app.sources.spec import CameraSpec, SourceSpec, parse_source
from tests.gui_fakes import FakeLive, FakeRecorder, fake_parts, frame_result
from tests.waiting import PATIENCE_SECONDS, wait_until


class Bench:
    """A session whose pipelines and recorders are remembered."""

    def __init__(self, cameras: Sequence[SourceSpec] = (CameraSpec("0"),)) -> None:
        self.lives: list[FakeLive] = []
        self.recorders: list[FakeRecorder] = []
        self.emptied = 0
        self.session = LiveSession(
            SessionParts(self.live, self.recorder, lambda: cameras), TrackingSettings(), emptied=self.count
        )

    def live(self, source: SourceSpec, tracking: TrackingSettings) -> FakeLive:
        self.lives.append(FakeLive(source, tracking))
        return self.lives[-1]

    def recorder(self, plan: RecordingPlan) -> FakeRecorder:
        if plan.path.name == "forbidden.mp4":
            raise RecordingError("The folder is closed to you; choose another one.")
        if plan.path.name == "taken":
            plan.path.mkdir()
            (plan.path / "frames.csv").touch()  # another window is faster
            create_folder(plan.path)
        self.recorders.append(FakeRecorder(plan))
        return self.recorders[-1]

    def count(self) -> None:
        self.emptied += 1

    @property
    def state(self) -> SessionState:
        return self.session.state

    def reach(self, stage: str) -> None:
        wait_until(lambda: self.state.stage == stage)

    def record(self, path: Path) -> FakeRecorder:
        self.session.record(path)
        wait_until(lambda: self.state.recording is not None and self.recorders[-1].frames > 0)
        return self.recorders[-1]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.session.close()
    assert bench.session.join(PATIENCE_SECONDS)
    assert not any(live._thread.is_alive() for live in bench.lives)


def test_plays_stops_and_starts_again(bench: Bench) -> None:
    assert bench.state.stage == "stopped"
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    assert bench.state.info is not None
    assert bench.state.info.demo
    bench.session.stop()
    assert bench.state.stage == "stopped"
    wait_until(lambda: not bench.lives[0]._thread.is_alive())
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    assert len(bench.lives) == 2


def test_another_source_replaces_the_first(bench: Bench) -> None:
    bench.session.play(parse_source("one.mp4"))
    bench.reach("running")
    shown: list[SessionState] = []
    with bench.session._condition:  # the session's thread waits
        bench.session.play(parse_source("two.mp4"))
        shown.append(bench.state)
    assert (str(shown[0].source), shown[0].stage) == ("two.mp4", "opening")
    wait_until(lambda: str(bench.state.source) == "two.mp4" and bench.state.stage == "running")
    assert not bench.lives[0]._thread.is_alive()
    assert bench.emptied == 1


def test_without_a_choice_the_first_camera_that_opens(bench: Bench) -> None:
    bench.session.play(None)
    bench.reach("running")
    assert str(bench.state.source) == "camera:0"
    assert not bench.state.no_camera


@pytest.mark.parametrize("cameras", [(), ("camera:9",), ("camera:9", "camera:9")])
def test_no_camera_plays_the_demo_and_says_so(cameras: tuple[str, ...]) -> None:
    bench = Bench(cameras)  # type: ignore[arg-type]
    bench.session.play(None)
    wait_until(lambda: bench.state.stage == "running")
    assert str(bench.state.source) == "demo"
    assert bench.state.no_camera
    assert bench.state.refusal == ("camera:9 cannot be opened; choose another source." if cameras else "")
    bench.session.play(parse_source("camera:0"))
    wait_until(lambda: str(bench.state.source) == "camera:0")
    assert not bench.state.no_camera
    assert bench.state.refusal == ""
    bench.session.close()
    assert bench.session.join(PATIENCE_SECONDS)


def test_a_second_camera_is_tried_before_the_demo() -> None:
    bench = Bench((CameraSpec("9"), CameraSpec("1")))  # type: ignore[arg-type]
    bench.session.play(None)
    wait_until(lambda: bench.state.stage == "running")
    assert str(bench.state.source) == "camera:1"
    bench.session.close()
    assert bench.session.join(PATIENCE_SECONDS)


def test_a_chosen_camera_that_fails_is_not_replaced(bench: Bench) -> None:
    bench.session.play(parse_source("camera:9"))
    bench.reach("failed")
    assert bench.state.status is not None
    assert "choose another source" in bench.state.status.error


def test_switching_rwr_does_not_restart(bench: Bench) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    bench.session.configure(lambda tracking: replace(tracking, rwr=False, compare=True))
    assert bench.state.tracking.compare
    wait_until(lambda: bench.lives[0].tracking == TrackingSettings(rwr=False, compare=True))
    assert len(bench.lives) == 1


def test_settings_changed_while_stopped_apply_to_the_next_start(bench: Bench) -> None:
    with bench.session._condition:  # the session's thread sees both at once
        bench.session.configure(lambda tracking: replace(tracking, rwr=False))
        bench.session.play(parse_source("demo"))
    bench.reach("running")
    assert not bench.lives[0].begun_with.rwr


def test_what_two_threads_change_at_once_is_both_kept(bench: Bench) -> None:
    begun = threading.Event()

    def other() -> None:
        begun.wait(PATIENCE_SECONDS)
        bench.session.configure(lambda tracking: replace(tracking, follow="first"))

    def slowly(tracking: TrackingSettings) -> TrackingSettings:
        begun.set()
        thread.join(0.2)
        return replace(tracking, rwr=False)

    thread = threading.Thread(target=other)
    thread.start()
    before, after = bench.session.configure(slowly)
    thread.join()
    assert (before.rwr, after.rwr) == (True, False)
    assert (bench.state.tracking.rwr, bench.state.tracking.follow) == (False, "first")


def test_records_and_finishes(bench: Bench, tmp_path: Path) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    recorder = bench.record(tmp_path / "new" / "a.mp4")
    bench.session.finish_recording()
    wait_until(lambda: bench.state.finished is not None)
    assert recorder.stopped
    assert bench.state.recording is None
    assert (tmp_path / "new").is_dir()
    frames = recorder.frames
    wait_until(lambda: bench.lives[0].status.processed > 2 * frames)
    assert recorder.frames == frames


@pytest.mark.parametrize("end", ["stop", "change", "close"])
def test_whatever_ends_the_source_finishes_the_file(bench: Bench, tmp_path: Path, end: str) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    recorder = bench.record(tmp_path / "a.mp4")
    {
        "stop": bench.session.stop,
        "change": lambda: bench.session.play(parse_source("two.mp4")),
        "close": bench.session.close,
    }[end]()
    wait_until(lambda: bench.state.finished is not None)
    assert recorder.stopped
    assert bench.state.finished is not None
    assert bench.state.finished.frames == recorder.frames


@pytest.mark.parametrize(("source", "stage"), [("short.mp4", "ended"), ("unplugged", "failed")])
def test_a_source_that_ends_by_itself_finishes_the_file(bench: Bench, tmp_path: Path, source: str, stage: str) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    bench.session.play(parse_source(source))
    wait_until(lambda: str(bench.state.source) == source and bench.state.stage in ("running", stage))
    bench.session.record(tmp_path / "a.mp4")
    bench.reach(stage)
    wait_until(lambda: bench.session._wanted.record is None)  # the session's thread has noticed that it is over
    assert bench.state.recording is None
    assert all(recorder.stopped for recorder in bench.recorders)
    recorders = len(bench.recorders)
    for again in ("demo", "camera:0"):  # the wish to record does not outlive its source
        bench.session.play(parse_source(again))
        wait_until(lambda again=again: str(bench.state.source) == again and bench.state.stage == "running")  # type: ignore[misc]
        assert bench.state.recording is None
    assert len(bench.recorders) == recorders


def test_dropped_frames_are_shown(bench: Bench, tmp_path: Path) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    bench.record(tmp_path / "a.mp4").dropped = 7
    wait_until(lambda: bench.state.recording is not None and bench.state.recording.dropped == 7)


def test_a_recording_that_breaks_is_ended_and_told(bench: Bench, tmp_path: Path) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    bench.record(tmp_path / "a.mp4").error = "The disk is full; free some space."
    wait_until(lambda: bench.state.finished is not None)
    assert bench.state.finished is not None
    assert bench.state.finished.error == "The disk is full; free some space."
    assert bench.state.stage == "running"
    assert bench.state.recording is None


def test_a_recording_that_cannot_begin_is_told(bench: Bench, tmp_path: Path) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    bench.session.record(tmp_path / "forbidden.mp4")
    wait_until(lambda: bench.state.finished is not None)
    assert bench.state.finished is not None
    assert "choose another one" in (bench.state.finished.error or "")
    (tmp_path / "file").write_text("in the way")
    bench.session.record(tmp_path / "file" / "a.mp4")
    wait_until(lambda: bench.state.finished is not None and bench.state.finished.path.name == "a.mp4")
    assert bench.state.stage == "running"


def test_of_two_windows_that_record_at_once_both_do(bench: Bench, tmp_path: Path) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    recorder = bench.record(tmp_path / "taken")
    frames = recorder.frames
    wait_until(lambda: recorder.frames > frames + 3)  # it goes on under its own name
    assert bench.state.recording is not None
    assert bench.state.recording.path == recorder.plan.path != tmp_path / "taken"
    assert recorder.plan.path.name.startswith("session-")
    bench.session.finish_recording()
    wait_until(lambda: bench.state.finished is not None)
    assert bench.state.finished is not None
    assert bench.state.finished.error is None
    assert len(bench.recorders) == 1


def test_stopped_and_begun_again_in_the_same_second_are_two_recordings(bench: Bench, tmp_path: Path) -> None:
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    first = bench.record(tmp_path / "a")
    (tmp_path / "a").mkdir()
    with bench.session._condition:  # the session's thread sees neither on its own
        bench.session.finish_recording()
        bench.session.record(tmp_path / "a")
    wait_until(lambda: len(bench.recorders) == 2 and bench.recorders[1].frames > 0)
    assert first.stopped
    assert bench.recorders[1].path.parent == tmp_path
    assert bench.recorders[1].path != tmp_path / "a"


def test_a_driver_that_throws_leaves_the_session_alive() -> None:
    broken = [True]

    def live(source: SourceSpec, tracking: TrackingSettings) -> FakeLive:
        if broken.pop() if broken else False:
            raise RuntimeError("driver")
        return FakeLive(source, tracking)

    session = LiveSession(SessionParts(live, FakeRecorder, tuple), TrackingSettings())
    session.play(parse_source("demo"))
    wait_until(lambda: session.state.stage == "failed")
    assert "choose another one" in session.state.problem
    session.play(parse_source("demo"))
    wait_until(lambda: session.state.stage == "running")
    session.close()
    assert session.join(PATIENCE_SECONDS)


def test_a_source_that_hangs_is_left_behind_and_stays_silent(bench: Bench) -> None:
    class Hanging(FakeLive):
        def stop(self, timeout: float = 5.0) -> bool:
            self.results.close()
            return over and super().stop(timeout)  # until then its thread goes on

    over = False
    heard: list[int] = []
    stuck = Hanging("camera:0", TrackingSettings())
    lives = [stuck, FakeLive("demo", TrackingSettings())]
    parts = SessionParts(lambda source, tracking: lives.pop(0), FakeRecorder, tuple)
    session = LiveSession(parts, TrackingSettings(), [lambda result: heard.append(result.frame.index)])
    session.play(parse_source("camera:0"))
    wait_until(lambda: len(heard) > 3)
    session.play(parse_source("demo"))
    wait_until(lambda: str(session.state.source) == "demo" and session.state.stage == "running")
    assert session.left_behind
    assert stuck._consumers == ()
    session.close()
    assert session.join(PATIENCE_SECONDS)
    assert session.left_behind
    over = True
    wait_until(lambda: not session.left_behind)


def plays(session: LiveSession, source: str) -> bool:
    return str(session.state.source) == source and session.state.stage == "running"


def test_a_source_that_lets_go_late_is_forgotten_with_the_next_one(bench: Bench) -> None:
    class Late(FakeLive):
        def stop(self, timeout: float = 5.0) -> bool:
            return super().stop(PATIENCE_SECONDS) and timeout == 0  # in time for a later look

    stuck = weakref.ref(late := Late("camera:0", TrackingSettings()))
    lives = [late, *(FakeLive("demo", TrackingSettings()) for _ in range(2))]
    del late
    session = LiveSession(SessionParts(lambda *_: lives.pop(0), FakeRecorder, tuple), TrackingSettings(), [])
    for source in ("camera:0", "demo", "two.mp4"):
        session.play(parse_source(source))
        wait_until(partial(plays, session, source))
    wait_until(lambda: gc.collect() >= 0 and stuck() is None)
    session.close()
    assert session.join(PATIENCE_SECONDS)


def test_nothing_happens_after_close(bench: Bench) -> None:
    bench.session.close()
    assert bench.session.join(PATIENCE_SECONDS)
    bench.session.play(parse_source("demo"))
    assert bench.state.closed
    assert bench.lives == []


def test_threads_are_gone_after_close(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    bench = Bench()
    bench.session.play(parse_source("demo"))
    bench.reach("running")
    bench.session.record(tmp_path / "a.mp4")
    bench.session.close()
    assert bench.session.join(PATIENCE_SECONDS)
    assert set(threading.enumerate()) <= before


def close(presenter: LivePresenter) -> None:
    presenter.session.close()
    assert presenter.session.join(PATIENCE_SECONDS)
    presenter.end()


class TestPresenter:
    """What the keys do."""

    @pytest.fixture
    def presenter(self, tmp_path: Path) -> Iterator[LivePresenter]:
        def make(*args: Any) -> LiveSession:
            return LiveSession(fake_parts(), *args)

        presenter = LivePresenter(LiveSettings(Remembered(folder=tmp_path / "out")), make, lambda: None)
        presenter.begin()
        wait_until(lambda: presenter.session.state.stage == "running")
        yield presenter
        close(presenter)

    def test_toggles(self, presenter: LivePresenter) -> None:
        assert presenter.toggle(ActionName.RWR)
        assert presenter.toggle(ActionName.COMPARE)
        assert presenter.session.state.tracking == TrackingSettings(rwr=False, compare=True)
        presenter.toggle(ActionName.RWR)
        assert presenter.session.state.tracking.rwr
        assert not presenter.toggle(ActionName.KEYS)

    def test_repair_needs_what_lies_beside_the_weights(self, tmp_path: Path) -> None:
        weights = tmp_path / "own.safetensors"
        settings = LiveSettings(model=ModelInUse(EngineSettings(weights)))
        presenter = LivePresenter(settings, lambda *args: LiveSession(fake_parts(), *args), lambda: None)
        presenter.toggle(ActionName.GHCU)
        assert not presenter.session.state.tracking.ghcu
        banner = presenter.banner(presenter.session.state)
        assert banner is not None
        assert "train-ghcu" in banner.text
        (tmp_path / "own-ghcu.safetensors").touch()
        presenter.toggle(ActionName.GHCU)
        assert presenter.session.state.tracking.ghcu
        presenter.toggle(ActionName.GHCU)
        assert not presenter.session.state.tracking.ghcu
        close(presenter)

    def test_cameras_are_mirrored_until_the_person_decides(self, presenter: LivePresenter) -> None:
        assert presenter.mirrored
        presenter.open("talk.mp4")
        wait_until(lambda: str(presenter.session.state.source) == "talk.mp4")
        assert not presenter.mirrored
        presenter.toggle(ActionName.MIRROR)
        assert presenter.mirrored

    def test_start_and_stop(self, presenter: LivePresenter) -> None:
        presenter.toggle(ActionName.PLAY)
        assert presenter.session.state.stage == "stopped"
        presenter.toggle(ActionName.PLAY)
        wait_until(lambda: presenter.session.state.stage == "running")
        assert str(presenter.session.state.source) == "camera:0"

    def test_every_frame_counts_and_a_new_source_starts_afresh(self, presenter: LivePresenter) -> None:
        wait_until(lambda: len(presenter.facts(None).flicker.times) > 10)
        assert presenter.facts(None).fps is not None
        presenter.open("missing.mp4")
        wait_until(lambda: presenter.session.state.stage == "failed")
        assert not len(presenter.facts(None).flicker.times)
        assert presenter.facts(None).fps is None
        banner = presenter.banner(presenter.session.state)
        assert banner is not None
        presenter.dismiss(banner)
        assert presenter.banner(presenter.session.state) is None
        presenter.toggle(ActionName.RETRY)
        wait_until(lambda: presenter.banner(presenter.session.state) is not None)

    def test_record_needs_a_running_source(self, presenter: LivePresenter) -> None:
        presenter.toggle(ActionName.RECORD)
        wait_until(lambda: presenter.session.state.recording is not None)
        presenter.toggle(ActionName.RECORD)
        wait_until(lambda: presenter.session.state.finished is not None)
        presenter.toggle(ActionName.PLAY)
        presenter.toggle(ActionName.RECORD)
        presenter.toggle(ActionName.PLAY)
        wait_until(lambda: presenter.session.state.stage == "running")
        assert presenter.session.state.recording is None

    def test_latency_is_from_capture_to_paint(self, presenter: LivePresenter) -> None:
        now = time.perf_counter()
        presenter.painted(now - 0.04, now)
        latency = presenter.facts(frame_result()).latency
        assert latency is not None
        assert latency.p50 == pytest.approx(0.04)

    def test_tells_of_snapshots(self, presenter: LivePresenter, tmp_path: Path) -> None:
        presenter.saved(tmp_path / "a.png", "")
        banner = presenter.banner(presenter.session.state)
        assert banner is not None
        assert "a.png" in banner.text
        presenter.saved(None, "The disk is full; free some space.")
        banner = presenter.banner(presenter.session.state)
        assert banner is not None
        assert banner.text == "The disk is full; free some space."
