"""The solver panel: what RwR spends and saves, why it begins anew, and the two sliders that set it."""

from __future__ import annotations

import math

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QLabel, QLayout, QPlainTextEdit, QPushButton, QVBoxLayout, QWidget

from app.core.presets import PRESETS
from app.gui.live.presenters.solver import SolverView
from app.gui.live.presenters.solver_readouts import (
    BUDGET_HELP,
    BUDGETS,
    WEIGHT_HELP,
    WEIGHT_STEPS,
    is_default,
    preset_name,
    reset_lines,
    solver_rows,
    step_of,
    weight_at,
)
from app.gui.live.views.residual_chart import ResidualChart
from app.gui.presenters.options import Option
from app.gui.widgets.segments import Segments
from app.gui.widgets.slider import SliderRow
from app.gui.widgets.table import RowTable
from model.rwr.settings import RwrSettings

CONTROLS_WIDTH, CHART_WIDTH, FIGURES_WIDTH = 200, 150, 230
SPACING = 18
VALUE_WIDTH = 148
LEAST_SECONDS = 0.09
"""The chart need not move faster than anyone reads it."""

PRESET_OPTIONS = tuple(Option(preset.name, preset.label, preset.help) for preset in PRESETS)
DEFAULTS = RwrSettings()


class SolverPanel(QWidget):
    """Sliders and presets on the left, residuals in the middle, figures and the reset log on the right.

    Where there is no room for all, the sliders stay longest.

    Signals:
        weight_changed: the recurrence weight that a person chose.
        budget_changed: the most evaluations of a warm frame that a person chose.
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
        self.reset = QPushButton("Reset to default")
        self.reset.setObjectName("quiet")
        self.reset.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.reset.clicked.connect(lambda: self.preset_chosen.emit(preset_name(DEFAULTS)))
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
        controls = QVBoxLayout()
        controls.setSpacing(10)
        controls.addWidget(_heading("RWR"))
        controls.addWidget(self.presets)
        controls.addWidget(self.weight)
        controls.addWidget(self.budget)
        controls.addWidget(self.reset, 0, Qt.AlignmentFlag.AlignLeft)
        controls.addStretch(1)
        middle = QVBoxLayout()
        middle.setSpacing(4)
        middle.addWidget(_heading("RESIDUAL"))
        middle.addWidget(self.chart, 1)
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
        figures = QVBoxLayout()
        figures.setSpacing(6)
        figures.addWidget(_heading("SPENT AND SAVED"))
        figures.addWidget(self._rows)
        figures.addSpacing(8)
        figures.addWidget(_heading("COLD STARTS"))
        figures.addWidget(self._log, 1)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(SPACING)
        # The panel itself leaves columns out; its window may be as narrow as it likes.
        layout.setSizeConstraint(QLayout.SizeConstraint.SetNoConstraint)
        self._columns = tuple(QWidget() for _ in range(3))
        for holder, column, stretch in zip(self._columns, (controls, middle, figures), (0, 1, 0), strict=True):
            column.setContentsMargins(0, 0, 0, 0)
            holder.setLayout(column)
            layout.addWidget(holder, stretch)
        self._columns[0].setFixedWidth(CONTROLS_WIDTH)
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
        room = self.width() - CONTROLS_WIDTH
        self._columns[2].setVisible(room >= FIGURES_WIDTH + SPACING)
        taken = FIGURES_WIDTH + SPACING if room >= FIGURES_WIDTH + SPACING else 0
        self._columns[1].setVisible(room - taken >= CHART_WIDTH + SPACING)


def _heading(text: str) -> QLabel:
    label = QLabel(text)
    label.setObjectName("heading")
    return label
