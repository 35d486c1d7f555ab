"""The lab drawer under the picture: the heat map of flicker, and the solver."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QHBoxLayout, QVBoxLayout, QWidget

from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.heatmap import OPTIONS, HeatKind
from app.gui.live.presenters.solver import SolverView
from app.gui.live.views.heatmap import HeatMapView
from app.gui.live.views.solver import SolverPanel
from app.gui.widgets.segments import Segments

HEIGHT = 272
HEAT_WIDTH = 324


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
        map_card = _card(left)
        map_card.setFixedWidth(HEAT_WIDTH)
        right = QVBoxLayout()
        right.addWidget(self.solver)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(14, 10, 8, 0)
        layout.setSpacing(10)
        layout.addWidget(map_card)
        layout.addWidget(_card(right), 1)

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
