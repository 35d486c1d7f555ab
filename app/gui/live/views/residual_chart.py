"""The residual of every evaluation: the newest frame's, and where those of the last seconds lie."""

from __future__ import annotations

import math

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.core.modes import MODE_NAMES
from app.gui.live.presenters.residuals import WINDOW_SECONDS, Residuals
from app.gui.live.presenters.solver import SolverView
from app.gui.live.presenters.solver_readouts import residual_axis
from app.gui.theme import theme

LEFT, BOTTOM, TOP = 38.0, 30.0, 20.0
WIDEST_BAND = 16.0
DOT = 4.0
FEWEST_COLUMNS = 3


class ResidualChart(QWidget):
    """One column per evaluation, one band and dot per way to solve, on a logarithmic axis."""

    def __init__(self) -> None:
        super().__init__()
        self._residuals: tuple[Residuals, ...] = ()
        self._settled = 0.0
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(140, 120)
        self.setAccessibleName("Residual by evaluation")
        self.setToolTip(
            "How far f(z) is from z after each evaluation, relative. Dot: the newest frame. "
            f"Band: 10 to 90 % of the frames of the last {WINDOW_SECONDS:g} s, with the median; pale where only few "
            "frames went that far. Dashed: RwR stops below this."
        )

    def sizeHint(self) -> QSize:
        """Room for three evaluations."""
        return QSize(260, 190)

    def show_view(self, view: SolverView) -> None:
        """Show the newest residuals."""
        self._residuals = view.residuals
        self._settled = view.settings.settled if view.rwr else 0.0
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint axis, bands and dots."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        low, high = residual_axis(self._residuals)
        plot = QRectF(LEFT, TOP, self.width() - LEFT - 6, self.height() - TOP - BOTTOM)
        columns = max([FEWEST_COLUMNS, *(len(own.spread) for own in self._residuals)])

        def height_of(value: float) -> float:
            share = math.log(min(max(value, low), high) / low) / math.log(high / low)
            return plot.bottom() - share * plot.height()

        self._paint_axis(painter, plot, columns, low, high)
        if low < self._settled < high:
            pen = QPen(QColor(theme.palette().faint), 1, Qt.PenStyle.DashLine)
            painter.setPen(pen)
            y = height_of(self._settled)
            painter.drawLine(QLineF(plot.left(), y, plot.right(), y))
        band_width = min(WIDEST_BAND, plot.width() / columns / 2.6)
        for number, own in enumerate(self._residuals):
            shift = (number - (len(self._residuals) - 1) / 2) * band_width * 1.3
            colour = QColor(theme.palette().modes[own.mode])
            for column in range(len(own.spread)):
                x = plot.left() + (column + 0.5) * plot.width() / columns + shift
                first, median, last = (height_of(value) for value in own.spread[column].tolist())
                band = QColor(colour)
                band.setAlphaF(0.12 + 0.33 * float(own.share[column]))
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(band)
                painter.drawRoundedRect(QRectF(x - band_width / 2, last - 2, band_width, first - last + 4), 4, 4)
                painter.setBrush(colour)
                painter.drawRect(QRectF(x - band_width / 2, median - 0.75, band_width, 1.5))
                if column < len(own.newest) and math.isfinite(own.newest[column]):
                    painter.drawEllipse(QPointF(x, height_of(own.newest[column])), DOT, DOT)
        self._paint_names(painter)

    def _paint_axis(self, painter: QPainter, plot: QRectF, columns: int, low: float, high: float) -> None:
        colours = theme.palette()
        painter.setFont(theme.figures(10, QFont.Weight.Normal))
        decades = round(math.log10(high / low))
        for decade in range(decades + 1):
            y = plot.bottom() - decade / decades * plot.height()
            painter.setPen(QColor(colours.line))
            painter.drawLine(QLineF(plot.left(), y, plot.right(), y))
            painter.setPen(QColor(colours.faint))
            right = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
            painter.drawText(QRectF(0, y - 8, LEFT - 7, 16), right, f"{low * 10**decade:.3g}")
        centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop
        for column in range(columns):
            x = plot.left() + (column + 0.5) * plot.width() / columns
            painter.drawText(QRectF(x - 20, plot.bottom() + 3, 40, 14), centre, str(column + 1))
        painter.drawText(QRectF(plot.left(), plot.bottom() + 15, plot.width(), 14), centre, "evaluation")

    def _paint_names(self, painter: QPainter) -> None:
        painter.setFont(theme.figures(11))
        x = LEFT
        for own in self._residuals:
            name = MODE_NAMES[own.mode]
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(QColor(theme.palette().modes[own.mode]))
            painter.drawRoundedRect(QRectF(x, 3, 4, 11), 2, 2)
            painter.setPen(QColor(theme.palette().dim))
            painter.drawText(QPointF(x + 9, 13), name)
            x += painter.fontMetrics().horizontalAdvance(name) + 26
