"""Accuracy and flicker against ground truth. Every published formula of the project lives here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.topology import (
    LEFT_EYE_68,
    LEFT_EYE_OUTER,
    LEFT_EYE_OUTER_68,
    RIGHT_EYE_68,
    RIGHT_EYE_OUTER,
    RIGHT_EYE_OUTER_68,
)

Array = NDArray[np.float64]

FAILURE_THRESHOLD = 0.10
AUC_STEP = 1e-4
NMF_SCALE = 100.0 * 256.0
"""The LDEQ release divides by sqrt(w h / 256^2) and multiplies by 100."""


def inter_ocular(landmarks: NDArray[np.floating]) -> Array:
    """Return the distance of the outer eye corners, (...,), for 98 points (..., 98, 2)."""
    corners = landmarks[..., RIGHT_EYE_OUTER, :].astype(np.float64) - landmarks[..., LEFT_EYE_OUTER, :]
    return np.asarray(np.linalg.norm(corners, axis=-1))


def inter_ocular_68(landmarks: NDArray[np.floating]) -> Array:
    """Return the distance of the outer eye corners, (...,), for the 68 points of 300W (..., 68, 2)."""
    corners = landmarks[..., RIGHT_EYE_OUTER_68, :].astype(np.float64) - landmarks[..., LEFT_EYE_OUTER_68, :]
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


def nmf(prediction: NDArray[np.floating], truth: NDArray[np.floating]) -> float:
    """Normalised mean flicker of one video (Micaelli et al., 2023, as released).

    With r_t = prediction - truth and d_t = sqrt(w_t h_t) of the ground-truth landmark box,
    NMF = 100 * 256 * sqrt(mean_t mean_l |r_t,l - r_t-1,l|^2 / d_t^2).

    Args:
        prediction: (frames, landmarks, 2), at least two frames.
        truth: the same shape and units.
    """
    squared = (_residual_steps(prediction, truth, 1) ** 2).sum(axis=-1).mean(axis=-1)
    return float(np.sqrt(np.mean(squared / _box_side(truth)[1:] ** 2)) * NMF_SCALE)


def nad(prediction: NDArray[np.floating], truth: NDArray[np.floating], lag: int) -> float:
    """Normalised Allan deviation over ``lag`` frames, on the scale of NMF; NAD(1) = NMF / sqrt(2).

    Half the mean squared change, over ``lag`` frames, of the residual's average over ``lag`` frames.
    Jitter makes it fall with the lag, drift makes it rise.
    """
    residual = prediction.astype(np.float64) - truth
    total = np.concatenate([np.zeros_like(residual[:1]), np.cumsum(residual, axis=0)])
    average = (total[lag:] - total[:-lag]) / lag
    change = average[lag:] - average[:-lag]
    side = _box_side(truth)[2 * lag - 1 :]
    squared = (change**2).sum(axis=-1).mean(axis=-1) / side**2
    return float(np.sqrt(np.mean(squared) / 2) * NMF_SCALE)
