"""Semantic alignment: where a labelled point really is, given its label and what a network sees.

People (and networks) place a point without a clear definition, such as one on a cheek, a little differently on
every face. Liu et al., "Semantic Alignment" (CVPR 2019), take the true place y of a point as unknown and the
label o as a noisy sight of it, and look near the label for

    y* = argmax_y  log P(o | y) + log P(y | x)
    log P(o | y) = -|o - y|^2 / (2 s1^2)                 the label's error is Gaussian
    log P(y | x) = -log(1 + X^2(y)) / (2 s2^2)           how far the heatmap around y is from the ideal one
    X^2(y) = sum_i (P_i - E_i)^2 / E_i                   Pearson's distance of the patch P from a Gaussian E at y

P and E both sum to 1, so 1 + X^2 = sum_i P_i^2 / E_i: one matrix product for all candidates. For a heatmap that
is itself a Gaussian of E's width s, d away from y, 1 + X^2 = exp(d^2 / s^2). The paper has X^2 where we have its
logarithm: both agree near the peak, but X^2 grows so fast that a heatmap two widths away would overrule any
label. With the logarithm the network's term is d^2 / (2 s^2 s2^2), and s s2 is the standard deviation of the
network's error. ``docs/method/semantic-alignment.md`` has the derivation.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model.errors import ModelError
from model.heatmap import decode

LEAST_WIDTH = 0.5
"""Narrowest ideal Gaussian, in cells: the grid shows no narrower one."""
MEDIAN_OF_SQUARE = 2 * math.log(2)
"""Median of |r|^2 for a point r of two independent normal coordinates of variance 1."""


@dataclass(frozen=True, slots=True)
class AlignmentSettings:
    """How labels are searched.

    Attributes:
        window: how far a point may move along x and along y, in crop sides.
        steps: candidates per heatmap cell along each axis.
        patch: cells to each side of a candidate that are compared with the Gaussian.
        floor: share of the ideal patch that is spread evenly; Pearson's distance divides by the ideal, and
            a pure Gaussian's tail is nearly 0.
        label_share: of the squared distance between labels and network, how much is the labels' error; the rest is
            the network's. It fixes s1 and s2, see :func:`fit_noise`.
        seen: least share of a heatmap's mass around the label; where the network sees the point elsewhere
            altogether the label stays.
    """

    window: float = 0.06
    steps: int = 4
    patch: int = 3
    floor: float = 0.05
    label_share: float = 0.25
    seen: float = 0.5

    def __post_init__(self) -> None:
        if not 0 < self.window < 0.5 or self.steps < 1 or self.patch < 1:
            raise ModelError("the window must be between 0 and 0.5, steps and patch at least 1")
        if not (0 < self.floor < 1 and 0 < self.label_share < 1 and 0 <= self.seen < 1):
            raise ModelError("floor and label_share must be between 0 and 1, seen from 0 to below 1")


@dataclass(frozen=True, slots=True)
class Noise:
    """Standard deviations along one axis, for each landmark (k,), all in crop sides.

    Attributes:
        label: s1, of a label of weight 1.
        network: of the network's points.
        width: s, of the ideal Gaussian.
    """

    label: Tensor
    network: Tensor
    width: Tensor


def fit_noise(points: Tensor, spread: Tensor, labels: Tensor, weights: Tensor, share: float) -> Noise:
    """Estimate s1, the network's error and the ideal width from the faces to be aligned.

    The labels' and the network's errors are independent, so the squared distance between both is the sum of their
    variances; ``share`` of it goes to the labels. Medians keep occluded and mislabelled faces out.

    Args:
        points: what the network reads, (n, k, 2) in crop units.
        spread: of its heatmaps, (n, k).
        labels: (n, k, 2).
        weights: (n, k); labels of weight 0 do not count.
        share: see :class:`AlignmentSettings`.
    """
    counted = torch.where(weights > 0, torch.ones_like(weights), torch.full_like(weights, torch.nan))
    squared = ((points - labels) ** 2).sum(dim=-1) * counted
    variance = torch.nan_to_num(squared.nanmedian(dim=0).values) / MEDIAN_OF_SQUARE
    width = torch.nan_to_num((spread * counted).nanmedian(dim=0).values)
    return Noise(torch.sqrt(share * variance), torch.sqrt((1 - share) * variance), width)


def align(heatmaps: Tensor, labels: Tensor, weights: Tensor, noise: Noise, settings: AlignmentSettings) -> Tensor:
    """Return the most likely place of every point.

    Args:
        heatmaps: z of the fixed network, (n, k, h, h), cells at (j + 0.5) / h.
        labels: o, (n, k, 2) in crop units.
        weights: (n, k), how far to trust each label: the variance of its error is s1^2 / weight. Where it is 0,
            nothing is known about o and the label stays.
        noise: from :func:`fit_noise`.
        settings: window and candidates.

    Returns:
        y*, (n, k, 2) in crop units.
    """
    size = heatmaps.shape[-1]
    patch, reach = settings.patch, math.ceil(settings.window * size)
    middle = (labels * size).floor().clamp(0, size - 1)
    around = _windows(heatmaps, middle.long(), reach + patch)
    seen = around.sum(dim=(-2, -1)) / heatmaps.sum(dim=(-2, -1)).clamp_min(1e-6)

    offsets = (torch.arange(settings.steps, device=labels.device) + 0.5) / settings.steps - 0.5
    ideal = _ideal_patches((noise.width * size).clamp_min(LEAST_WIDTH), offsets, patch, settings.floor)
    patches = around.unfold(2, 2 * patch + 1, 1).unfold(3, 2 * patch + 1, 1).flatten(4)
    patches = patches / patches.sum(dim=-1, keepdim=True).clamp_min(1e-12)
    unlike = torch.einsum("nkyxp,kpvu->nkyvxu", patches**2, 1 / ideal).clamp_min(1e-6).log()  # log(1 + X^2)
    steps = (2 * reach + 1) * settings.steps
    unlike = unlike.reshape(*labels.shape[:2], steps, steps)

    # Candidates relative to the label, in crop sides: whole cells around its own, each divided into steps.
    cells = torch.arange(-reach, reach + 1, device=labels.device)
    ticks = (cells[:, None] + offsets).flatten()
    away = (middle[..., None] + 0.5 + ticks) / size - labels[..., None]
    label_variance = (noise.label**2).clamp_min(1e-12) / weights.clamp_min(1e-3)
    distance = away[:, :, 1, :, None] ** 2 + away[:, :, 0, None, :] ** 2
    network = (noise.network / (noise.width.clamp_min(LEAST_WIDTH / size))).clamp_min(1e-3)
    cost = distance / label_variance[..., None, None] + unlike / (network**2)[:, None, None]
    outside = (away[:, :, 1, :, None].abs() > settings.window) | (away[:, :, 0, None, :].abs() > settings.window)
    moved = labels + _lowest(cost.masked_fill(outside, torch.inf), away)
    stays = (seen < settings.seen) | (weights <= 0) | ~torch.isfinite(moved).all(dim=-1)
    return torch.where(stays[..., None], labels, moved)


def read_points(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """Decode for :func:`fit_noise`: points (n, k, 2) and spread (n, k) in crop units."""
    points, spread = decode(heatmaps, half_pixel=True)
    return points, spread


def _windows(heatmaps: Tensor, middle: Tensor, reach: int) -> Tensor:
    """Cut (2 reach + 1)^2 cells around the cell ``middle`` (n, k, 2: x, y) out of each heatmap; 0 beyond its edge."""
    padded = F.pad(heatmaps, [reach] * 4)
    span = torch.arange(2 * reach + 1, device=heatmaps.device)
    rows = (middle[..., 1, None] + span)[..., None].expand(-1, -1, -1, padded.shape[-1])
    columns = (middle[..., 0, None] + span)[:, :, None, :].expand(-1, -1, len(span), -1)
    return padded.gather(2, rows).gather(3, columns)


def _ideal_patches(width: Tensor, offsets: Tensor, patch: int, floor: float) -> Tensor:
    """Return E for each landmark and sub-cell offset: (k, patch cells, steps in y, steps in x), summing to 1."""
    cells = torch.arange(-patch, patch + 1, device=width.device)
    line = torch.exp(-0.5 * ((cells[:, None] - offsets) / width[:, None, None]) ** 2)
    ideal = torch.einsum("kiv,kju->kijvu", line, line).flatten(1, 2)
    ideal = ideal / ideal.sum(dim=1, keepdim=True)
    return (1 - floor) * ideal + floor / ideal.shape[1]


def _lowest(cost: Tensor, away: Tensor) -> Tensor:
    """Return where the cost (n, k, s, s) is lowest, refined by a parabola along each axis, as (n, k, 2).

    ``away`` (n, k, 2, s) holds the candidates' x and y.
    """
    steps = cost.shape[-1]
    best = cost.flatten(2).argmin(dim=-1)
    row, column = best // steps, best % steps
    result = []
    for axis, index in ((0, column), (1, row)):
        if axis == 0:
            line = cost.gather(2, row[..., None, None].expand(-1, -1, 1, steps)).squeeze(2)
        else:
            line = cost.gather(3, column[..., None, None].expand(-1, -1, steps, 1)).squeeze(3)
        inner = index.clamp(1, steps - 2)
        before, at, after = (line.gather(2, (inner + shift)[..., None]).squeeze(2) for shift in (-1, 0, 1))
        bend = before - 2 * at + after
        shift = torch.where((bend > 0) & torch.isfinite(bend), (before - after) / (2 * bend), 0.0).clamp(-0.5, 0.5)
        shift = torch.where(inner == index, shift, 0.0)
        along = away[:, :, axis]
        step = along[..., 1] - along[..., 0]
        result.append(along.gather(2, index[..., None]).squeeze(2) + shift * step)
    return torch.stack(result, dim=-1)
