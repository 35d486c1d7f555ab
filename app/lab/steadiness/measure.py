"""How steadily a tracker of any set of points follows a face whose motion is known.

Every point of every frame is taken back to the place on the face that it lies on there. A perfect tracker's point keeps
to one place, wherever on the face that is, so trackers of 98, 68 and 478 points can be measured alike without labels
that all of them share. All figures are in % of the distance between the outer eye corners:

- flicker: root mean square of the step from one frame's place to the next one's. It is what is left of a point's
  motion once the picture's is taken off: the measure of :mod:`model.metrics.flicker_meter`, with true motion in place
  of an estimate.
- wander: root mean square of the distance from the point's median place. Landmarks that come late are in the wrong
  place while the face moves, and landmarks that stand still even more so: filtering flicker away costs here.
- lag: how many frames the points come late, from :func:`model.metrics.lag.velocity_lag`.

They say nothing about whether the place is the right one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.runs import runs
from model.metrics.lag import velocity_lag

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ALL = "all points"
EVENLY = "regions alike"
"""Each region counts the same, however many points a tracker has there."""
FAR = 1.0
"""Points whose middle is more eye distances than this from where it should be are of something that is not the face."""


@dataclass(frozen=True, eq=False)
class Truth:
    """How one face really moves through n frames.

    Attributes:
        matrix: (n, 2, 3) similarity from places on the face to frame pixels.
        ruler: distance between the outer eye corners, in the unit of places.
        centre: (2,) a place in the middle of the face.
        stretches: frames to report together, (n,) each; a step belongs to one where both its frames do.
        holds: which of these places (k, 2) the matrix really moves in each frame, (n, k).
    """

    matrix: Array
    ruler: float
    centre: Array
    stretches: Mapping[str, Mask]
    holds: Callable[[Array], Mask]


@dataclass(frozen=True, slots=True)
class Steadiness:
    """One tracker on one clip, in percent of the distance between the outer eye corners.

    Attributes:
        flicker: by stretch, by region, :data:`ALL` and :data:`EVENLY`; NaN where nothing was measured.
        wander: likewise.
        lag: frames by which the points come late; NaN where it cannot be told.
        speed: root mean square of the true motion where the lag was measured, a frame.
        left_out: share of points and frames in which the truth does not hold for that spot of the face.
        corners: the tracker's own distance between the eye corners over the true one.
    """

    flicker: dict[str, dict[str, float]]
    wander: dict[str, dict[str, float]]
    lag: float
    speed: float
    left_out: float
    corners: float


def places_of(points: Array, matrix: Array) -> Array:
    """Return where on the face points (n, k, 2), frame pixels, lie; ``matrix`` (n, 2, 3) takes places to pixels."""
    moved = points - matrix[:, None, :, 2]
    return np.asarray(np.linalg.solve(matrix[:, None, :, :2], moved[..., None])[..., 0])


def pixels_of(places: Array, matrix: Array) -> Array:
    """Return the frame pixels (n, k, 2) of places (k, 2) in each frame."""
    return np.asarray(np.einsum("nij,kj->nki", matrix[..., :2], places) + matrix[:, None, :, 2])


def found_in(points: Array, truth: Truth) -> Mask:
    """Return in which frames points (n, k, 2), NaN where there are none, are of the face and of nothing else."""
    strayed = np.hypot(*(places_of(points, truth.matrix).mean(axis=1) - truth.centre).T) / truth.ruler
    return np.asarray(strayed < FAR)  # False for NaN, too


def measure(
    points: Array, truth: Truth, regions: Mapping[str, Sequence[int]], corners: tuple[int, int], frames: Mask
) -> Steadiness:
    """Measure a tracker.

    Args:
        points: (n, k, 2) frame pixels, NaN where it found nothing.
        truth: of those frames.
        regions: indices of points by name.
        corners: indices of the outer eye corners.
        frames: (n,) those to measure, in which the face was found. For trackers that are to be compared they must be
            the same: a tracker that gives up on difficult frames would look good in the rest.

    Raises:
        ValueError: if there is none.
    """
    if not frames.any():
        raise ValueError("no frame to measure")
    places = places_of(points, truth.matrix)
    places[~frames] = np.nan
    home = np.asarray(np.nanmedian(places, axis=0))
    holds = truth.holds(home)
    percent = 100.0 / truth.ruler
    wander = (((places - home) * percent) ** 2).sum(axis=-1)
    wander[~holds] = np.nan
    flicker = ((np.diff(places, axis=0) * percent) ** 2).sum(axis=-1)
    flicker[~(holds[1:] & holds[:-1])] = np.nan
    groups = {ALL: range(points.shape[1]), **regions}
    lag, speed = _lag(points, home, np.asarray(holds.all(axis=0)), frames, truth)
    return Steadiness(
        flicker={name: _rms(flicker[mask[1:] & mask[:-1]], groups) for name, mask in truth.stretches.items()},
        wander={name: _rms(wander[mask], groups) for name, mask in truth.stretches.items()},
        lag=lag,
        speed=speed,
        left_out=float(1.0 - holds[frames].mean()),
        corners=float(np.hypot(*(home[corners[0]] - home[corners[1]])) / truth.ruler),
    )


def _rms(squares: Array, groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Return the roots of the mean squares (m, k) over the points of each group, leaving out what is NaN; NaN of none.

    :data:`EVENLY` is that over all groups but :data:`ALL`.
    """
    found = {}
    for name, group in groups.items():
        part = squares[:, list(group)]
        known = np.isfinite(part)
        found[name] = float(np.sqrt(part[known].mean())) if known.any() else float("nan")
    regions = np.array([value for name, value in found.items() if name != ALL])
    regions = regions[np.isfinite(regions)]
    found[EVENLY] = float(np.sqrt((regions**2).mean())) if len(regions) else float("nan")
    return found


def _lag(points: Array, home: Array, steady: Mask, frames: Mask, truth: Truth) -> tuple[float, float]:
    """Return lag in frames, over the longest run of such frames, and how fast the face moves there, in %.

    Only points whose spot the matrix moves in every frame take part: expressions are not the head's motion.
    """
    first, last = max(runs(frames), key=lambda run: run[1] - run[0])
    run = slice(int(first), int(last))
    if not steady.any() or last - first < 3:
        return float("nan"), float("nan")
    true_steps = np.diff(pixels_of(home[steady], truth.matrix[run]), axis=0)
    scale = np.sqrt(np.abs(np.linalg.det(truth.matrix[run][1:, :, :2])))[:, None] * truth.ruler
    speed = 100 * float(np.sqrt(np.mean((true_steps**2).sum(axis=-1) / scale**2)))
    return velocity_lag(np.diff(points[run][:, steady], axis=0), true_steps), speed
