"""What a person chooses from beside each other: rivals of the chosen mode, ways to look at both, zoom."""

from __future__ import annotations

from dataclasses import dataclass

from app.core.modes import COLD, EMA, MODE_NAMES, ONE_EURO, OPPOSITE, RWR

OVERLAY, SPLIT, SIDE_BY_SIDE = "overlay", "split", "side by side"
VIEWS = (OVERLAY, SPLIT, SIDE_BY_SIDE)
"""Ways to look at two modes on one frame."""


@dataclass(frozen=True, slots=True)
class Option:
    """One of several things to choose from.

    Attributes:
        name: what settings and signals call it.
        label: one or two words.
        tooltip: one sentence.
    """

    name: str
    label: str
    tooltip: str


VIEW_OPTIONS: tuple[Option, ...] = (
    Option(OVERLAY, "Overlay", "Both on one picture: the chosen mode as points, its rival as rings"),
    Option(SPLIT, "Split", "One picture with a line to drag: the chosen mode left of it, its rival right"),
    Option(
        SIDE_BY_SIDE, "Side by side", "The same frame twice, close to the face: the chosen mode left, its rival right"
    ),
)


def rival_options(mode: str) -> tuple[Option, ...]:
    """Return what the chosen ``mode``, RwR or cold, can be compared with, in the order of ``app.core.modes.RIVALS``."""
    other = (
        Option(OPPOSITE, MODE_NAMES[COLD], "Every frame solved on its own, without memory")
        if mode == RWR
        else Option(OPPOSITE, MODE_NAMES[RWR], "Every solve started at the last frame's fixed point")
    )
    return (
        other,
        Option(EMA, MODE_NAMES[EMA], "The cold solve smoothed by an exponential moving average: steadier, but late"),
        Option(
            ONE_EURO, MODE_NAMES[ONE_EURO], "The cold solve smoothed by the 1 euro filter: less when the face moves"
        ),
    )
