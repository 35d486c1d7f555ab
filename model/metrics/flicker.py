"""Flicker against ground truth: NMF, and an Allan deviation that tells jitter from drift."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

NMF_SCALE = 100.0 * 256.0
"""The LDEQ release divides by sqrt(w h / 256^2) and multiplies by 100."""


def nmf(prediction: NDArray[np.floating], truth: NDArray[np.floating], points: NDArray[np.intp] | None = None) -> float:
    """Normalised mean flicker of one video (Micaelli et al., 2023, as released).

    With r_t = prediction - truth and d_t = sqrt(w_t h_t) of the ground-truth landmark box,
    NMF = 100 * 256 * sqrt(mean_t mean_l |r_t,l - r_t-1,l|^2 / d_t^2).

    Args:
        prediction: (frames, landmarks, 2), at least two frames.
        truth: the same shape and units.
        points: indices of the points to average over, all by default; d is the whole face's in any case.
    """
    steps = (np.diff(prediction.astype(np.float64) - truth, axis=0) ** 2).sum(axis=-1)
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


def _box_side(truth: NDArray[np.floating]) -> Array:
    extent = truth.max(axis=1).astype(np.float64) - truth.min(axis=1)
    return np.asarray(np.sqrt(extent[:, 0] * extent[:, 1]))
