"""Two report cards side by side: what changed, how sure that is, and what else was different.

The seconds of a card are its independent units: landmark noise is uncorrelated after a fraction of a second. Two modes
of one card saw the same seconds, so their ratio is resampled in pairs. Two cards are independent, and they differ
significantly if their intervals do not overlap.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from app.holdstill.card import Card, ModeFigures, Noise
from model.metrics.confidence import Figure, mean_figure, ratio_figure
from model.topology import REGIONS

LEAST_SECONDS = 5
"""With fewer there is no interval, and no difference counts as significant."""
SAME = 0.1
"""Conditions that differ by less than this share count as equal."""


@dataclass(frozen=True, slots=True)
class Change:
    """One figure on two cards, or of two modes.

    Attributes:
        name: "overall" or a region.
        before: in % of the inter-ocular distance.
        after: likewise.
    """

    name: str
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """After over before; infinite where there was nothing before."""
        if self.before == 0:
            return 1.0 if self.after == 0 else float("inf")
        return self.after / self.before


@dataclass(frozen=True, slots=True)
class ModeChange:
    """How the figures of one pair differ.

    Attributes:
        before: name of the mode on the first side.
        after: name of the mode on the second side.
        flicker: overall, then every region.
        wander: likewise.
        sure: whether the overall flicker differs by more than its variation from second to second.
    """

    before: str
    after: str
    flicker: tuple[Change, ...]
    wander: tuple[Change, ...]
    sure: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two cards.

    Attributes:
        first: the card compared with.
        second: the other card.
        modes: those that both have, in the second's order.
        differences: what else was different, a short text each; a difference in flicker may be owed to any of them.
    """

    first: Card
    second: Card
    modes: tuple[ModeChange, ...]
    differences: tuple[str, ...]


def compare(first: Card, second: Card) -> Comparison:
    """Compare two cards: of two cameras, people, rooms or settings."""
    pairs = [(first.mode(mode.mode), mode) for mode in second.figures.modes]
    changes = tuple(
        _change(before, after, _intervals_apart(before, after)) for before, after in pairs if before is not None
    )
    return Comparison(first, second, changes, tuple(_differences(first, second)))


def compare_modes(card: Card, before: str, after: str) -> ModeChange | None:
    """Compare two modes of one card; None if it lacks one of them."""
    first, second = card.mode(before), card.mode(after)
    if first is None or second is None:
        return None
    return _change(first, second, _ratio_is_not_one(first, second))


def flicker_interval(mode: ModeFigures) -> Figure:
    """Return the overall flicker in % with its 95 % interval over the seconds of the test; few have none."""
    if len(mode.seconds) < LEAST_SECONDS:
        return Figure(mode.flicker.percent)
    figure = mean_figure(np.square(mode.seconds))
    return Figure(mode.flicker.percent, float(np.sqrt(max(0.0, figure.low))), float(np.sqrt(max(0.0, figure.high))))


def _change(before: ModeFigures, after: ModeFigures, sure: bool) -> ModeChange:
    names = ("overall", *(region.name for region in REGIONS))

    def changes(first: Noise, second: Noise) -> tuple[Change, ...]:
        values = ((noise.percent, *noise.regions_percent) for noise in (first, second))
        return tuple(Change(*each) for each in zip(names, *values, strict=True))

    flicker, wander = changes(before.flicker, after.flicker), changes(before.wander, after.wander)
    return ModeChange(before.mode, after.mode, flicker, wander, sure)


def _intervals_apart(first: ModeFigures, second: ModeFigures) -> bool:
    one, other = flicker_interval(first), flicker_interval(second)
    return bool(one.high < other.low or other.high < one.low)  # never true without intervals, which are NaN


def _ratio_is_not_one(first: ModeFigures, second: ModeFigures) -> bool:
    if len(first.seconds) != len(second.seconds) or len(first.seconds) < LEAST_SECONDS:
        return False
    figure = ratio_figure(np.square(second.seconds), np.square(first.seconds))
    return bool(figure.high < 1 or figure.low > 1)


def _differences(first: Card, second: Card) -> list[str]:
    """Return what was not the same on both cards, most important first."""
    texts = []
    for name, before, after in (
        ("camera", first.camera.name, second.camera.name),
        ("picture", first.camera.got.text(), second.camera.got.text()),
        ("engine", first.engine.name, second.engine.name),
        ("weights", _weights(first), _weights(second)),
        ("version", first.software.ldeq_live, second.software.ldeq_live),
        ("flicker meter", str(first.software.flicker_meter), str(second.software.flicker_meter)),
    ):
        if before != after:
            texts.append(f"{name}: {before} \u2192 {after}")
    texts += _changed_settings(first.settings, second.settings)
    a, b = first.figures.light, second.figures.light
    for name, before_value, after_value, unit in (
        ("light", a.light, b.light, ""),
        ("contrast", a.contrast, b.contrast, ""),
        ("sharpness", a.sharpness, b.sharpness, ""),
        ("sensor noise", a.noise, b.noise, ""),
        ("between the eyes", a.inter_ocular, b.inter_ocular, " px"),
        ("rate", first.figures.pace.fps, second.figures.pace.fps, " fps"),
        ("still", first.figures.stillness.seconds, second.figures.stillness.seconds, " s"),
    ):
        if abs(after_value - before_value) > SAME * max(abs(before_value), abs(after_value)):
            texts.append(f"{name}: {before_value:.3g} \u2192 {after_value:.3g}{unit}")
    return texts


def _weights(card: Card) -> str:
    return f"{card.engine.weights} ({card.engine.sha256[:8]})"


def _changed_settings(first: Mapping[str, object], second: Mapping[str, object]) -> list[str]:
    """Return the settings that differ; nested ones by their own names."""
    a, b = _flattened(first), _flattened(second)
    return [
        f"{name}: {_plain(a.get(name))} \u2192 {_plain(b.get(name))}"
        for name in {**a, **b}
        if a.get(name) != b.get(name)
    ]


def _flattened(values: Mapping[str, object]) -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in values.items():
        flat |= _flattened(value) if isinstance(value, Mapping) else {name: value}
    return flat


def _plain(value: object) -> str:
    return "default" if value is None else json.dumps(value, ensure_ascii=False)
