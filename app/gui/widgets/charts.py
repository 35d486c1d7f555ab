"""What charts are drawn from: bars by region, curves, colour scales, and lines of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPolygonF

from app.core.runs import runs
from app.gui.presenters.colour_scale import LEVELS, Colours
from app.gui.presenters.palettes import Palette
from app.gui.presenters.scale import round_up
from app.gui.theme import theme
from app.gui.widgets.drawing import AT_LEFT, AT_RIGHT, draw_plate
from model.topology import REGIONS

BAR_GAP = 3.0

BOLD, NORMAL = QFont.Weight.DemiBold, QFont.Weight.Normal


@dataclass(frozen=True, slots=True)
class Series:
    """One row of bars: a mode of a card.

    Attributes:
        name: for the legend.
        colour: of its bars.
        values: one per region.
        pale: drawn as the one that is compared with.
    """

    name: str
    colour: str
    values: tuple[float, ...]
    pale: bool = False


def write(
    painter: QPainter,
    box: QRectF,
    text: str,
    colour: str,
    size: int = 13,
    weight: QFont.Weight = NORMAL,
    align: Qt.AlignmentFlag = AT_LEFT,
) -> float:
    """Write one line into a box, shortened where it is too long; return the width it took."""
    painter.setFont(theme.figures(size, weight))
    painter.setPen(QColor(colour))
    metrics = QFontMetricsF(painter.font())
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    painter.drawText(box, align, shown)
    return metrics.horizontalAdvance(shown)


def decimals(values: Iterable[float]) -> int:
    """Return how many decimals suit figures in % that stand side by side."""
    smallest = min(values)
    return 3 if smallest < 0.1 else 2 if smallest < 10 else 1


def draw_bars(painter: QPainter, box: QRectF, series: Sequence[Series], palette: Palette) -> None:
    """Draw a line per region with a bar per series, all on one scale."""
    top = round_up(max(max(one.values) for one in series)) or 1.0
    places = decimals(value for one in series for value in one.values)
    row = box.height() / len(REGIONS)
    thick = min(12.0, (row - 10) / len(series) - BAR_GAP)
    first, figures = box.left() + 88, 54.0
    room = box.right() - figures - first
    for number, region in enumerate(REGIONS):
        y = box.top() + number * row
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(*region.colour) if palette.name == "dark" else QColor(*region.colour).darker(125))
        painter.drawEllipse(QPointF(box.left() + 4, y + row / 2), 4, 4)
        write(painter, QRectF(box.left() + 16, y, 70, row), region.name.capitalize(), palette.text, 13)
        height = len(series) * thick + (len(series) - 1) * BAR_GAP
        for place, one in enumerate(series):
            line = QRectF(first, y + (row - height) / 2 + place * (thick + BAR_GAP), room, thick)
            _bar(painter, line, one, one.values[number] / top, palette)
            figure = QRectF(box.right() - figures, line.center().y() - 8, figures, 16)
            text = f"{one.values[number]:.{places}f}"
            write(painter, figure, text, palette.text, 12 if thick > 10 else 11, align=AT_RIGHT)


def _bar(painter: QPainter, box: QRectF, series: Series, share: float, palette: Palette) -> None:
    radius = box.height() / 2
    draw_plate(painter, box, QColor(palette.raised), radius)
    colour = QColor(series.colour)
    if series.pale:
        colour.setAlphaF(0.45)
    painter.setBrush(colour)
    length = max(box.height(), box.width() * min(1.0, share))
    painter.drawRoundedRect(QRectF(box.left(), box.top(), length, box.height()), radius, radius)


def draw_legend(painter: QPainter, box: QRectF, series: Sequence[Series], palette: Palette) -> None:
    """Name the series, from the right end of the box."""
    right = box.right()
    for one in reversed(series):
        width = QFontMetricsF(theme.figures(12, NORMAL)).horizontalAdvance(one.name)
        write(painter, QRectF(right - width - 1, box.top(), width + 2, box.height()), one.name, palette.dim, 12)
        colour = QColor(one.colour)
        colour.setAlphaF(0.45 if one.pale else 1.0)
        draw_plate(painter, QRectF(right - width - 19, box.center().y() - 4, 12, 8), colour, 4)
        right -= width + 36


def draw_curve(painter: QPainter, x: NDArray[np.floating], y: NDArray[np.floating]) -> None:
    """Draw a line through points (n,), (n,) in view units with the painter's pen; NaN in ``y`` leaves a gap."""
    for start, end in runs(np.isfinite(y)).tolist():
        points = zip(x[start:end].tolist(), y[start:end].tolist(), strict=True)
        painter.drawPolyline(QPolygonF([QPointF(*point) for point in points]))


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
    draw_plate(painter, bar, gradient, BAR_HEIGHT / 2)
    painter.setPen(QColor(theme.palette().dim))
    painter.setFont(theme.figures(10, QFont.Weight.Normal))
    for place, text in ticks:
        around = QRectF(left + place * width - 30, bar.bottom() + 1, 60, TICK_HEIGHT)
        painter.drawText(around, Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop, text)
