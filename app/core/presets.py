"""Named settings of RwR, so that users need not choose weights and budgets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from model.rwr.reference import MotionGains
from model.rwr.settings import RwrSettings
from model.rwr.weight import Adaptation


class PresetName(StrEnum):
    """The presets, steadiest first."""

    CALM = "calm"
    BALANCED = "balanced"
    FAST = "fast"


@dataclass(frozen=True, slots=True)
class Preset:
    """One named setting.

    Attributes:
        name: key in files.
        label: on the button.
        help: what it gains and costs.
        settings: of RwR.
    """

    name: PresetName
    label: str
    help: str
    settings: RwrSettings


PRESETS: tuple[Preset, ...] = (
    Preset(
        PresetName.CALM,
        "Calm",
        "The steadiest: 3 to 20 % less flicker than balanced, but expressions follow 0.1 frames late. For avatars and "
        "overlays.",
        RwrSettings(recurrence_weight=12.0, gains=MotionGains(local=0.8), adaptation=Adaptation(following=0.3)),
    ),
    Preset(
        PresetName.BALANCED,
        "Balanced",
        "The default: almost as steady, and expressions follow less than 0.1 frames late. For most uses.",
        RwrSettings(),
    ),
    Preset(
        PresetName.FAST,
        "Fast",
        "One evaluation a frame and no measurable delay, with 4 to 7 % more flicker than balanced. For quick motion.",
        RwrSettings(evaluations=1, recurrence_weight=2.0, gains=MotionGains(head=1.0, local=1.0)),
    ),
)
"""Measured with ``benchmarks/presets.py``; ``docs/reports/results.md`` has the figures."""


def preset_of(settings: RwrSettings | None) -> Preset | None:
    """Return the preset with these ``settings`` (None: the defaults); None if they match no preset."""
    return next((preset for preset in PRESETS if preset.settings == (settings or RwrSettings())), None)
