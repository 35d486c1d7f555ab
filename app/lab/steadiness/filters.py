"""The 1 euro filter over a tracker's points, tuned in that tracker's favour.

Users put a filter behind a tracker that jitters; how calm it then is depends on how late it may be. Many settings are
tried on the clips of the comparison itself, and of those that make a tracker no later than RwR, the one with the least
flicker at rest is shown. A user, who does not know the clips, could not do as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from app.lab.steadiness.clips import SLOW
from app.lab.steadiness.measure import EVENLY, Array, Steadiness
from model.filters import OneEuro


@dataclass(frozen=True, slots=True)
class Setting:
    """Of :class:`model.filters.OneEuro` with points in eye distances: Hz at rest, and Hz per eye distance a second."""

    min_cutoff: float
    beta: float

    def __str__(self) -> str:
        return f"1 euro filter ({self.min_cutoff:g} Hz, beta {self.beta:g})"


SETTINGS = tuple(Setting(*pair) for pair in product((0.5, 1.0, 2.0, 4.0), (5.0, 20.0, 50.0, 100.0, 200.0)))
"""What is tried; among them the filter that the application compares RwR with."""


def smoothed(points: Array, times: Sequence[float], corners: tuple[int, int], setting: Setting) -> Array:
    """Return what the filter makes of points (n, k, 2), NaN where there are none; it begins anew after a loss.

    Args:
        points: frame pixels.
        times: of the frames, in seconds.
        corners: indices of the outer eye corners, whose distance in the first frame is the filter's unit.
        setting: of the filter.
    """
    smooth = points.copy()
    calm, unit = OneEuro(setting.min_cutoff, setting.beta), None
    for index, (frame, when) in enumerate(zip(points, times, strict=True)):
        if not np.isfinite(frame).all():
            calm.reset()
            continue
        unit = unit or float(np.hypot(*(frame[corners[0]] - frame[corners[1]])))
        smooth[index] = calm.update(frame / unit, when).astype(np.float64) * unit
    return smooth


def calmest(filtered: dict[Setting, list[Steadiness]], latest: float) -> Setting | None:
    """Return the setting with the least flicker at rest (median clip, regions alike) that comes no later than this.

    Args:
        filtered: one tracker's clips by setting.
        latest: frames.

    Returns:
        The setting; None if all come later, or nothing rests.
    """
    best, least = None, float("inf")
    for setting, clips in filtered.items():
        lag = mean_lag(clips)
        rest = [next(iter(clip.flicker.values()))[EVENLY] for clip in clips]
        rest = [value for value in rest if np.isfinite(value)]
        if rest and lag is not None and lag <= latest and np.median(rest) < least:
            best, least = setting, float(np.median(rest))
    return best


def mean_lag(clips: Sequence[Steadiness]) -> float | None:
    """Return the mean lag of the clips that move, weighted by how fast; None if it cannot be told of any."""
    moving = [(clip.lag, clip.speed) for clip in clips if np.isfinite(clip.lag) and clip.speed > SLOW]
    total = sum(speed for _, speed in moving)
    return sum(lag * speed for lag, speed in moving) / total if total else None
