"""Colours for flicker, and for the change between two modes, on fixed logarithmic scales."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

RECENT_SECONDS = 5.0
"""Colours show the root mean square over this many seconds."""

LOWEST, HIGHEST = 0.1, 3.0
"""Ends of the flicker scale in %, logarithmic: half the flicker is the same step of colour everywhere."""
_FLICKER_TICKS = (0.1, 0.3, 1.0, 3.0)

LARGEST_CHANGE = 4.0
"""Ends of the scale of change: four times less to four times more."""
_CHANGE_TICKS = (0.25, 0.5, 1.0, 2.0, 4.0)

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


def _place(values: NDArray[np.float64], low: float, high: float) -> NDArray[np.float64]:
    return np.clip(np.log(np.maximum(values, 1e-6) / low) / np.log(high / low), 0.0, 1.0)


HEAT_TICKS = tuple((float(flicker_place(tick)), f"{tick:g} %") for tick in _FLICKER_TICKS)
"""Of the flicker scale's legend: place from 0 to 1, and what to write there."""
CHANGE_TICKS = tuple((float(change_place(tick)), f"{tick:g} \u00d7") for tick in _CHANGE_TICKS)
