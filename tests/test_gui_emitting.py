"""Signals that threads have emitted: by the window's thread, and by nobody once their object is gone."""

from __future__ import annotations

import threading

import pytest
import shiboken6
from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from app.gui.widgets.emitting import emitter
from tests.waiting import PATIENCE_MS, PATIENCE_SECONDS


class Teller(QObject):
    """Notes what its signal carries, and the thread that emits it."""

    told = Signal(int, str)

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[tuple[int, str, threading.Thread]] = []
        self.told.connect(
            lambda number, text: self.heard.append((number, text, threading.current_thread())),
            Qt.ConnectionType.DirectConnection,
        )


@pytest.fixture
def teller(qapp: QApplication) -> Teller:
    return Teller()


def on_a_thread(teller: Teller, number: int) -> None:
    thread = threading.Thread(target=emitter(teller.told), args=(number, "frames"))
    thread.start()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_the_windows_thread_emits_what_others_tell_in_their_order(teller: Teller, qtbot: QtBot) -> None:
    on_a_thread(teller, 1)
    emitter(teller.told)(2, "faces")
    assert teller.heard == [], "whoever tells may still be changing what is told of"
    qtbot.waitUntil(lambda: len(teller.heard) == 2, timeout=PATIENCE_MS)
    window = threading.main_thread()
    assert teller.heard == [(1, "frames", window), (2, "faces", window)]


def test_what_is_told_of_an_object_that_is_gone_is_forgotten(teller: Teller, qtbot: QtBot) -> None:
    other, tell = Teller(), emitter(teller.told)
    on_a_thread(teller, 1)
    shiboken6.delete(teller)
    tell(2, "faces")
    on_a_thread(other, 3)
    qtbot.waitUntil(lambda: bool(other.heard), timeout=PATIENCE_MS)  # all that was told before is through
    assert teller.heard == []
