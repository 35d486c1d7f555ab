"""Named settings of RwR for people who do not want to think about weights and budgets."""

from __future__ import annotations

from dataclasses import dataclass

from model.rwr import RwrSettings


@dataclass(frozen=True, slots=True)
class Preset:
    """One named setting.

    Attributes:
        name: key in files.
        label: on the button.
        help: what a person gets and gives.
        settings: of RwR.
    """

    name: str
    label: str
    help: str
    settings: RwrSettings


PRESETS: tuple[Preset, ...] = (
    Preset("calm", "Calm", "", RwrSettings(recurrence_weight=4.0)),
    Preset("balanced", "Balanced", "", RwrSettings()),
    Preset("fast", "Fast", "", RwrSettings(evaluations=1, recurrence_weight=1.0)),
)


def preset_of(settings: RwrSettings | None) -> Preset | None:
    """Return the preset that ``settings`` (None: the defaults) are; None if they are nobody's."""
    return next((preset for preset in PRESETS if preset.settings == (settings or RwrSettings())), None)
