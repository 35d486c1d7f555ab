"""Which face is whose over gaps: a face that comes back soon, where it was lost, is the same one."""

from __future__ import annotations

import math
from dataclasses import dataclass

from model.geometry import Crop


@dataclass(frozen=True, slots=True)
class _Lost:
    face: int
    crop: Crop
    seconds: float


class Identities:
    """Gives numbers to faces, from 0 up.

    Args:
        reach: a newcomer is the lost face if its centre is within this share of the larger crop's side.
        growth: and its side within this factor.
        patience: and it comes within so many seconds.
    """

    def __init__(self, reach: float = 0.5, growth: float = 1.5, patience: float = 3.0) -> None:
        self._reach, self._growth, self._patience = reach, growth, patience
        self._next = 0
        self._lost: list[_Lost] = []

    def lose(self, face: int, crop: Crop, seconds: float) -> None:
        """Remember where a face was when it was lost, on the source's clock."""
        self._lost.append(_Lost(face, crop, seconds))

    def of(self, crop: Crop, seconds: float) -> int:
        """Return the identity of a newcomer: of the nearest face lost there, or a new one."""
        self._lost = [lost for lost in self._lost if 0 <= seconds - lost.seconds <= self._patience]
        near = [(distance, lost) for lost in self._lost if (distance := self._distance(lost.crop, crop)) <= self._reach]
        if near:
            _, found = min(near, key=lambda pair: pair[0])
            self._lost.remove(found)
            return found.face
        self._next += 1
        return self._next - 1

    def forget_places(self) -> None:
        """Take whoever comes next for someone new: after a scene cut."""
        self._lost.clear()

    def forget(self) -> None:
        """Begin at 0 again: for a new source."""
        self._lost.clear()
        self._next = 0

    def _distance(self, lost: Crop, crop: Crop) -> float:
        """Return how far apart in larger sides; infinite where the sizes do not fit."""
        if not 1 / self._growth <= crop.side / lost.side <= self._growth:
            return math.inf
        away = math.hypot(crop.centre_x - lost.centre_x, crop.centre_y - lost.centre_y)
        return away / max(crop.side, lost.side)
