"""Accuracy against ground truth: NME, failure rate and area under the error curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.topology import inter_ocular

Array = NDArray[np.float64]

FAILURE_THRESHOLD = 0.10
"""NME from which a face counts as a failure; also where the area under the curve ends."""
AUC_STEP = 1e-4
"""Step of the error axis, as in published figures."""


def nme(
    prediction: NDArray[np.floating],
    truth: NDArray[np.floating],
    points: NDArray[np.intp] | None = None,
    unit: NDArray[np.floating] | None = None,
) -> Array:
    """Return the normalised mean error of each face, as a fraction (times 100 for the published figure).

    NME = mean_l |prediction_l - truth_l| / d, with d the inter-ocular distance of the truth.

    Args:
        prediction: (n, landmarks, 2), 98 or 68 landmarks.
        truth: the same shape and units.
        points: indices of the points to average over; None takes all.
        unit: (n,) another distance d, such as the inter-pupil distance.

    Returns:
        errors (n,); NaN for predictions that are NaN.
    """
    distance = np.linalg.norm(prediction.astype(np.float64) - truth, axis=-1)
    counted = distance if points is None else distance[..., points]
    return np.asarray(counted.mean(axis=-1) / (inter_ocular(truth) if unit is None else unit))


@dataclass(frozen=True, slots=True)
class Accuracy:
    """NME, FR@10 (both in percent) and AUC@10 over ``faces`` faces."""

    faces: int
    nme: float
    fr10: float
    auc10: float


def accuracy(errors: NDArray[np.floating]) -> Accuracy:
    """Summarise the errors (n,) of faces, as fractions: mean, share above 0.10, area under the curve to 0.10."""
    return Accuracy(
        faces=len(errors),
        nme=float(np.mean(errors)) * 100,
        fr10=float(failures(errors).mean()) * 100,
        auc10=float(areas(errors).mean()),
    )


def failures(errors: NDArray[np.floating]) -> Array:
    """Return 1 for errors (n,) above 0.10 or not known (NaN) and 0 for the others; their mean is FR@10."""
    return np.asarray(~(np.asarray(errors) <= FAILURE_THRESHOLD), np.float64)


def areas(errors: NDArray[np.floating]) -> Array:
    """Return what each error (n,) contributes to the area under the cumulative curve; their mean is AUC@10.

    The cumulative error distribution is integrated with Simpson's rule. The area is linear in the curve, and the
    curve is the mean of one step for each face.
    """
    from scipy.integrate import simpson  # not needed by the live window, which imports this module

    thresholds = np.arange(0.0, FAILURE_THRESHOLD + AUC_STEP / 2, AUC_STEP)
    steps = np.asarray(errors, np.float64)[:, None] <= thresholds
    return np.asarray(simpson(steps.astype(np.float64), dx=AUC_STEP, axis=-1) / FAILURE_THRESHOLD)
