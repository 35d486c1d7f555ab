"""The encoder of MediaPipe's face mesh (Kartynnik et al., arXiv 1907.06724), a second source of features for an LDEQ.

It has seen far more faces than there are labels of 98 points. Its graph is rebuilt here up to stride 32;
:mod:`model.training.face_mesh` reads the published weights.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional as F

from model.config import FACE_MESH_CHANNELS

BLOCKS = 2
"""Residual blocks at each stride, after the one that comes down to it."""

Block = Callable[[int, int, int], nn.Module]
"""Makes a residual block of so many inputs, outputs and this stride."""


class ResidualBlock(nn.Module):
    """Depthwise 3x3 and pointwise convolution, added to a skip, then PReLU.

    At stride 2 the skip is max-pooled and its missing channels are zeros.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.missing = outputs - inputs
        self.depthwise = nn.Conv2d(inputs, inputs, 3, stride=stride, padding=2 - stride, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.activation = nn.PReLU(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        skip = x
        if self.stride == 2:
            skip = F.max_pool2d(x, 2)
            if self.missing:
                skip = F.pad(skip, (0, 0, 0, 0, 0, self.missing))
            x = _pad(x)
        out: Tensor = self.activation(skip + self.pointwise(self.depthwise(x)))
        return out


class LightBlock(nn.Module):
    """What :class:`ResidualBlock` does in layers that onnxruntime runs without changing the layout between them.

    ReLU instead of PReLU, a fourth row and column of the kernel instead of padding on one side, and a learned
    convolution instead of missing channels: less than half of the time.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(inputs, inputs, 2 + stride, stride=stride, padding=1, groups=inputs)
        self.pointwise = nn.Conv2d(inputs, outputs, 1)
        self.pool = nn.MaxPool2d(2) if stride == 2 else nn.Identity()
        self.widen = nn.Identity() if inputs == outputs else nn.Conv2d(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map (n, inputs, h, w) to (n, outputs, h / stride, w / stride)."""
        return F.relu(self.widen(self.pool(x)) + self.pointwise(self.depthwise(x)))


class FaceMeshEncoder(nn.Module):
    """Normalised RGB (n, 3, s, s) to features at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, FACE_MESH_CHANNELS[0], 3, stride=2)
        self.activation = nn.PReLU(FACE_MESH_CHANNELS[0])
        self.levels = _levels(ResidualBlock)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features, finest first."""
        return _features(self.levels, self.activation(self.first(_pad(x))))


class LightEncoder(nn.Module):
    """The face-mesh encoder made of light blocks; maps what :class:`FaceMeshEncoder` does."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, FACE_MESH_CHANNELS[0], 4, stride=2, padding=1)
        self.levels = _levels(LightBlock)

    def forward(self, x: Tensor) -> list[Tensor]:
        """Return the features, finest first."""
        return _features(self.levels, F.relu(self.first(x)))


def _levels(block: Block) -> nn.ModuleList:
    return nn.ModuleList(
        nn.Sequential(
            *([block(FACE_MESH_CHANNELS[level - 1], channels, 2)] if level else []),
            *(block(channels, channels, 1) for _ in range(BLOCKS)),
        )
        for level, channels in enumerate(FACE_MESH_CHANNELS)
    )


def _features(levels: nn.ModuleList, x: Tensor) -> list[Tensor]:
    """Return what every level but the first makes of x."""
    features = []
    for level in levels:
        x = level(x)
        features.append(x)
    return features[1:]


def _pad(x: Tensor) -> Tensor:
    """Add a row below and a column to the right: TensorFlow's "same" for kernel 3, stride 2 and even sides."""
    return F.pad(x, (0, 1, 0, 1))
