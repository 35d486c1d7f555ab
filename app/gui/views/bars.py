"""Flicker by region: one line per region, one bar per mode."""

from __future__ import annotations

import math

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui import theme
from app.gui.presenters.flicker import MODES, FlickerView
from app.gui.presenters.scale import GrowingScale
from model.topology import REGIONS

LINE_HEIGHT = 19
NAME_WIDTH = 66
FIGURE_WIDTH = 38


class RegionBars(QWidget):
    """The last 5 seconds per region; both modes share one scale."""

    def __init__(self) -> None:
        super().__init__()
        self._view = FlickerView()
        self._scale = GrowingScale(floor=0.5)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Flicker of each region over the last 5 s; the figure is the larger bar's")

    def sizeHint(self) -> QSize:
        """One line per region."""
        return QSize(260, LINE_HEIGHT * len(REGIONS))

    def show_flicker(self, flicker: FlickerView) -> None:
        """Show the regions of both modes."""
        self._view = flicker
        self._scale.see(max((value for mode in MODES for value in self._values(mode)), default=0.0))
        self.update()

    def _values(self, mode: str) -> tuple[float, ...]:
        return tuple(value for value in self._view.modes[mode].regions or () if math.isfinite(value))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint every region's line."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        for row, region in enumerate(REGIONS):
            top = row * LINE_HEIGHT
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(*region.colour))
            painter.drawEllipse(QRectF(0, top + LINE_HEIGHT / 2 - 3, 6, 6))
            painter.setPen(QColor(theme.palette().dim))
            painter.setFont(theme.figures(12, QFont.Weight.Normal))
            middle = Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(13, top, NAME_WIDTH, LINE_HEIGHT), middle, region.name.capitalize())
            self._paint_bars(painter, top, row)

    def _paint_bars(self, painter: QPainter, top: float, row: int) -> None:
        shown: list[tuple[str, float]] = []
        for mode in MODES:
            regions = self._view.modes[mode].regions
            if regions is not None and math.isfinite(regions[row]):
                shown.append((mode, regions[row]))
        room = self.width() - NAME_WIDTH - FIGURE_WIDTH - 13
        height = 4.0 if len(shown) > 1 else 6.0
        first = top + (LINE_HEIGHT - (height * len(shown) + 2 * (len(shown) - 1))) / 2
        painter.setPen(Qt.PenStyle.NoPen)
        if not shown:
            painter.setBrush(QColor(theme.palette().raised))
            painter.drawRoundedRect(QRectF(NAME_WIDTH + 13, top + LINE_HEIGHT / 2 - 2, room, 4), 2, 2)
            return
        for number, (mode, value) in enumerate(shown):
            y = first + number * (height + 2)
            painter.setBrush(QColor(theme.palette().raised))
            painter.drawRoundedRect(QRectF(NAME_WIDTH + 13, y, room, height), height / 2, height / 2)
            painter.setBrush(QColor(theme.palette().modes[mode]))
            width = max(height, room * min(1.0, value / self._scale.top))
            painter.drawRoundedRect(QRectF(NAME_WIDTH + 13, y, width, height), height / 2, height / 2)
        painter.setPen(QColor(theme.palette().text))
        painter.setFont(theme.figures(11))
        figure = QRectF(self.width() - FIGURE_WIDTH, top, FIGURE_WIDTH, LINE_HEIGHT)
        alignment = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignRight
        painter.drawText(figure, alignment, f"{max(value for _, value in shown):.2f}")
