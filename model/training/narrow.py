"""A narrower model that begins with the strongest channels of a wider one, its teacher.

What was learned mostly stays, so that training repairs the model instead of starting it from noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from model.config import DEPTH, LdeqConfig
from model.errors import ModelError
from model.network import Cell, ConvBlock, Ldeq, Stem


def narrowed(teacher: Ldeq, config: LdeqConfig) -> Ldeq:
    """Return a model of the shape ``config`` with weights of ``teacher``.

    Of every block those channels stay that matter most to the convolutions that read them; of every group of a
    GroupNorm equally many, so that groups stay together. Face-mesh features of the teacher are left out.

    Args:
        teacher: at least as wide, otherwise of the same shape but for the input size and the face-mesh features.
        config: without face-mesh features.

    Raises:
        ModelError: where ``teacher`` cannot be narrowed to ``config``.
    """
    wide = teacher.config
    alike = all(getattr(wide, name) == getattr(config, name) for name in ("kernel", "groups", "landmarks"))
    widths = zip((config.injection, *config.widths), (wide.injection, *wide.widths), strict=True)
    if config.face_mesh or not alike or any(new > old for new, old in widths) or not isinstance(teacher.stem, Stem):
        raise ModelError(f"a model of the shape {config.name} cannot begin with weights of the shape {wide.name}")
    model = Ldeq(config)
    assert isinstance(model.stem, Stem)
    with torch.no_grad():
        injection = _narrow_stem(teacher.stem, model.stem, teacher.cell.tail.conv.weight[:, wide.landmarks :])
        heatmaps = torch.arange(wide.landmarks)
        _narrow_cell(teacher.cell, model.cell, torch.cat([heatmaps, wide.landmarks + injection]))
    return model


def _narrow_stem(old: Stem, new: Stem, readers: Tensor) -> Tensor:
    """Fill ``new`` and return which channels of the injection it keeps; ``readers`` are the weights that read them."""
    kept = torch.arange(3)
    for name, weight in (
        ("block1", old.block2.conv.weight),
        ("block2", old.block3.conv.weight),
        ("block3", readers),
    ):
        kept = _narrow_block(getattr(old, name), getattr(new, name), kept, weight)
    return kept


def _narrow_cell(old: Cell, new: Cell, kept: Tensor) -> None:
    """Fill ``new``, which reads the channels ``kept`` of the old cell's input."""
    a, b = old.hourglass, new.hourglass
    kept = _narrow_block(old.tail, new.tail, kept, _at(a.same, 0).conv.weight)
    skips = []
    for level in range(DEPTH):
        width = _at(a.same, level).conv.out_channels
        readers = _at(a.up_channel, level).conv.weight, _at(a.merge, level).conv.weight[:, :width]
        kept = _narrow_block(_at(a.same, level), _at(b.same, level), kept, *readers)
        skips.append(kept)
        below = _at(a.same, level + 1) if level + 1 < DEPTH else a.bottleneck
        kept = _narrow_block(_at(a.up_channel, level), _at(b.up_channel, level), kept, below.conv.weight)
    kept = _narrow_block(a.bottleneck, b.bottleneck, kept, _at(a.down_channel, -1).conv.weight)
    for level in reversed(range(DEPTH)):
        width = _at(a.same, level).conv.out_channels
        kept = _narrow_block(
            _at(a.down_channel, level), _at(b.down_channel, level), kept, _at(a.merge, level).conv.weight[:, width:]
        )
        above = _at(a.down_channel, level - 1).conv.weight if level else old.head.weight
        # What refine finds is added to what merge finds, so both keep the same channels.
        blocks, readers = (_at(a.merge, level), _at(a.refine, level)), (_at(a.refine, level).conv.weight, above)
        chosen = _strongest(blocks, readers, _at(b.merge, level).conv.out_channels)
        _fill(_at(a.merge, level), _at(b.merge, level), torch.cat([skips[level], width + kept]), chosen)
        _fill(_at(a.refine, level), _at(b.refine, level), chosen, chosen)
        kept = chosen
    new.head.load_state_dict({"weight": old.head.weight[:, kept], "bias": old.head.bias})


def _at(blocks: nn.ModuleList, level: int) -> ConvBlock:
    block = blocks[level]
    assert isinstance(block, ConvBlock)
    return block


def _narrow_block(old: ConvBlock, new: ConvBlock, inputs: Tensor, *readers: Tensor) -> Tensor:
    """Fill a block that reads the channels ``inputs``, and return those that it keeps."""
    chosen = _strongest((old,), readers, new.conv.out_channels)
    _fill(old, new, inputs, chosen)
    return chosen


def _strongest(blocks: Sequence[ConvBlock], readers: Sequence[Tensor], count: int) -> Tensor:
    """Return ``count`` channels of blocks, by how large they are normalised to be times how strongly they are read.

    Args:
        blocks: whose outputs are added.
        readers: weights (outputs, channels, kernel, kernel) of the convolutions that read them.
        count: a multiple of the groups.
    """
    size = torch.stack([_scale(block).abs() for block in blocks]).sum(dim=0)
    read = torch.stack([weight.square().sum(dim=(0, 2, 3)) for weight in readers]).sum(dim=0).sqrt()
    norm = blocks[0].norm
    groups = norm.num_groups if isinstance(norm, nn.GroupNorm) else 1
    ranked = (size * read).view(groups, -1).topk(count // groups, dim=1).indices.sort(dim=1).values
    return (ranked + torch.arange(groups)[:, None] * (len(size) // groups)).flatten()


def _scale(block: ConvBlock) -> Tensor:
    """Return what the block's normalised channels are multiplied with."""
    weight = block.norm.weight
    assert isinstance(weight, Tensor)
    return weight


def _fill(old: ConvBlock, new: ConvBlock, inputs: Tensor, outputs: Tensor) -> None:
    assert old.conv.bias is not None
    new.conv.load_state_dict({"weight": old.conv.weight[outputs][:, inputs], "bias": old.conv.bias[outputs]})
    values = {name: value[outputs] if value.ndim else value for name, value in old.norm.state_dict().items()}
    new.norm.load_state_dict(values)
