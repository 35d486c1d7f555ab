"""The cards over the picture: by mouse and by keyboard, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from PySide6.QtCore import QEvent, QPoint, QRect, Qt
from PySide6.QtGui import QAccessible, QKeySequence, QPaintEvent, QShortcut
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QLineEdit, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from app.gui.live.presenters.key_list import key_groups, shown_key
from app.gui.live.presenters.preferences import Preferences, RecordingPart
from app.gui.live.presenters.share import ShareField, ShareForm, StatusLine, StatusTone
from app.gui.live.presenters.tour import STEPS, TourTarget
from app.gui.live.views.keys import KeyList
from app.gui.live.views.preferences import PreferencesSheet
from app.gui.live.views.share import ShareSheet
from app.gui.live.views.tour import TourCard
from app.gui.presenters.palettes import DARK, LIGHT, Theme
from app.gui.theme import theme
from app.gui.widgets.sheet import MARGIN, Sheet, Sheets, rounded
from app.gui.widgets.toggle import ToggleRow
from app.sessions.plan import RecordingChoices
from app.sharing.settings import CameraPicture
from tests.waiting import PATIENCE_MS

USUAL = Path("/home/someone/Videos/LDEQ Live")


class Window(QWidget):
    """Stands in for the live window: shortcuts, and a picture that is painted again and again."""

    def __init__(self) -> None:
        super().__init__()
        self.resize(1200, 760)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.pressed: list[str] = []
        for key in ("Space", "Left", "Right", "R", "1", "Esc"):
            shortcut = QShortcut(QKeySequence(key), self)
            shortcut.activated.connect(lambda key=key: self.pressed.append(key))


@pytest.fixture
def window(qapp: QApplication, qtbot: QtBot) -> Iterator[Window]:
    theme.apply(qapp, DARK)
    made = Window()
    qtbot.addWidget(made)
    made.show()
    qtbot.waitUntil(made.isActiveWindow, timeout=PATIENCE_MS)
    yield made
    theme.apply(qapp, DARK)


def press(qtbot: QtBot, key: Qt.Key) -> None:
    focused = QApplication.focusWidget()
    assert focused is not None
    qtbot.keyClick(focused, key)


def delete_what_was_closed() -> None:
    """Do what the event loop does as soon as it is left to itself."""
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def test_a_sheet_lies_in_the_middle_and_follows_the_window(window: Window, qtbot: QtBot) -> None:
    sheet = PreferencesSheet(window)
    assert not sheet.isVisible()
    sheet.toggle()
    assert abs(sheet.geometry().center().x() - window.rect().center().x()) <= 1
    assert sheet._scroll.verticalScrollBar().maximum() == 0, "everything fits"
    window.resize(600, 300)
    assert window.rect().adjusted(MARGIN, MARGIN, -MARGIN, -MARGIN).contains(sheet.geometry())
    assert sheet._scroll.verticalScrollBar().maximum() > 0
    with qtbot.waitSignal(sheet.closed):
        sheet.toggle()


def test_the_picture_below_does_not_repaint_a_sheet(window: Window, qtbot: QtBot) -> None:
    painted: list[str] = []

    class Counting(KeyList):
        def paintEvent(self, event: QPaintEvent) -> None:
            painted.append("sheet")
            super().paintEvent(event)

    sheet = Counting(window)
    sheet.show()
    qtbot.waitUntil(lambda: bool(painted), timeout=PATIENCE_MS)
    QApplication.processEvents()
    painted.clear()
    for _ in range(5):
        window.repaint()
        QApplication.processEvents()
    assert painted == []


def test_corners_are_round() -> None:
    region = rounded(QRect(0, 0, 100, 60), 12)
    for corner in (QPoint(0, 0), QPoint(99, 0), QPoint(0, 59), QPoint(99, 59), QPoint(2, 2)):
        assert not region.contains(corner)
    for inside in (QPoint(12, 0), QPoint(0, 12), QPoint(4, 4), QPoint(95, 55), QPoint(50, 59)):
        assert region.contains(inside)


def test_keys_of_controls_are_not_the_windows_while_the_keyboard_is_in_a_sheet(window: Window, qtbot: QtBot) -> None:
    sheet = PreferencesSheet(window)
    sheet.show()
    sheet.privacy.toggle.setFocus()
    with qtbot.waitSignal(sheet.changed) as changed:
        press(qtbot, Qt.Key.Key_Space)
    assert changed.args == [Preferences(privacy=True)]
    assert window.pressed == []
    press(qtbot, Qt.Key.Key_R)
    assert window.pressed == ["R"], "what no control understands still works"
    sheet.folder.setFocus()
    press(qtbot, Qt.Key.Key_R)
    press(qtbot, Qt.Key.Key_1)
    press(qtbot, Qt.Key.Key_Space)
    assert window.pressed == ["R"]
    assert sheet.folder.text() == "r1 "
    press(qtbot, Qt.Key.Key_Escape)
    assert not sheet.isVisible()
    assert window.pressed == ["R"]
    press(qtbot, Qt.Key.Key_Space)
    assert window.pressed == ["R", "Space"]


@pytest.mark.parametrize("kind", [PreferencesSheet, ShareSheet, KeyList])
def test_tab_visits_every_control_and_stays(window: Window, qtbot: QtBot, kind: type[Sheet]) -> None:
    outside = QPushButton("outside", window)
    outside.show()
    sheet = kind(window)  # type: ignore[call-arg]
    sheet.show()
    visited = []
    for _ in range(40):
        press(qtbot, Qt.Key.Key_Tab)
        visited.append(QApplication.focusWidget())
    controls = {
        widget
        for widget in (*sheet.findChildren(QPushButton), *sheet.findChildren(QLineEdit))
        if widget.isVisible() and widget.isEnabled()
    }
    controls |= {row.toggle for row in sheet.findChildren(ToggleRow) if row.toggle.isEnabled()}
    assert controls <= set(visited)
    assert outside not in visited
    last = QApplication.focusWidget()
    press(qtbot, Qt.Key.Key_Tab)
    press(qtbot, Qt.Key.Key_Backtab)
    assert QApplication.focusWidget() is last


def test_tab_goes_from_top_to_bottom(window: Window) -> None:
    sheet = PreferencesSheet(window)
    sheet.show()
    names = [widget.text() if isinstance(widget, QAbstractButton) else "" for widget in sheet._chain()]
    tops = [widget.mapTo(sheet, widget.rect().center()).y() for widget in sheet._chain()[:-1]]
    assert all(later > earlier - 8 for earlier, later in pairwise(tops))
    assert QApplication.focusWidget() is sheet._chain()[0]
    assert names[0] == "System"
    assert names[-2:] == ["Choose…", "✕"]


@pytest.mark.parametrize("kind", [PreferencesSheet, ShareSheet, KeyList])
def test_everything_in_a_sheet_has_a_name(window: Window, kind: type[Sheet]) -> None:
    sheet = kind(window)  # type: ignore[call-arg]
    sheet.show()
    for widget in sheet._chain():
        spoken = QAccessible.queryAccessibleInterface(widget)
        assert spoken.text(QAccessible.Text.Name), widget


def test_one_sheet_at_a_time(window: Window) -> None:
    def make_keys() -> KeyList:
        return KeyList(window)

    def make_share() -> ShareSheet:
        return ShareSheet(window)

    sheets = Sheets(window.rect)
    assert not sheets.close()
    sheets.toggle(make_keys)
    keys = sheets.opened
    assert isinstance(keys, KeyList)
    sheets.toggle(make_share)
    share = sheets.opened
    assert isinstance(share, ShareSheet)
    assert (keys.isVisible(), share.isVisible()) == (False, True)
    assert sheets.close()
    assert not share.isVisible()
    sheets.toggle(make_keys)
    sheets.toggle(make_keys)
    assert sheets.opened is None


@pytest.mark.parametrize("way", ["button", "escape", "close"])
def test_a_closed_sheet_is_gone_and_the_next_one_is_new(window: Window, qtbot: QtBot, way: str) -> None:
    def make() -> PreferencesSheet:
        return PreferencesSheet(window)

    sheets = Sheets(window.rect)
    sheets.toggle(make)
    first = sheets.opened
    assert first is not None
    if way == "button":
        qtbot.mouseClick(first._close, Qt.MouseButton.LeftButton)
    elif way == "escape":
        press(qtbot, Qt.Key.Key_Escape)
    else:
        assert sheets.close()
    assert sheets.opened is None
    delete_what_was_closed()
    assert window.findChildren(Sheet) == []
    sheets.toggle(make)
    assert window.findChildren(Sheet) == [sheets.opened]


def test_a_sheet_closes_while_its_page_is_out_of_sight(window: Window) -> None:
    page = QWidget(window)
    page.show()
    sheets = Sheets(page.rect)
    sheets.toggle(lambda: KeyList(page))
    sheet = sheets.opened
    assert sheet is not None
    page.hide()
    assert sheets.opened is sheet
    assert sheets.close()
    delete_what_was_closed()
    assert page.findChildren(Sheet) == []


def test_a_sheet_stays_open_while_its_page_is_out_of_sight(window: Window, qtbot: QtBot) -> None:
    page = QWidget(window)
    page.resize(800, 600)
    page.show()
    sheet = KeyList(page)
    sheet.show()
    with qtbot.assertNotEmitted(sheet.closed):
        page.hide()
    page.show()
    assert sheet.isVisible()
    with qtbot.waitSignal(sheet.closed):
        press(qtbot, Qt.Key.Key_Escape)


def test_preferences_tell_every_change(window: Window, qtbot: QtBot) -> None:
    sheet = PreferencesSheet(window)
    start = Preferences(recording=RecordingChoices(exact=True), max_faces=2)
    sheet.show_preferences(start, USUAL)
    sheet.show()
    told: list[Preferences] = []
    sheet.changed.connect(told.append)
    sheet.theme.segments.chosen.emit("light")
    sheet.mirror.segments.chosen.emit("never")
    sheet.faces.segments.chosen.emit("8")
    qtbot.mouseClick(sheet.switches[RecordingPart.ANNOTATED], Qt.MouseButton.LeftButton)
    qtbot.mouseClick(sheet.switches[RecordingPart.EXACT].toggle, Qt.MouseButton.LeftButton)
    assert told[-1] == Preferences(Theme.LIGHT, False, RecordingChoices(annotated=True), False, 8)
    assert len(told) == 5
    count = len(told)
    sheet.show_preferences(told[-1], USUAL)
    assert len(told) == count, "what is shown is not a change"


def test_preferences_open_at_the_option_in_force(window: Window) -> None:
    sheet = PreferencesSheet(window)
    sheet.show_preferences(Preferences(theme=Theme.LIGHT), USUAL)
    sheet.show()
    focused = QApplication.focusWidget()
    assert isinstance(focused, QAbstractButton)
    assert focused.text() == "Light"


def test_a_folder_that_says_too_little_is_not_taken(window: Window, qtbot: QtBot) -> None:
    sheet = PreferencesSheet(window)
    sheet.show_preferences(Preferences(), USUAL)
    sheet.show()
    assert sheet.folder.placeholderText() == str(USUAL)
    sheet.folder.setFocus()
    qtbot.keyClicks(sheet.folder, "Clips")
    with qtbot.assertNotEmitted(sheet.changed):
        press(qtbot, Qt.Key.Key_Return)
    assert "is not an absolute path" in sheet._wrong.text()
    assert sheet._wrong.isVisible()
    sheet.folder.setText(str(USUAL))
    with qtbot.waitSignal(sheet.changed) as changed:
        press(qtbot, Qt.Key.Key_Return)
    assert changed.args == [Preferences(folder=USUAL)]
    assert not sheet._wrong.isVisible()


def test_privacy_greys_out_what_would_be_recorded(window: Window) -> None:
    sheet = PreferencesSheet(window)
    sheet.show_preferences(Preferences(privacy=True), USUAL)
    assert not any(row.toggle.isEnabled() or row.toggle.isChecked() for row in sheet.switches.values())


def share_card(window: Window, qtbot: QtBot, field: ShareField, typed: str) -> tuple[ShareSheet, list[ShareForm]]:
    """Return a card in which an address is being typed, and the forms that it tells."""
    sheet = ShareSheet(window)
    sheet.show()
    told: list[ShareForm] = []
    sheet.changed.connect(told.append)
    line = sheet.addresses[field]
    line.setFocus()
    line.selectAll()
    qtbot.keyClicks(line, typed)
    return sheet, told


def test_the_share_card_tells_what_was_typed(window: Window, qtbot: QtBot) -> None:
    sheet, told = share_card(window, qtbot, ShareField.OSC, "39539")
    assert told == [], "not with every key"
    press(qtbot, Qt.Key.Key_Return)
    qtbot.mouseClick(sheet.switches[ShareField.OSC].toggle, Qt.MouseButton.LeftButton)
    qtbot.mouseClick(sheet.switches[ShareField.CAMERA].toggle, Qt.MouseButton.LeftButton)
    sheet.picture.segments.chosen.emit("landmarks")
    expected = ShareForm(osc_on=True, osc_to="39539", camera_on=True, camera_picture=CameraPicture.LANDMARKS)
    assert told[-1] == expected
    sheet.show_form(replace(expected, json_to="10.0.0.2:9000"))
    assert sheet.addresses[ShareField.JSON].text() == "10.0.0.2:9000"
    assert len(told) == 4


def test_what_is_shared_goes_where_the_line_says_that_is_still_edited(window: Window, qtbot: QtBot) -> None:
    sheet, told = share_card(window, qtbot, ShareField.JSON, "9100")
    qtbot.mouseClick(sheet.switches[ShareField.JSON], Qt.MouseButton.LeftButton, pos=QPoint(4, 4))  # its name
    assert told == [ShareForm(json_on=True, json_to="9100")]


def test_the_command_in_the_share_card_can_be_copied(window: Window, qtbot: QtBot) -> None:
    sheet = ShareSheet(window)
    sheet.show()
    sheet.show_status({ShareField.CAMERA: (StatusLine("install pyvirtualcam", StatusTone.WRONG),)})
    (line,) = sheet.findChildren(QLabel, "wrong")
    qtbot.mouseDClick(line, Qt.MouseButton.LeftButton, pos=QPoint(4, line.height() // 2))
    assert line.selectedText() == "install"
    assert line not in sheet._chain(), "Tab passes it by"
    press(qtbot, Qt.Key.Key_Escape)
    assert not sheet.isVisible()


def test_the_share_card_shows_how_it_goes(window: Window) -> None:
    sheet = ShareSheet(window)
    sheet.show()
    before = sheet.height()
    sheet.show_status(
        {
            ShareField.JSON: (
                StatusLine("Sent 30/s to a:1", StatusTone.GOOD),
                StatusLine("Sent 30/s to b:1", StatusTone.GOOD),
            ),
            ShareField.OSC: (StatusLine("x names no port.", StatusTone.WRONG),),
        }
    )
    assert sheet.height() > before
    texts = [label.text() for label in sheet.findChildren(QLabel, "fine")]
    assert texts == ["Sent 30/s to a:1", "Sent 30/s to b:1"]
    assert sheet.addresses[ShareField.OSC].property("wrong")
    assert not sheet.addresses[ShareField.JSON].property("wrong")
    (fine, _) = sheet.findChildren(QLabel, "fine")
    assert fine.palette().color(fine.foregroundRole()).name() == DARK.tones["good"]
    sheet.show_status({})
    assert not sheet.addresses[ShareField.OSC].property("wrong")
    assert sheet.height() == before


def test_a_sheet_changes_clothes(window: Window, qapp: QApplication) -> None:
    sheet = KeyList(window)
    sheet.show()
    for colours in (LIGHT, DARK):
        theme.apply(qapp, colours)
        assert sheet.grab().toImage().pixelColor(sheet.width() // 2, 8).name() == colours.card


@pytest.mark.parametrize(("height", "scrolls"), [(760, False), (400, True)])
def test_the_list_of_keys_scrolls_only_where_it_does_not_fit(window: Window, height: int, scrolls: bool) -> None:
    window.resize(1200, height)
    sheet = KeyList(window)
    sheet.show()
    QApplication.processEvents()
    assert (sheet._scroll.verticalScrollBar().maximum() > 0) == scrolls
    assert sheet._scroll.verticalScrollBar().isVisible() == scrolls


@pytest.mark.parametrize(("width", "expected"), [(1200, 2), (780, 2), (600, 1)])
def test_the_list_of_keys_has_as_many_columns_as_fit(window: Window, width: int, expected: int) -> None:
    window.resize(width, 760)
    sheet = KeyList(window)
    sheet.show()
    assert sheet._shown == expected
    assert sheet.width() <= width - 2 * MARGIN


def test_the_list_of_keys_says_every_key_and_breaks_its_sentences(window: Window) -> None:
    sheet = KeyList(window)
    sheet.show()
    told = "\n".join(widget.accessibleDescription() for widget in sheet.findChildren(QWidget)).splitlines()
    assert [line for line in told if line] == [
        f"{shown_key(action.key)}: {action.help}" for group in key_groups() for action in group.actions
    ]
    (first, *_) = (widget for widget in sheet.findChildren(QWidget) if widget.accessibleDescription())
    wide, narrow = first.heightForWidth(600), first.heightForWidth(200)
    assert first.height() == first.heightForWidth(first.width())
    assert narrow > wide
    sheet.setStyleSheet("QWidget { font-size: 20px; }")
    assert first.heightForWidth(600) > wide


def test_the_list_of_keys_scrolls_by_keyboard(window: Window, qtbot: QtBot) -> None:
    window.resize(700, 320)
    sheet = KeyList(window)
    sheet.show()
    bar = sheet._scroll.verticalScrollBar()
    QApplication.processEvents()
    press(qtbot, Qt.Key.Key_PageDown)
    assert bar.value() > 0
    press(qtbot, Qt.Key.Key_Up)
    press(qtbot, Qt.Key.Key_PageUp)
    assert bar.value() == 0
    press(qtbot, Qt.Key.Key_Space)
    assert window.pressed == ["Space"], "it can be recorded while reading"


@pytest.fixture
def tour(window: Window) -> TourCard:
    targets = {}
    for number, name in enumerate((TourTarget.SWITCH, TourTarget.FLICKER, TourTarget.RECORDING)):
        targets[name] = QLabel(name, window)
        targets[name].setGeometry(900, 100 + 200 * number, 200, 40)
        targets[name].show()
    return TourCard(window, targets)


def test_the_tour_points_and_ends(tour: TourCard, qtbot: QtBot) -> None:
    tour.begin()
    for number, step in enumerate(STEPS):
        assert tour.accessibleName() == f"Tour: {step.title}"
        target = tour.targets[step.target].geometry()
        assert tour.ring.isVisible()
        assert tour.ring.geometry().contains(target)
        assert not tour.geometry().intersects(target)
        assert QApplication.focusWidget() is tour.go_on
        if number < 2:
            press(qtbot, Qt.Key.Key_Return)
    assert not tour.skip.isVisible()
    with qtbot.waitSignal(tour.finished):
        press(qtbot, Qt.Key.Key_Space)
    assert not tour.isVisible()
    assert not tour.ring.isVisible()


@pytest.mark.parametrize("way", ["esc", "skip"])
def test_the_tour_can_be_skipped_and_shown_again(tour: TourCard, qtbot: QtBot, way: str) -> None:
    tour.begin()
    with qtbot.waitSignal(tour.finished):
        if way == "esc":
            press(qtbot, Qt.Key.Key_Escape)
        else:
            qtbot.mouseClick(tour.skip, Qt.MouseButton.LeftButton)
    tour.begin()
    assert tour.accessibleName().endswith(STEPS[0].title)


def test_the_tour_follows_the_window_and_bears_what_is_hidden(tour: TourCard, window: Window) -> None:
    tour.begin()
    window.resize(1000, 500)
    tour.targets[TourTarget.SWITCH].move(700, 200)
    tour.fit()
    assert tour.ring.geometry().contains(tour.targets[TourTarget.SWITCH].geometry())
    tour.targets[TourTarget.SWITCH].hide()
    tour.fit()
    assert not tour.ring.isVisible()
    assert tour.isVisible()


def test_clicks_go_through_the_ring(tour: TourCard, window: Window, qtbot: QtBot) -> None:
    button = QPushButton("target", window)
    button.setGeometry(300, 300, 120, 40)
    button.show()
    tour.targets = {TourTarget.SWITCH: button}
    tour.begin()
    assert window.childAt(button.geometry().center()) is button
    assert window.childAt(button.geometry().topLeft() - QPoint(4, -20)) is None


def test_a_sheet_that_nobody_touches_is_not_laid_out_again(
    window: Window, qtbot: QtBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = ShareSheet(window)
    sheet.show()
    lines = {ShareField.JSON: (StatusLine("Sent 30/s to a:1", StatusTone.GOOD),)}
    sheet.show_status(lines)  # type: ignore[arg-type]
    for _ in range(5):
        QApplication.processEvents()
    fitted: list[None] = []
    monkeypatch.setattr(ShareSheet, "fit", lambda self: fitted.append(None))
    for _ in range(5):
        sheet.show_status(lines)  # type: ignore[arg-type]
        QApplication.processEvents()
    assert fitted == []
