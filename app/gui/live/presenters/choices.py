"""How each choice changes the tracking settings: one pure function for each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from app.core.modes import MODE_NAMES, Baseline, Mode
from app.core.presets import PRESETS
from app.core.settings import TrackingSettings
from app.gui.presenters.actions import ActionName
from app.gui.presenters.filters import FILTERS
from app.gui.presenters.options import Option
from model.rwr.settings import RwrSettings

Change = Callable[[TrackingSettings], TrackingSettings]


def toggle_rwr(tracking: TrackingSettings) -> TrackingSettings:
    """Track with RwR or without."""
    return replace(tracking, rwr=not tracking.rwr)


def toggle_compare(tracking: TrackingSettings) -> TrackingSettings:
    """Solve a baseline as well, or not."""
    return replace(tracking, compare=not tracking.compare)


def next_baseline(tracking: TrackingSettings) -> TrackingSettings:
    """Compare with the next baseline; with the last one's choice where nothing was compared."""
    if not tracking.compare:
        return replace(tracking, compare=True)
    order = tuple(Baseline)
    return replace(tracking, baseline=order[(order.index(tracking.baseline) + 1) % len(order)])


def with_baseline(tracking: TrackingSettings, baseline: Baseline) -> TrackingSettings:
    """Compare with ``baseline``."""
    return replace(tracking, compare=True, baseline=baseline)


def with_preset(tracking: TrackingSettings, name: str) -> TrackingSettings:
    """Use the RwR settings of the preset ``name``."""
    settings = next(preset.settings for preset in PRESETS if preset.name == name)
    return replace(tracking, recurrence=settings)


def with_weight(tracking: TrackingSettings, weight: float) -> TrackingSettings:
    """Use this base weight of the recurrence."""
    return replace(tracking, recurrence=replace(_recurrence(tracking), recurrence_weight=weight))


def with_budget(tracking: TrackingSettings, evaluations: int) -> TrackingSettings:
    """Spend at most this many evaluations on a warm frame."""
    return replace(tracking, recurrence=replace(_recurrence(tracking), evaluations=evaluations))


def _recurrence(tracking: TrackingSettings) -> RwrSettings:
    return tracking.recurrence or RwrSettings()


CHANGES: dict[ActionName, Change] = {
    ActionName.RWR: toggle_rwr,
    ActionName.COMPARE: toggle_compare,
    ActionName.BASELINE: next_baseline,
    ActionName.CALM: lambda tracking: with_preset(tracking, ActionName.CALM),
    ActionName.BALANCED: lambda tracking: with_preset(tracking, ActionName.BALANCED),
    ActionName.FAST: lambda tracking: with_preset(tracking, ActionName.FAST),
}
"""The actions that change nothing but the tracking settings."""


def baseline_options(mode: str) -> tuple[Option, ...]:
    """Return what the chosen ``mode``, RwR or cold, can be compared with, in the order of :class:`Baseline`."""
    other = (
        Option(Baseline.OPPOSITE, MODE_NAMES[Mode.COLD], "Every frame solved on its own, without memory")
        if mode == Mode.RWR
        else Option(Baseline.OPPOSITE, MODE_NAMES[Mode.RWR], "Every solve started at the last frame's fixed point")
    )
    return other, *FILTERS
