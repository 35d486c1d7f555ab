"""The network of a GHCU: from all heatmaps of a face to all of its points."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.heatmap import decode
from model.network import SLOPE
from model.repair.ghcu import GhcuConfig

PRESENT = 0.5
"""A heatmap with less mass has been erased: a real one has at least the 1 of its peak."""
SURE = 0.01
"""Spread in crop sides below which one heatmap says as much as another about where the face is."""
NOISE = 0.75
"""Standard deviation of a point's error along one axis over its heatmap's spread, before training."""
WIDE = 0.03
"""Spread in crop sides at which half of what the layers say about a point counts; sure points need no move."""
UNIT = 0.1
"""What counts as a large residual, in crop sides: inputs and outputs of the layers are about of unit size."""
INVERSIONS = 24
"""Newton-Schulz steps; each doubles the digits, once there are some."""


class Summary(NamedTuple):
    """What a GHCU sees of a face's heatmaps; a hundredth of their size, so that many faces can be kept.

    Attributes:
        maps: (n, k, h / pool, h / pool), mass by area, each map's sum 1.
        points: (n, k, 2) decoded, crop units.
        spread: (n, k) crop units.
        present: (n, k), 1 where there is a heatmap.
    """

    maps: Tensor
    points: Tensor
    spread: Tensor
    present: Tensor


def summarise(z: Tensor, config: GhcuConfig) -> Summary:
    """Pool and decode heatmaps (n, k, h, h)."""
    points, spread = decode(z, config.half_pixel)
    maps = F.avg_pool2d(z, config.pool) * config.pool**2
    mass = maps.sum(dim=(2, 3))
    return Summary(maps / mass.clamp_min(PRESENT)[..., None, None], points, spread, (mass > PRESENT).to(z.dtype))


class Similarity(NamedTuple):
    """Turn, scale and shift from the mean face's frame to each of n crops: q -> centre + R (q - origin).

    Attributes:
        cosine: (n, 1), times the scale.
        sine: (n, 1), times the scale.
        origin: (n, 1, 2), a place of the mean face's frame.
        centre: (n, 1, 2), where it comes to lie.
    """

    cosine: Tensor
    sine: Tensor
    origin: Tensor
    centre: Tensor

    def apply(self, shape: Tensor) -> Tensor:
        """Bring points (n, k, 2) of the mean face's frame into the crops."""
        x, y = (shape - self.origin).unbind(dim=-1)
        return self.centre + torch.stack([self.cosine * x - self.sine * y, self.sine * x + self.cosine * y], dim=-1)

    def undo(self, points: Tensor) -> Tensor:
        """Bring points (n, k, 2) of the crops into the mean face's frame."""
        x, y = (points - self.centre).unbind(dim=-1)
        squared = self.scale**2
        turned = [(self.cosine * x + self.sine * y) / squared, (self.cosine * y - self.sine * x) / squared]
        return self.origin + torch.stack(turned, dim=-1)

    @property
    def scale(self) -> Tensor:
        """Crop sides for each unit of the mean face's frame, (n, 1)."""
        return torch.sqrt(self.cosine**2 + self.sine**2).clamp_min(1e-3)


def fit_similarity(shape: Tensor, points: Tensor, weights: Tensor) -> Similarity:
    """Return the similarity that brings ``shape`` (k, 2) to points (n, k, 2) with weights (n, k) best."""
    weights = (weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-6))[..., None]
    origin = (weights * shape).sum(dim=1, keepdim=True)
    from_centre = shape - origin
    centre = (weights * points).sum(dim=1, keepdim=True)
    offset = points - centre
    along = (weights * (from_centre * offset)).sum(dim=(1, 2))
    across = from_centre[..., 0] * offset[..., 1] - from_centre[..., 1] * offset[..., 0]
    turned = (weights[..., 0] * across).sum(dim=1)
    size = (weights * from_centre**2).sum(dim=(1, 2)).clamp_min(1e-6)
    return Similarity((along / size)[:, None], (turned / size)[:, None], origin, centre)


def inverses(matrices: Tensor) -> Tensor:
    """Return the inverses of symmetric positive definite matrices (n, m, m), by products of matrices alone.

    Newton-Schulz iteration, X <- X (2 I - A X), on A scaled to a diagonal of 1. ONNX has no operator that solves.
    """
    scale = torch.rsqrt(matrices.diagonal(dim1=1, dim2=2))
    scaled = matrices * scale[:, :, None] * scale[:, None, :]
    one = torch.eye(matrices.shape[-1], device=matrices.device, dtype=matrices.dtype)
    found = one / scaled.abs().sum(dim=2).amax(dim=1)[:, None, None]
    for _ in range(INVERSIONS):
        found = found @ (2 * one - scaled @ found)
    return found * scale[:, :, None] * scale[:, None, :]


class GhcuNetwork(nn.Module):
    """A model of faces fitted to all heatmaps by how sure they are, and layers that move its points.

    Maps heatmaps (n, k, h, h) to points (n, k, 2) in crop units. A face is the mean face plus normally distributed
    amounts of its principal ways to differ (turned, open mouth, ...), turned, scaled and shifted; a decoded point is
    a sight of it with an error in proportion to its heatmap's spread. The most likely face is the solution of
    linear equations: covered points come to where the sure ones say. The layers then see all heatmaps and move
    the points of the wide ones; before training they move none.
    """

    mean_shape: Tensor
    modes: Tensor

    def __init__(self, config: GhcuConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean_shape", torch.zeros(config.landmarks, 2))
        self.register_buffer("modes", torch.zeros(config.modes, 2 * config.landmarks))
        widths = (config.landmarks, *config.channels)
        self.convs = nn.ModuleList(
            nn.Conv2d(widths[i], widths[i + 1], 3, stride=2 if i else 1, padding=1) for i in range(len(config.channels))
        )
        side = config.heatmap_size // config.pool
        for _ in config.channels[1:]:
            side = (side + 1) // 2
        self.from_maps = nn.Linear(config.channels[-1] * side * side, config.hidden)
        self.from_points = nn.Linear(4 * config.landmarks, config.hidden)
        self.hidden = nn.Linear(config.hidden, config.hidden)
        self.head = nn.Linear(config.hidden, 2 * config.landmarks)
        self.straight = nn.Linear(4 * config.landmarks, 2 * config.landmarks)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight, a=SLOPE)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        for last in (self.head, self.straight):
            nn.init.zeros_(last.weight)
        self.noise = nn.Parameter(torch.full((config.landmarks,), math.log(NOISE)))

    def forward(self, z: Tensor) -> Tensor:
        """Return the points for heatmaps."""
        return self.correct(summarise(z, self.config))

    def fit(self, seen: Summary) -> Tensor:
        """Return the most likely face's points (n, k, 2)."""
        _, points, spread, present = seen
        place = fit_similarity(self.mean_shape, points, present / (spread + SURE) ** 2)
        error = torch.exp(self.noise) * (spread + 1e-3) / place.scale
        weights = (present / error**2).repeat_interleave(2, dim=1)
        residual = (place.undo(points) - self.mean_shape).flatten(1)
        weighted = weights[:, :, None] * self.modes.T
        one = torch.eye(len(self.modes), device=points.device, dtype=points.dtype)
        inverse = inverses(one + self.modes @ weighted)
        amounts = (inverse @ (weighted.transpose(1, 2) @ residual[..., None]))[..., 0]
        return place.apply(self.mean_shape + (amounts @ self.modes).view_as(points))

    def correct(self, seen: Summary) -> Tensor:
        """Return the points (n, k, 2) for what has been kept of heatmaps."""
        maps, points, spread, present = seen
        shape = self.fit(seen)
        residual = (points - shape) * present[..., None] / UNIT
        values = torch.cat([residual.flatten(1), torch.log(spread + SURE) + 4, present], dim=1)
        for conv in self.convs:
            maps = F.leaky_relu(conv(maps), SLOPE)
        features = F.leaky_relu(self.from_maps(maps.flatten(1)) + self.from_points(values), SLOPE)
        features = features + F.leaky_relu(self.hidden(features), SLOPE)
        move = (self.head(features) + self.straight(values)).view_as(residual)
        sure = present * WIDE / (spread + WIDE)
        found: Tensor = shape + UNIT * (1 - sure)[..., None] * move
        return found


def shape_model(faces: Tensor, weights: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Fit the mean face and the principal ways to differ from it.

    Args:
        faces: points (n, k, 2), of any size and place.
        weights: (n, k), how far to trust each.
        count: m, ways.

    Returns:
        the mean (k, 2), of size 1 and centre 0, and the modes (m, 2 k), each as long as the standard deviation of
        its amount; 0 where the faces do not differ in so many ways.
    """
    low, high = faces.amin(dim=1, keepdim=True), faces.amax(dim=1, keepdim=True)
    faces = (faces - (low + high) / 2) / (high - low).amax(dim=2, keepdim=True)
    trusted = weights.clamp_min(0.05)
    mean = faces.mean(dim=0)
    for _ in range(3):
        residual = fit_similarity(mean, faces, trusted).undo(faces) - mean
        mean = mean + residual.mean(dim=0)
        mean = mean - mean.mean(dim=0)
        mean = mean / (mean.amax(dim=0) - mean.amin(dim=0)).amax()
    residual = (fit_similarity(mean, faces, trusted).undo(faces) - mean).flatten(1)
    values, vectors = torch.linalg.eigh(residual.T @ residual / len(residual))
    modes = (vectors * values.clamp_min(0).sqrt()).flip(1).T[:count]
    return mean, modes
