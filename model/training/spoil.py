"""Changes to what a GHCU sees of heatmaps: some spoilt, as something in front of a face does, and mirrored faces."""

from __future__ import annotations

import torch
from torch import Tensor

from model.heatmap import mirrored as mirrored_heatmaps
from model.repair.network import Summary
from model.solvers.progress import column
from model.topology import mirror_map

DOUBTFUL = (0.03, 0.10)
"""Spread of heatmaps in a wrong place, in crop sides: among covered training faces one in a hundred is as wide, and
its point is off by a quarter of the inter-ocular distance on average."""


def spoil(seen: Summary, landmarks: Tensor, chance: float, radius: float) -> tuple[Summary, Tensor]:
    """Spoil the heatmaps of neighbouring points, as something in front of the face does.

    Of every chosen face the points within a random distance of a random point lose their heatmaps: on half of the
    faces they are erased, on the other half they lie in a wrong place, all by the same step, and are as wide as
    those of covered points are (:data:`DOUBTFUL`).

    Args:
        seen: of n faces; not changed.
        landmarks: (n, k, 2) in crop units.
        chance: per face.
        radius: greatest distance, in crop sides.

    Returns:
        what is left, and which heatmaps were spoilt, (n, k).
    """
    count, points = landmarks.shape[:2]
    device = landmarks.device
    centre = landmarks[torch.arange(count, device=device), torch.randint(points, (count,), device=device)]
    reach = radius * torch.rand(count, 1, device=device)
    near = (landmarks - centre[:, None]).norm(dim=-1) <= reach
    near &= torch.rand(count, 1, device=device) < chance
    erased = near & (torch.rand(count, 1, device=device) < 0.5)
    size = seen.maps.shape[-1]
    step = torch.randint(-(size // 4), size // 4 + 1, (2,))
    rolled = torch.roll(seen.maps, step.tolist(), dims=(3, 2))
    maps = torch.where((near & ~erased)[..., None, None], rolled, seen.maps) * ~erased[..., None, None]
    shifted = torch.where((near & ~erased)[..., None], seen.points + step.to(device) / size, seen.points)
    low, high = DOUBTFUL
    doubtful = low + (high - low) * torch.rand_like(seen.spread)
    spread = torch.where(near & ~erased, torch.maximum(seen.spread, doubtful), seen.spread)
    kept = (~erased).to(maps.dtype)
    return Summary(maps, shifted * kept[..., None], spread * kept, seen.present * kept), near


def mirror(seen: Summary, landmarks: Tensor, counts: Tensor, mirrored: Tensor) -> tuple[Summary, Tensor, Tensor]:
    """Mirror what was seen of the chosen faces (n,), and their labels and weights, left to right."""
    order = torch.as_tensor(mirror_map(landmarks.shape[1]), device=landmarks.device)
    side = landmarks.new_tensor([-1.0, 1.0])

    def turned(points: Tensor) -> Tensor:
        return 0.5 + (points[:, order] - 0.5) * side

    def where(changed: Tensor, same: Tensor) -> Tensor:
        return torch.where(column(mirrored, same), changed, same)

    whole = Summary(
        where(mirrored_heatmaps(seen.maps), seen.maps),
        where(turned(seen.points), seen.points),
        where(seen.spread[:, order], seen.spread),
        where(seen.present[:, order], seen.present),
    )
    return whole, where(turned(landmarks), landmarks), where(counts[:, order], counts)
