"""The solver panel: what RwR spends and saves, why it starts cold, and the two sliders that set it."""

from __future__ import annotations

import math

from PySide6.QtCore import QLineF, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen, QResizeEvent
from PySide6.QtWidgets import (
    QFrame,
    QLayout,
    QPlainTextEdit,
    QSizePolicy,
    QWidget,
)

from app.core.modes import MODE_NAMES
from app.core.presets import PRESETS
from app.gui.live.presenters.solver import WINDOW_SECONDS, Residuals, SolverView
from app.gui.live.presenters.solver_readouts import (
    BUDGET_HELP,
    BUDGETS,
    WEIGHT_HELP,
    WEIGHT_STEPS,
    is_default,
    power_of_ten,
    preset_name,
    reset_lines,
    residual_axis,
    solver_rows,
    step_of,
    weight_at,
)
from app.gui.presenters.options import Option
from app.gui.theme import theme
from app.gui.widgets.controls import label
from app.gui.widgets.drawing import AT_RIGHT, draw_plate, smooth_painter
from app.gui.widgets.layouts import fill, in_column, in_row
from app.gui.widgets.page_button import PageButton
from app.gui.widgets.segments import Segments
from app.gui.widgets.slider import SliderRow
from app.gui.widgets.table import RowTable
from model.rwr.settings import RwrSettings

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
        painter = smooth_painter(self)
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
                draw_plate(painter, QRectF(x - band_width / 2, last - 2, band_width, first - last + 4), band, 4)
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
            painter.drawText(QRectF(0, y - 8, LEFT - 7, 16), AT_RIGHT, power_of_ten(round(math.log10(low)) + decade))
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
            draw_plate(painter, QRectF(x, 3, 4, 11), QColor(theme.palette().modes[own.mode]), 2)
            painter.setPen(QColor(theme.palette().dim))
            painter.drawText(QPointF(x + 9, 13), name)
            x += painter.fontMetrics().horizontalAdvance(name) + 26


CONTROLS_WIDTH, CHART_WIDTH, FIGURES_WIDTH = 200, 150, 230
SPACING = 18
_WITH_CHART = CONTROLS_WIDTH + SPACING + CHART_WIDTH
SOLVER_WIDTHS = (_WITH_CHART + SPACING + FIGURES_WIDTH, _WITH_CHART, CONTROLS_WIDTH)
"""Least widths of the panel with all its columns, with sliders and chart, and with the sliders alone."""
VALUE_WIDTH = 148
LEAST_SECONDS = 0.09
"""The chart need not update faster than it can be read."""

PRESET_OPTIONS = tuple(Option(preset.name, preset.label, preset.help) for preset in PRESETS)
DEFAULTS = RwrSettings()


class SolverPanel(QWidget):
    """Sliders and presets on the left, residuals in the middle, figures and the reset log on the right.

    Where there is no room for all, the sliders stay longest.

    Signals:
        weight_changed: the recurrence weight that the user chose.
        budget_changed: the most evaluations of a warm frame that the user chose.
        preset_chosen: a preset's name.
    """

    weight_changed = Signal(float)
    budget_changed = Signal(int)
    preset_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._shown = -math.inf
        self.presets = Segments("Preset of RwR")
        self.presets.chosen.connect(self.preset_chosen)
        self.weight = SliderRow(
            "Recurrence weight",
            WEIGHT_HELP,
            (0, WEIGHT_STEPS),
            step_of(DEFAULTS.recurrence_weight),
            lambda step: f"{weight_at(step):g}",
        )
        self.weight.moved.connect(lambda step: self.weight_changed.emit(weight_at(step)))
        self.budget = SliderRow(
            "Evaluations at most", BUDGET_HELP, BUDGETS, DEFAULTS.evaluations, lambda evaluations: str(evaluations)
        )
        self.budget.moved.connect(self.budget_changed)
        self.reset = PageButton("Reset to default", doing=lambda: self.preset_chosen.emit(preset_name(DEFAULTS)))
        self.reset.setObjectName("quiet")
        self.chart = ResidualChart()
        self._rows = RowTable(VALUE_WIDTH)
        self._log = QPlainTextEdit()
        self._lay_out()

    def show_view(self, view: SolverView, now: float) -> None:
        """Show the solver at ``now`` (seconds); more often than ten times a second, or hidden, it does nothing."""
        if not self.isVisible() or abs(now - self._shown) < LEAST_SECONDS:
            return
        self._shown = now
        self.presets.show_options(PRESET_OPTIONS, preset_name(view.settings))
        weight = view.settings.recurrence_weight
        self.weight.show_step(step_of(weight), f"{weight:g}")
        self.budget.show_step(view.settings.evaluations, str(view.settings.evaluations))
        self.reset.setEnabled(not is_default(view.settings))
        self.chart.show_view(view)
        self._rows.show_rows(solver_rows(view))
        lines = reset_lines(view.resets)
        if lines != self._log.toPlainText():
            self._log.setPlainText(lines)

    def _lay_out(self) -> None:
        self.presets.show_options(PRESET_OPTIONS, "")
        parts = (label("heading", "RWR"), self.presets, self.weight, self.budget, self.reset)
        controls = in_column(*parts, None, spacing=10)
        controls.setAlignment(self.reset, Qt.AlignmentFlag.AlignLeft)
        middle = in_column(label("heading", "RESIDUAL"), (self.chart, 1), spacing=4)
        self._log.setReadOnly(True)
        self._log.setFrameShape(QFrame.Shape.NoFrame)
        self._log.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        # The application's style sheet has the last word on sizes.
        self._log.setStyleSheet("font-size: 11px;")
        self._log.setPlaceholderText("No cold start yet")
        self._log.setAccessibleName("Cold starts")
        self._log.setToolTip("The last 50 cold starts while RwR was on: the source's time and the reason")
        self._log.viewport().setAutoFillBackground(False)
        self._log.document().setDocumentMargin(0)
        figures = in_column(label("heading", "SPENT AND SAVED"), self._rows, 8, spacing=6)
        fill(figures, label("heading", "COLD STARTS"), (self._log, 1))
        layout = in_row(on=self, spacing=SPACING)
        # The panel itself leaves columns out; its window may be as narrow as it likes.
        layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        self._columns = tuple(QWidget() for _ in range(3))
        for holder, column, stretch in zip(self._columns, (controls, middle, figures), (0, 1, 0), strict=True):
            holder.setLayout(column)
            layout.addWidget(holder, stretch)
        self._columns[0].setFixedWidth(CONTROLS_WIDTH)
        layout.setAlignment(self._columns[0], Qt.AlignmentFlag.AlignLeft)  # where it is alone
        self._columns[2].setFixedWidth(FIGURES_WIDTH)

    def minimumSizeHint(self) -> QSize:
        """Room for the sliders."""
        return QSize(CONTROLS_WIDTH, 200)

    def sizeHint(self) -> QSize:
        """Room for everything."""
        return QSize(CONTROLS_WIDTH + 2 * CHART_WIDTH + FIGURES_WIDTH + 2 * SPACING, 250)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Show the columns that there is room for."""
        super().resizeEvent(event)
        everything, with_chart, _ = SOLVER_WIDTHS
        self._columns[1].setVisible(self.width() >= with_chart)
        self._columns[2].setVisible(self.width() >= everything)
