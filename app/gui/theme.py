"""Colours, type and the style sheet of the window: dark and calm, so that the video dominates."""

from __future__ import annotations

import sys

from PySide6.QtGui import QColor, QFont, QFontDatabase, QPalette
from PySide6.QtWidgets import QApplication

from app.pipeline.frame import COLD, RWR

STAGE = "#07090c"
GROUND = "#0e1116"
CARD = "#161a21"
RAISED = "#20262f"
HOVER = "#2a313c"
LINE = "#262d37"
TEXT = "#e8ecf1"
DIM = "#8d97a5"
FAINT = "#5c6673"
RECORD = "#ff5a5f"
DEMO = "#ffc24b"

MODE_COLOURS: dict[str, str] = {RWR: "#5ee2ac", COLD: "#93a5ff"}
TONE_COLOURS: dict[str, str] = {"info": "#7cc0ff", "good": "#5ee2ac", "error": "#ff8f70"}

LINUX_FAMILIES = ("Inter", "Cantarell", "Ubuntu", "Noto Sans", "DejaVu Sans")

STYLE = f"""
QWidget {{ color: {TEXT}; font-size: 13px; }}
QMainWindow, QWidget#ground {{ background: {GROUND}; }}
QScrollArea, QScrollArea > QWidget > QWidget#panel {{ background: {GROUND}; border: none; }}
QFrame#card {{ background: {CARD}; border-radius: 12px; }}
QWidget#bar {{ background: {GROUND}; }}
QLabel {{ background: transparent; }}
QLabel#title {{ font-size: 17px; font-weight: 600; }}
QLabel#dim, QLabel#name {{ color: {DIM}; font-size: 12px; }}
QLabel#value {{ color: {TEXT}; font-size: 12px; }}
QLabel#heading {{ color: {DIM}; font-size: 11px; font-weight: 600; letter-spacing: 1px; }}
QLabel#key {{ color: {DIM}; background: {RAISED}; border-radius: 4px; padding: 1px 6px; font-size: 11px; }}
QLabel#verdict {{ color: {TEXT}; font-size: 12px; font-weight: 500; }}
QToolTip {{ background: {RAISED}; color: {TEXT}; border: 1px solid {LINE}; padding: 5px 7px; font-size: 12px; }}
QPushButton {{ background: {RAISED}; border: none; border-radius: 9px; padding: 0 14px; min-height: 36px;
    font-weight: 500; }}
QPushButton:hover {{ background: {HOVER}; }}
QPushButton:pressed {{ background: {LINE}; }}
QPushButton:disabled {{ color: {FAINT}; background: {CARD}; }}
QPushButton:checked {{ background: {HOVER}; color: {TEXT}; }}
QPushButton#record:checked {{ background: {RECORD}; color: #1b0506; }}
QPushButton::menu-indicator {{ image: none; width: 0; }}
QPushButton#quiet {{ background: transparent; min-height: 28px; padding: 0 8px; }}
QPushButton#quiet:hover {{ background: {HOVER}; }}
QPushButton#offer {{ min-height: 30px; border-radius: 8px; background: {HOVER}; padding: 0 12px; font-size: 12px; }}
QPushButton#offer:hover {{ background: #36404e; }}
QMenu {{ background: {RAISED}; border: 1px solid {LINE}; border-radius: 8px; padding: 6px; }}
QMenu::item {{ padding: 7px 26px 7px 12px; border-radius: 6px; }}
QMenu::item:selected {{ background: {HOVER}; }}
QMenu::item:disabled {{ color: {DIM}; }}
QMenu::separator {{ height: 1px; background: {LINE}; margin: 5px 8px; }}
QLineEdit {{ background: {GROUND}; border: 1px solid {LINE}; border-radius: 8px; padding: 6px 10px;
    selection-background-color: {HOVER}; }}
QLineEdit:focus {{ border-color: {TONE_COLOURS["info"]}; }}
QFrame#banner, QFrame#keys {{ background: rgba(24, 29, 37, 240); border-radius: 12px; border: 1px solid {LINE}; }}
QScrollBar:vertical {{ background: transparent; width: 8px; margin: 0; }}
QScrollBar::handle:vertical {{ background: {HOVER}; border-radius: 4px; min-height: 30px; }}
QScrollBar::add-line, QScrollBar::sub-line {{ height: 0; }}
"""


def dress(application: QApplication) -> None:
    """Give the application its look."""
    application.setStyle("Fusion")
    application.setFont(_font())
    palette = QPalette()
    for role, colour in (
        (QPalette.ColorRole.Window, GROUND),
        (QPalette.ColorRole.Base, CARD),
        (QPalette.ColorRole.Button, RAISED),
        (QPalette.ColorRole.WindowText, TEXT),
        (QPalette.ColorRole.Text, TEXT),
        (QPalette.ColorRole.ButtonText, TEXT),
        (QPalette.ColorRole.ToolTipBase, RAISED),
        (QPalette.ColorRole.ToolTipText, TEXT),
        (QPalette.ColorRole.PlaceholderText, FAINT),
        (QPalette.ColorRole.Highlight, HOVER),
    ):
        palette.setColor(role, QColor(colour))
    application.setPalette(palette)
    application.setStyleSheet(STYLE)


def _font() -> QFont:
    """Return the system's own interface font; on Linux the best of the usual ones."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.GeneralFont)
    if sys.platform.startswith("linux"):
        present = set(QFontDatabase.families())
        font = QFont(next((family for family in LINUX_FAMILIES if family in present), font.family()))
    font.setPixelSize(13)
    return font


def figures(pixels: int, weight: QFont.Weight = QFont.Weight.Medium) -> QFont:
    """Return a font whose digits are equally wide, so that numbers that change do not dance."""
    font = QFont(QApplication.font())
    font.setPixelSize(pixels)
    font.setWeight(weight)
    font.setFeature(QFont.Tag("tnum"), 1)
    return font
