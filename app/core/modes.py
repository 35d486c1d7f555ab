"""The ways to track that a person can choose and compare."""

from __future__ import annotations

from enum import StrEnum


class Mode(StrEnum):
    """A way to track a face: with recurrence, every frame on its own, or a filter over the latter."""

    RWR = "rwr"
    COLD = "cold"
    EMA = "ema"
    ONE_EURO = "one-euro"


class Baseline(StrEnum):
    """What the chosen mode is compared with: the other one of RwR and cold, or a filter."""

    OPPOSITE = "opposite"
    EMA = "ema"
    ONE_EURO = "one-euro"


FILTERS: tuple[str, ...] = (Mode.EMA, Mode.ONE_EURO)
MODE_NAMES: dict[str, str] = {Mode.RWR: "RwR", Mode.COLD: "Cold", Mode.EMA: "EMA", Mode.ONE_EURO: "1 euro"}
"""For people."""
