"""What a training step is made of: states to start from, moved as between frames, and the loss of what follows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from model.heatmap import decode
from model.network import Ldeq, normalise_image
from model.topology import REGIONS, eye_corners, region_points

LEAST_MOVE = 0.05
"""Smallest strength of a move; strengths are spread evenly on a logarithmic scale up to 1."""


@dataclass(frozen=True, slots=True)
class Moves:
    """How far a state is moved to look like the last frame's; standard deviations at full strength.

    Attributes:
        shift: in crop sides.
        scale: relative change of size.
        turn: in radians.
        region_chance: chance that one region (brows, eyes, mouth, ...) moves by itself, as expressions do.
        region_shift: in crop sides.
    """

    shift: float = 0.02
    scale: float = 0.04
    turn: float = 0.05
    region_chance: float = 0.5
    region_shift: float = 0.015


def network_input(crops: Tensor) -> Tensor:
    """Return augmented crops (n, 3, s, s) in [0, 255] as the network takes them."""
    return normalise_image(crops.permute(0, 2, 3, 1)).contiguous(memory_format=torch.channels_last)


def untracked_state(model: Ldeq, u: Tensor, evaluations: int) -> Tensor:
    """Return the state (n, 98, h, h) after ``evaluations`` of the cell from z = 0, without a graph."""
    z = model.zero_state(u).contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        for _ in range(evaluations):
            z = model.cell(z, u.detach())
    return z


@torch.no_grad()
def moved_state(z: Tensor, chance: float, moves: Moves) -> Tensor:
    """Move the states of some faces (drawn with ``chance``), as if the heads had moved since.

    To the cell such a state looks like the last frame's fixed point, so still pictures teach it to correct a
    warm start.
    """
    chosen = (torch.rand(len(z), device=z.device) < chance).nonzero().squeeze(1)
    if not len(chosen):
        return z
    z = z.clone()
    z[chosen] = _sampled(z[chosen], moves.shift, moves.scale, moves.turn)
    regions = [points for region in REGIONS if len(points := region_points(region, z.shape[1]))]
    region = regions[int(torch.randint(len(regions), (1,)))]
    own = chosen[torch.rand(len(chosen), device=z.device) < moves.region_chance]
    if len(own):
        index = own[:, None], torch.as_tensor(region, device=z.device)[None]
        z[index] = _sampled(z[index], moves.region_shift, 0.0, 0.0)
    return z


def _sampled(z: Tensor, shift: float, scale: float, turn: float) -> Tensor:
    count, device = len(z), z.device
    strength = LEAST_MOVE ** torch.rand(count, device=device)
    size = 1 + scale * strength * torch.randn(count, device=device)
    angle = turn * strength * torch.randn(count, device=device)
    theta = torch.zeros(count, 2, 3, device=device)
    theta[:, 0, 0] = theta[:, 1, 1] = size
    theta[:, 0, 1], theta[:, 1, 0] = -angle, angle
    theta[:, :, 2] = 2 * shift * strength[:, None] * torch.randn(count, 2, device=device)
    grid = F.affine_grid(theta, list(z.shape), align_corners=False)
    return F.grid_sample(z, grid, align_corners=False)


@dataclass(frozen=True, slots=True)
class LossWeights:
    """What counts how much; every part is in percent of the crop side.

    Attributes:
        spread: the mean heatmap spread, which encourages sharp heatmaps and so convergence.
        flicker: the change of the error from an earlier view of the same face to this one, NMF's own idea.
        least_eyes: faces count with the inverse of their inter-ocular distance, as errors do in NME, but none
            as if it had less than this, in crop sides.
    """

    spread: float = 0.05
    flicker: float = 0.5
    least_eyes: float = 0.17


def landmark_loss(
    z: Tensor,
    landmarks: Tensor,
    weights: Tensor,
    half_pixel: bool,
    parts: LossWeights,
    earlier: Tensor | None = None,
) -> Tensor:
    """Mean point distance, weighted as in NME, plus the parts of :class:`LossWeights`, in percent of the crop side.

    Args:
        z: heatmaps (n, 98, h, h).
        landmarks: truth (n, 98, 2) in crop units.
        weights: (n, 98).
        half_pixel: see :func:`model.heatmap.decode`.
        parts: weights of the parts.
        earlier: heatmaps of an earlier view with the same truth.
    """
    points, spread = decode(z, half_pixel)
    left, right = eye_corners(landmarks.shape[1])
    eyes = _length(landmarks[:, right] - landmarks[:, left])[:, None]
    weights = weights / eyes.clamp_min(parts.least_eyes)
    value = _length(points - landmarks) + parts.spread * spread
    if earlier is not None and parts.flicker:
        value = value + parts.flicker * _length(points - decode(earlier, half_pixel)[0])
    mean: Tensor = (value * weights).sum() / weights.sum().clamp_min(1e-6) * 100
    return mean


def _length(offset: Tensor) -> Tensor:
    return torch.sqrt((offset * offset).sum(-1) + 1e-8)
