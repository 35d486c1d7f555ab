"""What only the released LDEQ checkpoints need: their parameter names and their uncertainty."""

from __future__ import annotations

import torch
from torch import Tensor

from model.config import DEPTH
from model.heatmap import MASS_FLOOR


def official_names() -> dict[str, str]:
    """Return our module prefix for each prefix of the released ``state_dict`` (no trailing dot)."""
    names = {f"tail.{official}": f"stem.block{ours}" for ours, official in enumerate((0, 1, 3), start=1)}
    cell = "deq_layer.cell"
    names[f"{cell}.tail"] = "cell.tail"
    names[f"{cell}.head.conv"] = "cell.head"
    glass = f"{cell}.hourglass"
    names[f"{glass}.bottlneck"] = "cell.hourglass.bottleneck"
    for level in range(DEPTH):
        up = DEPTH - level  # the way up counts from the coarsest level
        names[f"{glass}.same{level + 1}"] = f"cell.hourglass.same.{level}"
        names[f"{glass}.upchan{level + 1}"] = f"cell.hourglass.up_channel.{level}"
        names[f"{glass}.downchan{2 * up - 1}"] = f"cell.hourglass.down_channel.{level}"
        names[f"{glass}.downchan{2 * up}"] = f"cell.hourglass.merge.{level}"
        names[f"{glass}.same{DEPTH + up}"] = f"cell.hourglass.refine.{level}"
    return names


def our_name(official: str) -> str:
    """Return our name of a released parameter, e.g. ``tail.0.conv.weight``.

    Raises:
        KeyError: for a name no released checkpoint has.
    """
    parts = official.split(".")
    names = official_names()
    for length in range(len(parts) - 1, 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in names:
            return ".".join([names[prefix], *parts[length:]])
    raise KeyError(official)


def released_uncertainty(z: Tensor) -> Tensor:
    """Return the uncertainty (n, 98) as the release computes it, for comparison only.

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
