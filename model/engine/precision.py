"""Convolutions in 16 bits, everything else in float32; and the check whether that changes the landmarks.

GroupNorm, merges, the head and the heatmaps' normalisation stay in float32: exp(beta x logit) would turn the 8 bits of
a bfloat16 logit into errors of a tenth of a peak, while the head has a thirtieth of the cell's multiplications.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.engine.agreement import landmarks_on_noise, mean_distance
from model.engine.base import Engine
from model.engine.names import Precision
from model.network import Ldeq

HALVES = {Precision.FLOAT16: torch.float16, Precision.BFLOAT16: torch.bfloat16}
"""In the order in which they are tried. float16 is as fast and has three bits more; where a model's values leave its
range the landmarks are not numbers, and bfloat16 follows."""

AGREEMENT = 0.004
"""16 bits are used where landmarks lie no farther from float32's on average, in crop sides: 0.8 px of a crop of 192.
That is on noise, whose landmarks depend far more on rounding than those of a face;
``docs/reports/half-precision.md`` has figures."""
EVALUATIONS = 4
"""Of the cell, after which landmarks are compared: more than a frame has."""


def halve(model: Ldeq, precision: Precision) -> Ldeq:
    """Let the convolutions of ``model`` but the head's calculate in ``precision``, "f16" or "bf16"; returns the model.

    What goes into and comes out of stem and cell stays float32.
    """
    dtype = HALVES[precision]

    def rounded(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(value.to(dtype) for value in inputs)

    def widened(module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        return tuple(value.float() for value in inputs)

    for module in model.modules():
        if isinstance(module, nn.Conv2d) and module is not model.cell.head:
            module.to(dtype)
            module.register_forward_pre_hook(rounded)
        elif isinstance(module, nn.GroupNorm | nn.BatchNorm2d | nn.PReLU):
            module.register_forward_pre_hook(widened)
    return model


def distance(exact: Engine, other: Engine) -> float:
    """Return how far the landmarks of two engines lie apart on average, in crop sides; infinite where one has none.

    Each goes its own way from the same noise.
    """
    return mean_distance(landmarks_on_noise(exact, EVALUATIONS), landmarks_on_noise(other, EVALUATIONS))
