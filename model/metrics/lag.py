"""How late landmarks are against the truth: the delay of their motion, of the whole face or of expressions alone."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from model.geometry import to_complex
from model.motion import fit_similarity
from model.topology import EYES_AND_MOUTH, LEFT_EYE_OUTER, RIGHT_EYE_OUTER, inter_ocular

Array = NDArray[np.float64]

FURTHEST_LAG = 8
"""Longest delay looked for, early and late, in frames."""
LEAST_CORRELATION = 0.15
"""A lower peak of the cross-correlation says nothing: about twice what chance gives over 75 frames."""
FIT_EYES_APART = 60.0
"""Inter-ocular distance at which the similarity is fitted: that of the grey crop for which its robust scale was set."""
RIGID: NDArray[np.intp] = np.r_[0:5, 28:33, 51:60, 60, 64, 68, 72]
"""Landmarks that an expression hardly moves: upper contour, nose and the corners of the eyes."""
SHAPE_FITS = 2
"""Rounds of aligning shapes to their median, which is found from the aligned ones."""
STILL_BELOW, FAST_FROM = 0.3, 1.0
"""Motion of a region against the head, % of the inter-ocular distance a frame (RMS over its points)."""
DELAYS: Array = np.arange(-4, 4.01, 0.25)
"""Delays tried by :func:`delay_errors`, in frames."""


class Speed(StrEnum):
    """How fast a region moves against the head in a frame."""

    STILL = "still"
    SLOW = "slow"
    FAST = "fast"


def velocity_lag(steps: NDArray[np.floating], true_steps: NDArray[np.floating], furthest: int = FURTHEST_LAG) -> float:
    """Return by how many frames a motion is late, from the peak of the cross-correlation with the true velocity.

    With v_t the motion from frame t - 1 to t, less its mean over time, g_t the same for the truth, and sums over
    all frames both have, all landmarks and both coordinates,

        c(k) = sum_t v_t+k . g_t / sqrt( sum_t |v_t+k|^2  sum_t |g_t|^2 )
        C(k) = ( c(k - 1) + 2 c(k) + c(k + 1) ) / 4,      k = -furthest ... furthest

    The delay is where the parabola through the highest C(k) and its two neighbours peaks; the smoothing keeps a
    video that stutters, whose c has two peaks beside each other, from choosing between them. It is NaN
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
        return float("nan")
    raw = [_correlation(late[max(k, 0) :], true[max(-k, 0) :]) for k in range(-furthest - 1, furthest + 2)]
    heights = np.convolve(raw, (0.25, 0.5, 0.25), "valid")
    best = int(heights.argmax())
    if not 0 < best < len(heights) - 1 or heights[best] < LEAST_CORRELATION:
        return float("nan")
    before, peak, after = heights[best - 1 : best + 2]
    return float(best - furthest + (before - after) / (2 * (before - 2 * peak + after)))


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


def face_shapes(landmarks: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Return the 98 landmarks of each frame without the head's motion, (frames, 98), x + iy in inter-ocular distances.

    Every frame is aligned by its own similarity, least squares over :data:`RIGID`, to the median shape of all frames.

    Args:
        landmarks: (frames, 98, 2), any unit.
    """
    points = to_complex(landmarks)
    shape = points[len(points) // 2]
    shape = shape / max(abs(shape[RIGHT_EYE_OUTER] - shape[LEFT_EYE_OUTER]), np.finfo(np.float64).tiny)
    aligned = points
    for _ in range(SHAPE_FITS):
        shape = shape - shape[RIGID].mean()
        rigid = points[:, RIGID]
        middle = rigid.mean(axis=1, keepdims=True)
        size = np.maximum((np.abs(rigid - middle) ** 2).sum(axis=1), np.finfo(np.float64).tiny)
        scale = ((rigid - middle).conj() * shape[RIGID]).sum(axis=1) / size
        aligned = (points - middle) * scale[:, None]
        shape = np.median(aligned.real, axis=0) + 1j * np.median(aligned.imag, axis=0)
    return aligned


def speeds(shapes: NDArray[np.complex128]) -> NDArray[np.str_]:
    """Return how fast points of :func:`face_shapes` (frames, points), two frames or more, move in each frame.

    The speed of a frame is half the motion from the frame before to the frame after, RMS over the points.

    Returns:
        (frames,) values of :class:`Speed`.
    """
    motion = 100 * np.sqrt((np.abs(np.gradient(shapes, axis=0)) ** 2).mean(axis=1))
    return np.select([motion < STILL_BELOW, motion < FAST_FROM], [Speed.STILL, Speed.SLOW], Speed.FAST)


def delay_errors(found: NDArray[np.complex128], truth: NDArray[np.complex128]) -> Array:
    """Return the squared error of found shapes against the truth of :data:`DELAYS` frames before, by frame.

    A constant offset of a point over the clip is no delay and is taken away; between frames the truth is interpolated.

    Args:
        found: (frames, points), two frames or more.
        truth: the same shape and unit.

    Returns:
        (delays, frames), summed over the points; NaN where the truth of a frame so much before is not known.
    """
    count = len(truth)
    centred = found - (found - truth).mean(axis=0)
    errors = np.full((len(DELAYS), count), np.nan)
    for row, delay in zip(errors, DELAYS, strict=True):
        at = np.arange(count) - delay
        known = (at >= 0) & (at <= count - 1)
        before = np.minimum(at[known].astype(np.intp), count - 2)
        share = (at[known] - before)[:, None]
        delayed = (1 - share) * truth[before] + share * truth[before + 1]
        row[known] = (np.abs(centred[known] - delayed) ** 2).sum(axis=1)
    return errors


def best_delay(errors: Array) -> float:
    """Return the delay in frames of least squared error, NaN if it cannot be told.

    Args:
        errors: (delays,) sums over frames of what :func:`delay_errors` returns, each over the same frames.
    """
    best = int(np.argmin(errors)) if np.isfinite(errors).all() else 0
    if not 0 < best < len(errors) - 1:
        return float("nan")
    before, least, after = errors[best - 1 : best + 2]  # the first of the least, so that before is larger
    return float(DELAYS[best] + (DELAYS[1] - DELAYS[0]) * (before - after) / (2 * (before - 2 * least + after)))
