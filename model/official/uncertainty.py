"""The released model's uncertainty, for comparison with its own figures only."""

from __future__ import annotations

import torch
from torch import Tensor

from model.heatmap import MASS_FLOOR


def released_uncertainty(z: Tensor) -> Tensor:
    """Return the uncertainty (n, 98) as the release computes it.

    It subtracts the mean in crop units from columns in heatmap cells, so it measures the distance from
    nearly the corner of the crop. Our :func:`model.heatmap.decode` returns the standard deviation.
    """
    size = z.shape[-1]
    columns = torch.arange(size, dtype=z.dtype, device=z.device)
    mass = MASS_FLOOR + z.sum(dim=(2, 3))
    variance = torch.zeros_like(mass)
    for marginal in (z.sum(dim=2), z.sum(dim=3)):
        mean = (marginal * columns).sum(-1) / mass / size
        variance += (marginal * (columns - mean[..., None]) ** 2).sum(-1) / mass
    return torch.sqrt(variance / 2) / size
