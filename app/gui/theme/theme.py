"""Fonts, the style sheet, and the palette in force."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from types import SimpleNamespace

from PySide6.QtCore import QPoint, QRect, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette, QPixmapCache, QRegion
from PySide6.QtWidgets import QApplication, QWidget
from shiboken6 import isValid

from app.gui.presenters.palettes import DARK, Palette

LINUX_FAMILIES = ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "DejaVu Sans")

WIDGETS_A_TURN = 40
"""So many follow a change of the colours in one turn of the event loop, in some 5 ms of a slow processor."""
WIDGETS_AN_AREA = 12
"""Widgets that are painted together afterwards, at most; one of many parts is painted part by part."""
PAINT_SECONDS = 0.008
"""Areas are painted in one turn until so much time has passed: on a fast computer all of them."""

_Role = QPalette.ColorRole
_ROLES = {
    "ground": (_Role.Window, "window"),
    "card": (_Role.Base, "base"),
    "raised": (_Role.Button, "button"),
    "hover": (_Role.Highlight, "highlight"),
    "pressed": (_Role.Midlight, "midlight"),
    "line": (_Role.Mid, "mid"),
    "text": (_Role.WindowText, "window-text"),
    "dim": (_Role.Dark, "dark"),
    "faint": (_Role.PlaceholderText, "placeholder-text"),
    "record": (_Role.Shadow, "shadow"),
    "on_record": (_Role.BrightText, "bright-text"),
    "veil": (_Role.AlternateBase, "alternate-base"),
    "info": (_Role.Link, "link"),
    "good": (_Role.LinkVisited, "link-visited"),
    "error": (_Role.Light, "light"),
}
"""Role of each colour that the style sheet uses, and the sheet's word for it. What Qt has no role for takes one that
the Fusion style paints nothing with."""
_MORE_ROLES = {
    _Role.Text: "text",
    _Role.ButtonText: "text",
    _Role.HighlightedText: "text",
    _Role.ToolTipText: "text",
    _Role.ToolTipBase: "raised",
}

_current = DARK
_change: _Change | None = None
"""The change of the colours that was begun last."""


def palette() -> Palette:
    """Return the colours in force. Ask when painting and do not cache them: the theme may change at any time."""
    return _current


def style_sheet() -> str:
    """Return the style sheet of the application, which takes its colours from the application's palette.

    It is the same for all themes: Qt would spend three times as long on another sheet as on another palette.
    """
    colours = SimpleNamespace(**{name: f"palette({word})" for name, (_, word) in _ROLES.items()})
    marks = "".join(
        f"QLabel#{tone}-mark {{ background: {getattr(colours, tone)}; border-radius: 4px; }}" for tone in _current.tones
    )
    return f"""
QWidget {{ color: {colours.text}; font-size: 13px; }}
QMainWindow, QWidget#ground {{ background: {colours.ground}; }}
QScrollArea, QScrollArea > QWidget > QWidget#panel {{ background: {colours.ground}; border: none; }}
QFrame#card {{ background: {colours.card}; border-radius: 12px; }}
QWidget#bar {{ background: {colours.ground}; }}
QLabel {{ background: transparent; }}
QLabel#title {{ font-size: 17px; font-weight: 600; }}
QLabel#dim, QLabel#name {{ color: {colours.dim}; font-size: 12px; }}
QLabel#value {{ color: {colours.text}; font-size: 12px; }}
QLabel#heading {{ color: {colours.dim}; font-size: 11px; font-weight: 600; letter-spacing: 1px; }}
QLabel#key {{ color: {colours.dim}; background: {colours.raised}; border-radius: 4px; padding: 1px 6px;
    font-size: 11px; }}
QLabel#verdict {{ color: {colours.text}; font-size: 12px; font-weight: 500; }}
QToolTip {{ background: {colours.raised}; color: {colours.text}; border: 1px solid {colours.line};
    padding: 5px 7px; font-size: 12px; }}
QPushButton {{ background: {colours.raised}; border: 2px solid transparent; border-radius: 9px; padding: 0 12px;
    min-height: 32px; font-weight: 500; }}
QPushButton:hover {{ background: {colours.hover}; }}
QPushButton:pressed {{ background: {colours.line}; }}
QPushButton:disabled {{ color: {colours.faint}; background: {colours.card}; }}
QPushButton:checked {{ background: {colours.hover}; color: {colours.text}; }}
QPushButton#record:checked {{ background: {colours.record}; color: {colours.on_record}; }}
QPushButton#recording {{ background: {colours.record}; color: {colours.on_record}; min-height: 20px;
    padding: 0 8px; font-size: 12px; font-weight: 600; }}
QPushButton::menu-indicator {{ image: none; width: 0; }}
QPushButton[sign="true"] {{ padding: 0; }}
QPushButton#quiet {{ background: transparent; min-height: 24px; padding: 0 6px; }}
QPushButton#quiet:hover {{ background: {colours.hover}; }}
QPushButton#offer {{ min-height: 26px; border-radius: 8px; background: {colours.hover}; padding: 0 10px;
    font-size: 12px; }}
QPushButton#offer:hover {{ background: {colours.pressed}; }}
QMenu {{ background: {colours.raised}; border: 1px solid {colours.line}; border-radius: 8px; padding: 6px; }}
QMenu::item {{ padding: 7px 26px 7px 12px; border-radius: 6px; }}
QMenu::item:selected {{ background: {colours.hover}; }}
QMenu::item:disabled {{ color: {colours.dim}; }}
QMenu::separator {{ height: 1px; background: {colours.line}; margin: 5px 8px; }}
QLineEdit {{ background: {colours.ground}; border: 1px solid {colours.line}; border-radius: 8px; padding: 6px 10px;
    selection-background-color: {colours.hover}; selection-color: {colours.text}; }}
QLineEdit, QPlainTextEdit {{ placeholder-text-color: {colours.faint}; }}
QLineEdit:focus {{ border-color: {colours.info}; }}
QFrame#banner, QFrame#keys {{ background: {colours.veil}; border-radius: 12px; border: 1px solid {colours.line}; }}
QPushButton:focus {{ border-color: {colours.info}; }}
QLineEdit[wrong="true"] {{ border-color: {colours.error}; }}
QLineEdit:disabled {{ color: {colours.faint}; background: {colours.card}; }}
QLabel#small {{ color: {colours.dim}; font-size: 12px; }}
QLabel#wrong {{ color: {colours.error}; font-size: 12px; }}
QLabel#fine {{ color: {colours.good}; font-size: 12px; }}
{marks}
QLabel#step {{ color: {colours.info}; font-size: 11px; font-weight: 600; letter-spacing: 1px; }}
QFrame#sheet QScrollArea, QFrame#sheet QScrollArea > QWidget > QWidget {{ background: {colours.card}; border: none; }}
QProgressBar {{ background: {colours.raised}; border: none; border-radius: 4px; }}
QProgressBar::chunk {{ background: {colours.info}; border-radius: 4px; }}
QScrollBar:vertical {{ background: transparent; width: 8px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {colours.hover}; border-radius: 4px; min-height: 30px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
"""


def apply(application: QApplication, colours: Palette = DARK) -> None:
    """Style the application, and at once whatever it has open."""
    _colour(application, colours)
    if application.styleSheet():
        for widget in _polished(application):
            polish(widget)
    else:
        application.setStyle("Fusion")
        application.setFont(_font())
        application.setStyleSheet(style_sheet())


def restyle(application: QApplication, colours: Palette) -> None:
    """Change the colours of a styled application while its windows are open.

    Each widget takes about 0.1 ms of a slow processor and a window has hundreds, so they follow in turns of the event
    loop. Windows are painted once all that is seen of them has followed, area by area, since all of a window would take
    too long for one turn; what is out of sight follows after that.
    """
    global _change
    if _change is not None:
        _change.end()
    _colour(application, colours)
    _change = _Change(application)
    _change.go_on()


class _Change:
    """Polishes every widget again, :data:`WIDGETS_A_TURN` in a turn of the event loop, and paints what is seen."""

    def __init__(self, application: QApplication) -> None:
        self._application = application
        widgets = _polished(application)
        self._seen = [widget for widget in widgets if widget.isVisible()]
        self._unseen = [widget for widget in widgets if not widget.isVisible()]
        self._held = [window for window in application.topLevelWidgets() if window.isVisible()]
        for window in self._held:
            window.setUpdatesEnabled(False)
        self._areas: deque[tuple[QWidget, QRegion]] = deque()
        self._over = False

    def go_on(self) -> None:
        """Polish or paint the next ones, and leave the others to later turns."""
        if self._over:
            return
        if self._areas:
            self._paint()
        else:
            waiting = self._seen or self._unseen
            now, waiting[:] = waiting[:WIDGETS_A_TURN], waiting[WIDGETS_A_TURN:]
            for widget in now:
                if isValid(widget):
                    polish(widget)
            if not self._seen:
                self._areas += self._let_go()
        if self._seen or self._areas or self._unseen:
            # A function of its own: Qt for Python would not keep the object of a method alive.
            QTimer.singleShot(0, self._application, lambda: self.go_on())

    def end(self) -> None:
        """Leave the rest as it is: other colours follow."""
        self._over = True
        self._let_go()

    def _let_go(self) -> list[tuple[QWidget, QRegion]]:
        """Let the windows be painted again; return their areas, of which none has been painted yet.

        ``setUpdatesEnabled(True)`` would have all of a window painted in one turn.
        """
        held, self._held = [window for window in self._held if isValid(window)], []
        for window in held:
            window.setAttribute(Qt.WidgetAttribute.WA_ForceUpdatesDisabled, False)
            for widget in (window, *window.findChildren(QWidget)):
                widget.setAttribute(Qt.WidgetAttribute.WA_UpdatesDisabled, False)
        return [(window, area) for window in held for area in _areas(window)]

    def _paint(self) -> None:
        """Paint one area or more. At once: a request of Qt's that came while nothing was painted is lost, and with it
        all later ones.
        """
        until = time.perf_counter() + PAINT_SECONDS
        while self._areas:
            window, area = self._areas.popleft()
            if isValid(window):
                window.repaint(area)
            if time.perf_counter() >= until:
                return


def _areas(window: QWidget) -> list[QRegion]:
    """Return the areas of a window that are painted one after another: those of a few widgets each, and the rest."""
    seen = [widget for widget in window.findChildren(QWidget) if widget.isVisible() and widget.window() is window]
    inside: Counter[QWidget] = Counter()
    for widget in seen:
        above = widget.parentWidget()
        while above is not None:
            inside[above] += 1
            above = above.parentWidget()
    areas, rest = [], QRegion(window.rect())
    for widget in seen:
        above = widget.parentWidget()
        if inside[widget] < WIDGETS_AN_AREA and (above is None or inside[above] >= WIDGETS_AN_AREA):
            area = QRegion(QRect(widget.mapTo(window, QPoint()), widget.size())).intersected(rest)
            if not area.isEmpty():
                areas.append(area)
                rest -= area
    return [*areas, rest]


def _polished(application: QApplication) -> list[QWidget]:
    """Return the widgets that have a style already, parents first; others get theirs when they are shown."""
    found = []
    for window in application.topLevelWidgets():
        if window.parent() is None:
            found += [window, *window.findChildren(QWidget)]
    return [widget for widget in found if widget.testAttribute(Qt.WidgetAttribute.WA_WState_Polished)]


def polish(widget: QWidget) -> None:
    """Have a widget ask the style sheet again: its name, its properties or the application's palette have changed."""
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)
    widget.update()


def _colour(application: QApplication, colours: Palette) -> None:
    global _current
    _current = colours
    inks = {name: getattr(colours, name) for name in _ROLES.keys() - colours.tones.keys()} | dict(colours.tones)
    roles = QPalette()
    for name, (role, _) in _ROLES.items():
        roles.setColor(role, QColor(inks[name]))
    for role, name in _MORE_ROLES.items():
        roles.setColor(role, QColor(inks[name]))
    application.setPalette(roles)
    QPixmapCache.clear()  # it keeps icons by the palette that they were painted with, up to 10 MiB of them


def _font() -> QFont:
    """Return the system's own interface font; on Linux the best of the usual ones."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if sys.platform.startswith("linux"):
        present = set(QFontDatabase.families())
        font = QFont(next((family for family in LINUX_FAMILIES if family in present), font.family()))
    font.setPixelSize(13)
    return font


def figures(pixels: int, weight: QFont.Weight = QFont.Weight.Medium) -> QFont:
    """Return a font whose digits are equally wide, so that changing numbers do not shift."""
    font = QFont(QApplication.font())
    font.setPixelSize(pixels)
    font.setWeight(weight)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
