"""Connects the live page's controls with the presenter: what they ask for that no window is needed for."""

from __future__ import annotations

from collections.abc import Callable

from app.gui.live.presenters.choices import with_budget, with_preset, with_rival, with_weight
from app.gui.live.presenters.page import LivePresenter
from app.gui.live.views.page import LivePage
from app.gui.presenters import actions


def connect_page(page: LivePage, presenter: LivePresenter, act: Callable[[str], None]) -> None:
    """Connect everything on ``page`` that steers tracking, playing and sharing.

    Args:
        page: has the controls.
        presenter: does what they ask for.
        act: does an action by its name, as its key would.
    """
    switches = {actions.RWR: page.panel.rwr, actions.COMPARE: page.panel.compare, actions.GHCU: page.panel.ghcu}
    for name, row in switches.items():
        row.switch.clicked.connect(lambda _checked=False, name=name: act(name))
    page.bar.asked.connect(act)
    page.panel.rival.chosen.connect(lambda rival: presenter.change_tracking(lambda now: with_rival(now, rival)))
    page.drawer.weight_changed.connect(lambda weight: presenter.change_tracking(lambda now: with_weight(now, weight)))
    page.drawer.budget_changed.connect(lambda most: presenter.change_tracking(lambda now: with_budget(now, most)))
    page.drawer.preset_chosen.connect(lambda name: presenter.change_tracking(lambda now: with_preset(now, name)))
    page.view.painted.connect(presenter.painted)
    page.view.face_clicked.connect(presenter.choose_face)
    page.scrub.pause_asked.connect(presenter.player.pause)
    page.scrub.sought.connect(presenter.player.seek)
    page.scrub.stepped.connect(presenter.player.step)
    page.scrub.speed_chosen.connect(presenter.player.set_speed)
    page.share.changed.connect(presenter.share)
    page.tour.finished.connect(lambda: presenter.choose(tour_seen=True))
