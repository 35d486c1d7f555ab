"""The side panel: switches, what is compared and how, flicker and performance."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QScrollArea, QWidget

from app.gui.live.presenters.choices import baseline_options
from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.readouts import Facts, headline, rows, verdict
from app.gui.live.presenters.signals import signal_rows
from app.gui.live.views.flicker import FlickerNumbers, FlickerTrace, RegionBars
from app.gui.presenters.actions import BY_NAME, ActionName
from app.gui.presenters.compare import VIEW_OPTIONS
from app.gui.theme import theme
from app.gui.widgets.controls import card, label, show_text
from app.gui.widgets.layouts import in_column
from app.gui.widgets.segments import Segments
from app.gui.widgets.table import RowTable
from app.gui.widgets.toggle import ActionRow

WIDTH = 320


class SidePanel(QScrollArea):
    """The readouts beside the picture; ``rwr``, ``compare`` and ``ghcu`` are its switches, ``baseline`` and
    ``compare_view`` say what is compared and how."""

    def __init__(self) -> None:
        super().__init__()
        self.setFixedWidth(WIDTH)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.rwr = ActionRow(BY_NAME[ActionName.RWR], "Recurrence (RwR)", lambda: theme.palette().modes["rwr"])
        self.compare = ActionRow(
            BY_NAME[ActionName.COMPARE], "Compare both modes", lambda: theme.palette().modes["cold"]
        )
        self.ghcu = ActionRow(BY_NAME[ActionName.GHCU], "Repair covered points", lambda: theme.palette().demo)
        self.baseline = Segments("Compare with")
        self.compare_view = Segments("How both are shown")
        self._headline = label("dim")
        self._verdict = label("verdict")
        self._numbers = FlickerNumbers()
        self._bars = RegionBars()
        self._trace = FlickerTrace()
        self._table = RowTable()
        self._signals = RowTable()

        panel = QWidget()
        panel.setObjectName("panel")
        tracking = card("", self.rwr, self.compare, self.baseline, self.compare_view, self.ghcu)
        self.flicker = card("FLICKER", self._numbers, self._verdict, self._trace, self._bars)
        self.signals = card("SIGNALS", self._signals)
        cards = (tracking, self.flicker, self.signals, card("PERFORMANCE", self._table))
        title = label("title", "LDEQ Live")
        in_column(title, self._headline, *cards, None, on=panel, margins=(6, 14, 14, 14), spacing=10)
        self.setWidget(panel)

    def show_facts(self, facts: Facts, compare_view: str) -> None:
        """Bring every readout but the trace up to date; ``compare_view`` is how two modes are shown."""
        tracking = facts.state.tracking
        self.rwr.show_state(tracking.rwr)
        self.compare.show_state(tracking.compare)
        self.ghcu.show_state(tracking.ghcu)
        for choice in (self.baseline, self.compare_view):
            choice.setVisible(tracking.compare)
        self.baseline.show_options(baseline_options(tracking.mode), tracking.baseline)
        self.compare_view.show_options(VIEW_OPTIONS, compare_view)
        show_text(self._headline, headline(facts))
        show_text(self._verdict, verdict(facts) or " ")
        self._numbers.show_flicker(facts.flicker)
        self._bars.show_flicker(facts.flicker)
        self._table.show_rows(rows(facts))
        if not self.signals.isHidden():
            self._signals.show_rows(signal_rows(facts.face.estimate.signals if facts.face is not None else None))

    def show_flicker(self, flicker: FlickerView) -> None:
        """Bring the trace up to date, which updates more often than the figures."""
        self._trace.show_flicker(flicker)
