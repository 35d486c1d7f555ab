"""The same network in operations that run faster as a graph; results differ by rounding only.

onnxruntime keeps convolutions in a blocked layout of its own and leaves it for everything it has no blocked kernel for,
so what counts is how often a whole map is read and written between them.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.network import SLOPE, Cell, MergeBlock


@torch.no_grad()
def rewritten_cell(cell: Cell) -> Cell:
    """Return a copy of a cell for export: see the classes below; beta is part of the head's weights."""
    cell = copy.deepcopy(cell)
    for values in cell.head.parameters():
        values.mul_(cell.beta)
    cell.beta = 1.0
    cell.hourglass.merge = nn.ModuleList(map(_SplitMerge, cell.hourglass.merge))
    _replace_group_norms(cell)
    return cell


class _SplitMerge(nn.Module):
    """A merging block with a convolution for each input: the coarse one's comes before its map grows fourfold."""

    def __init__(self, block: nn.Module) -> None:
        super().__init__()
        assert isinstance(block, MergeBlock)
        channels = block.conv.out_channels
        self.skip, self.coarse = nn.Conv2d(channels, channels, 1), nn.Conv2d(channels, channels, 1, bias=False)
        self.skip.weight.copy_(block.conv.weight[:, :channels])
        self.skip.bias = block.conv.bias
        self.coarse.weight.copy_(block.conv.weight[:, channels:])
        self.norm = block.norm

    def forward(self, skip: Tensor, coarse: Tensor) -> Tensor:
        x = self.skip(skip) + F.interpolate(self.coarse(coarse), scale_factor=2.0, mode="nearest")
        out: Tensor = self.norm(F.leaky_relu(x, SLOPE))
        return out


class _GroupNorm(nn.Module):
    """A GroupNorm whose scale and shift are one operation, a batch norm, instead of two."""

    def __init__(self, norm: nn.GroupNorm) -> None:
        super().__init__()
        self.groups, self.eps = norm.num_groups, norm.eps
        self.affine = nn.BatchNorm2d(norm.num_channels, eps=0.0)
        self.affine.load_state_dict(norm.state_dict(), strict=False)
        self.affine.eval()

    def forward(self, x: Tensor) -> Tensor:
        # Sizes as numbers, so that the graph need not read them off its maps.
        shape = [-1, *(int(size) for size in x.shape[1:])]
        one, zero = torch.ones(self.groups), torch.zeros(self.groups)
        grouped = x.reshape(-1, self.groups, shape[1] // self.groups * shape[2] * shape[3])
        out: Tensor = self.affine(F.instance_norm(grouped, weight=one, bias=zero, eps=self.eps).reshape(shape))
        return out


def _replace_group_norms(module: nn.Module) -> None:
    for name, child in module.named_children():
        if isinstance(child, nn.GroupNorm):
            setattr(module, name, _GroupNorm(child))
        else:
            _replace_group_norms(child)
