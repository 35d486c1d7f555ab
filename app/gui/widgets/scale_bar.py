"""The legend of a heat map: its colours in a row, with what they stand for below."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QFont, QLinearGradient, QPainter

from app.gui.presenters.colour_scale import LEVELS, Colours
from app.gui.theme import theme

BAR_HEIGHT = 7.0
TICK_HEIGHT = 15.0
STOPS = range(0, LEVELS, 7)


def draw_scale_bar(
    painter: QPainter, left: float, top: float, width: float, colours: Colours, ticks: Sequence[tuple[float, str]]
) -> None:
    """Draw the row of ``colours`` (64, 3) from ``left`` on, with ``ticks`` (place from 0 to 1, text) below it."""
    bar = QRectF(left, top, width, BAR_HEIGHT)
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for level in STOPS:
        gradient.setColorAt(level / (LEVELS - 1), QColor(*colours[level].tolist()))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawRoundedRect(bar, BAR_HEIGHT / 2, BAR_HEIGHT / 2)
    painter.setPen(QColor(theme.palette().dim))
    painter.setFont(theme.figures(10, QFont.Weight.Normal))
    for place, text in ticks:
        around = QRectF(left + place * width - 30, bar.bottom() + 1, 60, TICK_HEIGHT)
        painter.drawText(around, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, text)
