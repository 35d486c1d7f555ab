"""Fonts, the style sheet, and the palette in force."""

from __future__ import annotations

import sys

from PySide6.QtCore import Qt, QTimer
from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette, QPixmapCache
from PySide6.QtWidgets import QApplication, QMainWindow, QStackedWidget, QWidget

from app.gui.presenters.palettes import DARK, Palette

LINUX_FAMILIES = ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "DejaVu Sans")

BETWEEN_PAGES_MS = 40
"""By then the page in view has been painted in its new colours, which takes as long as a restyled page does."""

_current = DARK


def palette() -> Palette:
    """Return the colours in force. Ask when painting and do not cache them: the theme may change at any time."""
    return _current


def style_sheet(colours: Palette) -> str:
    """Return the style sheet of the application in these colours."""
    marks = "".join(
        f"QLabel#{tone}-mark {{ background: {colour}; border-radius: 4px; }}" for tone, colour in colours.tones.items()
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
QLineEdit:focus {{ border-color: {colours.tones["info"]}; }}
QFrame#banner, QFrame#keys {{ background: {colours.veil}; border-radius: 12px; border: 1px solid {colours.line}; }}
QPushButton:focus {{ border-color: {colours.tones["info"]}; }}
QLineEdit[wrong="true"] {{ border-color: {colours.tones["error"]}; }}
QLineEdit:disabled {{ color: {colours.faint}; background: {colours.card}; }}
QLabel#small {{ color: {colours.dim}; font-size: 12px; }}
QLabel#wrong {{ color: {colours.tones["error"]}; font-size: 12px; }}
QLabel#fine {{ color: {colours.tones["good"]}; font-size: 12px; }}
{marks}
QLabel#step {{ color: {colours.tones["info"]}; font-size: 11px; font-weight: 600; letter-spacing: 1px; }}
QFrame#sheet QScrollArea, QFrame#sheet QScrollArea > QWidget > QWidget {{ background: {colours.card}; border: none; }}
QScrollBar:vertical {{ background: transparent; width: 8px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {colours.hover}; border-radius: 4px; min-height: 30px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
"""


def apply(application: QApplication, colours: Palette = DARK) -> None:
    """Style the application before it has windows."""
    if not application.styleSheet():
        application.setStyle("Fusion")
        application.setFont(_font())
    _colour(application, colours)
    application.setStyleSheet(style_sheet(colours))


def restyle(application: QApplication, colours: Palette) -> None:
    """Change the colours of a styled application while its windows are open.

    The application's own style sheet would take 0.13 s of a slow processor, one on the live window 0.06, and one on
    the page in view 0.03. Pages that are out of sight follow, one at a time, so that the window's thread is free in
    between.
    """
    _colour(application, colours)
    for window in application.topLevelWidgets():
        if window.windowType() in (Qt.WindowType.Window, Qt.WindowType.Dialog):
            hidden = []
            for part in _parts(window):
                part.setAttribute(Qt.WidgetAttribute.WA_StyledBackground)  # the window behind it stays as it was
                if part is window or part.isVisibleTo(window):
                    _follow(part)
                else:
                    hidden.append(part)
            _follow_later(hidden)


def _follow(part: QWidget) -> None:
    """Give a page the colours in force, which may have changed again while it waited."""
    sheet = style_sheet(_current)
    if part.styleSheet() != sheet:
        part.setStyleSheet(sheet)


def _follow_later(parts: list[QWidget]) -> None:
    """Give each page the colours in force in a turn of its own, however late the turns come."""

    def follow_first() -> None:
        _follow(parts[0])
        _follow_later(parts[1:])

    if parts:
        QTimer.singleShot(BETWEEN_PAGES_MS, parts[0], follow_first)


def _parts(window: QWidget) -> list[QWidget]:
    """Return a window's pages; of a window without pages itself."""
    pages = window.centralWidget() if isinstance(window, QMainWindow) else None
    if not isinstance(pages, QStackedWidget):
        return [window]
    return [page for page in map(pages.widget, range(pages.count())) if page is not None]


def _colour(application: QApplication, colours: Palette) -> None:
    global _current
    _current = colours
    roles = QPalette()
    for role, colour in (
        (QPalette.ColorRole.Window, colours.ground),
        (QPalette.ColorRole.Base, colours.card),
        (QPalette.ColorRole.Button, colours.raised),
        (QPalette.ColorRole.WindowText, colours.text),
        (QPalette.ColorRole.Text, colours.text),
        (QPalette.ColorRole.ButtonText, colours.text),
        (QPalette.ColorRole.ToolTipBase, colours.raised),
        (QPalette.ColorRole.ToolTipText, colours.text),
        (QPalette.ColorRole.PlaceholderText, colours.faint),
        (QPalette.ColorRole.Highlight, colours.hover),
        (QPalette.ColorRole.HighlightedText, colours.text),
    ):
        roles.setColor(role, QColor(colour))
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
