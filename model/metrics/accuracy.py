"""Accuracy and flicker against ground truth. Every published formula of the project lives here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.topology import LEFT_EYE_68, RIGHT_EYE_68, eye_corners

Array = NDArray[np.float64]

FAILURE_THRESHOLD = 0.10
AUC_STEP = 1e-4
NMF_SCALE = 100.0 * 256.0
"""The LDEQ release divides by sqrt(w h / 256^2) and multiplies by 100."""
FURTHEST_LAG = 8
"""Delays up to this many frames are looked for, early and late."""
LEAST_CORRELATION = 0.15
"""A lower peak of the cross-correlation tells nothing: about twice what chance gives over 75 frames."""


def inter_ocular(landmarks: NDArray[np.floating]) -> Array:
    """Return the distance of the outer eye corners, (...,), for 98 points (..., 98, 2) or the 68 of 300W."""
    left, right = eye_corners(landmarks.shape[-2])
    corners = landmarks[..., right, :].astype(np.float64) - landmarks[..., left, :]
    return np.asarray(np.linalg.norm(corners, axis=-1))


def inter_pupil_68(landmarks: NDArray[np.floating]) -> Array:
    """Return the distance of the eyes' centres, (...,), for the 68 points of 300W (..., 68, 2).

    300W has no pupils; each eye's centre is the mean of its six points, as in the published figures.
    """
    left, right = (landmarks[..., eye, :].astype(np.float64).mean(axis=-2) for eye in (LEFT_EYE_68, RIGHT_EYE_68))
    return np.asarray(np.linalg.norm(right - left, axis=-1))


def nme(prediction: NDArray[np.floating], truth: NDArray[np.floating], points: NDArray[np.intp] | None = None) -> Array:
    """Normalised mean error per face, as a fraction (multiply by 100 for the published figure).

    Mean point distance over the inter-ocular distance of the ground truth.

    Args:
        prediction: (n, 98, 2).
        truth: (n, 98, 2) in the same units.
        points: indices of the points to average over; all by default.

    Returns:
        (n,) errors.
    """
    distance = np.linalg.norm(prediction.astype(np.float64) - truth, axis=-1)
    counted = distance if points is None else distance[..., points]
    return np.asarray(counted.mean(axis=-1) / inter_ocular(truth))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """NME, FR@10 (both in percent) and AUC@10 over ``faces`` faces."""

    faces: int
    nme: float
    fr10: float
    auc10: float


def accuracy(errors: NDArray[np.floating]) -> Accuracy:
    """Summarise per-face errors (fractions): mean, share above 0.10, area under the curve to 0.10.

    The area integrates the cumulative error distribution with Simpson's rule at steps of 1e-4.
    """
    from scipy.integrate import simpson  # here: the live window needs this module but never this import

    thresholds = np.arange(0.0, FAILURE_THRESHOLD + AUC_STEP / 2, AUC_STEP)
    cumulative = np.searchsorted(np.sort(errors), thresholds, side="right") / len(errors)
    return Accuracy(
        faces=len(errors),
        nme=float(np.mean(errors)) * 100,
        fr10=float(np.mean(np.asarray(errors) > FAILURE_THRESHOLD)) * 100,
        auc10=float(simpson(cumulative, dx=AUC_STEP) / FAILURE_THRESHOLD),
    )


def _residual_steps(prediction: NDArray[np.floating], truth: NDArray[np.floating], lag: int) -> Array:
    residual = prediction.astype(np.float64) - truth
    return np.asarray(residual[lag:] - residual[:-lag])


def _box_side(truth: NDArray[np.floating]) -> Array:
    extent = truth.max(axis=1).astype(np.float64) - truth.min(axis=1)
    return np.asarray(np.sqrt(extent[:, 0] * extent[:, 1]))


def nmf(prediction: NDArray[np.floating], truth: NDArray[np.floating], points: NDArray[np.intp] | None = None) -> float:
    """Normalised mean flicker of one video (Micaelli et al., 2023, as released).

    With r_t = prediction - truth and d_t = sqrt(w_t h_t) of the ground-truth landmark box,
    NMF = 100 * 256 * sqrt(mean_t mean_l |r_t,l - r_t-1,l|^2 / d_t^2).

    Args:
        prediction: (frames, landmarks, 2), at least two frames.
        truth: the same shape and units.
        points: indices of the points to average over, all by default; d is the whole face's in any case.
    """
    steps = (_residual_steps(prediction, truth, 1) ** 2).sum(axis=-1)
    squared = (steps if points is None else steps[:, points]).mean(axis=-1)
    return float(np.sqrt(np.mean(squared / _box_side(truth)[1:] ** 2)) * NMF_SCALE)


def nad(prediction: NDArray[np.floating], truth: NDArray[np.floating], lag: int) -> float:
    """Normalised Allan deviation over ``lag`` frames, on the scale of NMF; NAD(1) = NMF / sqrt(2).

    Half the mean squared change, over ``lag`` frames, of the residual's average over ``lag`` frames.
    Jitter makes it fall with the lag, drift makes it rise.

    Args:
        prediction: (frames, landmarks, 2), at least 2 ``lag`` frames.
        truth: the same shape and units.
        lag: frames, at least 1.
    """
    residual = prediction.astype(np.float64) - truth
    total = np.concatenate([np.zeros_like(residual[:1]), np.cumsum(residual, axis=0)])
    average = (total[lag:] - total[:-lag]) / lag
    change = average[lag:] - average[:-lag]
    side = _box_side(truth)[2 * lag - 1 :]
    squared = (change**2).sum(axis=-1).mean(axis=-1) / side**2
    return float(np.sqrt(np.mean(squared) / 2) * NMF_SCALE)


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
