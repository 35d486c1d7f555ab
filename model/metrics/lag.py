"""How late landmarks are against the truth: the delay of their motion, of the whole face or of expressions alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.motion import fit_similarity
from model.topology import EYES_AND_MOUTH, inter_ocular

Array = NDArray[np.float64]

FURTHEST_LAG = 8
"""Longest delay looked for, early and late, in frames."""
LEAST_CORRELATION = 0.15
"""A lower peak of the cross-correlation says nothing: about twice what chance gives over 75 frames."""
FIT_EYES_APART = 60.0
"""Inter-ocular distance at which the similarity is fitted: that of the grey crop for which its robust scale was set."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How late one motion is against another.

    Attributes:
        frames: delay in frames, positive where the prediction comes late; NaN where it cannot be told.
        correlation: height of the cross-correlation at the best whole delay, at most 1.
    """

    frames: float
    correlation: float


def velocity_lag(steps: NDArray[np.floating], true_steps: NDArray[np.floating], furthest: int = FURTHEST_LAG) -> Lag:
    """Delay of a motion against the true one, from the peak of the cross-correlation of their velocities.

    With v_t the motion from frame t - 1 to t, less its mean over time, g_t the same for the truth, and sums over
    all frames both have, all landmarks and both coordinates,

        c(k) = sum_t v_t+k . g_t / sqrt( sum_t |v_t+k|^2  sum_t |g_t|^2 )
        C(k) = ( c(k - 1) + 2 c(k) + c(k + 1) ) / 4,      k = -furthest ... furthest

    The delay is where the parabola through the highest C(k) and its two neighbours peaks; the smoothing keeps a
    video that stutters, whose c has two peaks beside each other, from choosing between them. The delay is NaN
    where the peak is at the end of the range or lower than :data:`LEAST_CORRELATION`. Jitter that has nothing
    to do with the motion lowers C everywhere and moves no peak; where some landmarks are later than others the
    result lies between, nearer to those that move more.

    Args:
        steps: (frames, landmarks, 2) motion between successive frames.
        true_steps: the same shape and units.
        furthest: longest delay in frames; less where the frames are too few for it.
    """
    late, true = (np.asarray(each, np.float64).reshape(len(each), -1) for each in (steps, true_steps))
    late, true = late - late.mean(axis=0), true - true.mean(axis=0)
    furthest = min(furthest, len(true) // 2 - 1)
    if furthest < 1:
        return Lag(float("nan"), 0.0)
    raw = [_correlation(late[max(k, 0) :], true[max(-k, 0) :]) for k in range(-furthest - 1, furthest + 2)]
    heights = np.convolve(raw, (0.25, 0.5, 0.25), "valid")
    best = int(heights.argmax())
    if not 0 < best < len(heights) - 1 or heights[best] < LEAST_CORRELATION:
        return Lag(float("nan"), float(heights[best]))
    before, peak, after = heights[best - 1 : best + 2]
    return Lag(float(best - furthest + (before - after) / (2 * (before - 2 * peak + after))), float(peak))


def _correlation(first: Array, second: Array) -> float:
    """Return the cosine of two motions (frames, k) over the frames both have; 0 where one of them rests."""
    count = min(len(first), len(second))
    first, second = first[:count], second[:count]
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    return float((first * second).sum()) / size if size > 0 else 0.0


def expression_steps(landmarks: NDArray[np.floating]) -> Array:
    """Return how the points of eyes and mouth move against the head, (frames - 1, 36, 2).

    The head's motion between two frames is the similarity that most of the 98 points follow, see
    :func:`model.motion.fit_similarity`. The unit is the inter-ocular distance of the earlier frame.

    Args:
        landmarks: (frames, 98, 2), any unit.
    """
    points = landmarks.astype(np.float64)
    scale = FIT_EYES_APART / np.maximum(inter_ocular(points[:-1]), np.finfo(np.float64).tiny)[:, None, None]
    before, steps = points[:-1] * scale, np.diff(points, axis=0) * scale
    trust = np.ones(points.shape[1])
    heads = [fit_similarity(start, step, trust) for start, step in zip(before, steps, strict=True)]
    return np.asarray((steps - np.reshape(heads, steps.shape))[:, EYES_AND_MOUTH] / FIT_EYES_APART)
