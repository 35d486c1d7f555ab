"""Comfort in the real window, on a fake pipeline: what is remembered, shared, hidden and shown once."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPoint, QRect, Qt, QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.core.modes import Baseline
from app.core.settings import TrackingSettings
from app.gui import main_window
from app.gui.live.presenters import first_look as look
from app.gui.live.presenters.banners import NO_CAMERA
from app.gui.live.presenters.remembered import Memory, Remembered
from app.gui.live.presenters.session import LiveSession, SessionParts
from app.gui.live.presenters.settings import LiveSettings
from app.gui.live.presenters.share import ShareField, ShareForm
from app.gui.live.views.preferences import PreferencesSheet
from app.gui.live.views.share import ShareSheet
from app.gui.main_window import MainWindow
from app.gui.presenters.actions import ActionName
from app.gui.presenters.palettes import DARK, LIGHT
from app.gui.theme import theme
from app.gui.window_state import LEAST_SIZE
from app.media.privacy import blurred
from tests.gui_fakes import FakeLive, FakeRecorder, fake_parts, frame_result
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS

Open = Callable[..., MainWindow]


@pytest.fixture
def open_window(qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> Iterator[Open]:
    theme.apply(qapp, DARK)
    windows: list[MainWindow] = []

    def open_one(memory: Memory | None = None, parts: SessionParts | None = None, **chosen: Any) -> MainWindow:
        if memory is None:
            usual = {"source": "demo", "folder": tmp_path / "out", "theme": "dark", "tour_seen": True}
            settings = LiveSettings(Remembered(**{**usual, **chosen}))
        else:
            settings = LiveSettings(memory.current)
        session = parts or fake_parts()
        window = MainWindow(settings, lambda *args: LiveSession(session, *args), list, memory=memory)
        windows.append(window)
        window.show()
        window.begin()
        qtbot.waitUntil(window.isActiveWindow, timeout=PATIENCE_MS)
        qtbot.waitUntil(lambda: window.view.picture is not None, timeout=PATIENCE_MS)
        return window

    yield open_one
    for window in windows:
        close(window, qtbot)
        window.deleteLater()
    theme.apply(qapp, DARK)


def close(window: MainWindow, qtbot: QtBot) -> None:
    window.close()
    qtbot.waitUntil(lambda: not window._timer.isActive(), timeout=PATIENCE_MS)
    assert window.presenter.session.join(PATIENCE_SECONDS)
    assert window._memory is None or window._memory.close(PATIENCE_SECONDS)


def press(qtbot: QtBot, key: Qt.Key, held: Qt.KeyboardModifier = Qt.KeyboardModifier.NoModifier) -> None:
    focused = QApplication.focusWidget() or QApplication.activeWindow()
    assert focused is not None
    qtbot.keyClick(focused, key, held)


def test_choices_outlive_the_window(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    path = tmp_path / "window.json"
    memory = Memory(path)
    memory.update(source="demo", tour_seen=True, theme="dark", folder=tmp_path / "out")
    window = open_window(memory)
    press(qtbot, Qt.Key.Key_R)
    press(qtbot, Qt.Key.Key_C)
    press(qtbot, Qt.Key.Key_B)
    press(qtbot, Qt.Key.Key_H)
    press(qtbot, Qt.Key.Key_D)
    press(qtbot, Qt.Key.Key_Comma, Qt.KeyboardModifier.ControlModifier)
    preferences = window.page.sheets.opened
    assert isinstance(preferences, PreferencesSheet)
    preferences.theme.segments.chosen.emit("light")
    preferences.faces.segments.chosen.emit("3")
    assert theme.palette() is LIGHT
    close(window, qtbot)
    again = Memory(path)
    assert again.current.tracking == TrackingSettings(rwr=False, compare=True, baseline=Baseline.EMA, max_faces=3)
    assert (again.current.theme, again.current.privacy) == ("light", True)
    assert set(again.current.panels) == {"panel", "drawer"}
    assert again.current.geometry
    second = open_window(again)
    assert second.presenter.session.state.tracking == again.current.tracking
    assert "drawer" in second.page.open
    assert second.view.picture is not None
    assert second.view.picture.private


def test_a_place_that_is_no_text_is_left_out(open_window: Open) -> None:
    window = open_window(geometry="\ud800")  # as a damaged file may hold
    assert window.isVisible()


def test_a_folder_that_is_not_there_yet_is_shown_by_the_one_above_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shown: list[QUrl] = []
    monkeypatch.setattr(QDesktopServices, "openUrl", shown.append)
    main_window._open_folder(tmp_path)
    main_window._open_folder(tmp_path / "Videos" / "LDEQ Live")
    assert [url.toLocalFile() for url in shown] == [str(tmp_path)] * 2


class Shown(QObject):
    """Notes the windows that are shown."""

    def __init__(self) -> None:
        super().__init__()
        self.windows: list[QObject] = []

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Show and watched.isWindowType():
            self.windows.append(watched)
        return False


@pytest.mark.parametrize("name", [ActionName.KEYS, ActionName.PREFERENCES, ActionName.SHARE])
def test_a_card_that_opens_shows_no_window_and_has_the_keyboard(
    open_window: Open, qapp: QApplication, name: ActionName
) -> None:
    window = open_window()
    shown = Shown()
    qapp.installEventFilter(shown)
    window.act(name)
    qapp.processEvents()
    qapp.removeEventFilter(shown)
    assert shown.windows == []
    sheet = window.page.sheets.opened
    assert sheet is not None
    focused = QApplication.focusWidget()
    assert focused is sheet or (focused is not None and sheet.isAncestorOf(focused))


def test_a_folder_chosen_after_its_card_was_closed_counts(
    open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Callable[[str], None]] = []
    monkeypatch.setattr(main_window, "ask_for_folder", lambda *arguments: asked.append(arguments[-1]))
    window = open_window()
    window.act(ActionName.PREFERENCES)
    sheet = window.page.sheets.opened
    assert isinstance(sheet, PreferencesSheet)
    qtbot.mouseClick(sheet.choose, Qt.MouseButton.LeftButton)
    window.act(ActionName.PREFERENCES)
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)
    assert window.findChildren(PreferencesSheet) == []
    (chosen,) = asked
    chosen(str(tmp_path / "clips"))
    assert window.presenter.folder == tmp_path / "clips"
    window.act(ActionName.PREFERENCES)
    again = window.page.sheets.opened
    assert isinstance(again, PreferencesSheet)
    assert again.folder.text() == str(tmp_path / "clips")
    chosen(str(tmp_path / "elsewhere"))
    assert again.folder.text() == str(tmp_path / "elsewhere")


def test_the_tour_is_shown_once(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "window.json")
    memory.update(source="demo", theme="dark", first_look_seen=True)
    window = open_window(memory)
    assert window.page.tour.isVisible()
    press(qtbot, Qt.Key.Key_Return)
    press(qtbot, Qt.Key.Key_Escape)
    assert not window.page.tour.isVisible()
    assert memory.current.tour_seen
    close(window, qtbot)
    second = open_window(Memory(tmp_path / "window.json"))
    assert not second.page.tour.isVisible()
    press(qtbot, Qt.Key.Key_F1)
    assert second.page.tour.isVisible()


def test_closing_the_window_does_not_use_up_the_tour(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "window.json")
    memory.update(source="demo")
    close(open_window(memory), qtbot)
    assert not memory.current.tour_seen


@pytest.mark.parametrize("size", [LEAST_SIZE, (1000, 620), (1440, 860)])
def test_the_tour_leaves_what_is_said_of_the_camera_readable(
    open_window: Open, qtbot: QtBot, size: tuple[int, int]
) -> None:
    window = open_window(parts=fake_parts(cameras=()), source=None, tour_seen=False, first_look_seen=True)
    window.resize(*size)
    page = window.page

    def both_are_readable() -> None:
        assert page.tour.isVisible()
        assert page.banner.isVisible()
        assert page.banner.banner.text == NO_CAMERA
        read = [each for each in page.banner.findChildren(QWidget) if each.isVisible()]
        assert not any(page.tour.geometry().intersects(QRect(each.mapTo(page, QPoint()), each.size())) for each in read)

    qtbot.waitUntil(both_are_readable, timeout=PATIENCE_MS)


@pytest.fixture
def first_look(open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MainWindow:
    """Return a window in the first turn of its first look, which ends only when a test says so."""
    monkeypatch.setattr(look, "TURN_SECONDS", 3600.0)
    memory = Memory(tmp_path / "window.json")
    memory.update(source="demo", theme="dark")
    window = open_window(memory)
    qtbot.waitUntil(lambda: window.view.hud.caption is not None, timeout=PATIENCE_MS)
    return window


def test_the_first_start_shows_the_effect_and_then_the_tour(
    first_look: MainWindow, open_window: Open, qtbot: QtBot, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    window, memory = first_look, first_look._memory
    assert not window.page.tour.isVisible()
    qtbot.waitUntil(lambda: not window.page.panel.rwr.toggle.isChecked(), timeout=PATIENCE_MS)
    assert window.view.accessibleDescription().startswith("RwR ")
    assert window.presenter.chosen.tracking.rwr
    monkeypatch.setattr(look, "TURN_SECONDS", 1e-6)  # all turns are over
    qtbot.waitUntil(window.page.tour.isVisible, timeout=PATIENCE_MS)
    assert window.view.hud.caption is None
    qtbot.waitUntil(window.page.panel.rwr.toggle.isChecked, timeout=PATIENCE_MS)
    assert memory.current.tracking.rwr
    close(window, qtbot)
    assert memory.current.first_look_seen
    assert not memory.current.tour_seen
    second = open_window(Memory(tmp_path / "window.json"))
    assert second.page.tour.isVisible()
    assert not second.presenter.first_look.active


@pytest.mark.parametrize("way", ["key", "switch"])
def test_the_switch_turns_on_what_the_first_look_turned_off(first_look: MainWindow, qtbot: QtBot, way: str) -> None:
    window = first_look
    window.refresh()
    assert not window.presenter.session.state.tracking.rwr
    if way == "key":
        press(qtbot, Qt.Key.Key_R)
    else:
        qtbot.mouseClick(window.page.panel.rwr.toggle, Qt.MouseButton.LeftButton)
    assert not window.presenter.first_look.active
    assert window.presenter.session.state.tracking.rwr
    assert window.presenter.chosen.tracking.rwr
    press(qtbot, Qt.Key.Key_R)
    assert not window.presenter.session.state.tracking.rwr
    assert not window.presenter.chosen.tracking.rwr


@pytest.mark.parametrize("way", ["shortcut", "other key", "click", "escape"])
def test_any_key_or_click_ends_the_first_look_and_does_what_it_means(
    first_look: MainWindow, qtbot: QtBot, way: str
) -> None:
    window = first_look
    if way == "shortcut":
        press(qtbot, Qt.Key.Key_D)
        assert "drawer" in window.page.open
    elif way == "other key":
        press(qtbot, Qt.Key.Key_Shift)
    elif way == "click":
        qtbot.mouseClick(window.view, Qt.MouseButton.LeftButton)
    else:
        press(qtbot, Qt.Key.Key_Escape)
    window.refresh()
    assert not window.presenter.first_look.active
    assert window.view.hud.caption is None
    assert window.presenter.session.state.tracking.rwr
    assert window.page.tour.isVisible()


def test_who_receives_landmarks_is_not_shown_flicker(open_window: Open, qtbot: QtBot, tmp_path: Path) -> None:
    memory = Memory(tmp_path / "window.json")
    memory.update(source="demo", share=ShareForm(json_on=True))
    window = open_window(memory)
    assert not window.presenter.first_look.active
    assert window.page.tour.isVisible()


def test_landmarks_reach_another_program(open_window: Open, qtbot: QtBot) -> None:
    window = open_window()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(PATIENCE_MS / 1000)
        press(qtbot, Qt.Key.Key_U)
        card = window.page.sheets.opened
        assert isinstance(card, ShareSheet)
        line = card.addresses[ShareField.JSON]
        line.setFocus()
        line.selectAll()
        qtbot.keyClicks(line, str(receiver.getsockname()[1]))
        press(qtbot, Qt.Key.Key_Return)
        qtbot.mouseClick(card.switches[ShareField.JSON].toggle, Qt.MouseButton.LeftButton)
        message = json.loads(receiver.recv(65536))
        assert message["faces"][0]["id"] == 0
        qtbot.waitUntil(lambda: _first_line(card).startswith("Sent "), timeout=PATIENCE_MS)
        press(qtbot, Qt.Key.Key_Escape)
        assert window.page.sheets.opened is None


def _first_line(card: ShareSheet) -> str:
    labels = card._status[ShareField.JSON]._labels
    return labels[0].text() if labels else ""


def textured(source: str, tracking: TrackingSettings) -> FakeLive:
    """Play five frames with detail in them, and end."""
    live = FakeLive("short.mp4", tracking)
    image = np.zeros((180, 320, 3), np.uint8)
    image[:, ::2] = 255
    put = live.results.put
    live.results.put = lambda result: put(frame_result(result.frame.index, image=image))  # type: ignore[assignment, method-assign]
    return live


def test_privacy_hides_what_is_in_view_even_when_nothing_new_comes(
    open_window: Open, qtbot: QtBot, tmp_path: Path
) -> None:
    window = open_window(parts=SessionParts(textured, FakeRecorder, list))  # type: ignore[arg-type]
    qtbot.waitUntil(lambda: window.presenter.session.state.stage == "ended", timeout=PATIENCE_MS)
    shown = window.view.picture
    assert shown is not None
    assert not shown.private
    press(qtbot, Qt.Key.Key_H)
    qtbot.waitUntil(lambda: bool(window.view.picture and window.view.picture.private), timeout=PATIENCE_MS)
    press(qtbot, Qt.Key.Key_P)
    folder = tmp_path / "out"
    qtbot.waitUntil(lambda: len(list(folder.glob("snapshot*.png"))) == 2, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: window.page.banner.banner is not None, timeout=PATIENCE_MS)
    (clean,) = folder.glob("snapshot*-clean.png")
    np.testing.assert_array_equal(cv2.imread(str(clean)), blurred(shown.result.frame.image))
