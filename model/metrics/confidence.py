"""Confidence of a measured figure: bootstrap intervals over independent units (faces, videos).

Units are drawn with replacement and the figure is computed again; the interval is bias-corrected and accelerated
(BCa; Efron, 1987), which suits the skewed errors of landmarks better than plain percentiles. Frames of one video
are not independent, so videos are drawn whole.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.metrics.accuracy import areas, failures

Array = NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 9999
SEED = 0
"""Every interval is drawn with the same seed: the same values always give the same interval."""
AT_ONCE = 500
"""Resamples held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A measured figure and its interval of confidence :data:`LEVEL`.

    Attributes:
        value: the figure.
        low: lower end; NaN where fewer than two units were measured.
        high: upper end, likewise.
    """

    value: float
    low: float = math.nan
    high: float = math.nan

    def text(self, decimals: int) -> str:
        """Return the figure as ``4.82 [4.55, 5.11]``, without brackets if it has no interval; "-" if unknown."""
        return f"{self.value:.{decimals}f} {self.ends(decimals)}".rstrip() if math.isfinite(self.value) else "-"

    def ends(self, decimals: int) -> str:
        """Return the interval alone, ``[4.55, 5.11]``; "" if there is none."""
        return "" if math.isnan(self.low) else f"[{self.low:.{decimals}f}, {self.high:.{decimals}f}]"

    @property
    def interval(self) -> tuple[float, float] | None:
        """The two ends, or None if there is no interval."""
        return None if math.isnan(self.low) else (self.low, self.high)


@dataclass(frozen=True, slots=True)
class AccuracyFigures:
    """NME, FR@10 (both in percent) and AUC@10 over ``faces`` faces; see :class:`model.metrics.accuracy.Accuracy`.

    Where no face or every face failed, resampling knows of no other outcome and FR@10's interval is a single
    point; with n faces and none failed, the true rate is below 3 / n with 95 % confidence.
    """

    faces: int
    nme: Figure
    fr10: Figure
    auc10: Figure


def mean_figure(values: NDArray[np.floating]) -> Figure:
    """Return the mean over units; NaN stands for a unit that could not be measured and does not count.

    Args:
        values: (n,) one value for each unit.
    """
    return _figure(_mean, _measured(values))


def ratio_figure(values: NDArray[np.floating], baseline: NDArray[np.floating]) -> Figure:
    """Return mean(values) / mean(baseline), units drawn in pairs.

    A hard face is hard for both, so the ratio has a far narrower interval than either mean. Pairs in which
    one is NaN do not count.

    Args:
        values: (n,) one value for each unit.
        baseline: (n,) the same units in the same order.
    """
    return _figure(_ratio, *_measured_pairs(values, baseline))


def difference_figure(values: NDArray[np.floating], baseline: NDArray[np.floating]) -> Figure:
    """Return mean(values) - mean(baseline), units drawn in pairs; arguments as for :func:`ratio_figure`."""
    first, second = _measured_pairs(values, baseline)
    return _figure(_mean, first - second)


def accuracy_figures(errors: NDArray[np.floating]) -> AccuracyFigures:
    """Summarise per-face errors (fractions) as :func:`model.metrics.accuracy.accuracy` does, with intervals.

    Args:
        errors: (n,); infinite for faces that were not found, which are failures without an NME.
    """
    errors = np.asarray(errors, np.float64)
    return AccuracyFigures(
        faces=len(errors),
        nme=mean_figure(np.where(np.isfinite(errors), errors, np.nan) * 100),
        fr10=mean_figure(failures(errors) * 100),
        auc10=mean_figure(areas(errors)),
    )


def _measured(values: NDArray[np.floating]) -> Array:
    values = np.asarray(values, np.float64)
    return np.asarray(values[~np.isnan(values)])


def _measured_pairs(values: NDArray[np.floating], baseline: NDArray[np.floating]) -> tuple[Array, Array]:
    first, second = np.asarray(values, np.float64), np.asarray(baseline, np.float64)
    if first.shape != second.shape:
        raise ModelError(f"pairs need as many values as baselines, not {len(first)} and {len(second)}")
    both = ~(np.isnan(first) | np.isnan(second))
    return first[both], second[both]


def _mean(values: Array, axis: int = -1) -> Array:
    return np.asarray(values.mean(axis=axis))


def _ratio(values: Array, baseline: Array, axis: int = -1) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):  # a baseline of zeros has no ratio, and its figure says so
        return np.asarray(values.mean(axis=axis) / baseline.mean(axis=axis))


def _figure(statistic: Callable[..., Array], *samples: Array) -> Figure:
    """Return a statistic of paired samples, each (n,), with its BCa interval."""
    if len(samples[0]) == 0:
        return Figure(math.nan)
    value = float(statistic(*samples))
    if len(samples[0]) < 2 or not math.isfinite(value):
        return Figure(value)
    from scipy.stats import DegenerateDataWarning, bootstrap

    with warnings.catch_warnings(), np.errstate(divide="ignore", invalid="ignore"):
        warnings.simplefilter("ignore", DegenerateDataWarning)
        drawn = bootstrap(
            samples,
            statistic,
            n_resamples=RESAMPLES,
            batch=AT_ONCE,
            vectorized=True,
            paired=True,
            confidence_level=LEVEL,
            method="BCa",
            rng=np.random.default_rng(SEED),
        )
    low, high = float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)
    if math.isfinite(low) and math.isfinite(high):
        return Figure(value, low, high)
    # Where all resamples agree, BCa has nothing to correct; where some divide by zero, there is no interval.
    agreed = bool(np.isclose(drawn.bootstrap_distribution, value, rtol=1e-9).all())
    return Figure(value, value, value) if agreed else Figure(value)
