"""The lab drawer under the picture: the heat map of flicker, and the solver."""

from __future__ import annotations

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtGui import QResizeEvent
from PySide6.QtWidgets import QFrame, QScrollArea, QSizePolicy, QWidget

from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.heatmap import OPTIONS, HeatKind
from app.gui.live.presenters.solver import SolverView
from app.gui.live.views.heatmap import HeatMapView
from app.gui.live.views.solver import SOLVER_WIDTHS, SolverPanel
from app.gui.widgets.layouts import Item, in_column, in_row
from app.gui.widgets.segments import Segments

HEIGHT = 272
HEAT_WIDTH, LEAST_HEAT_WIDTH = 324, 196
SPACING = 10


class LabDrawer(QScrollArea):
    """Heat map and solver side by side, scrolled where the window is low; costs nothing while it is closed.

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
        self.setMaximumHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.heat = HeatMapView()
        self.what = Segments("What the heat map shows")
        self.what.show_options(OPTIONS, HeatKind.FLICKER)
        self.what.chosen.connect(self._show_what)
        self.solver = SolverPanel()
        self.solver.weight_changed.connect(self.weight_changed)
        self.solver.budget_changed.connect(self.budget_changed)
        self.solver.preset_chosen.connect(self.preset_chosen)
        self._heat_card = _card(self.what, (self.heat, 1))
        self._solver_card = _card(self.solver)
        cards = self._heat_card, (self._solver_card, 1)
        lab = QWidget()
        lab.setObjectName("panel")
        lab.setMinimumHeight(HEIGHT)
        self._row = in_row(*cards, on=lab, margins=(14, 10, 8, 0), spacing=SPACING)
        self.setWidget(lab)

    def sizeHint(self) -> QSize:
        """Room for all of it."""
        return QSize(super().sizeHint().width(), HEIGHT)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Make the heat map narrower where another column of the solver would not fit, and leave it out for sliders."""
        frame = self._solver_card.minimumSizeHint().width() - self.solver.minimumSizeHint().width()
        margins = self._row.contentsMargins()
        room = self.viewport().width() - margins.left() - margins.right() - SPACING - frame
        solver = next((width for width in SOLVER_WIDTHS if room - width >= LEAST_HEAT_WIDTH), SOLVER_WIDTHS[-1])
        self._heat_card.setFixedWidth(min(max(room - solver, LEAST_HEAT_WIDTH), HEAT_WIDTH))
        self._heat_card.setVisible(room - solver >= LEAST_HEAT_WIDTH)
        self._row.activate()
        super().resizeEvent(event)

    def show_figures(self, flicker: FlickerView, solver: SolverView) -> None:
        """Update both."""
        self.heat.show_flicker(flicker)
        self.solver.show_view(solver, flicker.now)

    def _show_what(self, what: str) -> None:
        self.what.show_options(OPTIONS, what)
        self.heat.show_what(what)


def _card(*inside: Item) -> QFrame:
    card = QFrame()
    card.setObjectName("card")
    in_column(*inside, on=card, margins=(14, 10, 14, 10), spacing=6)
    return card
