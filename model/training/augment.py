"""Batched augmentation in torch, the same on CPU and GPU.

Geometry (shift, scale, rotation, mirror), optics (blur, motion blur, low resolution), light (gain,
contrast, gamma, saturation, grey), sensor noise and occluders. Crops follow the rule of
``model.geometry``: a square of ``crop_scale`` x the larger side of the landmark box.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from model.topology import mirror_map
from model.training.data import Faces


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Strengths; each ``*_chance`` is a probability per face.

    Shifts are fractions of the crop side, rotation is in degrees.
    """

    shift: float = 0.08
    scale_low: float = 0.83
    scale_high: float = 1.2
    rotation: float = 50.0
    mirror_chance: float = 0.5
    colour_chance: float = 0.8
    grey_chance: float = 0.1
    blur_chance: float = 0.25
    low_resolution_chance: float = 0.15
    noise_chance: float = 0.4
    occluder_chance: float = 0.45
    occluder_side: float = 0.4

    def narrowed(self, share: float) -> Augmentation:
        """Return the same with shifts, sizes and turns drawn from ``share`` of the range."""
        return replace(
            self,
            shift=self.shift * share,
            scale_low=self.scale_low**share,
            scale_high=self.scale_high**share,
            rotation=self.rotation * share,
        )


def _uniform(count: int, low: float, high: float, device: torch.device) -> Tensor:
    return torch.empty(count, device=device).uniform_(low, high)


def _chosen(count: int, chance: float, device: torch.device) -> Tensor:
    return (torch.rand(count, device=device) < chance).nonzero().squeeze(1)


def augment(faces: Faces, size: int, crop_scale: float, settings: Augmentation) -> tuple[Tensor, Tensor, Tensor]:
    """Cut an augmented crop out of the picture of each face.

    Args:
        faces: n of them.
        size: side of the crops in pixels.
        crop_scale: side of the unperturbed crop over the larger side of the landmark box.
        settings: strengths.

    Returns:
        crops (n, 3, size, size) float32 in [0, 255], landmarks (n, k, 2) in crop units, and their
        weights (n, k); the last two are reordered where a face was mirrored.
    """
    crops, points, weights = _place(faces, size, crop_scale, settings)
    return _photograph(crops, settings), points, weights


def augment_twice(
    faces: Faces, size: int, crop_scale: float, settings: Augmentation
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Cut a crop out of each picture and photograph it twice, as if in two frames of a video.

    Both share geometry and occluders and differ in blur, light and noise. Arguments as for :func:`augment`.

    Returns:
        the earlier and the present crops, landmarks and weights.
    """
    crops, points, weights = _place(faces, size, crop_scale, settings)
    return _photograph(crops, settings), _photograph(crops, settings), points, weights


def _place(faces: Faces, size: int, crop_scale: float, settings: Augmentation) -> tuple[Tensor, Tensor, Tensor]:
    """Return what is before the camera: the face in its place, perhaps partly covered."""
    crops, points, mirrored = _warp(faces.images, faces.landmarks, size, crop_scale, settings)
    order = torch.as_tensor(mirror_map(points.shape[1]), device=points.device)
    points = torch.where(mirrored[:, None, None], points[:, order], points)
    weights = torch.where(mirrored[:, None], faces.weights[:, order], faces.weights)
    return _occlude(crops, settings), points, weights


def _photograph(crops: Tensor, settings: Augmentation) -> Tensor:
    """Return what the camera makes of it: blur, resolution, light, noise."""
    crops = _recolour(_reduce(_blur(crops, settings), settings), settings)
    noisy = _chosen(len(crops), settings.noise_chance, crops.device)
    strength = _uniform(len(noisy), 1.0, 14.0, crops.device).view(-1, 1, 1, 1)
    noise = torch.zeros_like(crops)
    noise[noisy] = strength * torch.randn_like(crops[noisy])
    return (crops + noise).clamp_(0, 255)


def _warp(
    images: Tensor, landmarks: Tensor, size: int, crop_scale: float, settings: Augmentation
) -> tuple[Tensor, Tensor, Tensor]:
    count, height, width = images.shape[:3]
    device = images.device
    low, high = landmarks.amin(dim=1), landmarks.amax(dim=1)
    side = (high - low).amax(dim=1) * crop_scale
    scale = torch.exp(_uniform(count, math.log(settings.scale_low), math.log(settings.scale_high), device))
    side = side * scale
    shift = torch.empty(count, 2, device=device).uniform_(-settings.shift, settings.shift)
    centre = (low + high) / 2 + shift * side[:, None]
    # A triangular distribution: upright heads are the common case.
    angle = (_uniform(count, -0.5, 0.5, device) + _uniform(count, -0.5, 0.5, device)) * math.radians(settings.rotation)
    flip = torch.where(torch.rand(count, device=device) < settings.mirror_chance, -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    # Columns: frame direction of one crop side along the crop's x and y.
    axis_x = torch.stack([cos * flip, sin * flip], dim=-1) * side[:, None]
    axis_y = torch.stack([-sin, cos], dim=-1) * side[:, None]

    # grid_sample: output and input coordinates in [-1, 1], pixel edges at the ends. Pixel i of the
    # picture has its centre at i, so its left edge is at -0.5.
    extent = torch.tensor([width, height], device=device, dtype=torch.float32)
    theta = torch.stack([axis_x / extent, axis_y / extent, (2 * centre + 1) / extent - 1], dim=-1)
    grid = F.affine_grid(theta, [count, 3, size, size], align_corners=False)
    source = images.permute(0, 3, 1, 2).float()
    crops = F.grid_sample(source, grid, padding_mode="border", align_corners=False)

    offset = landmarks - centre[:, None]
    inverse_area = (side**-2)[:, None]
    points = torch.stack(
        [(offset * axis_x[:, None]).sum(-1) * inverse_area, (offset * axis_y[:, None]).sum(-1) * inverse_area], dim=-1
    )
    return crops, points + 0.5, flip < 0


def _occlude(crops: Tensor, settings: Augmentation) -> Tensor:
    count, _, size, _ = crops.shape
    device = crops.device
    chosen = _chosen(count, settings.occluder_chance, device)
    if not len(chosen):
        return crops
    n = len(chosen)
    axis = (torch.arange(size, device=device) + 0.5) / size
    dx = axis.view(1, 1, -1) - _uniform(n, 0.0, 1.0, device).view(-1, 1, 1)
    dy = axis.view(1, -1, 1) - _uniform(n, 0.0, 1.0, device).view(-1, 1, 1)
    angle = _uniform(n, 0.0, math.pi, device).view(-1, 1, 1)
    half_width = (_uniform(n, 0.1, settings.occluder_side, device) / 2).view(-1, 1, 1)
    half_height = (_uniform(n, 0.1, settings.occluder_side, device) / 2).view(-1, 1, 1)
    a = (dx * torch.cos(angle) + dy * torch.sin(angle)) / half_width
    b = (dy * torch.cos(angle) - dx * torch.sin(angle)) / half_height
    box = torch.maximum(a.abs(), b.abs()) < 1
    ellipse = a * a + b * b < 1
    mask = torch.where((torch.rand(n, device=device) < 0.5).view(-1, 1, 1), box, ellipse)[:, None]
    colour = torch.rand(n, 3, 1, 1, device=device) * 255
    texture = crops[torch.randint(count, (n,), device=device)].roll(size // 2, dims=3)
    plain = (torch.rand(n, device=device) < 0.5).view(-1, 1, 1, 1)
    crops = crops.clone()
    crops[chosen] = torch.where(mask, torch.where(plain, colour, texture), crops[chosen])
    return crops


def _blur(crops: Tensor, settings: Augmentation) -> Tensor:
    """Convolve the chosen crops with Gaussian (out of focus) or elongated (motion) kernels."""
    chosen = _chosen(len(crops), settings.blur_chance, crops.device)
    if not len(chosen):
        return crops
    n, size = len(chosen), crops.shape[-1]
    reach = max(2, size // 32)
    unit = size / 128
    offsets = torch.arange(-reach, reach + 1, device=crops.device, dtype=torch.float32)
    angle = _uniform(n, 0.0, math.pi, crops.device).view(-1, 1, 1)
    x, y = offsets.view(1, 1, -1), offsets.view(1, -1, 1)
    along, across = x * torch.cos(angle) + y * torch.sin(angle), y * torch.cos(angle) - x * torch.sin(angle)
    sigma_across = _uniform(n, 0.3 * unit, 1.6 * unit, crops.device).view(-1, 1, 1)
    motion = (torch.rand(n, device=crops.device) < 0.5).view(-1, 1, 1)
    sigma_along = torch.where(motion, sigma_across + 1.5 * unit, sigma_across)
    kernel = torch.exp(-0.5 * ((along / sigma_along) ** 2 + (across / sigma_across) ** 2))
    kernel = (kernel / kernel.sum(dim=(1, 2), keepdim=True)).repeat_interleave(3, dim=0)[:, None]
    padded = F.pad(crops[chosen], [reach] * 4, mode="replicate").reshape(1, 3 * n, size + 2 * reach, -1)
    crops = crops.clone()
    crops[chosen] = F.conv2d(padded, kernel, groups=3 * n).reshape(n, 3, size, size)
    return crops


def _reduce(crops: Tensor, settings: Augmentation) -> Tensor:
    """Take the chosen crops through a lower resolution, one factor a batch."""
    chosen = _chosen(len(crops), settings.low_resolution_chance, crops.device)
    if not len(chosen):
        return crops
    size = crops.shape[-1]
    small = int(size * float(torch.empty(1).uniform_(0.25, 0.7)))
    reduced = F.interpolate(crops[chosen], size=small, mode="bilinear", antialias=True, align_corners=False)
    crops = crops.clone()
    crops[chosen] = F.interpolate(reduced, size=size, mode="bilinear", align_corners=False)
    return crops


def _recolour(crops: Tensor, settings: Augmentation) -> Tensor:
    chosen = _chosen(len(crops), settings.colour_chance, crops.device)
    n, device = len(chosen), crops.device
    if not n:
        return crops
    light = crops[chosen] / 255

    def factor(low: float, high: float, channels: int = 1) -> Tensor:
        return torch.empty(n, channels, 1, 1, device=device).uniform_(low, high)

    luma = (light * torch.tensor([0.299, 0.587, 0.114], device=device).view(1, 3, 1, 1)).sum(1, keepdim=True)
    grey = (torch.rand(n, device=device) < settings.grey_chance / max(settings.colour_chance, 1e-6)).view(-1, 1, 1, 1)
    light = luma + torch.where(grey, torch.zeros_like(luma[:, :, :1, :1]), factor(0.5, 1.5)) * (light - luma)
    mean = light.mean(dim=(2, 3), keepdim=True)
    light = (mean + factor(0.6, 1.4) * (light - mean)) * factor(0.6, 1.4) * factor(0.88, 1.12, 3)
    light = light.clamp(1e-4, 1) ** torch.exp(factor(-0.45, 0.45))
    crops = crops.clone()
    crops[chosen] = light * 255
    return crops
