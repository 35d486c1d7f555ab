"""Fits the constants of :class:`model.uncertainty.Calibration` to the errors of a model on labelled faces."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from model.engine.base import Engine, State
from model.rwr.cold import cold_state
from model.topology import REGION_OF_POINT, REGIONS
from model.training.augment import Augmentation, augment
from model.training.data import Faces
from model.training.frozen import as_pictures
from model.uncertainty import PERCENTS, Calibration, seen_at

Array = NDArray[np.float64]
Points = NDArray[np.float32]
BATCH = 8
LEAST = 1e-4
"""Errors below this, in crop sides, are as good as none."""
SHARES = 20
"""Parts, equally many points in each, whose medians the exponent is fitted to."""
SEED = 0
COVERED = {"occluder_chance": 0.5, "occluder_side": 0.6}
"""Half of the faces are partly covered, and by more than in training: rare cases are to be known as well."""
STEPS, RATE, DECAY = 300, 0.02, 1e-3
"""Of the descent that finds what an appearance says."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What is known about the k landmarks of n solved faces, lengths in crop sides.

    Attributes:
        errors: (n, k).
        spreads: (n, k) of their heatmaps.
        seen: (n, k, channels) of u at the landmarks, see :func:`model.uncertainty.seen_at`.
    """

    errors: Array
    spreads: Array
    seen: NDArray[np.float32]

    def __getitem__(self, which: slice) -> Solved:
        return Solved(self.errors[which], self.spreads[which], self.seen[which])

    def ratios(self, calibration: Calibration) -> Array:
        """Return the errors over the radii without the quantile (n, k)."""
        return self.errors / calibration.relative_radii(self.spreads, self.seen)


def solved_of(engine: Engine, u: State, points: Points, spread: Points, truth: Points) -> Solved:
    """Return what is known about the faces of a batch.

    Args:
        engine: solved them.
        u: their injections (n, C, h, h).
        points: their landmarks (n, k, 2), in crop units.
        spread: likewise (n, k).
        truth: the labels (n, k, 2), in crop units.
    """
    errors = np.linalg.norm(points.astype(np.float64) - truth, axis=-1)
    channels = engine.config.injection
    seen = [seen_at(u[i], points[i], channels) for i in range(len(points))]
    return Solved(errors, spread.astype(np.float64), np.stack(seen))


def joined(parts: list[Solved]) -> Solved:
    """Return all faces of several parts."""
    arrays = zip(*((part.errors, part.spreads, part.seen) for part in parts), strict=True)
    return Solved(*(np.concatenate(list(each)) for each in arrays))


def solve_faces(engine: Engine, faces: Faces, report: Callable[[int], None] = lambda done: None) -> Solved:
    """Solve faces cold, photographed as in training, half of them covered, in crops that move half as much."""
    config, parts = engine.config, []
    augmentation = replace(Augmentation().narrowed(0.5), **COVERED)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        for rows in torch.split(torch.arange(len(faces)), BATCH):
            crops, truth, _ = augment(faces[rows], config.input_size, config.crop_scale, augmentation)
            u = engine.encode(as_pictures(crops))
            points, spread = engine.decode(cold_state(engine, u)[0])
            parts.append(solved_of(engine, u, points, spread, truth.numpy()))
            report(int(rows[-1]) + 1)
    return joined(parts)


def fit(faces: Solved) -> Calibration:
    """Fit the constants to the errors.

    The exponent is the slope between the logarithms of spread and error, both without the median of their landmark, of
    :data:`SHARES` medians: single errors have no bounds. With it, the scale makes each landmark's median ratio 1. Where
    the faces have an appearance, descent on the quantile losses of all percentages (Koenker and Bassett, Econometrica
    1978) starts from there; the quantiles are those of the ratios that are left.
    """
    spread, error = np.log(faces.spreads), np.log(np.maximum(faces.errors, LEAST))
    x, y = (values - np.median(values, axis=0) for values in (spread, error))
    parts = np.array_split(np.argsort(x, axis=None), SHARES)
    medians = np.array([(np.median(x.flat[part]), np.median(y.flat[part])) for part in parts])
    exponent = float(np.polyfit(medians[:, 0], medians[:, 1], 1)[0])
    scale = np.exp(np.median(error - exponent * spread, axis=0))
    found = Calibration(exponent, tuple(scale.tolist()), (1.0,) * len(PERCENTS))
    if faces.seen.shape[-1]:
        found = _with_appearance(found, faces)
    quantiles = np.quantile(faces.ratios(found), np.array(PERCENTS) / 100)
    return replace(found, quantiles=tuple(quantiles.tolist()))


def _with_appearance(start: Calibration, faces: Solved) -> Calibration:
    """Return the constants, without quantiles, that minimise the quantile losses; they begin with ``start``."""
    channels = faces.seen.shape[-1]
    mean, deviation = faces.seen.mean(axis=(0, 1)), faces.seen.std(axis=(0, 1)) + 1e-3
    seen = torch.from_numpy((faces.seen - mean) / deviation)
    spread = torch.from_numpy(np.log(faces.spreads)).float()
    error = torch.from_numpy(np.log(np.maximum(faces.errors, LEAST))).float()
    quantile = torch.tensor(PERCENTS)[:, None, None] / 100
    region = torch.tensor(REGION_OF_POINT)
    factors = torch.zeros(len(REGIONS), channels, requires_grad=True)
    scale = torch.tensor(start.scale).log().requires_grad_()
    exponent = torch.tensor(start.exponent, requires_grad=True)
    ratio = error - scale.detach() - exponent.detach() * spread
    level = torch.quantile(ratio[:, ::2].flatten()[:1_000_000], quantile.flatten())[:, None, None].requires_grad_()
    parameters = [factors, scale, exponent, level]
    optimiser = torch.optim.Adam(parameters, lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, STEPS)
    for _ in range(STEPS):
        optimiser.zero_grad()
        said = scale + exponent * spread + torch.einsum("nkc,kc->nk", seen, factors[region])
        beyond = error - said - level
        loss = torch.maximum(quantile * beyond, (quantile - 1) * beyond).mean() + DECAY * factors.square().mean()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
    appearance = factors.detach().numpy() / deviation
    scales = np.exp(scale.detach().numpy() - (appearance @ mean)[np.array(REGION_OF_POINT)])
    rows = tuple(tuple(round(value, 5) for value in row) for row in appearance.astype(float).tolist())
    return replace(
        start, exponent=float(exponent.detach()), scale=tuple(scales.astype(float).tolist()), appearance=rows
    )


def widened(calibration: Calibration, unseen: Solved) -> Calibration:
    """Return the constants with one factor more, from faces that the model has not learned: on those it errs more."""
    found = np.quantile(unseen.ratios(calibration), np.array(PERCENTS) / 100) / calibration.quantiles
    factor = float(np.median(found))
    return replace(calibration, quantiles=tuple(factor * quantile for quantile in calibration.quantiles))


def held(calibration: Calibration, faces: Solved) -> dict[int, float]:
    """Return for each of the percentages how many percent of the landmarks their discs hold."""
    ratios = faces.ratios(calibration)
    return {
        percent: float((ratios <= quantile).mean()) * 100
        for percent, quantile in zip(PERCENTS, calibration.quantiles, strict=True)
    }
