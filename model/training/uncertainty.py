"""Fits the constants of :class:`model.uncertainty.Calibration` to the errors of a model on labelled faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.engine.base import Engine
from model.rwr.cold import cold_state
from model.training.augment import Augmentation, augment
from model.training.data import Faces
from model.uncertainty import PERCENTS, Calibration

Array = NDArray[np.float64]
BATCH = 8
LEAST = 1e-4
"""Errors below this, in crop sides, are as good as none."""
SHARES = 20
"""Parts, equally many points in each, whose medians the exponent is fitted to."""
SEED = 0


def errors_on(engine: Engine, faces: Faces, report: Callable[[int], None] = lambda done: None) -> tuple[Array, Array]:
    """Solve faces cold, photographed and covered as in training, in crops that move half as much.

    Returns:
        errors and spreads (n, k), in crop sides.
    """
    config = engine.config
    errors, spreads = [], []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        for rows in torch.split(torch.arange(len(faces)), BATCH):
            given = faces.images[rows], faces.landmarks[rows], faces.weights[rows]
            crops, truth, _ = augment(*given, config.input_size, config.crop_scale, Augmentation().narrowed(0.5))
            pictures = crops.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
            points, spread = engine.decode(cold_state(engine, engine.encode(np.asarray(pictures)))[0])
            errors.append(np.linalg.norm(points - truth.numpy(), axis=-1))
            spreads.append(spread)
            report(int(rows[-1]) + 1)
    return np.concatenate(errors).astype(np.float64), np.concatenate(spreads).astype(np.float64)


def fit(errors: Array, spreads: Array) -> Calibration:
    """Fit the constants to errors and spreads (n, k) in crop sides.

    The exponent is the slope between the logarithms of spread and error, both without the median of their landmark, of
    :data:`SHARES` medians: single errors have no bounds. With it, the scale makes each landmark's median ratio 1.
    """
    spread, error = np.log(spreads), np.log(np.maximum(errors, LEAST))
    x, y = (values - np.median(values, axis=0) for values in (spread, error))
    parts = np.array_split(np.argsort(x, axis=None), SHARES)
    medians = np.array([(np.median(x.flat[part]), np.median(y.flat[part])) for part in parts])
    exponent = float(np.polyfit(medians[:, 0], medians[:, 1], 1)[0])
    scale = np.exp(np.median(error - exponent * spread, axis=0))
    ratio = errors / (scale * spreads**exponent)
    quantiles = np.quantile(ratio, np.array(PERCENTS) / 100)
    return Calibration(exponent, tuple(scale.tolist()), tuple(quantiles.tolist()))


def widened(calibration: Calibration, errors: Array, spreads: Array) -> Calibration:
    """Return the constants with one factor more, from faces that the model has not learned: on those it errs more.

    Args:
        calibration: of faces that it has learned.
        errors: (n, k) of unseen ones, in crop sides.
        spreads: likewise.
    """
    ratio = errors / (np.array(calibration.scale) * spreads**calibration.exponent)
    found = np.quantile(ratio, np.array(PERCENTS) / 100) / calibration.quantiles
    factor = float(np.median(found))
    return replace(calibration, quantiles=tuple(factor * quantile for quantile in calibration.quantiles))


def held(calibration: Calibration, errors: Array, spreads: Array) -> dict[int, float]:
    """Return for each of the percentages how many percent of the landmarks their discs hold."""
    return {percent: float((errors <= calibration.radii(spreads, percent)).mean()) * 100 for percent in PERCENTS}
