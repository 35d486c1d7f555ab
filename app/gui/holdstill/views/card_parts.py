"""The pieces that report cards are drawn from: panels, texts, bars by region, a face with coloured points."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QLinearGradient, QPainter, QPen, QPolygonF

from app.gui.live.presenters.heatmap import HEAT_COLOURS, LEVELS
from app.gui.presenters.canonical_face import canonical_face
from app.gui.presenters.scale import round_up
from app.gui.theme import theme
from app.gui.theme.palettes import Palette
from model.topology import REGIONS

WIDTH, HEIGHT = 1200, 800
MARGIN = 44
RADIUS = 14
BAR_GAP = 3.0

LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRE = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter

LOWEST, HIGHEST = 0.02, 2.0
"""Ends of the colour scale of single points in %, logarithmic and the same on every card: from what the meter reads on
a face that keeps quite still to what plainly dances."""
TICKS = (0.02, 0.2, 2.0)

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
    align: Qt.AlignmentFlag = LEFT,
) -> float:
    """Write one line into a box, shortened where it is too long; return the width it took."""
    painter.setFont(theme.figures(size, weight))
    painter.setPen(QColor(colour))
    metrics = QFontMetricsF(painter.font())
    shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, box.width())
    painter.drawText(box, align, shown)
    return metrics.horizontalAdvance(shown)


def heading(painter: QPainter, box: QRectF, text: str, palette: Palette) -> None:
    """Write a small heading in spaced capitals."""
    font = theme.figures(11, BOLD)
    font.setLetterSpacing(QFont.SpacingType.AbsoluteSpacing, 1.1)
    painter.setFont(font)
    painter.setPen(QColor(palette.dim))
    painter.drawText(box, LEFT, text.upper())


def panel(painter: QPainter, box: QRectF, palette: Palette) -> None:
    """Fill a rounded panel."""
    painter.setPen(QPen(QColor(palette.line), 1.0) if palette.name == "light" else Qt.PenStyle.NoPen)
    painter.setBrush(QColor(palette.card))
    painter.drawRoundedRect(box, RADIUS, RADIUS)


def note(painter: QPainter, box: QRectF, text: str, palette: Palette) -> None:
    """Write a sentence that should not be missed, with a mark before it."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(palette.demo))
    painter.drawEllipse(QPointF(box.left() + 4, box.center().y()), 4, 4)
    write(painter, box.adjusted(18, 0, 0, 0), text, palette.demo, 14, BOLD)


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
            write(painter, figure, text, palette.text, 12 if thick > 10 else 11, align=RIGHT)


def _bar(painter: QPainter, box: QRectF, series: Series, share: float, palette: Palette) -> None:
    radius = box.height() / 2
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(palette.raised))
    painter.drawRoundedRect(box, radius, radius)
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
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawRoundedRect(QRectF(right - width - 19, box.center().y() - 4, 12, 8), 4, 4)
        right -= width + 36


def draw_face(painter: QPainter, box: QRectF, values: Sequence[float], palette: Palette) -> None:
    """Draw a face that belongs to nobody with 98 points coloured and sized by their flicker in %."""
    face = canonical_face()
    low, high = face.min(axis=0), face.max(axis=0)
    scale = min(box.width() / (high - low)[0], box.height() / (high - low)[1])
    points = (face - (low + high) / 2) * scale + (box.center().x(), box.center().y())
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(palette.faint), 1.0))
    for region in REGIONS:
        for path in region.paths:
            painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points[list(path)].tolist()]))
    places = np.clip(np.log(np.maximum(values, 1e-6) / LOWEST) / np.log(HIGHEST / LOWEST), 0.0, 1.0)
    painter.setPen(QPen(QColor(0, 0, 0, 110), 0.7))
    unit = scale / 130
    for (x, y), place in zip(points.tolist(), places.tolist(), strict=True):
        painter.setBrush(heat(place))
        radius = unit * (2.2 + 2.6 * place)
        painter.drawEllipse(QPointF(x, y), radius, radius)


def heat(place: float) -> QColor:
    """Return the colour at a place of the scale, 0 to 1."""
    red, green, blue = HEAT_COLOURS[min(LEVELS - 1, int(place * LEVELS))].tolist()
    return QColor(red, green, blue)


def draw_scale(painter: QPainter, box: QRectF, palette: Palette) -> None:
    """Draw the colour scale of single points with its figures."""
    bar = QRectF(box.left() + 20, box.top(), box.width() - 40, 7)
    gradient = QLinearGradient(bar.topLeft(), bar.topRight())
    for step in range(11):
        gradient.setColorAt(step / 10, heat(step / 10))
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(gradient)
    painter.drawRoundedRect(bar, 3.5, 3.5)
    for tick in TICKS:
        place = float(np.log(tick / LOWEST) / np.log(HIGHEST / LOWEST))
        around = QRectF(bar.left() + place * bar.width() - 30, bar.bottom() + 3, 60, 14)
        write(painter, around, f"{tick:g} %", palette.dim, 11, align=CENTRE)
