"""The live page: the picture with its overlays, the bars and the lab drawer below, the panel at the side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QHideEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QWidget

from app.core.modes import Baseline
from app.gui.live.presenters.choices import with_baseline, with_budget, with_preset, with_weight
from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.page import LivePresenter
from app.gui.live.presenters.readouts import Facts, hud
from app.gui.live.presenters.solver import SolverView
from app.gui.live.presenters.tour import TourTarget
from app.gui.live.views.bar import ControlBar
from app.gui.live.views.drawer import LabDrawer
from app.gui.live.views.panel import SidePanel
from app.gui.live.views.tour import TourCard
from app.gui.presenters.actions import ActionName
from app.gui.widgets.banner import AddressEntry, BannerView
from app.gui.widgets.layouts import in_column, in_row
from app.gui.widgets.scrub import ScrubBar
from app.gui.widgets.sheet import Sheets
from app.gui.widgets.video import VideoView
from app.sources.base import Playback

BANNER_WIDTH = 720
BANNER_TOP = 50
ROOM_BESIDE_PANEL = 1170
"""Width of the page from which the bar with all its labels of states fits beside the panel."""


class PagePart(StrEnum):
    """A part of the live page that can be closed, as it is remembered."""

    PANEL = "panel"
    DRAWER = "drawer"
    SIGNALS = "signals"


class Overlay(Protocol):
    """A panel at the top of the picture that runs for a while and can be ended."""

    def isVisible(self) -> bool: ...
    def geometry(self) -> QRect: ...
    def place(self) -> None: ...
    def cancel(self) -> None: ...


class LivePage(QWidget):
    """Lays out the live page's widgets and shows them what they are given."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("ground")
        self.in_front = False
        """Whether it can be seen; read by the thread that makes pictures, which needs none otherwise."""
        self.view = VideoView()
        self.scrub = ScrubBar()
        self.drawer = LabDrawer()
        self.bar = ControlBar()
        self.panel = SidePanel()
        self.banner = BannerView(self.view)
        self.address = AddressEntry(self.view)
        self._overlays: tuple[Overlay, ...] = ()
        targets = {
            TourTarget.SWITCH: self.panel.rwr,
            TourTarget.FLICKER: self.panel.flicker,
            TourTarget.RECORDING: self.bar.record,
        }
        self.tour = TourCard(self, targets, self._message_box)
        self.sheets = Sheets(self._room_for_sheets)
        self._left = in_column((self.view, 1), self.scrub, self.drawer, self.bar, spacing=0)
        body = QWidget()  # clips the drawer where there is no room for all of it
        body.setMinimumSize(1, 1)
        self._body = in_row((self._left, 1), self.panel, on=body, spacing=8)
        self._rows = in_column((body, 1), on=self, spacing=0)
        self.open_parts((PagePart.PANEL,))
        self.view.resized.connect(self.place)

    def lay_over(self, overlay: Overlay) -> None:
        """Keep an overlay, made with :attr:`view` as its parent, in its place and let Esc end it."""
        self._overlays = (*self._overlays, overlay)

    @property
    def open(self) -> tuple[str, ...]:
        """The parts that are open."""
        return tuple(name for name, part in self._parts().items() if not part.isHidden())

    def open_parts(self, names: Sequence[str]) -> None:
        """Open these parts and close the others."""
        for name, part in self._parts().items():
            part.setVisible(name in names)

    def toggle_part(self, name: str) -> None:
        """Open a part, or close it."""
        part = self._parts()[name]
        part.setVisible(part.isHidden())

    def toggle_signals(self) -> None:
        """Show the signals, with the panel that they are in, or hide them."""
        shown = not self.panel.isHidden() and not self.panel.signals.isHidden()
        self.panel.signals.setVisible(not shown)
        if not shown:
            self.panel.show()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Give the bar the whole width where it does not fit beside the panel."""
        rows = self._rows if self.width() < ROOM_BESIDE_PANEL else self._left
        if rows.indexOf(self.bar) < 0:
            rows.addWidget(self.bar)
            # Qt hides what gets another parent until the next turn, and the picture would jump.
            self.bar.show()
            self._body.activate()
            self._rows.activate()
        super().resizeEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        """Ask for pictures."""
        self.in_front = True

    def hideEvent(self, event: QHideEvent) -> None:
        """Rest, also while the window is minimised."""
        self.in_front = False

    def show_facts(self, facts: Facts, source_name: str) -> None:
        """Update everything that is read."""
        if not self.panel.isHidden():
            self.panel.show_facts(facts, self.view.comparison.view)
        self.view.show_hud(hud(facts))
        self.bar.show_state(facts, source_name, self.view.picture is not None)
        self.bar.lab.setChecked(not self.drawer.isHidden())

    def show_motion(self, flicker: FlickerView, solver: SolverView | None, playback: Playback | None) -> None:
        """Update everything that moves; ``solver`` None while the drawer is closed."""
        if not self.panel.isHidden():
            self.panel.show_flicker(flicker)
        if solver is not None:
            self.drawer.show_figures(flicker, solver)
        self.scrub.show_playback(playback)

    def place(self) -> None:
        """Place what lies over the picture."""
        width = min(BANNER_WIDTH, self.view.width() - 28)
        self.banner.fit(width)
        self.address.setFixedWidth(width)
        self.address.adjustSize()
        for entry in (self.banner, self.address):
            entry.move((self.view.width() - width) // 2, BANNER_TOP)
        for overlay in self._overlays:
            overlay.place()
        above = [self.address.geometry()] if self.address.isVisible() else []
        above += [overlay.geometry() for overlay in self._overlays if overlay.isVisible()]
        if above:
            self.banner.move(self.banner.x(), above[-1].bottom() + 10)
        self.tour.follow()
        if self.sheets.opened is not None:
            self.sheets.opened.follow()

    def _message_box(self) -> QRect:
        """Return where the message over the picture is; an empty box if there is none."""
        if not self.banner.isVisible():
            return QRect()
        return QRect(self.banner.mapTo(self, QPoint()), self.banner.size())

    def _room_for_sheets(self) -> QRect:
        """Return where sheets lie: beside the panel.

        They may lie over the lab drawer, which leaves little of the picture in a low window. They leave the bar free,
        and the message over the picture.
        """
        corner = self.view.mapTo(self, QPoint())
        top = corner.y()
        if self.banner.isVisible():
            top += self.banner.geometry().bottom() + 1
        bottom = self.bar.mapTo(self, QPoint()).y()
        return QRect(corner.x(), top, self.view.width(), bottom - top)

    def dismiss(self) -> bool:
        """Close the topmost thing over the picture but the banner; return whether there was one."""
        overlay = next((each for each in self._overlays if each.isVisible()), None)
        if self.tour.isVisible():
            self.tour.hide()
        elif self.sheets.close():
            pass
        elif self.address.isVisible():
            self.address.hide()
        elif overlay is not None:
            overlay.cancel()
        else:
            return False
        return True

    def _parts(self) -> dict[str, QWidget]:
        return {PagePart.PANEL: self.panel, PagePart.DRAWER: self.drawer, PagePart.SIGNALS: self.panel.signals}


def connect_page(page: LivePage, presenter: LivePresenter, act: Callable[[ActionName], None]) -> None:
    """Connect everything on ``page`` that steers tracking and playing.

    Args:
        page: has the controls.
        presenter: does what they ask for.
        act: does an action by its name, as its key would.
    """
    switches = {
        ActionName.RWR: page.panel.rwr,
        ActionName.COMPARE: page.panel.compare,
        ActionName.GHCU: page.panel.ghcu,
    }
    for name, row in switches.items():
        row.toggle.clicked.connect(lambda _checked=False, name=name: act(name))
    page.bar.asked.connect(act)
    page.panel.baseline.chosen.connect(
        lambda name: presenter.change_tracking(lambda now: with_baseline(now, Baseline(name)))
    )
    page.drawer.weight_changed.connect(lambda weight: presenter.change_tracking(lambda now: with_weight(now, weight)))
    page.drawer.budget_changed.connect(lambda most: presenter.change_tracking(lambda now: with_budget(now, most)))
    page.drawer.preset_chosen.connect(lambda name: presenter.change_tracking(lambda now: with_preset(now, name)))
    page.view.painted.connect(presenter.painted)
    page.view.face_clicked.connect(presenter.choose_face)
    page.scrub.pause_asked.connect(presenter.player.pause)
    page.scrub.sought.connect(presenter.player.seek)
    page.scrub.stepped.connect(presenter.player.step)
    page.scrub.speed_chosen.connect(presenter.player.set_speed)
    page.tour.finished.connect(lambda: presenter.choose(tour_seen=True))
