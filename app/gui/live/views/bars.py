"""Flicker by region: one line per region, one bar per mode."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui.live.presenters.flicker import FlickerView
from app.gui.presenters.scale import GrowingScale
from app.gui.theme import theme
from model.topology import REGIONS

LINE_HEIGHT = 19
NAME_WIDTH = 66
FIGURE_WIDTH = 38
DECIMALS = 2

Shown = tuple[tuple[tuple[str, float], ...], ...]
"""By region, the modes that have a value, with it."""


class RegionBars(QWidget):
    """The last 5 seconds per region; both modes share one scale."""

    def __init__(self) -> None:
        super().__init__()
        self._shown: Shown = ((),) * len(REGIONS)
        self._scale = GrowingScale(floor=0.5)
        self._top = self._scale.top
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Flicker of each region over the last 5 s; the figure is the larger bar's")

    def sizeHint(self) -> QSize:
        """One line per region."""
        return QSize(260, LINE_HEIGHT * len(REGIONS))

    def show_flicker(self, flicker: FlickerView) -> None:
        """Show the regions of the pair's modes."""
        regions = {mode: flicker.modes[mode].regions for mode in flicker.pair}
        shown: Shown = tuple(
            tuple(
                (mode, round(values[row], DECIMALS))
                for mode, values in regions.items()
                if values is not None and math.isfinite(values[row])
            )
            for row in range(len(REGIONS))
        )
        top = self._scale.see(max((value for row in shown for _, value in row), default=0.0), flicker.now)
        if (shown, top) != (self._shown, self._top):
            self._shown, self._top = shown, top
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint every region's line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setFont(theme.figures(12, QFont.Weight.Normal))
        for row, region in enumerate(REGIONS):
            top = row * LINE_HEIGHT
            painter.setPen(QColor(theme.palette().faint))  # a rim: the pupils' white would vanish on a white card
            painter.setBrush(QColor(*region.colour))
            painter.drawEllipse(QRectF(0, top + LINE_HEIGHT / 2 - 3, 6, 6))
            painter.setPen(QColor(theme.palette().dim))
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(13, top, NAME_WIDTH, LINE_HEIGHT), middle, region.name.capitalize())
        painter.setFont(theme.figures(11))
        for row, values in enumerate(self._shown):
            self._paint_bars(painter, row * LINE_HEIGHT, values)

    def _paint_bars(self, painter: QPainter, top: float, values: tuple[tuple[str, float], ...]) -> None:
        room = self.width() - NAME_WIDTH - FIGURE_WIDTH - 13
        left = NAME_WIDTH + 13
        colours = theme.palette()
        height = 4.0 if len(values) > 1 else 6.0
        first = top + (LINE_HEIGHT - (height * len(values) + 2 * (len(values) - 1))) / 2
        painter.setPen(Qt.PenStyle.NoPen)
        if not values:
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(QRectF(left, top + LINE_HEIGHT / 2 - 2, room, 4), 2, 2)
            return
        for number, (mode, value) in enumerate(values):
            y = first + number * (height + 2)
            painter.setBrush(QColor(colours.raised))
            painter.drawRoundedRect(QRectF(left, y, room, height), height / 2, height / 2)
            painter.setBrush(QColor(colours.modes[mode]))
            width = max(height, room * min(1.0, value / self._top))
            painter.drawRoundedRect(QRectF(left, y, width, height), height / 2, height / 2)
        painter.setPen(QColor(colours.text))
        figure = QRectF(self.width() - FIGURE_WIDTH, top, FIGURE_WIDTH, LINE_HEIGHT)
        alignment = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(figure, alignment, f"{max(value for _, value in values):.{DECIMALS}f}")
