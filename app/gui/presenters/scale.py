"""The upper end of an axis: a round number that changes seldom."""

from __future__ import annotations

import math

STEPS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, 10.0)
SHRINK_BELOW = 0.45
PATIENCE_SECONDS = 2.0
"""How long the data must stay small before the axis shrinks."""


class GrowingScale:
    """Grows at once when the data need it and shrinks only after they have stayed small for a while.

    Args:
        floor: the axis never ends below this.
    """

    def __init__(self, floor: float) -> None:
        self._floor = floor
        self._top = floor
        self._small_since: float | None = None

    @property
    def top(self) -> float:
        """Where the axis ends."""
        return self._top

    def see(self, largest: float, now: float) -> float:
        """Update with the largest value in view at ``now`` (seconds on any clock); return where the axis ends."""
        needed = max(self._floor, round_up(largest)) if math.isfinite(largest) else self._floor
        if needed > self._top:
            self._top, self._small_since = needed, None
        elif not largest < SHRINK_BELOW * self._top:
            self._small_since = None
        elif self._small_since is None:
            self._small_since = now
        elif now - self._small_since >= PATIENCE_SECONDS:
            self._top, self._small_since = needed, None
        return self._top


def round_up(value: float) -> float:
    """Return the next number of :data:`STEPS` x a power of ten that is not below ``value``."""
    if value <= 0 or not math.isfinite(value):
        return 0.0
    power = 10.0 ** math.floor(math.log10(value))
    return next((step * power for step in STEPS if step * power >= value * (1 - 1e-9)), 10.0 * power)
