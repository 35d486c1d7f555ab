"""Flicker as colour: 98 values of the last five seconds become colours and sizes on one fixed scale."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.core.modes import MODE_NAMES
from app.gui.live.presenters.flicker import FlickerView
from app.gui.presenters.colour_scale import (
    CHANGE_COLOURS,
    CHANGE_TICKS,
    HEAT_COLOURS,
    HEAT_TICKS,
    RECENT_SECONDS,
    Colours,
    change_place,
    flicker_place,
    levels,
)
from app.gui.presenters.options import Option
from app.gui.presenters.readouts import NOTHING
from model.topology import REGIONS


class HeatKind(StrEnum):
    """What the heat map shows."""

    FLICKER = "flicker"
    CHANGE = "change"


OPTIONS: tuple[Option, ...] = (
    Option(HeatKind.FLICKER, "Flicker", "How much each point flickers, in % of the distance between the eyes"),
    Option(
        HeatKind.CHANGE,
        "Change",
        "How many times more or less each point flickers in the first mode than the second",
    ),
)


@dataclass(frozen=True, slots=True, eq=False)
class HeatPane:
    """One face of the heat map.

    Attributes:
        title: the mode's name, or what is compared.
        figure: root mean square over all points, or the change of it; a dash where nothing was measured.
        worst: the region with the highest value, "" where nothing was measured.
        levels: (98,) uint8 below :data:`app.gui.presenters.colour_scale.LEVELS`, or None where nothing was measured.
    """

    title: str
    figure: str
    worst: str
    levels: NDArray[np.uint8] | None

    def same(self, other: HeatPane) -> bool:
        """Whether both look the same."""
        if (self.title, self.figure, self.worst) != (other.title, other.figure, other.worst):
            return False
        if self.levels is None or other.levels is None:
            return self.levels is other.levels
        return np.array_equal(self.levels, other.levels)


@dataclass(frozen=True, slots=True, eq=False)
class HeatView:
    """What the heat map shows.

    Attributes:
        panes: one per mode, or one for the change.
        colours: (64, 3) uint8 RGB, by level.
        ticks: of the legend: place from 0 to 1, and what to write there.
    """

    panes: tuple[HeatPane, ...]
    colours: Colours
    ticks: tuple[tuple[float, str], ...]

    def same(self, other: HeatView) -> bool:
        """Whether both look the same."""
        return (
            len(self.panes) == len(other.panes)
            and self.ticks == other.ticks
            and all(one.same(two) for one, two in zip(self.panes, other.panes, strict=True))
        )


def heat_view(flicker: FlickerView, what: str = HeatKind.FLICKER) -> HeatView:
    """Return the heat map of the pair's modes that were measured, or of the change between them."""
    if what == HeatKind.CHANGE:
        return HeatView((_change_pane(flicker),), CHANGE_COLOURS, CHANGE_TICKS)
    measured = [mode for mode in flicker.pair if flicker.modes[mode].points is not None]
    panes = tuple(_mode_pane(flicker, mode) for mode in measured or flicker.pair[:1])
    return HeatView(panes, HEAT_COLOURS, HEAT_TICKS)


def live_heat(flicker: FlickerView) -> dict[str, NDArray[np.uint8]]:
    """Return by mode the levels (98,) that colour the points on the live face; modes without a reading are left out."""
    points = {mode: flicker.modes[mode].points for mode in flicker.pair}
    return {mode: levels(flicker_place(own)) for mode, own in points.items() if own is not None}


def _mode_pane(flicker: FlickerView, mode: str) -> HeatPane:
    own = flicker.modes[mode]
    if own.points is None or own.recent is None:
        return HeatPane(MODE_NAMES[mode], NOTHING, "", None)
    return HeatPane(MODE_NAMES[mode], f"{own.recent:.2f} %", _worst(own.points), levels(flicker_place(own.points)))


def _change_pane(flicker: FlickerView) -> HeatPane:
    first, second = (flicker.modes[mode] for mode in flicker.pair)
    title = " against ".join(MODE_NAMES[mode] for mode in flicker.pair)
    change = flicker.change
    if first.points is None or second.points is None or change is None:
        return HeatPane(title, NOTHING, "", None)
    ratio = np.maximum(first.points, 1e-3) / np.maximum(second.points, 1e-3)
    return HeatPane(title, f"{1 + change:.2f} \u00d7", _worst(ratio), levels(change_place(ratio)))


def _worst(values: NDArray[np.floating]) -> str:
    means = [float(np.sqrt(np.mean(np.square(values[list(region.points)])))) for region in REGIONS]
    return REGIONS[int(np.argmax(means))].name


TOOLTIP = (
    f"Flicker of each of the 98 points over the last {RECENT_SECONDS:g} s, in % of the distance between the eyes. "
    "Between the points the colour is interpolated."
)
