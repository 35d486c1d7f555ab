"""Dark and light: readable both, and changed while the window is open."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import shiboken6
from PySide6.QtCore import QEvent, QObject, Qt
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QLabel,
    QLineEdit,
    QMainWindow,
    QPlainTextEdit,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)
from pytestqt.qtbot import QtBot

from app.gui.presenters.banner import Banner, Tone
from app.gui.presenters.palettes import DARK, LIGHT, PALETTES, Palette, Theme
from app.gui.theme import theme
from app.gui.theme.manager import ThemeManager, palette_for
from app.gui.widgets.banner import BannerView
from tests.waiting import PATIENCE_MS

READABLE = 4.5
"""Contrast of text that WCAG 2.2 asks for at level AA; 3 for large signs."""


@pytest.fixture(autouse=True)
def _as_before(qapp: QApplication) -> Iterator[None]:
    yield
    qapp.styleHints().setColorScheme(Qt.ColorScheme.Unknown)
    theme.apply(qapp, DARK)


def luminance(colour: str) -> float:
    """Relative luminance of WCAG 2.2; alpha is left out."""
    digits = colour.lstrip("#")[-6:]
    shares = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: str, second: str) -> float:
    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("colours", PALETTES.values(), ids=PALETTES)
def test_every_text_is_readable(colours: Palette) -> None:
    grounds = {name: getattr(colours, name) for name in ("stage", "ground", "card", "veil")}
    inks = {"text": colours.text, "dim": colours.dim, **colours.tones, **colours.modes}
    pairs = [(ink, ground) for ink in inks for ground in grounds if ground != "stage" or ink in ("text", "dim")]
    poor = {(ink, ground): contrast(inks[ink], grounds[ground]) for ink, ground in pairs}
    poor |= {("text", name): contrast(colours.text, getattr(colours, name)) for name in ("raised", "hover", "pressed")}
    poor |= {("dim", name): contrast(colours.dim, getattr(colours, name)) for name in ("raised", "hover")}
    poor |= {("faint", name): contrast(colours.faint, grounds[name]) for name in ("ground", "card")}
    poor |= {("on", "record"): contrast(colours.on_record, colours.record)}
    assert {pair: round(value, 2) for pair, value in poor.items() if value < READABLE} == {}


@pytest.mark.parametrize("colours", PALETTES.values(), ids=PALETTES)
def test_bars_stand_out_from_their_grooves(colours: Palette) -> None:
    assert min(contrast(colour, colours.raised) for colour in colours.modes.values()) >= 3


def test_both_palettes_have_the_same_entries() -> None:
    assert DARK.modes.keys() == LIGHT.modes.keys()
    assert DARK.tones.keys() == LIGHT.tones.keys()


def test_the_system_is_followed_only_when_asked_to_be() -> None:
    assert palette_for(Theme.SYSTEM, Qt.ColorScheme.Light) is LIGHT
    assert palette_for(Theme.SYSTEM, Qt.ColorScheme.Dark) is DARK
    assert palette_for(Theme.SYSTEM, Qt.ColorScheme.Unknown) is DARK
    assert palette_for(Theme.DARK, Qt.ColorScheme.Light) is DARK
    assert palette_for(Theme.LIGHT, Qt.ColorScheme.Dark) is LIGHT


def ink(label: QLabel) -> str:
    return label.palette().color(label.foregroundRole()).name()


def test_changing_clothes_repaints_what_is_open(qapp: QApplication, qtbot: QtBot) -> None:
    theme.apply(qapp, DARK)
    manager = ThemeManager(qapp, Theme.DARK)
    window = QWidget()
    label = QLabel("text", window)
    label.setObjectName("dim")
    qtbot.addWidget(window)
    window.show()
    assert ink(label) == DARK.dim
    with qtbot.waitSignal(manager.changed):
        manager.choose(Theme.LIGHT)
    assert theme.palette() is LIGHT
    qtbot.waitUntil(lambda: ink(label) == LIGHT.dim, timeout=PATIENCE_MS)
    assert qapp.palette().window().color().name() == LIGHT.ground
    with qtbot.waitSignal(manager.changed):
        manager.swap()
    assert (manager.choice, theme.palette()) == ("dark", DARK)
    with qtbot.assertNotEmitted(manager.changed):
        manager.choose(Theme.DARK)


@pytest.fixture
def two_pages(qapp: QApplication, qtbot: QtBot) -> tuple[QMainWindow, list[QLabel], list[QLabel]]:
    """Return a window with one page in view and one out of sight, each with more labels than follow in a turn."""
    theme.apply(qapp, DARK)
    window, pages = QMainWindow(), QStackedWidget()
    window.setCentralWidget(pages)
    labels: list[list[QLabel]] = []
    for _ in range(2):
        page = QWidget()
        column = QVBoxLayout(page)
        labels.append([QLabel("text") for _ in range(2 * theme.WIDGETS_A_TURN)])
        for label in labels[-1]:
            label.setObjectName("dim")
            column.addWidget(label)
        pages.addWidget(page)
    qtbot.addWidget(window)
    window.show()
    pages.setCurrentIndex(1)
    pages.setCurrentIndex(0)
    seen, unseen = labels
    assert {ink(label) for label in seen + unseen} == {DARK.dim}
    return window, seen, unseen


def test_a_few_widgets_follow_in_a_turn_and_what_is_seen_is_painted_once(
    qapp: QApplication, two_pages: tuple[QMainWindow, list[QLabel], list[QLabel]]
) -> None:
    window, seen, unseen = two_pages
    theme.restyle(qapp, LIGHT)
    followed = 0
    while followed < len(seen + unseen):
        before, followed = followed, [ink(label) for label in seen + unseen].count(LIGHT.dim)
        assert followed <= before + theme.WIDGETS_A_TURN
        all_seen = {ink(label) for label in seen} == {LIGHT.dim}
        assert window.updatesEnabled() == all_seen, "nobody sees a window in two colours"
        assert all_seen or not any(ink(label) == LIGHT.dim for label in unseen)
        qapp.processEvents()


class Painted(QObject):
    """Notes which labels are painted.

    Attributes:
        places: in the list that was given, each as often as it is painted.
    """

    def __init__(self, labels: list[QLabel]) -> None:
        super().__init__()
        self.places: list[int] = []
        self._labels = labels
        for label in labels:
            label.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint and isinstance(watched, QLabel):
            self.places.append(self._labels.index(watched))
        return False


def test_a_window_is_painted_on_after_a_change_that_came_while_something_waited_to_be_painted(
    qapp: QApplication, qtbot: QtBot, two_pages: tuple[QMainWindow, list[QLabel], list[QLabel]]
) -> None:
    _, seen, unseen = two_pages
    qapp.processEvents()
    painted = Painted(seen)
    seen[0].update()  # as the picture is, thirty times a second
    theme.restyle(qapp, LIGHT)
    qtbot.waitUntil(lambda: {ink(label) for label in seen + unseen} == {LIGHT.dim}, timeout=PATIENCE_MS)
    qtbot.waitUntil(lambda: set(painted.places) == set(range(len(seen))), timeout=PATIENCE_MS)
    painted.places.clear()
    seen[0].update()
    qtbot.waitUntil(lambda: 0 in painted.places, timeout=PATIENCE_MS)


def test_a_window_is_painted_in_several_turns_after_a_change(
    qapp: QApplication,
    two_pages: tuple[QMainWindow, list[QLabel], list[QLabel]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(theme, "PAINT_SECONDS", 0.0)  # every area takes that long
    _, seen, _ = two_pages
    qapp.processEvents()
    painted = Painted(seen)
    theme.restyle(qapp, LIGHT)
    done: set[int] = set()
    while done != set(range(len(seen))):
        painted.places.clear()
        qapp.processEvents()
        assert len(painted.places) <= theme.WIDGETS_AN_AREA
        done.update(painted.places)


def test_a_change_within_a_change_ends_in_the_newest_colours(
    qapp: QApplication, qtbot: QtBot, two_pages: tuple[QMainWindow, list[QLabel], list[QLabel]]
) -> None:
    window, seen, unseen = two_pages
    theme.restyle(qapp, LIGHT)
    theme.restyle(qapp, DARK)
    window.hide()
    theme.restyle(qapp, LIGHT)
    qtbot.waitUntil(lambda: {ink(label) for label in seen + unseen} == {LIGHT.dim}, timeout=PATIENCE_MS)
    assert window.updatesEnabled(), "it is painted when it is shown again"


def test_what_is_deleted_meanwhile_is_left_out(
    qapp: QApplication, qtbot: QtBot, two_pages: tuple[QMainWindow, list[QLabel], list[QLabel]]
) -> None:
    _, seen, unseen = two_pages
    theme.restyle(qapp, LIGHT)
    for label in seen[::2]:
        shiboken6.delete(label)
    qtbot.waitUntil(lambda: {ink(label) for label in seen[1::2] + unseen} == {LIGHT.dim}, timeout=PATIENCE_MS)


def test_a_window_that_is_made_later_wears_the_same(qapp: QApplication, qtbot: QtBot) -> None:
    theme.apply(qapp, DARK)
    window = QWidget()
    qtbot.addWidget(window)
    ThemeManager(qapp, Theme.LIGHT)
    dialog = QDialog(window)
    label = QLabel("text", dialog)
    label.setObjectName("dim")
    dialog.show()
    assert label.palette().color(label.foregroundRole()).name() == LIGHT.dim


def test_a_change_of_the_systems_colours_is_followed(qapp: QApplication, qtbot: QtBot) -> None:
    manager = ThemeManager(qapp, Theme.SYSTEM)
    system = qapp.styleHints().colorSchemeChanged
    for scheme, colours in ((Qt.ColorScheme.Light, LIGHT), (Qt.ColorScheme.Dark, DARK), (Qt.ColorScheme.Light, LIGHT)):
        with qtbot.waitSignal(manager.changed):
            system.emit(scheme)
        assert theme.palette() is colours
    manager.choose(Theme.DARK)
    with qtbot.assertNotEmitted(manager.changed):
        system.emit(Qt.ColorScheme.Light)
    assert theme.palette() is DARK


def test_what_was_shown_before_the_theme_changed_has_its_colours_too(qapp: QApplication, qtbot: QtBot) -> None:
    theme.apply(qapp, DARK)
    picture = QWidget()
    qtbot.addWidget(picture)
    banner = BannerView(picture)
    banner.show_banner(Banner("full", Tone.ERROR, "The disk is full."))
    picture.show()

    def mark() -> str:
        return banner._mark.grab().toImage().pixelColor(4, 4).name()

    assert mark() == DARK.tones["error"]
    theme.apply(qapp, LIGHT)
    assert mark() == LIGHT.tones["error"]
    banner.show_banner(Banner("saved", Tone.GOOD, "Saved."))
    assert mark() == LIGHT.tones["good"]


@pytest.mark.parametrize("colours", PALETTES.values(), ids=PALETTES)
@pytest.mark.parametrize("field", [QLineEdit, QPlainTextEdit])
def test_what_stands_in_empty_fields_is_readable(
    qapp: QApplication, qtbot: QtBot, colours: Palette, field: type[QLineEdit | QPlainTextEdit]
) -> None:
    theme.apply(qapp, DARK)
    made = field()
    qtbot.addWidget(made)
    made.show()
    theme.apply(qapp, colours)
    shown = made.palette().color(QPalette.ColorRole.PlaceholderText)
    assert (shown.name(), shown.alpha()) == (colours.faint, 255), "not the text's colour, half transparent"
