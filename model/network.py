"""The LDEQ network: a stem that encodes the image once and a cell whose fixed point is the answer.

    u = stem(x),   f(z, u) = norm(head(hourglass(tail([z, u])))),   z* = f(z*, u)

Micaelli et al., CVPR 2023 (arXiv 2304.00600), written from the description in the paper.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.config import DEPTH, FACE_MESH_CHANNELS, LdeqConfig
from model.face_mesh import FaceMeshEncoder, LightEncoder

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
SLOPE = 0.01


class ConvBlock(nn.Module):
    """Convolution with bias, LeakyReLU(0.01), then normalisation; keeps the size at stride 1.

    Maps (n, inputs, h, w) to (n, outputs, h / stride, w / stride).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, norm: nn.Module, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2)
        self.norm = norm

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        out: Tensor = self.norm(F.leaky_relu(self.conv(x), SLOPE))
        return out


class MergeBlock(ConvBlock):
    """Block of a hourglass's way up: features (n, C, h, w) beside coarser ones (n, C, h / 2, w / 2), 1 x 1."""

    def __init__(self, channels: int, norm: nn.Module) -> None:
        super().__init__(2 * channels, channels, 1, norm)

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:  # type: ignore[override]  # of two inputs
        """Return the block's output (n, C, h, w)."""
        return super().forward(torch.cat([skip, F.interpolate(coarse, scale_factor=2.0, mode="nearest")], dim=1))


class FaceMeshBranch(nn.Module):
    """Face-mesh features beside the stem's own: those of stride 4 are added to them, coarser ones packed behind."""

    def __init__(self, config: LdeqConfig) -> None:
        super().__init__()
        self.encoder = FaceMeshEncoder()
        self.norms = nn.ModuleList(nn.BatchNorm2d(channels) for channels in FACE_MESH_CHANNELS[1:])
        self.project = nn.Conv2d(FACE_MESH_CHANNELS[1], config.injection, 1)

    def forward(self, x: Tensor, own: Tensor) -> Tensor:
        """Return u for a normalised picture and the stem's own features (n, C, h, h)."""
        finest, *coarser = (norm(feature) for norm, feature in zip(self.norms, self.encoder(x), strict=True))
        return _packed(own + self.project(finest), coarser)


class LightStem(nn.Module):
    """Injection encoder of a light model: like :class:`Stem`, but all of it made of face-mesh features."""

    def __init__(self, config: LdeqConfig) -> None:
        super().__init__()
        self.encoder = LightEncoder()
        self.block = ConvBlock(FACE_MESH_CHANNELS[1], config.injection, 3, nn.BatchNorm2d(config.injection))

    def forward(self, x: Tensor) -> Tensor:
        """Return the injection u."""
        finest, *coarser = self.encoder(x)
        return _packed(self.block(finest), coarser)


def _packed(finest: Tensor, coarser: Sequence[Tensor]) -> Tensor:
    """Return finest features (n, C, h, h) with coarser ones laid into more channels, so that u stays one array.

    :meth:`Cell.unpack` takes them apart again.
    """
    n, _, h, w = finest.shape
    return torch.cat([finest, *(feature.reshape(n, -1, h, w) for feature in coarser)], dim=1)


class Stem(nn.Module):
    """Injection encoder: normalised RGB (n, 3, s, s) to u (n, config.encoding, s / 4, s / 4)."""

    def __init__(self, config: LdeqConfig) -> None:
        super().__init__()
        c = config.injection
        self.block1 = ConvBlock(3, c // 4, 7, nn.BatchNorm2d(c // 4), stride=2)
        self.block2 = ConvBlock(c // 4, c // 2, 3, nn.BatchNorm2d(c // 2))
        self.block3 = ConvBlock(c // 2, c, 3, nn.BatchNorm2d(c))
        self.mesh = FaceMeshBranch(config) if config.face_mesh else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the injection u."""
        own: Tensor = self.block3(F.max_pool2d(self.block2(self.block1(x)), 2))
        return own if self.mesh is None else self.mesh(x, own)


class Hourglass(nn.Module):
    """Four levels down and up; (n, W, h, h) to (n, W, h, h), h a multiple of 16.

    With face-mesh features, each is projected and added where the way down has its resolution.
    """

    def __init__(self, config: LdeqConfig) -> None:
        super().__init__()
        widths = config.widths

        def norm(channels: int) -> nn.Module:
            return nn.GroupNorm(config.groups, channels)

        def block(inputs: int, outputs: int, kernel: int) -> ConvBlock:
            return ConvBlock(inputs, outputs, kernel, norm(outputs))

        self.same = nn.ModuleList(block(w, w, 3) for w in widths[:DEPTH])
        self.up_channel = nn.ModuleList(block(widths[i], widths[i + 1], 3) for i in range(DEPTH))
        self.bottleneck = block(widths[DEPTH], widths[DEPTH], 3)
        self.down_channel = nn.ModuleList(block(widths[i + 1], widths[i], 3) for i in range(DEPTH))
        self.merge = nn.ModuleList(MergeBlock(w, norm(w)) for w in widths[:DEPTH])
        self.refine = nn.ModuleList(block(w, w, config.kernel) for w in widths[:DEPTH])
        self.inject = nn.ModuleList(
            nn.Conv2d(FACE_MESH_CHANNELS[level + 1], widths[level], 1) for level in range(1, DEPTH) if config.face_mesh
        )

    def forward(self, x: Tensor, features: Sequence[Tensor] = ()) -> Tensor:
        """Return features at the input's resolution, for x and the face-mesh features of the levels below it."""
        skips = []
        for level, (same, up_channel) in enumerate(zip(self.same, self.up_channel, strict=True)):
            if level and features:
                x = x + self.inject[level - 1](features[level - 1])
            x = same(x)
            skips.append(x)
            x = up_channel(F.avg_pool2d(x, 2))
        x = self.bottleneck(x)
        for level in reversed(range(DEPTH)):
            x = self.merge[level](skips[level], self.down_channel[level](x))
            x = self.refine[level](x) + x
        return x


class Cell(nn.Module):
    """f(z, u): one evaluation, heatmaps (n, landmarks, h, h) to heatmaps of the same shape."""

    def __init__(self, config: LdeqConfig) -> None:
        super().__init__()
        self.beta = config.beta
        self.parts = [config.injection, *config.packed]
        inputs = config.landmarks + config.injection
        self.tail = ConvBlock(inputs, config.width, 1, nn.GroupNorm(config.groups, config.width))
        self.hourglass = Hourglass(config)
        self.head = nn.Conv2d(config.width, config.landmarks, 1)

    def forward(self, z: Tensor, u: Tensor) -> Tensor:
        """Return f(z, u), every heatmap's peak at 1."""
        finest, *coarser = self.unpack(u)
        logits = self.head(self.hourglass(self.tail(torch.cat([z, finest], dim=1)), coarser)).float()
        return torch.exp(self.beta * (logits - logits.amax(dim=(2, 3), keepdim=True)))

    def unpack(self, u: Tensor) -> list[Tensor]:
        """Return the features of u by stride: 4, and with face-mesh features 8, 16 and 32."""
        if len(self.parts) == 1:
            return [u]
        n, _, h, w = u.shape
        finest, *packed = torch.split(u, self.parts, dim=1)
        return [finest, *(p.reshape(n, -1, h >> level, w >> level) for level, p in enumerate(packed, start=1))]


class Ldeq(nn.Module):
    """Stem and cell. The solver that looks for the fixed point lives in ``model.solvers``."""

    def __init__(self, config: LdeqConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = LightStem(config) if config.light else Stem(config)
        self.cell = Cell(config)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)
        if isinstance(self.stem, Stem) and self.stem.mesh is not None:
            # What another model has learned without these features must not change when it gets them.
            for last in (self.stem.mesh.project, *self.cell.hourglass.inject):
                nn.init.zeros_(last.weight)

    def zero_state(self, u: Tensor) -> Tensor:
        """Return z0 = 0, float32 (n, landmarks, h, h), for an injection u (n, C, h, h)."""
        return u.new_zeros((u.shape[0], self.config.landmarks, u.shape[2], u.shape[3]), dtype=torch.float32)


def image_statistics(device: torch.device) -> tuple[Tensor, Tensor]:
    """Return ImageNet's mean and deviation of red, green and blue, (3,) each, for values in [0, 255]."""
    mean, deviation = torch.tensor(IMAGENET_MEAN, device=device), torch.tensor(IMAGENET_STD, device=device)
    return mean * 255.0, deviation * 255.0


def normalise_image(crops: Tensor, statistics: tuple[Tensor, Tensor] | None = None) -> Tensor:
    """Turn RGB crops (n, s, s, 3) of uint8 or [0, 255] floats into ImageNet-normalised (n, 3, s, s).

    ``statistics`` are those of :func:`image_statistics` on the crops' device, for callers that keep them there.
    """
    mean, deviation = image_statistics(crops.device) if statistics is None else statistics
    return ((crops.float() - mean) / deviation).permute(0, 3, 1, 2)
