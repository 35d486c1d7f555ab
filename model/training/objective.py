"""One training step's loss: Jacobian-free backpropagation through the last evaluation of the cell."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from model.heatmap import decode
from model.network import Ldeq


def jfb_state(model: Ldeq, u: Tensor, untracked: int, warm_chance: float, warm_shift: float) -> Tensor:
    """Run the cell from z = 0 and return its last, tracked evaluation (n, 98, h, h).

    ``untracked`` evaluations carry no gradient (Fung et al., 2022, "JFB"). Then the states of some
    faces are moved: to the cell they look like the last frame's fixed point after the head moved, so
    still pictures teach it to correct a warm start.
    """
    z = model.zero_state(u).contiguous(memory_format=torch.channels_last)
    fixed = u.detach()
    with torch.no_grad():
        for _ in range(untracked):
            z = model.cell(z, fixed)
        if untracked and warm_chance > 0:
            z = _moved(z, warm_chance, warm_shift)
    out: Tensor = model.cell(z, u)
    return out


def _moved(z: Tensor, chance: float, shift: float) -> Tensor:
    chosen = (torch.rand(len(z), device=z.device) < chance).nonzero().squeeze(1)
    if not len(chosen):
        return z
    count = len(chosen)
    theta = torch.zeros(count, 2, 3, device=z.device)
    scale = 1 + 0.04 * torch.randn(count, device=z.device)
    turn = 0.05 * torch.randn(count, device=z.device)
    theta[:, 0, 0] = theta[:, 1, 1] = scale
    theta[:, 0, 1], theta[:, 1, 0] = -turn, turn
    theta[:, :, 2] = 2 * shift * torch.randn(count, 2, device=z.device)
    part = z[chosen]
    grid = F.affine_grid(theta, list(part.shape), align_corners=False)
    z = z.clone()
    z[chosen] = F.grid_sample(part, grid, align_corners=False)
    return z


def landmark_loss(z: Tensor, landmarks: Tensor, weights: Tensor, half_pixel: bool, spread_weight: float) -> Tensor:
    """Weighted mean point distance plus the mean heatmap spread, both in percent of the crop side.

    Args:
        z: heatmaps (n, 98, h, h).
        landmarks: truth (n, 98, 2) in crop units.
        weights: (n, 98).
        half_pixel: see :func:`model.heatmap.decode`.
        spread_weight: weight of the spread, which encourages sharp heatmaps and so convergence.
    """
    points, spread = decode(z, half_pixel)
    offset = points - landmarks
    distance = torch.sqrt((offset * offset).sum(-1) + 1e-8)
    total = weights.sum().clamp_min(1e-6)
    value: Tensor = ((distance + spread_weight * spread) * weights).sum() / total * 100
    return value
