"""Flicker as colour: 98 values of the last five seconds become colours and sizes on one fixed scale."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.modes import MODE_NAMES
from app.gui.live.presenters.flicker import RECENT_SECONDS, FlickerView
from app.gui.live.presenters.options import Option
from app.gui.live.presenters.readouts import NOTHING
from model.topology import REGIONS

FLICKER, CHANGE = "flicker", "change"
OPTIONS: tuple[Option, ...] = (
    Option(FLICKER, "Flicker", "How much each point flickers, in % of the distance between the eyes"),
    Option(CHANGE, "Change", "How many times more or less each point flickers in the first mode than in the second"),
)

LOWEST, HIGHEST = 0.1, 3.0
"""Ends of the flicker scale in %, logarithmic: half the flicker is the same step of colour everywhere."""
TICKS = (0.1, 0.3, 1.0, 3.0)

LARGEST_CHANGE = 4.0
"""Ends of the scale of change: four times less to four times more."""
CHANGE_TICKS = (0.25, 0.5, 1.0, 2.0, 4.0)

LEVELS = 64

HEAT_STOPS = (
    *("#390963", "#4f0d6c", "#64156e", "#771c6d", "#8c2369", "#a02a63", "#b43359", "#c73e4c"),
    *("#d84c3e", "#e65d2f", "#f1711f", "#f8870e", "#fc9f07", "#fbb81d", "#f7d13d", "#f2ea69"),
)
"""matplotlib's "inferno" (Smith and van der Walt, CC0) from 0.18 to 0.94: even steps for the eye, readable with any
kind of colour vision, and neither end as dark or as bright as the window."""

CHANGE_STOPS = ("#1f6fe5", "#5f97ea", "#93aed6", "#a3a7ae", "#d6b487", "#f09a3e", "#f57a00")
"""Blue is less, orange more: a pair that all kinds of colour vision tell apart."""

Colours = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class HeatPane:
    """One face of the heat map.

    Attributes:
        title: the mode's name, or what is compared.
        figure: root mean square over all points, or the change of it; a dash where nothing was measured.
        worst: the region with the highest value, "" where nothing was measured.
        levels: (98,) uint8 below :data:`LEVELS`, or None where nothing was measured.
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


def ramp(stops: tuple[str, ...]) -> Colours:
    """Return (64, 3) uint8 RGB between evenly spaced stops "#rrggbb"."""
    known = np.array([[int(stop[i : i + 2], 16) for i in (1, 3, 5)] for stop in stops], np.float64)
    places, wanted = np.linspace(0, 1, len(stops)), np.linspace(0, 1, LEVELS)
    return np.stack([np.interp(wanted, places, known[:, i]) for i in range(3)], axis=-1).round().astype(np.uint8)


HEAT_COLOURS: Colours = ramp(HEAT_STOPS)
CHANGE_COLOURS: Colours = ramp(CHANGE_STOPS)


def flicker_place(percent: NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Return where flicker in % lies on its scale, 0 to 1."""
    return _place(np.asarray(percent, np.float64), LOWEST, HIGHEST)


def change_place(ratio: NDArray[np.floating] | float) -> NDArray[np.float64]:
    """Return where a ratio of two flickers lies on its scale, 0 to 1; 0.5 is no change."""
    return _place(np.asarray(ratio, np.float64), 1 / LARGEST_CHANGE, LARGEST_CHANGE)


def levels(places: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Return the rows of the colour table for places from 0 to 1."""
    return np.minimum(places * LEVELS, LEVELS - 1).astype(np.uint8)


def heat_view(flicker: FlickerView, what: str = FLICKER) -> HeatView:
    """Return the heat map of the pair's modes that were measured, or of the change between them."""
    if what == CHANGE:
        return HeatView((_change_pane(flicker),), CHANGE_COLOURS, _CHANGE_LEGEND)
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


def _place(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return np.clip(np.log(np.maximum(values, 1e-6) / low) / np.log(high / low), 0.0, 1.0)


HEAT_TICKS = tuple((float(flicker_place(tick)), f"{tick:g} %") for tick in TICKS)
"""Of the flicker scale's legend: place from 0 to 1, and what to write there."""
_CHANGE_LEGEND = tuple((float(change_place(tick)), f"{tick:g} \u00d7") for tick in CHANGE_TICKS)

TOOLTIP = (
    f"Flicker of each of the 98 points over the last {RECENT_SECONDS:g} s, in % of the distance between the eyes. "
    "Between the points the colour is interpolated."
)
