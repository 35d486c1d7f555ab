"""What choices make of the tracking settings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.core.modes import Baseline, Mode
from app.core.presets import PRESETS, preset_of
from app.core.settings import TrackingSettings
from app.gui.live.presenters.choices import CHANGES, next_baseline, with_budget, with_preset, with_weight
from app.gui.presenters.actions import ActionName


def test_switches_go_back_and_forth() -> None:
    start = TrackingSettings()
    for action in (ActionName.RWR, ActionName.COMPARE):
        changed = CHANGES[action](start)
        assert changed != start
        assert CHANGES[action](changed) == start


def test_baselines_take_turns_once_something_is_compared() -> None:
    tracking = TrackingSettings()
    seen = []
    for _ in range(4):
        tracking = next_baseline(tracking)
        seen.append((tracking.compare, tracking.baseline))
    assert seen == [(True, Baseline.OPPOSITE), (True, Mode.EMA), (True, Mode.ONE_EURO), (True, Baseline.OPPOSITE)]


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_preset_has_an_action_and_is_recognised(preset: Any) -> None:
    tracking = CHANGES[preset.name](TrackingSettings())
    assert tracking.recurrence == preset.settings
    assert preset_of(tracking.recurrence) == preset
    assert preset.help


def test_weight_and_budget_keep_what_else_was_chosen() -> None:
    tracking = with_budget(with_weight(with_preset(TrackingSettings(), "fast"), 3.0), 4)
    fast = next(preset.settings for preset in PRESETS if preset.name == "fast")
    assert tracking.recurrence == replace(fast, evaluations=4, recurrence_weight=3.0)
    assert preset_of(tracking.recurrence) is None


def test_the_defaults_are_the_balanced_preset() -> None:
    found = preset_of(None)
    assert found is not None
    assert found.name == "balanced"
