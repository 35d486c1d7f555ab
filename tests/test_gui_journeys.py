"""What a person does from beginning to end, in the real window on the real pipeline with the shipped weights."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QApplication, QLabel, QMenu, QWidget
from pytestqt.qtbot import QtBot

from app.core.frame import FaceResult, Frame
from app.core.modes import Mode
from app.core.settings import EngineSettings, TrackingSettings
from app.gui.holdstill.presenters import hold_still as holdstill_module
from app.gui.holdstill.views.card_drawing import FINE, HEIGHT, WIDTH
from app.gui.live.presenters.banners import NO_CAMERA
from app.gui.live.presenters.chooser import CameraChoice
from app.gui.live.presenters.model import ModelInUse
from app.gui.live.presenters.remembered import Memory, Remembered
from app.gui.live.presenters.session import LiveSession
from app.gui.live.presenters.settings import LiveSettings
from app.gui.live.views.page import PagePart
from app.gui.main_window import MainWindow
from app.gui.presenters.actions import ActionName
from app.gui.presenters.compare import CompareView
from app.gui.presenters.palettes import DARK, LIGHT
from app.gui.theme import theme
from app.gui.viewer.presenters.jobs import WAYS, Beside, Way
from app.gui.viewer.presenters.readouts import ViewerStage
from app.gui.viewer.views.viewer import ViewerView
from app.gui.window import live_parts
from app.gui.window_state import LEAST_SIZE
from app.holdstill.card_file import read_card
from app.holdstill.measurement import measure
from app.holdstill.samples import Sampler
from app.lab.speed.crowd import Crowd
from app.sessions.form import RECORDED, REPLAYS, SessionState
from app.sessions.plan import RecordingChoices
from app.sessions.session import open_session
from app.sources.base import Playback, Source
from app.sources.demo import DemoClip, SensorNoise
from app.sources.paced import PacedSource
from app.sources.spec import CameraSpec
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS

FRAMES = 24
"""To record: about a second, and enough for flicker to be measured."""
ON_THEIR_WAY = 8
"""Frames that may be tracked between the key that starts a recording and the first one in it, more than were seen."""
SHORT_TEST = 1.2
STILL_AT = 4.2
"""Seconds into the demo clip at which the head keeps still."""

Key = Qt.Key
CONTROL = Qt.KeyboardModifier.ControlModifier


class StillFace:
    """The demo clip's face as if it sat still for ever, in frames whose times do not depend on the computer's speed."""

    note = ""

    def __init__(self) -> None:
        clip = DemoClip()
        clip.seek(STILL_AT)
        frame = clip.read()
        assert frame is not None
        clip.close()
        self._picture = frame.image
        self.info = clip.info
        self._noise = SensorNoise(self.info.width, self.info.height)
        self._index = 0
        # So long ago that no frame claims to have been captured after it was solved, however fast that is
        self._began = time.perf_counter() - 60.0

    def read(self) -> Frame | None:
        seconds = self._index / 30
        image = self._noise.add(self._picture, self._index)
        frame = Frame(self._index, seconds, image, self._began + seconds)
        self._index += 1
        return frame

    def close(self) -> None: ...


class Person:
    """Sits before a window: presses, clicks, looks and waits."""

    def __init__(self, window: MainWindow, qtbot: QtBot) -> None:
        self.window = window
        self.qtbot = qtbot

    def press(self, *keys: Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
        if not self.window.isActiveWindow():  # without a window manager nobody gives a menu's keyboard back
            self.window.activateWindow()
            self.wait(self.window.isActiveWindow)
        for key in keys:
            self.qtbot.keyClick(self.window, key, held)

    def click(self, widget: QWidget) -> None:
        """Click on a widget once it can be used: the window shows that some work has ended a moment later."""
        self.wait(lambda: widget.isVisible() and widget.isEnabled())
        self.qtbot.mouseClick(widget, Qt.MouseButton.LeftButton)

    def wait(self, seen: Callable[[], object]) -> None:
        self.qtbot.waitUntil(lambda: bool(seen()), timeout=PATIENCE_MS)

    @property
    def faces(self) -> tuple[FaceResult, ...]:
        picture = self.window.view.picture
        return () if picture is None else picture.result.faces

    @property
    def modes(self) -> tuple[str, str] | None:
        """Of the first face in view: the chosen mode and the baseline, "" without one."""
        if not self.faces:
            return None
        face = self.faces[0]
        return face.estimate.mode, face.other.mode if face.other is not None else ""

    @property
    def playback(self) -> Playback:
        playback = self.window.presenter.player.playback
        assert playback is not None
        return playback

    @property
    def banner(self) -> str:
        banner = self.window.page.banner
        return banner.banner.text if banner.isVisible() and banner.banner is not None else ""

    @property
    def viewer(self) -> ViewerView:
        return self.window.sessions.viewer

    def record(self, frames: int = FRAMES) -> Path:
        """Record by key; return the session's folder once it is finished."""
        session = self.window.presenter.session
        before = session.state.finished
        self.press(Key.Key_Space)
        self.wait(lambda: session.state.recording is not None)
        old = session.state.status
        self.wait(lambda: session.state.status is not old)  # the figures of before are from any time before
        status = session.state.status
        assert status is not None
        enough = status.processed + frames + ON_THEIR_WAY
        self.wait(lambda: session.state.status is not None and session.state.status.processed >= enough)
        self.press(Key.Key_Space)
        self.wait(lambda: session.state.finished is not before)
        assert session.state.finished is not None
        assert session.state.finished.error is None
        return session.state.finished.path

    def open_recorded(self) -> None:
        """Take the banner's way to the session that was just recorded."""
        self.wait(lambda: self.banner.startswith("Saved session-"))
        self.window.page.banner.press(ActionName.OPEN_SESSION)
        assert self.window.pages.currentWidget() is self.viewer
        self.wait(
            lambda: self.viewer.viewer.view().stage == ViewerStage.OPEN and self.viewer.picture.picture is not None
        )

    def replay(self, way: str) -> None:
        """Choose a way in the menu and press the button; wait for the take."""
        panel, label = self.viewer.panel, next(option.label for option in WAYS if option.name == way)
        before = len(self.viewer.viewer.view().takes)
        menu = panel.way.menu()
        assert isinstance(menu, QMenu)
        next(entry for entry in menu.actions() if entry.text() == label).trigger()
        self.click(panel.start)
        self.wait(lambda: len(self.viewer.viewer.view().takes) == before + 1)
        self.wait(lambda: self.viewer.viewer.view().verdict)


@pytest.fixture
def begin(
    qapp: QApplication, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Person]]:
    """Open windows; at the end close them, and see that no thread is left."""
    theme.apply(qapp, DARK)
    monkeypatch.setattr("app.sessions.recorder.PICTURE_SECONDS", PATIENCE_SECONDS)  # a busy machine drops nothing
    monkeypatch.setattr("app.gui.viewer.views.viewer.STOP_SECONDS", PATIENCE_SECONDS)  # nor leaves what it removes
    before = set(threading.enumerate())
    people: list[Person] = []

    def begin_one(memory: Memory | None = None, plays: Callable[[], Source] | None = None, **chosen: Any) -> Person:
        if plays is not None:
            monkeypatch.setattr("app.sources.open.open_source", lambda *args, **options: plays())
        usual = {"source": "demo", "folder": tmp_path / "out", "theme": "dark", "tour_seen": True}
        remembered = memory.current if memory is not None else Remembered(**{**usual, **chosen})
        settings = LiveSettings(remembered, model=ModelInUse(EngineSettings(threads=1)))
        window = MainWindow(
            settings,
            lambda *args: LiveSession(live_parts(settings), *args),
            lambda: [CameraChoice(CameraSpec("7"), "HD Webcam")],
            memory=memory,
        )
        people.append(Person(window, qtbot))
        window.show()
        window.begin()
        qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE_MS)
        people[-1].wait(lambda: people[-1].faces)
        return people[-1]

    yield begin_one
    for person in people:
        leave(person)
        person.window.deleteLater()
    people.clear()
    qtbot.waitUntil(lambda: set(threading.enumerate()) <= before, timeout=PATIENCE_MS)
    theme.apply(qapp, DARK)


def leave(person: Person) -> None:
    """Close the window as its button does."""
    person.window.close()
    person.wait(lambda: not person.window._timer.isActive())
    assert person.window.presenter.session.join(PATIENCE_SECONDS)
    assert person.window._memory is None or person.window._memory.close(PATIENCE_SECONDS)


def sharpness(image: np.ndarray) -> float:
    """How much fine detail a picture has."""
    return float(cv2.Laplacian(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var())


def frames_of(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def test_from_the_demo_to_a_replay_and_a_clip(begin: Callable[..., Person], tmp_path: Path) -> None:
    me = begin(recording=RecordingChoices(exact=True))
    assert me.window.view.hud.demo
    assert me.modes == (Mode.RWR, "")
    me.press(Key.Key_R)
    me.wait(lambda: me.modes == (Mode.COLD, ""))
    me.press(Key.Key_R, Key.Key_C)
    me.wait(lambda: me.modes == (Mode.RWR, Mode.COLD))
    whole = me.window.view.device_size
    me.press(Key.Key_B, Key.Key_V)
    me.wait(lambda: me.modes == (Mode.RWR, Mode.EMA))
    assert me.window.view.comparison.view == CompareView.SPLIT
    me.press(Key.Key_V)
    assert me.window.view.comparison.view == CompareView.SIDE_BY_SIDE
    assert me.window.view.device_size[0] < whole[0] / 2
    me.wait(lambda: me.window.view.picture and me.window.view.picture.region is not None)
    me.press(Key.Key_V, Key.Key_C)
    assert me.window.view.comparison.view == CompareView.OVERLAY
    me.wait(lambda: me.modes == (Mode.RWR, ""))

    folder = me.record()
    assert folder.parent == tmp_path / "out"
    me.open_recorded()
    viewer, player = me.viewer.viewer, me.viewer.viewer.player
    assert player is not None
    frames = open_session(folder).frames
    times = frames.time
    assert len(times) >= FRAMES
    assert player.playback.position == 0.0
    me.press(Key.Key_Period, Key.Key_Period)
    assert player.playback.position == times[2]
    me.press(Key.Key_Comma)
    assert player.playback.position == times[1]
    me.press(Key.Key_Right)
    assert player.playback.position == pytest.approx(min(times[1] + 1.0, times[-1]))
    me.press(Key.Key_Left)
    track = me.viewer.scrub.track
    me.qtbot.mouseClick(track, Qt.MouseButton.LeftButton, pos=QPoint(track.width() // 2, track.height() // 2))
    assert player.playback.position == pytest.approx(times[-1] / 2, abs=0.05)
    shown = frames.index[frames.row_at(player.playback.position)]
    me.wait(lambda: me.viewer.picture.picture and me.viewer.picture.picture.result.frame.index == shown)
    me.press(Key.Key_R, Key.Key_Space)  # R is about the live picture, which is not in view; Space plays the session
    assert me.window.presenter.session.state.tracking.rwr
    assert me.window.presenter.session.state.recording is None
    assert not player.playback.paused
    me.press(Key.Key_Space)
    assert player.playback.paused

    unseen = me.window.view.picture
    me.replay(Way.COLD)
    flicker, evaluations = viewer.view().table[:2]
    assert flicker.first != flicker.second
    assert float(evaluations.first) < float(evaluations.second)
    assert [row.second for row in viewer.view().takes] == [False, True]
    me.replay(Way.AS_RECORDED)
    assert me.window.view.picture is unseen  # nothing is prepared for a page that nobody sees
    session = open_session(folder)
    again = session.take(session.take_names[-1])
    live = session.take(RECORDED)
    assert len(again.estimates) == len(live.estimates) == len(times)
    np.testing.assert_array_equal(again.estimates.landmarks, live.estimates.landmarks)

    player.seek_to(times[5])
    me.press(Key.Key_BracketLeft)
    player.seek_to(times[14])
    me.press(Key.Key_BracketRight)
    menu = me.viewer.panel.export.menu()
    assert isinstance(menu, QMenu)
    next(entry for entry in menu.actions() if entry.text() == "Video with landmarks").trigger()
    me.wait(lambda: (message := viewer.view().message) and message.path is not None)
    message = viewer.view().message
    assert message is not None
    assert message.path is not None
    pictures = frames_of(message.path)
    assert len(pictures) == 9  # the one at the end is no longer in it
    assert pictures[0].shape == (720, 1280, 3)
    assert sharpness(pictures[0]) > 100 * sharpness(cv2.GaussianBlur(pictures[0], (0, 0), 20))

    me.press(Key.Key_Escape)
    assert viewer.view().message is None
    me.press(Key.Key_Escape)
    assert me.window.pages.currentWidget() is me.window.sessions.list
    me.wait(lambda: [row.folder for row in me.window.sessions.list.library.view.rows] == [folder])
    me.press(Key.Key_Escape)
    assert me.window.pages.currentWidget() is me.window.page
    me.press(Key.Key_R)
    assert not me.window.presenter.session.state.tracking.rwr
    me.wait(lambda: me.modes == (Mode.COLD, ""))


def test_privacy_leaves_no_picture_of_anybody(begin: Callable[..., Person], tmp_path: Path) -> None:
    me = begin()
    assert me.window.view.picture is not None
    clear = sharpness(me.window.view.picture.result.frame.image)
    me.press(Key.Key_H)
    me.wait(lambda: me.window.view.picture and me.window.view.picture.private)
    me.window.refresh()
    assert me.window.view.hud.private
    folder = me.record(8)
    session = open_session(folder)
    assert session.metadata.privacy
    assert session.video_path is None
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".jsonl", ".csv", ".parquet"}
    me.open_recorded()
    view = me.viewer.viewer.view()
    assert not view.can_replay
    assert view.table
    picture = me.viewer.picture.picture
    assert picture is not None
    assert picture.result.faces
    assert sharpness(picture.result.frame.image) == 0.0
    me.press(Key.Key_Escape, Key.Key_Escape)
    assert me.window.pages.currentWidget() is me.window.page

    me.press(Key.Key_K)
    me.wait(lambda: me.playback.paused)
    me.press(Key.Key_P)
    me.wait(lambda: me.banner.startswith("Saved snapshot"))
    (clean,) = (tmp_path / "out").glob("snapshot-*-clean.png")
    kept = np.asarray(cv2.imread(str(clean)))
    assert kept.shape == (720, 1280, 3)
    assert sharpness(kept) < 0.02 * clear
    me.press(Key.Key_H)
    me.press(Key.Key_Period)
    me.wait(lambda: me.window.view.picture and not me.window.view.picture.private)
    shown = me.window.view.picture
    assert shown is not None
    assert sharpness(shown.result.frame.image) > 0.5 * clear


def test_hold_still_ends_with_a_card_that_is_kept(
    begin: Callable[..., Person], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holdstill_module, "COUNTDOWN_SECONDS", 0.3)
    monkeypatch.setattr(holdstill_module, "Sampler", partial(Sampler, SHORT_TEST))
    monkeypatch.setattr(holdstill_module, "measure", partial(measure, seconds=SHORT_TEST))
    monkeypatch.setattr(holdstill_module, "PATIENCE_SECONDS", PATIENCE_MS / 1000)
    me = begin(plays=StillFace)
    me.press(Key.Key_T)
    assert me.window.test_overlay.isVisible()
    me.wait(lambda: me.modes == (Mode.RWR, Mode.COLD))
    me.wait(lambda: me.window.pages.currentWidget() is me.window.card)
    assert me.window.presenter.session.state.tracking == TrackingSettings()
    view = me.window.hold_still.view()
    assert view.problem == ""
    assert view.path is not None
    assert view.path.parent == tmp_path / "out"
    card = read_card(view.path)
    assert [mode.mode for mode in card.figures.modes] == [Mode.RWR, Mode.COLD]
    assert all(mode.flicker.percent > 0 for mode in card.figures.modes)
    drawn = QImage(str(view.path.with_suffix(".png")))
    assert drawn.size().toTuple() == (round(WIDTH * FINE), round(HEIGHT * FINE))
    saved = f"Saved as {view.path.name}, and as a picture beside it."
    me.wait(lambda: me.window.card.problem.text() == saved)
    me.press(Key.Key_Escape)
    assert me.window.pages.currentWidget() is me.window.page
    assert not me.window.test_overlay.isVisible()
    me.wait(lambda: me.modes == (Mode.RWR, ""))


def test_without_a_camera_the_demo_can_be_steered(
    begin: Callable[..., Person], qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gui.window.find_cameras", list)
    me = begin(source=None)
    me.wait(lambda: me.banner == NO_CAMERA)
    assert me.window.presenter.source_name == "Demo clip"
    menu = me.window.page.bar.menu
    me.press(Key.Key_O)
    me.wait(menu.isVisible)
    me.wait(lambda: "HD Webcam" in [entry.text() for entry in menu.actions()])
    assert "Demo clip" in [entry.text() for entry in menu.actions()]
    qtbot.keyClick(menu, Key.Key_Escape)
    assert not menu.isVisible()
    me.press(Key.Key_Escape)
    assert me.banner == ""

    me.press(Key.Key_K)
    me.wait(lambda: me.playback.paused)
    me.window.presenter.player.seek(3.0)
    status = me.window.presenter.session.state.status
    assert status is not None
    assert status.info is not None
    period = 1 / (status.info.fps or 30)

    clip = DemoClip()

    def shows(seconds: float) -> bool:
        """Whether it holds still there, and the clip's very picture of that moment is in view."""
        picture = me.window.view.picture
        if picture is None or not me.playback.paused:
            return False
        clip.seek(seconds + period / 2)
        frame = clip.read()
        assert frame is not None
        there = me.playback.position == pytest.approx(seconds, abs=0.01)
        return there and np.array_equal(frame.image, picture.result.frame.image)

    me.wait(lambda: shows(3.0))
    for key, seconds in (
        (Key.Key_Period, 3.0 + period),
        (Key.Key_Right, 4.0 + period),
        (Key.Key_Comma, 4.0),
        (Key.Key_Left, 3.0),
    ):
        me.press(key)
        me.wait(lambda seconds=seconds: shows(seconds))  # type: ignore[misc]
    clip.close()
    me.press(Key.Key_K)
    me.wait(lambda: not me.playback.paused and me.playback.position > 3.2)


def test_figures_follow_the_chosen_face(begin: Callable[..., Person], qtbot: QtBot) -> None:
    me = begin(plays=lambda: PacedSource(partial(Crowd, 2), loop=True), tracking=TrackingSettings(max_faces=2))
    me.wait(lambda: {face.face for face in me.faces} == {0, 1})
    view, presenter = me.window.view, me.window.presenter
    me.wait(lambda: presenter.flicker().modes[Mode.RWR].recent is not None)

    def centre(face: int) -> QPoint:
        picture = view.picture
        assert picture is not None
        points = next(found.estimate.landmarks for found in picture.result.faces if found.face == face)
        x, y = picture.placement(view.width(), view.height()).place(points).mean(axis=0)
        return QPoint(round(x), round(y))

    def chosen() -> str:
        me.window.refresh()
        return view.hud.mode

    first = presenter.flicker().face
    assert first in (0, 1)
    other = 1 - first
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=centre(other))
    me.wait(lambda: presenter.flicker().face == other)
    me.wait(lambda: chosen().endswith(f"#{other} chosen"))
    me.wait(lambda: view._face == other)
    qtbot.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(2, view.height() // 2))  # beside them
    me.wait(lambda: "chosen" not in chosen())
    left, right = (face.face for face in sorted(me.faces, key=lambda face: face.crop.centre_x))
    for face in (left, right):
        me.press(Key.Key_N)
        me.wait(lambda face=face: presenter.flicker().face == face)  # type: ignore[misc]
        me.wait(lambda face=face: chosen().endswith(f"#{face} chosen"))  # type: ignore[misc]
    me.press(Key.Key_N)
    me.wait(lambda: "chosen" not in chosen())


def test_the_next_window_is_as_the_last_one_was(begin: Callable[..., Person], tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    memory = Memory(path)
    memory.update(source="demo", folder=tmp_path / "out", theme="dark", tour_seen=True)
    me = begin(memory)
    me.press(Key.Key_T, held=CONTROL)
    me.press(Key.Key_B, held=CONTROL)
    me.press(Key.Key_D, Key.Key_C, Key.Key_B, Key.Key_V, Key.Key_1, Key.Key_M)
    me.wait(lambda: me.modes == (Mode.RWR, Mode.EMA))
    me.window.resize(LEAST_SIZE[0], 690)  # the test's screen is no wider
    leave(me)

    again = begin(Memory(path))
    assert theme.palette() is LIGHT
    heading = again.window.page.panel.findChild(QLabel, "title")
    again.wait(lambda: heading.palette().color(heading.foregroundRole()).name() == LIGHT.text)
    assert again.window.page.open == (PagePart.DRAWER,)
    assert not again.window.page.panel.isVisible()
    assert again.window.page.drawer.isVisible()
    assert PagePart.PANEL not in again.window.page.open
    assert again.window.view.comparison.view == CompareView.SPLIT
    assert again.window.size().toTuple() == (LEAST_SIZE[0], 690)
    assert again.window.presenter.mirrored
    assert again.window.presenter.session.state.tracking == me.window.presenter.session.state.tracking
    again.wait(lambda: again.modes == (Mode.RWR, Mode.EMA))


def test_closing_in_the_middle_of_everything_loses_nothing(begin: Callable[..., Person]) -> None:
    me = begin()
    finished = me.record(FRAMES)
    me.open_recorded()
    me.viewer.viewer.replay(Way.COLD, Beside.NOTHING)
    me.press(Key.Key_L)  # back to the live picture, while the replay goes on
    assert me.window.pages.currentWidget() is me.window.page
    me.press(Key.Key_Space)
    session = me.window.presenter.session
    me.wait(lambda: session.state.recording is not None)
    me.press(Key.Key_T)
    assert session.state.status is not None
    enough = session.state.status.processed + 5
    me.wait(lambda: session.state.status is not None and session.state.status.processed >= enough)
    leave(me)
    assert session.state.finished is not None
    assert session.state.finished.path != finished
    for folder in (finished, session.state.finished.path):
        kept = open_session(folder)
        assert kept.state == SessionState.COMPLETE
        assert kept.metadata.counts.frames == len(kept.frames) > 0
        assert kept.take_names == (RECORDED,)  # a replay that was not finished leaves nothing
        assert not list((folder / REPLAYS).glob("*"))
