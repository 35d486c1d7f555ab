"""Every key in any order, on every page: nothing breaks, hangs or is left behind."""

from __future__ import annotations

import os

from app.sources.spec import CameraSpec

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

import random
import threading
from pathlib import Path

import pytest
from PySide6.QtGui import QKeySequence
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from app.gui.live.presenters.chooser import CameraChoice
from app.gui.live.presenters.remembered import Memory
from app.gui.live.presenters.session import LiveSession
from app.gui.live.presenters.settings import LiveSettings
from app.gui.main_window import MainWindow
from app.gui.presenters import actions
from app.gui.presenters.actions import ActionName
from app.gui.presenters.palettes import DARK
from app.gui.theme import theme
from tests.gui_fakes import fake_parts
from tests.session_fakes import record, tracked
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS

KEYS = 150
EVENTS_MS = 8
PRESSABLE = [action for action in actions.ACTIONS if action.name != ActionName.QUIT]


@pytest.mark.parametrize("seed", range(2))
def test_any_keys_in_any_order(seed: int, qapp: QApplication, qtbot: QtBot, tmp_path: Path) -> None:
    theme.apply(qapp, DARK)
    before = set(threading.enumerate())
    folder = tmp_path / "out"
    recorded = record(folder / "walk", tracked(12)).folder
    memory = Memory(tmp_path / "window.json")
    memory.update(source="demo", folder=folder, theme="dark", tour_seen=True)
    window = MainWindow(
        LiveSettings(memory.current),
        lambda *args: LiveSession(fake_parts(faces=2), *args),
        lambda: [CameraChoice(CameraSpec("0"), "HD Webcam")],
        memory=memory,
    )
    window.show()
    window.begin()
    dice = random.Random(seed)
    visited: set[QWidget | None] = set()
    acted: set[str] = set()
    act = window.act

    def noted(name: str) -> None:
        acted.add(name)
        act(name)  # type: ignore[arg-type]

    window.act = noted  # type: ignore[method-assign]
    for _ in range(KEYS):
        menu = QApplication.activePopupWidget()
        if menu is not None:
            menu.close()
        if dice.random() < 0.04:
            window.sessions.open(recorded)
        else:
            key = QKeySequence(dice.choice(PRESSABLE).key)[0]  # type: ignore[index]
            window.activateWindow()
            qtbot.keyClick(QApplication.focusWidget() or window, key.key(), key.keyboardModifiers())
        qtbot.wait(dice.choice((0, 1, EVENTS_MS)))
        visited.add(window.pages.currentWidget())
        assert QApplication.activeModalWidget() is None
    assert {window.page, window.sessions.list, window.sessions.viewer} <= visited
    assert len(acted) > 20
    window.close()
    qtbot.waitUntil(lambda: not window._timer.isActive(), timeout=PATIENCE_MS)
    assert window.presenter.session.join(PATIENCE_SECONDS)
    qtbot.waitUntil(lambda: set(threading.enumerate()) <= before, timeout=PATIENCE_MS)
    again = Memory(tmp_path / "window.json")
    assert again.note == ""
    assert again.current == memory.current
    window.deleteLater()
    theme.apply(qapp, DARK)
