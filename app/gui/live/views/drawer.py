"""The lab drawer under the picture: the heat map of flicker, and the solver."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.heatmap import OPTIONS, HeatKind
from app.gui.live.presenters.solver import SolverView
from app.gui.live.views.heatmap import HeatMapView
from app.gui.live.views.solver import SolverPanel
from app.gui.widgets.segments import Segments

HEIGHT = 272
HEAT_WIDTH, LEAST_HEAT_WIDTH = 324, 196
SPACING = 10


class LabDrawer(QWidget):
    """Heat map and solver side by side; costs nothing while it is closed.

    Signals:
        weight_changed: see :class:`SolverPanel`, as for the next two.
        budget_changed: ...
        preset_chosen: ...
    """

    weight_changed = Signal(float)
    budget_changed = Signal(int)
    preset_chosen = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self.heat = HeatMapView()
        self.what = Segments("What the heat map shows")
        self.what.show_options(OPTIONS, HeatKind.FLICKER)
        self.what.chosen.connect(self._show_what)
        self.solver = SolverPanel()
        self.solver.weight_changed.connect(self.weight_changed)
        self.solver.budget_changed.connect(self.budget_changed)
        self.solver.preset_chosen.connect(self.preset_chosen)
        left = QVBoxLayout()
        left.setSpacing(6)
        left.addWidget(self.what)
        left.addWidget(self.heat, 1)
        self._heat_card = _card(left)
        right = QVBoxLayout()
        right.addWidget(self.solver)
        self._solver_card = _card(right)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(14, 10, 8, 0)
        self._row.setSpacing(SPACING)
        self._row.addWidget(self._heat_card)
        self._row.addWidget(self._solver_card, 1)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Make the heat map narrower where both cards would not fit."""
        room = self._row.contentsRect().width() - SPACING - self._solver_card.minimumSizeHint().width()
        self._heat_card.setFixedWidth(min(max(room, LEAST_HEAT_WIDTH), HEAT_WIDTH))
        self._row.activate()
        super().resizeEvent(event)

    def show_figures(self, flicker: FlickerView, solver: SolverView) -> None:
        """Update both."""
        self.heat.show_flicker(flicker)
        self.solver.show_view(solver, flicker.now)

    def _show_what(self, what: str) -> None:
        self.what.show_options(OPTIONS, what)
        self.heat.show_what(what)


def _card(inside: QVBoxLayout) -> QFrame:
    card = QFrame()
    card.setObjectName("card")
    inside.setContentsMargins(14, 10, 14, 10)
    card.setLayout(inside)
    return card
