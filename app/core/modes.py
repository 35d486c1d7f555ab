"""The ways to track that a person can choose and compare."""

from __future__ import annotations

RWR = "rwr"
COLD = "cold"
EMA = "ema"
ONE_EURO = "one-euro"
MODES = (RWR, COLD, EMA, ONE_EURO)
"""With recurrence, every frame on its own, and two filters over the latter."""

FILTERS = (EMA, ONE_EURO)
MODE_NAMES: dict[str, str] = {RWR: "RwR", COLD: "Cold", EMA: "EMA", ONE_EURO: "1 euro"}
"""For people."""

OPPOSITE = "opposite"
RIVALS = (OPPOSITE, EMA, ONE_EURO)
"""What the chosen mode can be compared with: the other one of RwR and cold, or a filter."""
