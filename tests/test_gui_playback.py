"""The scrub bar: its texts, how often it seeks, and its widget's mouse and keys."""

from __future__ import annotations

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from app.gui.presenters.playback import (
    SPEEDS,
    SeekLimiter,
    clock_text,
    fine_clock_text,
    moved_by,
    playback_view,
    position_now,
)
from app.gui.widgets.scrub import MARGIN, ScrubBar
from app.sources.base import Playback
from app.sources.paced import FASTEST, SLOWEST
from tests.waiting import PATIENCE_MS

CLIP = Playback(12.4, 63.0, False, 1.0)


@pytest.mark.parametrize(
    ("seconds", "length", "text"),
    [
        (0.0, None, "0:00"),
        (-1.0, None, "0:00"),
        (59.999, None, "0:59"),
        (60.0, None, "1:00"),
        (3599.9, None, "59:59"),
        (3600.0, None, "1:00:00"),
        (63.0, 4000.0, "0:01:03"),
        (1.9999999, None, "0:02"),  # rounded down on its way through a float
    ],
)
def test_clock(seconds: float, length: float | None, text: str) -> None:
    assert clock_text(seconds, length) == text


def test_fine_clock() -> None:
    assert [fine_clock_text(s) for s in (0.0, 0.95, 0.3, 63.25)] == ["0:00.0", "0:00.9", "0:00.3", "1:03.2"]


def test_view() -> None:
    assert playback_view(None) is None
    view = playback_view(CLIP)
    assert view is not None
    assert (view.text, view.paused, view.speed_text) == ("0:12 / 1:03", False, "1\u00d7")
    late = playback_view(Playback(63.02, 63.0, True, 0.25))
    assert late is not None
    assert (late.text, late.speed_text) == ("1:03 / 1:03", "0.25\u00d7")
    assert late.button_help != view.button_help
    unknown = playback_view(Playback(12.4, None, False, 1.0))
    assert unknown is not None
    assert unknown.text == "0:12"


def test_speeds_are_possible() -> None:
    assert min(SPEEDS) >= SLOWEST
    assert max(SPEEDS) <= FASTEST
    assert 1.0 in SPEEDS


def test_steps_stay_within_the_source() -> None:
    assert moved_by(CLIP, 5.0) == pytest.approx(17.4)
    assert moved_by(CLIP, -20.0) == 0.0
    assert moved_by(CLIP, 100.0) == 63.0
    assert moved_by(Playback(10.0, None, False, 1.0), 1e4) == pytest.approx(10010)


def test_position_moves_on_between_two_looks() -> None:
    assert position_now(CLIP, 0.5) == pytest.approx(12.9)
    assert position_now(Playback(12.4, 63.0, False, 0.5), 0.5) == pytest.approx(12.65)
    assert position_now(Playback(12.4, 63.0, True, 1.0), 0.5) == 12.4
    assert position_now(Playback(62.9, 63.0, False, 2.0), 0.5) == 63.0


def test_a_drag_seeks_ten_times_a_second_and_ends_where_it_ends() -> None:
    limiter = SeekLimiter()
    sought = [limiter.ask(k / 100, 50 + k / 100) for k in range(101)]  # a second of mouse moves
    through = [where for where in sought if where is not None]
    assert through[0] == 0.0
    assert 10 <= len(through) <= 11
    limiter.ask(2.0, 51.001)
    assert limiter.due(51.01) is None
    assert limiter.finish(51.02) == 2.0
    assert limiter.finish(51.03) is None
    assert limiter.ask(3.0, 60.0) == 3.0
    assert limiter.finish(60.0) is None
    assert limiter.ask(4.0, 60.05) is None
    assert limiter.due(60.11) == 4.0  # the pointer rests there


@pytest.fixture
def bar(qtbot: QtBot) -> ScrubBar:
    bar = ScrubBar()
    qtbot.addWidget(bar)
    bar.resize(900, 40)
    with qtbot.waitExposed(bar, timeout=PATIENCE_MS):
        bar.show()
        bar.show_playback(Playback(15.0, 60.0, True, 1.0))
    return bar


def at(bar: ScrubBar, share: float) -> QPoint:
    return QPoint(MARGIN + round((bar.track.width() - 2 * MARGIN) * share), bar.track.height() // 2)


def test_bar_is_there_for_what_plays_back(bar: ScrubBar) -> None:
    assert bar.isVisible()
    assert bar.time.text() == "0:15 / 1:00"
    bar.show_playback(None)
    assert not bar.isVisible()


def test_click_and_drag_seek(bar: ScrubBar) -> None:
    sought: list[float] = []
    bar.sought.connect(sought.append)
    button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(bar.track, button, keys, at(bar, 0.5))
    assert sought == [pytest.approx(30, abs=0.1)]
    for share in (0.6, 0.7, 0.8):
        QTest.mouseMove(bar.track, at(bar, share))
    bar.show_playback(Playback(1.0, 60.0, True, 1.0))  # news of before do not pull the handle away
    assert bar.track.position == pytest.approx(48, abs=0.1)
    QTest.mouseRelease(bar.track, button, keys, at(bar, 0.8))
    assert sought[-1] == pytest.approx(48, abs=0.1)
    assert len(sought) <= 4
    bar.show_playback(Playback(48.0, 60.0, True, 1.0))
    assert bar.track.position == 48.0


def test_resting_in_a_drag_is_sought_too(bar: ScrubBar, qtbot: QtBot) -> None:
    sought: list[float] = []
    bar.sought.connect(sought.append)
    button, keys = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    QTest.mousePress(bar.track, button, keys, at(bar, 0.1))
    QTest.mouseMove(bar.track, at(bar, 0.9))
    qtbot.waitUntil(lambda: sought[-1] == pytest.approx(54, abs=0.1), timeout=PATIENCE_MS)


def test_a_drag_ends_with_what_is_played(bar: ScrubBar) -> None:
    QTest.mousePress(bar.track, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at(bar, 0.5))
    bar.show_playback(None)
    bar.show_playback(Playback(3.0, 60.0, True, 1.0))
    sought: list[float] = []
    bar.sought.connect(sought.append)
    QTest.mouseMove(bar.track, at(bar, 0.9))
    assert (bar.track.position, sought) == (3.0, [])


def test_keys_of_the_track(bar: ScrubBar) -> None:
    sought: list[float] = []
    stepped: list[int] = []
    bar.sought.connect(sought.append)
    bar.stepped.connect(stepped.append)
    shift = Qt.KeyboardModifier.ShiftModifier
    for key in (Qt.Key.Key_Left, Qt.Key.Key_Right):
        QTest.keyClick(bar.track, key)
        QTest.keyClick(bar.track, key, shift)
    QTest.keyClick(bar.track, Qt.Key.Key_Home)
    QTest.keyClick(bar.track, Qt.Key.Key_End)
    QTest.keyClick(bar.track, Qt.Key.Key_Period)
    QTest.keyClick(bar.track, Qt.Key.Key_Comma)
    assert sought == pytest.approx([14, 10, 16, 20, 0, 60])
    assert stepped == [1, -1]


def test_button_and_speed(bar: ScrubBar) -> None:
    paused: list[bool] = []
    speeds: list[float] = []
    bar.pause_asked.connect(paused.append)
    bar.speed_chosen.connect(speeds.append)
    bar.button.click()
    bar.show_playback(Playback(15.0, 60.0, False, 1.0))
    bar.button.click()
    assert paused == [False, True]
    for entry in bar.menu.actions():
        entry.trigger()
    assert speeds == list(SPEEDS)


def test_unknown_length_can_be_paused_and_not_dragged(bar: ScrubBar) -> None:
    sought: list[float] = []
    bar.sought.connect(sought.append)
    bar.show_playback(Playback(15.0, None, False, 1.0))
    QTest.mouseClick(bar.track, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, at(bar, 0.5))
    bar.track.grab()
    assert sought == []
    assert bar.time.text() == "0:15"
