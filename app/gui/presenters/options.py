"""One of several things to choose from."""

from __future__ import annotations

from dataclasses import dataclass


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
