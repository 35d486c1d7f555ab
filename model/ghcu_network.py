"""The network of a GHCU: from all heatmaps of a face to all of its points."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.ghcu import GhcuConfig
from model.heatmap import decode
from model.network import SLOPE

PRESENT = 0.5
"""A heatmap with less mass has been erased: a real one has at least the 1 of its peak."""
SURE = 0.01
"""Spread in crop sides below which one heatmap says as much as another about where the face is."""
DOUBT, STEEPNESS = 0.04, 8.0
"""Spread at which, before training, a point counts half as its own heatmap's and half as the mean face's; and how
fast that changes with the spread's logarithm."""
UNIT = 0.1
"""What counts as a large residual, in crop sides: inputs and outputs of the layers are about of unit size."""


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


def fitted_shape(shape: Tensor, points: Tensor, weights: Tensor) -> Tensor:
    """Return ``shape`` (k, 2), moved, turned and scaled to fit points (n, k, 2) with weights (n, k) best."""
    weights = (weights / weights.sum(dim=1, keepdim=True).clamp_min(1e-6))[..., None]
    from_centre = shape - (weights * shape).sum(dim=1, keepdim=True)
    centre = (weights * points).sum(dim=1, keepdim=True)
    offset = points - centre
    along = (weights * (from_centre * offset)).sum(dim=(1, 2))
    across = from_centre[..., 0] * offset[..., 1] - from_centre[..., 1] * offset[..., 0]
    turned = (weights[..., 0] * across).sum(dim=1)
    size = (weights * from_centre**2).sum(dim=(1, 2)).clamp_min(1e-6)
    cosine, sine = (along / size)[:, None], (turned / size)[:, None]
    x, y = from_centre[..., 0], from_centre[..., 1]
    return centre + torch.stack([cosine * x - sine * y, sine * x + cosine * y], dim=-1)


class GhcuNetwork(nn.Module):
    """The mean face, fitted to the heatmaps that are sure, and layers that see all of them and move its points.

    Maps heatmaps (n, k, h, h) to points (n, k, 2) in crop units. Before training it returns the decoded points,
    and the fitted mean face where a heatmap is wide or missing.
    """

    mean_shape: Tensor

    def __init__(self, config: GhcuConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("mean_shape", torch.zeros(config.landmarks, 2))
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
        self.doubt = nn.Parameter(torch.full((config.landmarks,), math.log(DOUBT)))

    def forward(self, z: Tensor) -> Tensor:
        """Return the points for heatmaps."""
        return self.correct(summarise(z, self.config))

    def correct(self, seen: Summary) -> Tensor:
        """Return the points (n, k, 2) for what has been kept of heatmaps."""
        maps, points, spread, present = seen
        shape = fitted_shape(self.mean_shape, points, present / (spread + SURE) ** 2)
        residual = (points - shape) * present[..., None] / UNIT
        values = torch.cat([residual.flatten(1), torch.log(spread + SURE) + 4, present], dim=1)
        for conv in self.convs:
            maps = F.leaky_relu(conv(maps), SLOPE)
        features = F.leaky_relu(self.from_maps(maps.flatten(1)) + self.from_points(values), SLOPE)
        features = features + F.leaky_relu(self.hidden(features), SLOPE)
        move = (self.head(features) + self.straight(values)).view_as(residual)
        # A point that keeps its place needs no move, so all that is learned goes into those that do not.
        kept = present * torch.sigmoid(STEEPNESS * (self.doubt - torch.log(spread + 1e-4)))
        found: Tensor = shape + UNIT * (kept[..., None] * residual + (1 - kept[..., None]) * move)
        return found
