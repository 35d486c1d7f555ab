"""Overlapping parts of a picture, so that a detector which sees everything shrunk to 192 px finds small faces, too."""

from __future__ import annotations

import math
from dataclasses import dataclass

SMALLEST_FACE = 24.0
"""Side of the landmark box, in pixels, down to which faces are looked for."""
SEEN_FROM = 0.11
"""Share of a part's side from which on the full-range model finds a face: 21 of its 192 pixels."""
OVERLAP = 0.3
"""Share of a part's side by which neighbours overlap: above twice :data:`SEEN_FROM`, so that every face which the next
larger parts are too coarse for lies whole in one part."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a picture, in its pixels.

    Attributes:
        x: left edge.
        y: top edge.
        width: of the part.
        height: of the part.
    """

    x: int
    y: int
    width: int
    height: int

    @property
    def side(self) -> int:
        """The larger side."""
        return max(self.width, self.height)


def parts_of(width: int, height: int) -> tuple[Part, ...]:
    """Return the parts of a picture (width, height) to look at: all of it first, then ever smaller ones."""
    sides = []
    side = SMALLEST_FACE / SEEN_FROM
    while side < max(width, height):
        sides.append(math.ceil(side))
        side *= 2
    sides.append(max(width, height))
    return tuple(
        Part(x, y, min(side, width), min(side, height))
        for side in reversed(sides)
        for y in _starts(height, side)
        for x in _starts(width, side)
    )


def _starts(length: int, size: int) -> list[int]:
    """Return where parts of ``size`` begin along an axis of ``length`` pixels."""
    if length <= size:
        return [0]
    steps = math.ceil((length - size) / (size * (1 - OVERLAP)))
    return [round(step * (length - size) / steps) for step in range(steps + 1)]
