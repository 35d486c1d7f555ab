"""The live window itself, without a screen: what a person sees and presses."""

from __future__ import annotations

import os

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import itertools
import re
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, QRect, Qt, QTimer, QUrl
from PySide6.QtGui import QColor, QDragEnterEvent, QDropEvent, QImage, QPainter, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QFileDialog, QFrame, QLabel, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.core.ending import ENDING
from app.core.frame import Estimate, FaceResult, FrameResult
from app.core.modes import Baseline, Mode
from app.core.settings import TrackingSettings
from app.core.slot import LatestSlot
from app.gui import window as window_module
from app.gui.dropped import dropped_sources
from app.gui.live.presenters import snapshot
from app.gui.live.presenters.banners import NO_CAMERA
from app.gui.live.presenters.chooser import Ask, CameraChoice
from app.gui.live.presenters.hints import Hint, HintKind
from app.gui.live.presenters.remembered import Remembered
from app.gui.live.presenters.session import LiveSession, SessionParts
from app.gui.live.presenters.settings import LiveSettings
from app.gui.live.views.bar import SIGN_WIDTH
from app.gui.live.views.drawer import HEAT_WIDTH, LabDrawer
from app.gui.live.views.keys import KeyList
from app.gui.live.views.page import ROOM_BESIDE_PANEL, LivePage, PagePart
from app.gui.live.views.preferences import PreferencesSheet
from app.gui.main_window import MainWindow
from app.gui.presenters.actions import ActionName
from app.gui.presenters.banner import Banner, Tone
from app.gui.presenters.palettes import LIGHT
from app.gui.presenters.picture import Placement, made_private, prepare
from app.gui.presenters.readouts import Hud
from app.gui.theme import theme
from app.gui.widgets.banner import BannerView
from app.gui.widgets.frame_bridge import FrameBridge
from app.gui.widgets.overlay import draw_faces
from app.gui.widgets.video import VideoView
from app.gui.window import run_window
from app.gui.window_state import LEAST_SIZE, fitted
from app.sessions.form import METADATA
from app.sessions.recorder import RecordingSummary
from app.sources.opencv import forget_qt_plugins
from app.sources.spec import CameraSpec, DemoSpec, PathSpec, StreamSpec
from model.topology import POINTS, REGIONS
from tests.gui_fakes import SIZE, FakeLive, fake_parts, frame_result
from tests.painted import pixels
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS, wait_until


@pytest.fixture(scope="session")
def qapp_args() -> list[str]:
    forget_qt_plugins()
    return ["ldeq-live"]


Open = Callable[..., MainWindow]
Points = NDArray[np.float32]


@pytest.fixture
def open_window(application: QApplication, qtbot: QtBot, tmp_path: Path) -> Iterator[Open]:
    windows: list[MainWindow] = []

    def open_one(parts: SessionParts | None = None, **settings: Any) -> MainWindow:
        usual = {"source": "demo", "folder": tmp_path / "out", "theme": "dark", "tour_seen": True}
        chosen = LiveSettings(Remembered(**{**usual, **settings}))
        window = MainWindow(
            chosen,
            lambda *args: LiveSession(parts or fake_parts(), *args),
            lambda: [CameraChoice(CameraSpec("0"), "HD Webcam")],
        )
        windows.append(window)
        window.show()
        window.begin()
        qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE_MS)  # keys go to the active window
        return window

    yield open_one
    for window in windows:
        close(window, qtbot)
        window.deleteLater()


def close(window: MainWindow, qtbot: QtBot) -> None:
    window.close()
    qtbot.waitUntil(lambda: window.presenter.session.state.closed, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: not window._timer.isActive(), timeout=PATIENCE_MS)
    assert window.presenter.session.join(PATIENCE_SECONDS)


def wait_for_picture(window: MainWindow, qtbot: QtBot) -> None:
    qtbot.waitUntil(lambda: window.view.picture is not None, timeout=PATIENCE_MS)


def rgb(colour: QColor) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()


def press(window: MainWindow, qtbot: QtBot, key: Qt.Key) -> None:
    qtbot.keyClick(window, key)


def test_frames_reach_the_screen_and_their_latency_is_known(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    qtbot.waitUntil(lambda: window.presenter.facts(None).latency is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.page.bar.source.name == "Demo", timeout=PATIENCE_MS)


def test_keys_switch_the_modes(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    press(window, qtbot, Qt.Key.Key_R)
    assert not window.presenter.session.state.tracking.rwr
    assert not window.page.panel.rwr.toggle.isChecked()
    press(window, qtbot, Qt.Key.Key_C)
    assert window.page.panel.compare.toggle.isChecked()
    qtbot.mouseClick(window.page.panel.rwr.toggle, Qt.MouseButton.LeftButton)
    assert window.presenter.session.state.tracking == TrackingSettings(rwr=True, compare=True)

    def both_drawn() -> bool:
        picture = window.view.picture
        return picture is not None and picture.result.faces[0].other is not None

    qtbot.waitUntil(both_drawn, timeout=PATIENCE_MS)


def test_start_and_stop(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    press(window, qtbot, Qt.Key.Key_S)
    assert window.view.picture is None
    assert window.page.bar.play.accessibleName() == "Start"
    assert not window.page.bar.record.isEnabled()
    assert not window.page.bar.snapshot.isEnabled()
    qtbot.wait(150)
    assert window.view.picture is None
    press(window, qtbot, Qt.Key.Key_S)
    wait_for_picture(window, qtbot)
    assert window.page.bar.play.accessibleName() == "Stop"


def test_mirror_flips_the_picture(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    assert not window.page.bar.mirror.isChecked()
    press(window, qtbot, Qt.Key.Key_M)
    assert window.page.bar.mirror.isChecked()
    qtbot.waitUntil(lambda: window.view.picture is not None and window.view.picture.mirrored, timeout=PATIENCE_MS)


def test_space_records_even_after_a_button_was_clicked(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    qtbot.mouseClick(window.page.bar.mirror, Qt.MouseButton.LeftButton)
    press(window, qtbot, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.presenter.session.state.recording is not None, timeout=PATIENCE_MS)
    window.refresh()
    assert window.page.bar.record.isChecked()
    assert window.page.bar.mirror.isChecked()
    press(window, qtbot, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.presenter.session.state.finished is not None, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.page.banner.isVisible(), timeout=PATIENCE_MS)
    assert not window.page.bar.record.isChecked()


def test_snapshot(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    press(window, qtbot, Qt.Key.Key_P)
    qtbot.waitUntil(lambda: window.page.banner.isVisible(), timeout=PATIENCE_MS)
    pictures = sorted((tmp_path / "out").glob("*.png"))
    assert len(pictures) == 2
    assert all(QImage(str(path)).size().toTuple() == SIZE for path in pictures)


def test_key_list(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    press(window, qtbot, Qt.Key.Key_Question)
    assert isinstance(window.page.sheets.opened, KeyList)
    assert window.page.sheets.opened.isVisible()
    press(window, qtbot, Qt.Key.Key_Escape)
    assert window.page.sheets.opened is None


def test_a_source_that_fails_is_a_banner_with_ways_out(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(source="missing.mp4")
    qtbot.waitUntil(lambda: window.page.banner.isVisible(), timeout=PATIENCE_MS)
    assert window.page.banner.banner is not None
    assert "choose another source" in window.page.banner.banner.text
    assert QApplication.activeModalWidget() is None
    first = window.page.banner.banner
    window.page.banner.press(ActionName.RETRY)
    qtbot.waitUntil(lambda: window.page.banner.banner not in (None, first), timeout=PATIENCE_MS)
    window.page.banner.press(ActionName.DEMO)
    wait_for_picture(window, qtbot)
    window.refresh()
    assert not window.page.banner.isVisible()
    assert window.view.hud.demo


def test_an_unplugged_camera_clears_the_picture(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(source="unplugged")
    qtbot.waitUntil(lambda: window.page.banner.isVisible(), timeout=PATIENCE_MS)
    window.refresh()
    assert window.view.picture is None
    press(window, qtbot, Qt.Key.Key_Escape)
    assert not window.page.banner.isVisible()


def test_no_camera_plays_the_demo_and_says_so(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(fake_parts(cameras=()), source=None)
    wait_for_picture(window, qtbot)
    qtbot.waitUntil(lambda: window.page.banner.isVisible(), timeout=PATIENCE_MS)
    assert window.page.banner.banner is not None
    assert window.page.banner.banner.text == NO_CAMERA
    assert window.view.hud.demo


def test_no_face_in_view(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(fake_parts(faces=0))
    qtbot.waitUntil(lambda: window.view.hud.notice.startswith("No face in view"), timeout=PATIENCE_MS)


def test_the_source_menu_names_cameras_and_asks_for_streams(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    qtbot.waitUntil(lambda: window._sources._finder.cameras is not None, timeout=PATIENCE_MS)
    window._sources._fill()
    entries = {entry.text(): entry for entry in window.page.bar.menu.actions() if entry.text()}
    assert list(entries) == ["HD Webcam", "Open file…", "Open stream…", "Demo clip"]
    entries["HD Webcam"].trigger()
    qtbot.waitUntil(lambda: str(window.presenter.session.state.source) == "camera:0", timeout=PATIENCE_MS)
    window._sources._choose(Ask.ADDRESS)
    assert window.page.address.isVisible()
    qtbot.keyClicks(window.page.address.line, "rtsp://cam/sr")  # letters are text here, not keys
    assert window.presenter.session.state.tracking.rwr
    qtbot.keyClick(window.page.address.line, Qt.Key.Key_Return)
    qtbot.waitUntil(lambda: str(window.presenter.session.state.source) == "rtsp://cam/sr", timeout=PATIENCE_MS)
    assert not window.page.address.isVisible()


def test_every_control_has_a_tooltip_with_its_key(open_window: Open) -> None:
    window = open_window()
    buttons = list(window.page.bar.findChildren(QPushButton))
    assert len(buttons) == 12
    for button in [*buttons, window.page.panel.rwr.toggle, window.page.panel.compare.toggle]:
        assert button.toolTip().endswith(")"), button.text()
        assert button.focusPolicy() == Qt.FocusPolicy.NoFocus


def test_closing_while_recording_finishes_the_file(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    window.act(ActionName.RECORD)
    qtbot.waitUntil(lambda: window.presenter.session.state.recording is not None, timeout=PATIENCE_MS)
    close(window, qtbot)
    assert window.presenter.session.state.finished is not None
    assert window.presenter.session.state.recording is None


def test_what_is_loaded_by_the_first_result_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    consumers: list[Callable[[object], object]] = []
    aside: list[bool] = []
    monkeypatch.setattr(window_module, "LivePipeline", lambda *parts: SimpleNamespace(add_consumer=consumers.append))
    monkeypatch.setattr(window_module, "set_aside", lambda: aside.append(True))
    window_module.live_parts(LiveSettings()).live(DemoSpec(), TrackingSettings())
    assert not aside
    for consumer in consumers:
        consumer(None)
    assert aside


@pytest.fixture
def run(application: QApplication, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[], int]]:
    """Run the window until it is closed."""
    join = LiveSession.join
    monkeypatch.setattr(window_module, "live_parts", lambda settings: fake_parts())
    monkeypatch.setattr(window_module, "find_cameras", list)
    monkeypatch.setattr(window_module, "find_screens", tuple)
    # Where the session is not over in time, the window ends the process, and all tests with it.
    monkeypatch.setattr(LiveSession, "join", lambda session, timeout: join(session, PATIENCE_SECONDS))
    overdue = QTimer(singleShot=True, interval=PATIENCE_MS)
    overdue.timeout.connect(lambda: application.exit(1))
    overdue.start()
    yield lambda: run_window(LiveSettings(Remembered(source="demo", folder=tmp_path, tour_seen=True)))
    overdue.stop()


def test_run_window_ends_when_the_window_is_closed(application: QApplication, run: Callable[[], int]) -> None:
    pressed: list[ActionName] = []

    def record_then_close() -> None:
        (window,) = [
            each for each in application.topLevelWidgets() if isinstance(each, MainWindow) and each.isVisible()
        ]
        state = window.presenter.session.state
        if state.recording is not None:
            looks.stop()
            window.close()
        elif state.can_record and not pressed:
            pressed.append(ActionName.RECORD)
            window.act(ActionName.RECORD)

    looks = QTimer(interval=20)
    looks.timeout.connect(record_then_close)
    looks.start()
    assert run() == 0
    assert pressed


@pytest.mark.parametrize("number", ENDING)
def test_ctrl_c_and_the_end_of_the_terminal_end_a_window_that_opens(
    run: Callable[[], int], monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    begin = MainWindow.begin

    def interrupt_and_begin(window: MainWindow) -> None:
        signal.raise_signal(number)
        signal.raise_signal(number)  # the shell and the system both tell of a terminal that is closed
        begin(window)

    monkeypatch.setattr(MainWindow, "begin", interrupt_and_begin)
    assert run() == 0


class TestVideoView:
    @pytest.fixture
    def view(self, application: QApplication, qtbot: QtBot) -> VideoView:
        view = VideoView()
        qtbot.addWidget(view)
        view.resize(640, 480)
        view.show()
        return view

    def test_keeps_the_shape_and_paints_once_for_each_picture(self, view: VideoView, qtbot: QtBot) -> None:
        image = np.full((180, 320, 3), (0, 200, 0), np.uint8)
        with qtbot.waitSignal(view.painted, timeout=PATIENCE_MS) as painted:
            view.show_picture(prepare(frame_result(image=image, captured=1.5, faces=0), view.device_size, False))
        assert painted.args[0] == 1.5
        shown = view.grab().toImage()
        assert rgb(shown.pixelColor(320, 240)) == (0, 200, 0)
        assert shown.pixelColor(320, 20).green() < 30  # above the 16:9 picture in a 4:3 view
        with qtbot.assertNotEmitted(view.painted, wait=50):
            view.update()

    def test_a_picture_for_another_size_is_scaled(self, view: VideoView) -> None:
        image = np.full((180, 320, 3), (200, 0, 0), np.uint8)
        view.show_picture(prepare(frame_result(image=image, faces=0), (160, 90), False))
        assert view.grab().toImage().pixelColor(5, 240).red() == 200

    def test_demo_and_recording_are_marked(self, view: VideoView) -> None:
        plain = view.grab().toImage()
        view.show_hud(Hud(demo=True, recording="REC 00:01", mode="● RwR", notice="No face in view", message="hello"))
        marked = view.grab().toImage()
        assert marked.pixelColor(18, 27) != plain.pixelColor(18, 27)
        assert marked.pixelColor(640 - 20, 27).red() > 150


class TestOverlay:
    def paint(self, face: FaceResult, mirrored: bool = False) -> QImage:
        image = QImage(320, 180, QImage.Format.Format_RGB32)
        image.fill(0)
        painter = QPainter(image)
        draw_faces(painter, [face], Placement.fit(320, 180, 320, 180, mirrored))
        painter.end()
        return image

    def face(self, points: Points, spread: float = 1.0, other: Points | None = None) -> FaceResult:
        result = frame_result().faces[0]
        main = replace(result.estimate, landmarks=points, uncertainty=np.full(98, spread, np.float32))
        second: Estimate | None = None if other is None else replace(result.estimate, landmarks=other)
        return replace(result, estimate=main, other=second)

    def spread_points(self) -> Points:
        index = np.arange(98)
        return np.stack([20 + (index % 14) * 20, 20 + (index // 14) * 22], -1).astype(np.float32)

    def test_points_have_their_regions_colours(self, application: QApplication) -> None:
        points = self.spread_points()
        image = self.paint(self.face(points))
        for region in REGIONS:
            x, y = points[region.points[-1]].astype(int)
            assert rgb(image.pixelColor(int(x), int(y))) == pytest.approx(region.colour, abs=40)

    def test_mirrored_points_keep_their_colours(self, application: QApplication) -> None:
        points = self.spread_points()
        image = self.paint(self.face(points), mirrored=True)
        x, y = points[60].astype(int)
        assert rgb(image.pixelColor(319 - int(x), int(y))) == pytest.approx(REGIONS[3].colour, abs=40)

    def test_uncertainty_is_visible(self, application: QApplication) -> None:
        points = np.tile(np.array([[160.0, 90.0]], np.float32), (98, 1))
        sure, unsure = (self.paint(self.face(points, spread)) for spread in (1.0, 25.0))
        assert sure.pixelColor(160 + 15, 90 + 8).value() == 0
        assert unsure.pixelColor(160 + 15, 90 + 8).value() > 0

    def test_the_region_of_80_percent_is_drawn_where_it_is_known(self, application: QApplication) -> None:
        points = np.tile(np.array([[160.0, 90.0]], np.float32), (98, 1))
        plain = self.face(points, 1.0)
        known = replace(plain, estimate=replace(plain.estimate, radius80=np.full(98, 25.0, np.float32)))
        assert self.paint(known).pixelColor(160 + 15, 90 + 8).value() > 0
        assert self.paint(plain).pixelColor(160 + 15, 90 + 8).value() == 0

    def test_the_other_mode_is_hollow(self, application: QApplication) -> None:
        points = self.spread_points()
        moved = points + np.array([0, 10], np.float32)
        image = self.paint(self.face(points, other=moved))
        x, y = (int(value) for value in points[96])
        lit = [image.pixelColor(x + dx, y + 10).value() for dx in range(-6, 7)]
        assert max(lit) > 60
        assert lit[6] < 20

    def test_landmarks_that_are_not_numbers_do_not_stop_painting(self, application: QApplication) -> None:
        points = self.spread_points()
        points[40] = np.nan
        self.paint(self.face(points, spread=float("nan")))


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="None is immortal")
def test_painting_gives_no_reference_to_none_away(application: QApplication) -> None:
    """PySide6 6.12.0 does, and the process dies after some seconds of painting."""
    face = frame_result(tracking=TrackingSettings(compare=True)).faces[0]
    overlay = TestOverlay()
    overlay.paint(face)
    before = sys.getrefcount(None)
    for _ in range(5):
        overlay.paint(face)
    assert sys.getrefcount(None) > before - 200


def test_opencv_plugins_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", "/somewhere/cv2/qt/plugins")
    monkeypatch.setenv("QT_QPA_FONTDIR", "/my/fonts")
    forget_qt_plugins()
    assert "QT_QPA_PLATFORM_PLUGIN_PATH" not in os.environ
    assert os.environ["QT_QPA_FONTDIR"] == "/my/fonts"


def test_tracking_rests_behind_the_session_pages(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    live = window.presenter.session.live
    assert isinstance(live, FakeLive)
    press(window, qtbot, Qt.Key.Key_L)
    qtbot.waitUntil(lambda: live.resting, timeout=PATIENCE_MS)
    press(window, qtbot, Qt.Key.Key_L)
    qtbot.waitUntil(lambda: not live.resting, timeout=PATIENCE_MS)


def test_other_pages_show_that_a_recording_runs(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    sessions = window.sessions
    signs = (
        (window.card, window.card.sign),
        (sessions.list, sessions.list.sign),
        (sessions.viewer, sessions.viewer.sign),
    )
    press(window, qtbot, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.presenter.session.state.recording is not None, timeout=PATIENCE_MS)
    for page, sign in signs:
        window.pages.setCurrentWidget(page)
        qtbot.waitUntil(sign.isVisible, timeout=PATIENCE_MS)
        assert sign.text().startswith("\u25cf  REC 00:")
        qtbot.mouseClick(sign, Qt.MouseButton.LeftButton)
        assert window.pages.currentWidget() is window.page
    press(window, qtbot, Qt.Key.Key_Space)
    window.pages.setCurrentWidget(sessions.list)
    qtbot.waitUntil(sessions.list.sign.isHidden, timeout=PATIENCE_MS)


def test_a_recording_that_ends_by_itself_is_told_on_other_pages(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(source="unplugged")
    sign = window.sessions.list.sign
    qtbot.waitUntil(lambda: window.presenter.session.state.info is not None, timeout=PATIENCE_MS)
    window.presenter.session._publish(finished=RecordingSummary(Path("first"), 9, 0, 0.3, None))
    window.refresh()
    press(window, qtbot, Qt.Key.Key_L)
    window.refresh()
    assert sign.isHidden(), "it was told on the live page"
    window.presenter.session._publish(finished=RecordingSummary(Path("second"), 9, 0, 0.3, "The disk is full."))
    window.refresh()
    assert sign.text() == "\u25cf  Recording ended"
    qtbot.mouseClick(sign, Qt.MouseButton.LeftButton)
    window.refresh()
    assert sign.isHidden()


def drop(window: MainWindow, *names: str) -> bool:
    """Drop files, folders or addresses on the window; return whether it takes them."""
    data = QMimeData()
    data.setUrls([QUrl(name) if "://" in name else QUrl.fromLocalFile(name) for name in names])
    buttons, held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    enter = QDragEnterEvent(QPoint(9, 9), Qt.DropAction.CopyAction, data, buttons, held)
    enter.ignore()
    QApplication.sendEvent(window, enter)
    if enter.isAccepted():
        QApplication.sendEvent(window, QDropEvent(QPointF(9, 9), Qt.DropAction.CopyAction, data, buttons, held))
    return enter.isAccepted()


def test_what_is_dropped_on_the_window_is_opened(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    window = open_window()
    state = window.presenter.session
    wait_for_picture(window, qtbot)
    assert not drop(window)
    assert not drop(window, "mailto://somebody")
    window.act(ActionName.SESSIONS)
    assert drop(window, str(tmp_path / "a walk.mp4"), str(tmp_path / "b.mp4"))
    qtbot.waitUntil(lambda: state.state.source == PathSpec(str(tmp_path / "a walk.mp4")), timeout=PATIENCE_MS)
    assert window.pages.currentWidget() is window.page
    assert "first of 2" in window.page.banner.banner.text
    drop(window, "rtsp://camera/1")
    qtbot.waitUntil(lambda: state.state.source == StreamSpec("rtsp://camera/1"), timeout=PATIENCE_MS)
    (tmp_path / "old" / "talk").mkdir(parents=True)
    (tmp_path / "old" / "talk" / METADATA).write_text("{}")
    drop(window, str(tmp_path / "old"))
    qtbot.waitUntil(lambda: window.pages.currentWidget() is window.sessions.list, timeout=PATIENCE_MS)
    assert window.sessions.list.library.view.folder == tmp_path / "old"
    drop(window, str(tmp_path / "old" / "talk"))
    qtbot.waitUntil(lambda: window.pages.currentWidget() is window.sessions.viewer, timeout=PATIENCE_MS)
    assert window.sessions.viewer.viewer.folder == tmp_path / "old" / "talk"


@pytest.mark.parametrize(
    "address", ["http://server/my%20walk.mp4?key=a%2Fb", "http://server/f%C3%BCr.mp4", "rtsp://me:p%40ss@camera/1"]
)
def test_a_dropped_address_is_asked_for_as_it_is_written(address: str) -> None:
    data = QMimeData()
    data.setUrls([QUrl(address)])
    assert dropped_sources(data) == [StreamSpec(address)]


def test_what_is_dropped_ends_no_recording(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    press(window, qtbot, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.presenter.session.state.recording is not None, timeout=PATIENCE_MS)
    drop(window, "/walk.mp4")
    qtbot.waitUntil(lambda: window.page.banner.isVisible(), timeout=PATIENCE_MS)
    assert "A recording runs" in window.page.banner.banner.text
    assert window.presenter.session.state.recording is not None


def test_the_second_click_of_a_double_click_presses_nothing_on_the_page_that_the_first_opened(
    open_window: Open, qtbot: QtBot
) -> None:
    window = open_window()
    button = window.page.bar.sessions
    handle, place = window.windowHandle(), button.mapTo(window, button.rect().center())
    pressed: list[str] = []
    below = QPushButton(window.sessions.list)
    below.setGeometry(QRect(place - QPoint(20, 20), place + QPoint(20, 20)))
    below.clicked.connect(lambda: pressed.append("below"))
    left, held = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mouseDClick(handle, left, held, place)
    assert window.sessions.list.isVisible()
    assert not pressed
    QTest.mouseClick(handle, left, held, place)
    assert pressed == ["below"]


TITLE_BAR, BORDER = 20, 1
SMALL = QRect(0, 0, 1366, 768)


@pytest.mark.parametrize(
    ("client", "available", "expected"),
    [
        (QRect(1, 20, 1366, 768), SMALL, QRect(1, 20, 1364, 747)),
        (QRect(101, 120, 800, 600), SMALL, QRect(101, 120, 800, 600)),
        (QRect(900, 400, 800, 600), SMALL, QRect(565, 167, 800, 600)),
        (QRect(-300, -50, 800, 600), SMALL, QRect(1, 20, 800, 600)),
        (QRect(1, 20, 1440, 900), QRect(0, 30, 1280, 690), QRect(1, 50, 1278, 669)),
        (QRect(1, 20, 640, 360), QRect(0, 0, 640, 360), QRect(1, 20, 638, 339)),
    ],
)
def test_the_whole_frame_of_a_window_fits_on_the_screen(client: QRect, available: QRect, expected: QRect) -> None:
    frame = client.adjusted(-BORDER, -TITLE_BAR, BORDER, BORDER)
    assert fitted(client, frame, available) == expected
    assert available.contains(expected.adjusted(-BORDER, -TITLE_BAR, BORDER, BORDER))


def test_a_title_bar_that_comes_late_stays_on_the_screen(
    open_window: Open, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    available = window.screen().availableGeometry()
    window.setGeometry(available)
    monkeypatch.setattr(window, "frameGeometry", lambda: window.geometry().adjusted(0, -24, 0, 0))
    window.move(window.x(), window.y() + 3)  # as the window manager does when it adds the bar
    qtbot.waitUntil(lambda: available.contains(window.frameGeometry()), timeout=PATIENCE_MS)
    assert window.height() == available.height() - 24


@pytest.mark.parametrize(("width", "height"), [(LEAST_SIZE[0], LEAST_SIZE[1]), (683, 364), (1000, 620), (1366, 740)])
def test_every_button_of_the_bar_is_on_a_small_window(
    width: int, height: int, application: QApplication, qtbot: QtBot
) -> None:
    page = LivePage()
    qtbot.addWidget(page)
    page.open_parts((PagePart.PANEL, PagePart.DRAWER))
    page.resize(width, height)
    with qtbot.waitExposed(page, timeout=PATIENCE_MS):
        page.show()
    QApplication.processEvents()
    assert page.size().toTuple() == (width, height)
    edges = []
    for button in page.bar.findChildren(QPushButton):
        place = QRect(button.mapTo(page, QPoint(0, 0)), button.size())
        assert page.rect().contains(place), button.objectName()
        assert button.width() >= min(button.sizeHint().width(), SIGN_WIDTH)
        edges.append((place.left(), place.right()))
    edges.sort()
    assert [(one, other) for one, other in itertools.pairwise(edges) if one[1] >= other[0]] == []


@pytest.mark.parametrize(
    ("width", "heat", "columns"),
    [(468, 208, 1), (520, 260, 1), (623, HEAT_WIDTH, 1), (630, 202, 2), (860, HEAT_WIDTH, 2), (900, 224, 3)],
)
def test_the_heat_map_leaves_room_for_the_solver(
    width: int, heat: int, columns: int, application: QApplication, qtbot: QtBot
) -> None:
    drawer = LabDrawer()
    qtbot.addWidget(drawer)
    drawer.resize(width, drawer.height())
    with qtbot.waitExposed(drawer, timeout=PATIENCE_MS):
        drawer.show()
    cards = drawer.widget().findChildren(QFrame, "card", Qt.FindChildOption.FindDirectChildrenOnly)
    left, right = (card.geometry() for card in cards)
    assert left.width() == heat
    assert [column.isVisible() for column in drawer.solver._columns] == [number < columns for number in range(3)]
    assert left.right() < right.left()
    assert right.right() < width
    for card in cards:
        for inside in card.findChildren(QWidget, options=Qt.FindChildOption.FindDirectChildrenOnly):
            assert inside.isHidden() or card.rect().contains(inside.geometry())


def test_the_lab_shows_its_sliders_alone_where_nothing_else_fits(application: QApplication, qtbot: QtBot) -> None:
    page = QWidget()
    qtbot.addWidget(page)
    drawer = LabDrawer()
    drawer.setParent(page)  # as in the page's body, which clips it where the window is small
    drawer.resize(316, drawer.height())
    with qtbot.waitExposed(page, timeout=PATIENCE_MS):
        page.show()
    heat, solver = drawer.widget().findChildren(QFrame, "card", Qt.FindChildOption.FindDirectChildrenOnly)
    assert (heat.isVisible(), solver.isVisible()) == (False, True)
    assert drawer.rect().contains(solver.geometry())
    inside = [widget for widget in solver.findChildren(QWidget) if widget.isVisible()]
    assert all(solver.rect().contains(QRect(each.mapTo(solver, QPoint()), each.size())) for each in inside)
    drawer.resize(468, drawer.height())
    assert heat.isVisible()


def test_all_of_the_lab_is_reached_in_the_smallest_window(application: QApplication, qtbot: QtBot) -> None:
    page = LivePage()
    qtbot.addWidget(page)
    page.open_parts((PagePart.PANEL, PagePart.DRAWER))
    page.resize(*LEAST_SIZE)
    with qtbot.waitExposed(page, timeout=PATIENCE_MS):
        page.show()
    QApplication.processEvents()
    drawer, reset = page.drawer, page.drawer.solver.reset
    body = drawer.parentWidget()
    assert body.rect().contains(drawer.geometry())
    slider = drawer.solver.weight.slider
    before, centre = slider.value(), slider.rect().center()
    wheel = QWheelEvent(
        *(QPointF(centre), QPointF(slider.mapToGlobal(centre)), QPoint(), QPoint(0, 120)),
        *(Qt.MouseButton.NoButton, Qt.KeyboardModifier.NoModifier, Qt.ScrollPhase.NoScrollPhase, False),
    )
    QApplication.sendEvent(slider, wheel)
    assert (slider.value(), wheel.isAccepted()) == (before, False), "the wheel is for what scrolls"
    drawer.ensureWidgetVisible(reset)
    place = QRect(reset.mapTo(drawer.viewport(), QPoint()), reset.size())
    assert drawer.viewport().rect().contains(place)
    page.resize(1000, 620)
    QApplication.processEvents()
    assert drawer.height() == drawer.widget().height()


@pytest.mark.parametrize("width", [284, 316, 444, 720])
@pytest.mark.parametrize("offers", [(), (ActionName.CHOOSE,), (ActionName.RETRY, ActionName.CHOOSE, ActionName.DEMO)])
def test_a_message_is_shown_whole(
    width: int, offers: tuple[ActionName, ...], application: QApplication, qtbot: QtBot
) -> None:
    view = QWidget()
    qtbot.addWidget(view)
    banner = BannerView(view)
    banner.fit(width)
    view.show()
    text = (
        "There is no file or folder no such clip.mp4: check its name, or give camera, screen, demo or a stream's URL."
    )
    for sentence in ("Saved.", text):
        banner.show_banner(Banner(sentence, Tone.ERROR, sentence, offers))
        QApplication.processEvents()
        label = next(each for each in banner.findChildren(QLabel) if each.text() == sentence)
        assert label.height() >= label.heightForWidth(label.width())
        buttons = [button for button in banner.findChildren(QPushButton) if button.isVisible()]
        assert len(buttons) == len(offers) + 1
        places = [QRect(each.mapTo(banner, QPoint()), each.size()) for each in (label, *buttons)]
        assert all(banner.rect().contains(place) for place in places)
        assert all(button.width() >= button.sizeHint().width() for button in buttons)
        assert not any(one.intersects(other) for one, other in itertools.combinations(places, 2))
        assert banner.width() == width


@pytest.mark.parametrize("width", [LEAST_SIZE[0], 800])
def test_the_name_of_the_demo_is_read_in_a_narrow_window(width: int, application: QApplication, qtbot: QtBot) -> None:
    page = LivePage()
    qtbot.addWidget(page)
    page.resize(width, 600)
    with qtbot.waitExposed(page, timeout=PATIENCE_MS):
        page.show()
    page.bar.source.show_name("Demo clip")
    assert page.bar.source.room_for_name >= page.bar.source.fontMetrics().horizontalAdvance("Demo clip")


def test_a_sheet_has_the_height_of_the_page_and_leaves_the_message_and_the_bar_free(
    application: QApplication, qtbot: QtBot
) -> None:
    page = LivePage()
    qtbot.addWidget(page)
    page.resize(960, 520)
    page.open_parts((PagePart.PANEL, PagePart.DRAWER))
    with qtbot.waitExposed(page, timeout=PATIENCE_MS):
        page.show()
    sheet = PreferencesSheet(page)
    page.sheets.toggle(lambda: sheet)

    def of(widget: QWidget) -> QRect:
        return QRect(widget.mapTo(page, QPoint(0, 0)), widget.size())

    assert sheet.height() > 2 * page.view.height()
    assert of(sheet).bottom() < of(page.bar).top()
    assert of(sheet).right() < of(page.panel).left()
    page.banner.show_banner(Banner("told", Tone.INFO, "This is your neutral face now."))
    page.place()
    assert of(page.banner).bottom() < of(sheet).top()
    assert of(sheet).bottom() < of(page.bar).top()
    page.banner.show_banner(None)
    page.toggle_part(PagePart.PANEL)
    QApplication.processEvents()
    page.place()
    assert abs(of(sheet).center().x() - of(page.view).center().x()) <= 1
    page.sheets.close()


def test_the_bar_is_never_missing_while_the_width_changes(application: QApplication, qtbot: QtBot) -> None:
    page = LivePage()
    qtbot.addWidget(page)
    page.resize(1300, 700)
    with qtbot.waitExposed(page, timeout=PATIENCE_MS):
        page.show()
    for width in (1000, 1300):
        page.resize(width, 700)  # painted before anything that waits in the queue is done
        assert page.bar.isVisible()
        bar = QRect(page.bar.mapTo(page, QPoint(0, 0)), page.bar.size())
        view = QRect(page.view.mapTo(page, QPoint(0, 0)), page.view.size())
        assert bar.bottom() == page.rect().bottom()
        assert bar.width() == (width if width < ROOM_BESIDE_PANEL else view.width())
        assert view.bottom() < bar.top()


@pytest.mark.parametrize("page_of", [lambda w: w.card, lambda w: w.sessions.list, lambda w: w.sessions.viewer])
def test_every_page_fits_the_smallest_window(
    page_of: Callable[[MainWindow], QWidget], open_window: Open, qtbot: QtBot
) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    press(window, qtbot, Qt.Key.Key_Space)
    qtbot.waitUntil(lambda: window.sessions.list.sign.text() != "", timeout=PATIENCE_MS)
    window.resize(*LEAST_SIZE)
    page = page_of(window)
    window.pages.setCurrentWidget(page)
    QApplication.processEvents()
    needed = page.minimumSizeHint()
    assert needed.width() <= LEAST_SIZE[0]
    assert needed.height() <= LEAST_SIZE[1]


def test_full_screen_leads_back_to_a_maximised_window(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.showMaximized()
    for key in (Qt.Key.Key_F, Qt.Key.Key_Escape):
        press(window, qtbot, Qt.Key.Key_F)
        assert window.isFullScreen()
        press(window, qtbot, key)
        assert not window.isFullScreen()
        assert window.isMaximized()


def test_the_keyboard_comes_back_from_what_is_hidden(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(tracking=TrackingSettings(compare=True), panels=("panel", "drawer"))
    page = window.page
    assert window.hasFocus()
    page.address.ask()
    assert page.address.line.hasFocus()
    qtbot.keyClick(page.address.line, Qt.Key.Key_Escape)
    assert page.address.isHidden()
    assert window.hasFocus()
    page.drawer.solver.weight.slider.setFocus()
    press(window, qtbot, Qt.Key.Key_D)
    assert page.drawer.isHidden()
    assert window.hasFocus()
    page.panel.baseline.buttons[Baseline.EMA].setFocus()
    press(window, qtbot, Qt.Key.Key_C)
    assert page.panel.baseline.isHidden()
    assert window.hasFocus()
    press(window, qtbot, Qt.Key.Key_C)
    press(window, qtbot, Qt.Key.Key_L)
    press(window, qtbot, Qt.Key.Key_L)
    assert page.isVisible()
    assert window.hasFocus()


def test_esc_takes_the_keyboard_from_a_slider(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    window.act(ActionName.DRAWER)
    slider = window.page.drawer.solver.weight.slider
    slider.setFocus(Qt.FocusReason.TabFocusReason)
    press(window, qtbot, Qt.Key.Key_Escape)
    assert window.focusWidget() is window
    window.act(ActionName.FULL_SCREEN)
    slider.setFocus(Qt.FocusReason.TabFocusReason)
    press(window, qtbot, Qt.Key.Key_Escape)
    assert window.isFullScreen()
    press(window, qtbot, Qt.Key.Key_Escape)
    assert not window.isFullScreen()


def test_the_button_beside_a_streams_address_is_pressed_by_the_keyboard(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    window.page.address.ask()
    window.page.address.line.setText("rtsp://camera/1")
    window.page.address.play.setFocus(Qt.FocusReason.TabFocusReason)
    qtbot.keyClick(window.page.address.play, Qt.Key.Key_Space)
    state = window.presenter.session
    qtbot.waitUntil(lambda: state.state.source == StreamSpec("rtsp://camera/1"), timeout=PATIENCE_MS)
    assert state.state.recording is None
    assert not window.page.address.isVisible()


def test_a_sheet_asked_for_on_another_page_is_shown_even_if_it_was_left_open(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.act(ActionName.PREFERENCES)
    window.act(ActionName.SESSIONS)
    window.act(ActionName.PREFERENCES)
    assert isinstance(window.page.sheets.opened, PreferencesSheet)
    assert window.page.sheets.opened.isVisible()
    window.act(ActionName.PREFERENCES)
    assert window.page.sheets.opened is None


def test_a_dialog_has_the_colours_that_the_window_has_by_now(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    window.act(ActionName.THEME)
    assert theme.palette() is LIGHT
    window._ask_for_folder("")
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    words = dialog.findChild(QLabel)
    assert words is not None
    words.ensurePolished()
    assert words.palette().color(words.foregroundRole()) == QColor(LIGHT.text)
    dialog.close()


def test_the_file_dialog_shows_all_that_can_be_played_beside_what_plays(
    open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(source=str(tmp_path / "walk.mp4"))
    qtbot.waitUntil(lambda: window.presenter.session.state.source is not None, timeout=PATIENCE_MS)
    window.page.bar.chosen.emit(Ask.FILE)
    dialog = window.findChild(QFileDialog)
    assert dialog is not None
    assert dialog.directory().absolutePath() == str(tmp_path)
    assert {"*.mp4", "*.mts", "*.heic", "*.avif", "*.gif"} <= set(re.findall(r"\*\.\w+", dialog.nameFilters()[0]))
    dialog.close()


LONG = Hint(HintKind.BACKLIT, lost=False).sentence()


def test_a_long_notice_stays_within_a_narrow_picture(application: QApplication, qtbot: QtBot) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    view.resize(312, 240)
    empty = pixels(view)
    view.show_hud(Hud(notice=LONG))
    shown = pixels(view)
    assert not np.array_equal(shown, empty)
    for edge in (shown[:, :10] == empty[:, :10], shown[:, -10:] == empty[:, -10:]):
        assert edge.all()


def test_a_recording_covers_no_other_words_in_a_narrow_picture(application: QApplication, qtbot: QtBot) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    view.resize(312, 240)
    hud = Hud(demo=True, private=True)
    view.show_hud(hud)
    words = pixels(view)[:40]
    view.show_hud(replace(hud, recording="REC 00:12  ·  3 dropped"))
    assert np.array_equal(pixels(view)[:40], words)


@pytest.mark.parametrize("view_name", ["split", "side by side", "overlay"])
def test_a_notice_covers_no_other_words(view_name: str, application: QApplication, qtbot: QtBot) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    view.resize(400, 300)
    view.set_compare_view(view_name)
    picture = prepare(frame_result(tracking=TrackingSettings(compare=True)), view.device_size, mirrored=False)
    hud = Hud(mode="● RwR   ○ Cold   ◌ 80 % region")
    view.show_picture(picture)
    view.show_hud(hud)
    names = pixels(view)[-40:]
    view.show_hud(replace(hud, notice="2 faces are in view"))
    assert np.array_equal(pixels(view)[-40:], names)


@pytest.mark.parametrize("view_name", ["split", "side by side"])
def test_the_legend_of_the_points_covers_no_mode(view_name: str, application: QApplication, qtbot: QtBot) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    view.resize(472, 234)
    view.set_compare_view(view_name)
    view.show_picture(prepare(frame_result(tracking=TrackingSettings(compare=True)), view.device_size, mirrored=False))
    names = pixels(view)[-40:]
    view.show_heat({})
    assert np.array_equal(pixels(view)[-40:], names), "without a reading there is no legend"
    view.show_heat({Mode.RWR: np.zeros(POINTS, np.uint8)})
    marked = pixels(view)
    view.show_hud(Hud(notice="2 faces are in view"))
    assert not np.array_equal(marked[:-40], pixels(view)[:-40])
    for middle in (slice(160, 226), slice(248, 312)):  # the names of both modes
        assert np.array_equal(marked[-38:-16, middle], names[-38:-16, middle])


def test_a_long_notice_begins_within_a_low_picture(application: QApplication, qtbot: QtBot) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    view.setMinimumSize(1, 1)
    view.resize(312, 60)
    high = VideoView()
    qtbot.addWidget(high)
    high.resize(312, 240)
    for each in (view, high):
        each.show_hud(Hud(mode="● RwR", notice=LONG))
    low_ink, high_ink = (int((pixels(each) > 150).all(axis=2).sum()) for each in (view, high))
    assert low_ink > 0.9 * high_ink


def test_pictures_become_finer_on_another_screen(application: QApplication, qtbot: QtBot) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    with qtbot.waitSignal(view.resized):
        application.sendEvent(view, QEvent(QEvent.Type.DevicePixelRatioChange))


def test_a_snapshot_taken_while_the_window_closes_is_saved(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    saved: list[Path] = []

    def save(result: FrameResult, folder: Path) -> tuple[Path, Path]:
        wait_until(lambda: window.presenter.session.state.closed)
        saved.append(folder)
        return folder, folder

    monkeypatch.setattr(snapshot, "save_snapshot", save)
    press(window, qtbot, Qt.Key.Key_P)
    with qtbot.waitSignal(window.released, timeout=PATIENCE_MS):
        window.close()
    assert saved == [tmp_path / "out"]


def test_the_preferences_change_nothing_back_that_a_key_changed(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    wait_for_picture(window, qtbot)
    window.act(ActionName.PREFERENCES)
    sheet = window.page.sheets.opened
    assert isinstance(sheet, PreferencesSheet)
    for key in (Qt.Key.Key_H, Qt.Key.Key_M):
        press(window, qtbot, key)
    window.act(ActionName.THEME)
    assert sheet.privacy.toggle.isChecked()
    assert sheet.theme.segments.current == "light"
    qtbot.mouseClick(sheet.faces.segments.buttons["3"], Qt.MouseButton.LeftButton)
    chosen = window.presenter.chosen
    assert (chosen.privacy, chosen.mirror, chosen.theme, chosen.tracking.max_faces) == (True, True, "light", 3)
    sheet.folder.setFocus()
    sheet.folder.setText("nowhere")
    sheet.theme.segments.buttons["light"].setFocus()
    window.refresh()
    assert "whole path" in sheet._wrong.text()


def test_the_tour_stays_beside_what_it_explains(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    tour = window.page.tour
    window.act(ActionName.TOUR)
    assert tour.ring.isVisible()
    around = tour.ring.geometry()
    window.act(ActionName.PANEL)
    assert tour.ring.isHidden()
    window.act(ActionName.PANEL)
    qtbot.waitUntil(lambda: tour.ring.isVisible() and tour.ring.geometry() == around, timeout=PATIENCE_MS)


def test_privacy_shows_nothing_of_a_source_that_has_ended(application: QApplication) -> None:
    result = frame_result()
    bridge = FrameBridge(lambda: None)
    bridge._pictures.put(prepare(result, SIZE, mirrored=False))
    assert bridge.take() is not None
    bridge.forget()
    bridge.blur(True)
    assert bridge.take() is None


def test_a_frame_that_nothing_follows_is_shown_in_another_size(application: QApplication, qtbot: QtBot) -> None:
    slot: LatestSlot[FrameResult] = LatestSlot()
    bridge = FrameBridge(lambda: slot)
    bridge.show_at(160, 90, mirrored=False)
    bridge.start()
    try:
        with qtbot.waitSignal(bridge.ready, timeout=PATIENCE_MS):
            slot.put(frame_result())
        first = bridge.take()
        with qtbot.waitSignal(bridge.ready, timeout=PATIENCE_MS):
            bridge.show_at(320, 180, mirrored=True)  # paused: no other frame comes
        second = bridge.take()
        assert first is not None
        assert second is not None
        assert second.result is first.result
        assert (second.pixels.shape[:2], second.mirrored) == ((180, 320), True)
        slot.close()
        with qtbot.waitSignal(bridge.ready, timeout=PATIENCE_MS):
            bridge.show_at(160, 90, mirrored=True)
    finally:
        slot.close()
        assert bridge.stop(PATIENCE_SECONDS)


def test_a_frame_painted_again_is_not_late(application: QApplication, qtbot: QtBot) -> None:
    view = VideoView()
    qtbot.addWidget(view)
    picture = prepare(frame_result(), SIZE, mirrored=False)
    told: list[float] = []
    view.painted.connect(lambda captured, painted: told.append(captured))
    for shown in (picture, made_private(picture), prepare(frame_result(1), SIZE, mirrored=False)):
        view.show_picture(shown)
        view.grab()
    assert len(told) == 2


def test_the_menu_of_sources_stays_as_it_is_while_it_is_read(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(source="camera:0")
    wait_for_picture(window, qtbot)
    qtbot.waitUntil(lambda: window._sources.cameras is not None, timeout=PATIENCE_MS)
    window._sources._fill()
    entries = window.page.bar.menu.actions()
    window._sources._fill()  # a search has ended and found the same
    assert window.page.bar.menu.actions() == entries
    playing = next(entry for entry in entries if entry.text() == "Demo clip")
    playing.trigger()
    qtbot.waitUntil(lambda: window.presenter.session.state.info is not None, timeout=PATIENCE_MS)
    for _ in range(2):
        window._sources._fill()
        playing = next(entry for entry in window.page.bar.menu.actions() if entry.text() == "Demo clip")
        assert playing.isChecked()
        playing.trigger()


def test_the_labs_button_says_whether_it_is_open(open_window: Open, qtbot: QtBot) -> None:
    window = open_window(panels=("panel", "drawer"))
    lab = window.page.bar.lab
    assert lab.isChecked()
    press(window, qtbot, Qt.Key.Key_D)
    assert not lab.isChecked()
    qtbot.mouseClick(lab, Qt.MouseButton.LeftButton)
    assert window.page.drawer.isVisible()
    assert lab.isChecked()
