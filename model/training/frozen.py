"""What a model that is not being trained sees: its cold heatmaps of training faces."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import LdeqConfig
from model.network import Ldeq
from model.training.augment import Augmentation, augment
from model.training.autocast import autocast
from model.training.data import Faces
from model.training.objective import network_input, untracked_state

PLAIN = Augmentation(
    shift=0.0,
    scale_low=1.0,
    scale_high=1.0,
    rotation=0.0,
    mirror_chance=0.0,
    colour_chance=0.0,
    grey_chance=0.0,
    blur_chance=0.0,
    low_resolution_chance=0.0,
    noise_chance=0.0,
    occluder_chance=0.0,
)
"""Cuts the crop out and changes nothing."""


def plain_crops(faces: Faces, size: int, crop_scale: float) -> tuple[Tensor, Tensor]:
    """Cut the crops of training faces as evaluation does, by the box of their landmarks.

    Args:
        faces: n of them.
        size: side of the crops in pixels.
        crop_scale: side of the crop over the larger side of the landmark box.

    Returns:
        crops (n, 3, size, size) float32 in [0, 255] and the landmarks (n, k, 2) in crop units.
    """
    crops, points, _ = augment(faces, size, crop_scale, PLAIN)
    return crops, points


def plain_pictures(faces: Faces, config: LdeqConfig) -> NDArray[np.uint8]:
    """Return the crops of training faces as a camera's would be, (n, s, s, 3) uint8 RGB."""
    return as_pictures(plain_crops(faces, config.input_size, config.crop_scale)[0])


def as_pictures(crops: Tensor) -> NDArray[np.uint8]:
    """Return crops (n, 3, s, s) in [0, 255] as engines take them, (n, s, s, 3) uint8 RGB."""
    return np.asarray(crops.round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu())


def from_crop(points: Tensor, landmarks: Tensor, crop_scale: float) -> Tensor:
    """Map points (n, k, 2) from the units of :func:`plain_crops`' crops of ``landmarks`` to picture pixels."""
    low, high = landmarks.amin(dim=1, keepdim=True), landmarks.amax(dim=1, keepdim=True)
    side = (high - low).amax(dim=2, keepdim=True) * crop_scale
    return (low + high) / 2 + (points - 0.5) * side


@torch.no_grad()
def cold_heatmaps(model: Ldeq, crops: Tensor) -> Tensor:
    """Return the state (n, k, h, h) float32 that ``max_steps`` evaluations from z = 0 reach.

    All but the last evaluation are in bfloat16: they only say where to go on from. The last is exact, since
    rounded logits would be steps in the heatmap.

    Args:
        model: in evaluation mode.
        crops: (n, 3, s, s) in [0, 255].
    """
    u: Tensor = model.stem(network_input(crops))
    with autocast(u.device.type):
        z = untracked_state(model, u, model.config.max_steps - 1)
    out: Tensor = model.cell(z, u)
    return out
