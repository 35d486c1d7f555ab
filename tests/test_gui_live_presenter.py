"""The live window without its widgets: what choices, cameras, privacy, sharing and playing make of the session."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.core.modes import Baseline
from app.core.presets import PRESETS
from app.core.settings import SHIPPED, FollowChoice, ModelChoice, TrackingSettings
from app.gui.holdstill.presenters.hold_still import HoldStill
from app.gui.live.presenters import page as desk_module
from app.gui.live.presenters.chooser import CameraChoice
from app.gui.live.presenters.hotplug import WAITING
from app.gui.live.presenters.model import ModelInUse
from app.gui.live.presenters.page import LivePresenter
from app.gui.live.presenters.preferences import Preferences
from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.session import LiveSession, SessionParts
from app.gui.live.presenters.settings import LiveSettings
from app.gui.live.presenters.share import ShareField, ShareForm
from app.gui.live.presenters.state import RecordingPlan
from app.gui.presenters.actions import ActionName
from app.gui.presenters.palettes import Theme
from app.sessions.plan import RecordingChoices
from app.sessions.recorder import RecordingSummary
from app.sharing.channel import ChannelKind
from app.sharing.settings import Address
from app.sources.base import Playback, SourceInfo
from app.sources.spec import CameraSpec, PathSpec, SourceSpec
from app.tracking.live import LiveState, LiveStatus
from model.signals.track import SignalTracker
from tests.gui_fakes import FakeLive, FakeRecorder, frame_result
from tests.signals_fakes import face
from tests.waiting import PATIENCE_SECONDS, wait_until

WEBCAM = CameraChoice(CameraSpec("0"), "HD Webcam")
SECOND = CameraChoice(CameraSpec("1"), "Elgato Cam Link")


class SteeredSource:
    """Records how it is steered."""

    def __init__(self) -> None:
        self.playback: Playback | None = Playback(4.0, 10.0, False, 1.0)
        self.calls: list[tuple[Any, ...]] = []

    def pause(self, paused: bool) -> None:
        self.calls.append(("pause", paused))

    def seek_to(self, seconds: float) -> None:
        self.calls.append(("seek", seconds))

    def step(self, frames: int) -> None:
        self.calls.append(("step", frames))

    def show_again(self) -> None:
        self.calls.append(("show again",))

    def set_speed(self, speed: float) -> None:
        self.calls.append(("speed", speed))

    def broken_between(self, last: int, index: int) -> bool:
        return False


class SteeredLive(FakeLive):
    """A "camera:" can be pulled out, a ".mp4" can be steered."""

    def __init__(self, source: SourceSpec, tracking: TrackingSettings, faces: int) -> None:
        super().__init__(source, tracking, faces)
        self.steered = SteeredSource() if str(source).endswith(".mp4") else None
        self.restarts = 0
        self.pulled_out = False

    @property
    def playable(self) -> SteeredSource | None:
        return self.steered

    @property
    def status(self) -> LiveStatus:
        status = replace(self._status, playback=self.steered.playback if self.steered is not None else None)
        if status.info is not None and self.source.startswith("camera:"):
            status = replace(status, info=SourceInfo(WEBCAM.name, 320, 180, 30.0, None, True))
        if self.pulled_out:
            status = replace(status, state=LiveState.FAILED, error="The camera stopped delivering.")
        return status

    def restart_tracking(self) -> None:
        self.restarts += 1


class Bench:
    """A presenter whose pipelines, recorders and remembered choices are kept for looking at."""

    def __init__(self, faces: int = 1, **chosen: Any) -> None:
        self.lives: list[SteeredLive] = []
        self.recorders: list[FakeRecorder] = []
        self.kept: dict[str, Any] = {}
        self._faces = faces
        parts = SessionParts(self._live, self._recorder, lambda: [CameraSpec("0")])
        self.presenter = LivePresenter(
            LiveSettings(Remembered(**chosen), model=ModelInUse(choice=ModelChoice.LDEQ_S)),
            lambda *args: LiveSession(parts, *args),
            lambda: None,
            lambda **changes: self.kept.update(changes),
        )
        self.hold_still = HoldStill(
            self.presenter.session,
            lambda: self.presenter.chosen.tracking,
            lambda: Path("own.safetensors"),
            lambda: self.presenter.folder,
            lambda sheet, path: None,
        )
        self.presenter.attach(self.hold_still)

    def _live(self, source: SourceSpec, tracking: TrackingSettings) -> SteeredLive:
        self.lives.append(SteeredLive(source, tracking, self._faces))
        return self.lives[-1]

    def _recorder(self, plan: RecordingPlan) -> FakeRecorder:
        self.recorders.append(FakeRecorder(plan))
        return self.recorders[-1]

    @property
    def live(self) -> SteeredLive:
        return self.lives[-1]

    @property
    def text(self) -> str:
        banner = self.presenter.banner(self.presenter.session.state)
        return banner.text if banner is not None else ""

    def play(self, source: str) -> None:
        self.presenter.open(source)
        self.run(source)

    def run(self, source: str) -> None:
        wait_until(
            lambda: (
                str(self.presenter.session.state.source) == source and self.presenter.session.state.stage == "running"
            )
        )

    def record(self) -> FakeRecorder:
        self.presenter.toggle(ActionName.RECORD)
        wait_until(lambda: self.presenter.session.state.recording is not None)
        return self.recorders[-1]

    def close(self) -> None:
        self.presenter.session.close()
        assert self.presenter.session.join(PATIENCE_SECONDS)
        self.presenter.end()


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    benches: list[Bench] = []

    def make_one(**chosen: Any) -> Bench:
        benches.append(Bench(**{"source": "demo", "folder": tmp_path / "out", **chosen}))
        return benches[-1]

    yield make_one
    for bench in benches:
        bench.close()


@pytest.fixture
def bench(make: Callable[..., Bench]) -> Bench:
    bench = make()
    bench.presenter.begin()
    bench.run("demo")
    return bench


# Nobody looks: the processor belongs to others, unless the pictures are needed all the same


def test_tracking_rests_while_nobody_needs_it(bench: Bench) -> None:
    bench.presenter.rest(True)
    assert bench.live.resting
    bench.record()
    bench.presenter.rest(True)
    assert not bench.live.resting
    bench.presenter.toggle(ActionName.RECORD)
    wait_until(lambda: bench.presenter.session.state.recording is None)
    bench.presenter.rest(True)
    assert bench.live.resting
    bench.presenter.share(ShareForm(json_on=True))
    bench.presenter.rest(True)
    assert not bench.live.resting
    bench.presenter.share(ShareForm())
    bench.hold_still.start()
    bench.presenter.rest(True)
    assert not bench.live.resting
    bench.hold_still.cancel()
    bench.presenter.rest(True)
    assert bench.live.resting
    bench.presenter.rest(False)
    assert not bench.live.resting


def test_a_rest_does_not_look_as_if_the_computer_were_too_slow(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(desk_module, "time", SimpleNamespace(perf_counter=lambda: clock.now))
    counted = []
    for now, unseen in [(0.0, False), (1.5, False), (2.0, True), (2.5, False), (3.5, False)]:
        clock.now = now
        bench.presenter.rest(unseen)
        counted.append(bench.presenter.facts(None).captured_fps is not None)
    assert counted == [False, True, False, False, True]


# What was chosen is how it begins, and what is chosen is kept


def test_begins_as_remembered(make: Callable[..., Bench]) -> None:
    tracking = TrackingSettings(rwr=False, compare=True, baseline=Baseline.EMA, max_faces=2)
    bench = make(source="talk.mp4", tracking=tracking, mirror=True, share=ShareForm(json_on=True))
    bench.presenter.begin()
    bench.run("talk.mp4")
    assert bench.live.tracking == bench.presenter.session.state.tracking == tracking
    assert bench.presenter.mirrored
    assert bench.presenter.sharing.settings.udp == (Address("127.0.0.1", 9000),)


def test_choices_are_kept(bench: Bench) -> None:
    presenter = bench.presenter
    presenter.toggle(ActionName.RWR)
    presenter.toggle(ActionName.BASELINE)
    presenter.toggle(ActionName.BASELINE)
    assert bench.kept["tracking"] == TrackingSettings(rwr=False, compare=True, baseline=Baseline.EMA)
    presenter.toggle(ActionName.CALM)
    assert bench.kept["tracking"].recurrence == PRESETS[0].settings
    presenter.toggle(ActionName.MIRROR)
    presenter.toggle(ActionName.PRIVACY)
    presenter.choose(theme="light")
    presenter.open("rtsp://me:secret@cam/1")
    assert (bench.kept["mirror"], bench.kept["privacy"], bench.kept["theme"]) == (True, True, "light")
    assert bench.kept["source"] is None  # a password is nothing to write to a file
    bench.play("talk.mp4")
    assert bench.kept["source"] == str(Path("talk.mp4").absolute()), "the window may begin in another folder"
    assert presenter.chosen == replace(Remembered(folder=presenter.folder), **bench.kept)


def test_what_a_test_switches_on_for_a_while_is_not_kept(bench: Bench) -> None:
    bench.hold_still.start()
    assert bench.presenter.session.state.tracking.compare
    bench.presenter.toggle(ActionName.RWR)
    assert not bench.presenter.session.state.tracking.rwr
    bench.hold_still.cancel()
    assert bench.presenter.session.state.tracking == TrackingSettings(rwr=False)
    assert bench.kept["tracking"] == TrackingSettings(rwr=False)


def test_preferences_reach_tracking_recording_and_privacy(bench: Bench, tmp_path: Path) -> None:
    recording = RecordingChoices(annotated=True)
    wanted = Preferences(Theme.LIGHT, True, recording, True, 3, tmp_path / "elsewhere")
    bench.presenter.set_preferences(wanted)
    assert bench.presenter.chosen.preferences == wanted
    assert bench.presenter.session.state.tracking.max_faces == 3
    assert bench.presenter.mirrored
    assert bench.kept["recording"] == recording
    wait_until(lambda: bench.live.tracking.max_faces == 3)
    plan = bench.record().plan
    assert plan.choices == replace(recording, privacy=True)
    assert plan.path.parent == tmp_path / "elsewhere"
    assert bench.presenter.facts(None).private


def test_what_is_switched_during_a_test_stays_so(bench: Bench) -> None:
    def compared() -> tuple[bool, bool]:
        return bench.presenter.session.state.tracking.compare, bench.presenter.chosen.tracking.compare

    bench.hold_still.start()
    bench.presenter.toggle(ActionName.COMPARE)  # off, as the window shows that it is on
    assert compared() == (False, False)
    bench.presenter.toggle(ActionName.COMPARE)
    bench.hold_still.cancel()
    assert compared() == (True, True)
    bench.hold_still.start()
    bench.presenter.toggle(ActionName.COMPARE)
    bench.hold_still.cancel()
    assert compared() == (False, False)


def test_more_faces_than_the_preferences_can_show_stay(make: Callable[..., Bench]) -> None:
    bench = make(tracking=TrackingSettings(max_faces=12))
    shown = bench.presenter.preferences
    bench.presenter.set_preferences(replace(shown, theme=Theme.LIGHT))
    assert bench.presenter.session.state.tracking.max_faces == 12
    bench.presenter.set_preferences(replace(shown, max_faces=2))
    assert bench.presenter.session.state.tracking.max_faces == 2


def test_the_solver_panel_shows_settings_chosen_while_nothing_plays(make: Callable[..., Bench]) -> None:
    bench = make(tracking=TrackingSettings(recurrence=PRESETS[0].settings))
    assert bench.presenter.solver().settings == PRESETS[0].settings
    bench.presenter.toggle(ActionName.FAST)
    assert bench.presenter.solver().settings == PRESETS[2].settings


def test_record_pressed_twice_before_it_begins_records_nothing(bench: Bench) -> None:
    bench.presenter.toggle(ActionName.RECORD)
    bench.presenter.toggle(ActionName.RECORD)
    shown = bench.live.status.processed
    wait_until(lambda: bench.live.status.processed > shown + 30)
    assert bench.presenter.session.state.recording is None
    assert all(recorder.stopped for recorder in bench.recorders)


def test_record_never_makes_the_window_wait_for_the_disk(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    asking: list[threading.Thread] = []
    real = Path.exists

    def exists(path: Path, **how: Any) -> bool:
        asking.append(threading.current_thread())
        return real(path, **how)

    monkeypatch.setattr(Path, "exists", exists)
    bench.record()
    assert asking
    assert threading.current_thread() not in asking


def test_another_model_is_tried_where_one_failed(bench: Bench) -> None:
    bench.presenter.open("missing.mp4")
    wait_until(lambda: bench.presenter.session.state.stage == "failed")
    tries = len(bench.lives)
    bench.presenter.set_preferences(replace(bench.presenter.preferences, symmetric=True))
    wait_until(lambda: len(bench.lives) > tries)
    assert bench.live.source == "missing.mp4"


def test_the_windows_thread_reads_no_file_that_plays(
    make: Callable[..., Bench], monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = make()
    bench.play("talk.mp4")
    reads: list[PathSpec] = []
    monkeypatch.setattr(PathSpec, "kind", property(reads.append))
    monkeypatch.setattr(PathSpec, "exists", property(reads.append))
    bench.presenter.first_look.begin(TrackingSettings())
    bench.presenter.first_look.move_on(bench.presenter.session.state, None, 0.0)
    assert not bench.presenter.facts(None).mirrored
    assert not bench.presenter.first_look.active
    assert reads == []


def test_mirrored_twice_is_as_before(make: Callable[..., Bench]) -> None:
    bench = make()
    for source, usual in (("camera:0", True), ("talk.mp4", False)):
        bench.play(source)
        for wanted, kept in ((not usual, not usual), (usual, None)):
            bench.presenter.toggle(ActionName.MIRROR)
            assert bench.presenter.mirrored is wanted
            assert bench.presenter.chosen.mirror is kept


def test_preferences_that_change_nothing_disturb_nothing(bench: Bench) -> None:
    bench.record()
    bench.presenter.set_preferences(bench.presenter.chosen.preferences)
    assert bench.presenter.session.state.recording is not None
    assert "tracking" not in bench.kept


# Privacy


@pytest.mark.parametrize("private", [False, True])
def test_a_recording_never_outlives_the_privacy_it_began_with(make: Callable[..., Bench], private: bool) -> None:
    bench = make(privacy=private)
    bench.presenter.begin()
    bench.run("demo")
    first = bench.record()
    assert first.plan.choices.privacy is private
    bench.presenter.toggle(ActionName.PRIVACY)
    wait_until(lambda: bench.presenter.session.state.finished is not None)
    assert first.stopped
    assert bench.presenter.session.state.recording is None
    assert "privacy was switched" in bench.text
    assert bench.record().plan.choices.privacy is not private


def test_privacy_at_once_after_record_leaves_no_picture(bench: Bench) -> None:
    bench.presenter.toggle(ActionName.RECORD)
    bench.presenter.toggle(ActionName.PRIVACY)  # before the session's thread could begin to record
    assert "privacy was switched" in bench.text
    shown = bench.live.status.processed
    wait_until(lambda: bench.live.status.processed > shown + 30)
    assert bench.presenter.session.state.recording is None
    assert all(recorder.stopped for recorder in bench.recorders)


def test_switching_privacy_without_a_recording_says_nothing(bench: Bench) -> None:
    bench.presenter.toggle(ActionName.PRIVACY)
    assert bench.text == ""


def test_privacy_blurs_what_is_shared(bench: Bench) -> None:
    bench.presenter.share(ShareForm(json_on=True))
    assert not bench.presenter.sharing.settings.privacy
    bench.presenter.toggle(ActionName.PRIVACY)
    assert bench.presenter.sharing.settings.privacy
    assert bench.presenter.sharing.settings.udp


# Sharing


def test_the_share_card_says_what_is_sent(bench: Bench) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE_SECONDS)
        target = f"127.0.0.1:{receiver.getsockname()[1]}"
        form = ShareForm(json_on=True, json_to=target, osc_to=target)
        bench.presenter.share(form)
        assert bench.kept["share"] == form
        (status,) = bench.presenter.facts(None).sharing
        assert (status.kind, status.target) == (ChannelKind.UDP, target)
        assert receiver.recv(65536).startswith(b"{")
        bench.presenter.share(replace(form, json_on=False, osc_on=True))
        assert [status.kind for status in bench.presenter.facts(None).sharing] == [ChannelKind.OSC]


def test_an_address_that_is_none_is_said_and_not_shared(bench: Bench) -> None:
    bench.presenter.share(ShareForm(json_on=True, json_to="nowhere:99999", osc_on=True))
    assert set(bench.presenter.share_reading.wrong) == {ShareField.JSON}
    assert not bench.presenter.sharing.settings.udp
    assert bench.presenter.sharing.settings.osc


# Cameras that come and go


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The presenter's own clock: a list with one number."""
    now = [100.0]
    monkeypatch.setattr(desk_module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


def test_a_camera_that_is_back_plays_on(bench: Bench, clock: list[float]) -> None:
    bench.play("camera:0")
    bench.presenter.watch_cameras([WEBCAM])
    bench.live.pulled_out = True
    wait_until(lambda: bench.presenter.session.state.stage == "failed")
    bench.presenter.watch_cameras([])
    assert WAITING in bench.text
    clock[0] += 5
    bench.presenter.watch_cameras([WEBCAM])
    clock[0] += 5
    bench.presenter.watch_cameras([WEBCAM])
    wait_until(lambda: bench.presenter.session.state.stage == "running")
    assert len(bench.lives) == 3
    assert bench.live.source == "camera:HD Webcam"
    bench.presenter.watch_cameras([WEBCAM])
    assert WAITING not in bench.text


def test_a_camera_is_known_by_its_name_from_then_on(bench: Bench, clock: list[float]) -> None:
    bench.play("camera:1@640x480@30")
    assert bench.kept["source"] == "camera:1@640x480@30"
    bench.presenter.watch_cameras(None)
    bench.presenter.watch_cameras([SECOND])
    assert bench.kept["source"] == "camera:1@640x480@30", "a name that is not listed opens nothing"
    bench.presenter.watch_cameras([WEBCAM, SECOND])
    assert bench.kept["source"] == f"camera:{WEBCAM.name}@640x480@30"
    assert bench.live.source == "camera:1@640x480@30"
    bench.presenter.toggle(ActionName.PLAY)
    bench.presenter.toggle(ActionName.PLAY)
    bench.run(f"camera:{WEBCAM.name}@640x480@30")


def test_the_first_camera_stays_the_first(bench: Bench, clock: list[float]) -> None:
    bench.presenter.play(None)
    bench.run("camera:0")
    bench.presenter.watch_cameras([WEBCAM])
    assert bench.kept["source"] is None


def test_a_new_camera_is_offered_and_taken(bench: Bench, clock: list[float]) -> None:
    bench.presenter.watch_cameras([WEBCAM])
    assert bench.text == ""
    bench.presenter.watch_cameras([WEBCAM, SECOND])
    banner = bench.presenter.banner(bench.presenter.session.state)
    assert banner is not None
    assert banner.text == "Elgato Cam Link is connected."
    assert banner.offers == (ActionName.USE_CAMERA,)
    assert str(bench.presenter.session.state.source) == "demo"
    bench.presenter.toggle(ActionName.USE_CAMERA)
    bench.run("camera:1")


# Playing


def test_keys_steer_a_file(bench: Bench) -> None:
    bench.play("talk.mp4")
    source = bench.live.steered
    assert source is not None
    for action in (ActionName.PAUSE, ActionName.BACK, ActionName.AHEAD, ActionName.FRAME_BACK, ActionName.FRAME_AHEAD):
        assert bench.presenter.toggle(action)
    bench.presenter.player.set_speed(0.5)
    assert source.calls == [
        ("pause", True),
        ("seek", 3.0),
        ("seek", 5.0),
        ("step", -1),
        ("step", 1),
        ("speed", 0.5),
    ]
    source.playback = Playback(0.4, 10.0, True, 1.0)
    source.calls.clear()
    bench.presenter.toggle(ActionName.PAUSE)
    bench.presenter.toggle(ActionName.BACK)
    assert source.calls == [("pause", False), ("seek", 0.0)]


def test_keys_leave_cameras_and_nothing_alone(bench: Bench) -> None:
    bench.play("camera:0")
    assert bench.presenter.player.playback is None
    bench.presenter.toggle(ActionName.PAUSE)
    bench.presenter.toggle(ActionName.BACK)
    bench.presenter.toggle(ActionName.PLAY)
    wait_until(lambda: bench.presenter.session.live is None)
    for action in (ActionName.PAUSE, ActionName.AHEAD, ActionName.FRAME_AHEAD):
        bench.presenter.toggle(action)
    bench.presenter.player.set_speed(2.0)
    bench.presenter.player.pause(True)


# Recording


@pytest.mark.parametrize(("exact", "restarts"), [(True, 1), (False, 0)])
def test_exact_recordings_begin_without_memory(make: Callable[..., Bench], exact: bool, restarts: int) -> None:
    bench = make(recording=RecordingChoices(exact=exact))
    bench.presenter.begin()
    bench.run("demo")
    assert bench.record().plan.choices.exact is exact
    assert bench.live.restarts == restarts


def test_every_recording_has_a_folder_of_its_own(bench: Bench) -> None:
    paths = []
    for _ in range(2):
        recorder = bench.record()
        recorder.path.mkdir(parents=True)
        paths.append(recorder.path)
        before: RecordingSummary | None = bench.presenter.session.state.finished
        bench.presenter.toggle(ActionName.RECORD)
        wait_until(lambda before=before: bench.presenter.session.state.finished is not before)  # type: ignore[misc]
    assert len(set(paths)) == 2
    assert {path.parent for path in paths} == {bench.presenter.folder}


# Faces


def test_next_face_is_the_one_whose_figures_are_read(make: Callable[..., Bench]) -> None:
    bench = make(faces=2, tracking=TrackingSettings(max_faces=2))
    bench.presenter.begin()
    bench.run("demo")
    result = frame_result(faces=2)
    assert bench.presenter.facts(result).chosen_face is None
    seen = []
    for _ in range(3):
        bench.presenter.next_face(result)
        seen.append((bench.presenter.facts(result).chosen_face, bench.presenter.session.state.tracking.follow))
    assert seen == [(0, "0"), (1, "1"), (None, FollowChoice.LARGEST)]
    bench.presenter.choose_face(1)
    assert bench.presenter.session.state.tracking.follow == "1"
    assert bench.presenter.chosen.tracking.follow == FollowChoice.LARGEST  # the number is not remembered
    wait_until(lambda: bench.presenter.flicker().face == 1)
    bench.presenter.next_face(None)
    assert bench.presenter.facts(result).chosen_face == 1
    bench.play("talk.mp4")  # other people
    assert bench.presenter.facts(None).chosen_face is None
    assert bench.presenter.session.state.tracking.follow == FollowChoice.LARGEST


def test_a_neutral_face_needs_a_face(make: Callable[..., Bench], clock: list[float]) -> None:
    bench = make(faces=0)  # or its frames, whose expression is not known, would be between
    bench.presenter.begin()
    bench.run("demo")
    assert bench.presenter.toggle(ActionName.NEUTRAL)
    assert "no face in view" in bench.text
    assert "neutral" not in bench.kept
    points = face()
    shown = frame_result(captured=clock[0])
    estimate = replace(
        shown.faces[0].estimate, landmarks=points, read_signals=SignalTracker().update(points, (320, 180), 0.0)
    )
    bench.presenter._consume(replace(shown, faces=(replace(shown.faces[0], estimate=estimate),)))
    bench.presenter.toggle(ActionName.NEUTRAL)
    assert "your neutral face" in bench.text
    assert bench.presenter.sharing.settings.neutral == bench.kept["neutral"]


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    weights = tmp_path / "ldeq-xs.safetensors"
    weights.touch()
    monkeypatch.setitem(SHIPPED, ModelChoice.LDEQ_XS, weights)
    return weights


def test_models_are_offered_where_there_are_several(bench: Bench, small: Path) -> None:
    assert bench.presenter.preferences.model == ModelChoice.LDEQ_S
    small.unlink()
    assert bench.presenter.preferences.model is None


def test_another_model_runs_at_once_and_is_remembered(bench: Bench, small: Path) -> None:
    bench.play("talk.mp4")
    runs = len(bench.lives)
    bench.presenter.set_preferences(replace(bench.presenter.preferences, model=ModelChoice.LDEQ_XS))
    wait_until(lambda: len(bench.lives) == runs + 1)
    bench.run("talk.mp4")
    assert bench.presenter.model.engine.weights == small
    assert bench.presenter.facts(None).model == "ldeq-xs"
    assert bench.kept["model"] == ModelChoice.LDEQ_XS
    bench.presenter.set_preferences(bench.presenter.preferences)
    assert len(bench.lives) == runs + 1


def test_the_close_up_of_one_source_does_not_hold_for_the_next(bench: Bench) -> None:
    bench.play("talk.mp4")
    assert bench.presenter.zoom(frame_result(), (400, 300)) is not None
    bench.play("walk.mp4")
    assert bench.presenter.zoom(frame_result(faces=0), (400, 300)) is None


def test_a_symmetric_model_runs_at_once_and_is_remembered(bench: Bench) -> None:
    bench.play("talk.mp4")
    runs = len(bench.lives)
    bench.presenter.set_preferences(replace(bench.presenter.preferences, symmetric=True))
    wait_until(lambda: len(bench.lives) == runs + 1)
    assert bench.presenter.model.engine.symmetric
    assert bench.presenter.preferences.symmetric
    assert bench.kept["symmetric"] is True
    bench.run("talk.mp4")
    bench.record()
    bench.presenter.set_preferences(replace(bench.presenter.preferences, symmetric=False))
    assert "finish it first" in bench.text
    assert bench.presenter.preferences.symmetric


def test_a_recording_keeps_its_model(bench: Bench, small: Path) -> None:
    bench.play("talk.mp4")
    bench.record()
    runs = len(bench.lives)
    bench.presenter.set_preferences(replace(bench.presenter.preferences, model=ModelChoice.LDEQ_XS))
    assert "finish it first" in bench.text
    assert bench.presenter.model.name == "ldeq-s"
    assert bench.presenter.session.state.recording is not None
    assert len(bench.lives) == runs


def test_a_model_without_ghcu_ends_the_repair_and_says_so(bench: Bench, small: Path) -> None:
    bench.play("talk.mp4")
    bench.presenter.toggle(ActionName.GHCU)
    assert bench.presenter.session.state.tracking.ghcu
    bench.presenter.set_preferences(replace(bench.presenter.preferences, model=ModelChoice.LDEQ_XS))
    assert not bench.presenter.session.state.tracking.ghcu
    assert "no GHCU for ldeq-xs" in bench.text
