"""A light model that begins with the weights of a heavier one, its teacher, and learns to see what the teacher sees.

The cell is the teacher's; the stem learns to give it the features that the teacher's stem gives (the "hints" of Romero
et al., arXiv 1412.6550). Every pixel of every feature teaches, and neither labels nor evaluations of the cell are
needed, so this takes minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from model.config import LdeqConfig
from model.errors import ModelError
from model.face_mesh import FaceMeshEncoder, LightBlock, LightEncoder, ResidualBlock
from model.network import Ldeq, LightStem, Stem
from model.training.augment import augment
from model.training.data import Faces
from model.training.objective import network_input
from model.training.recipe import Recipe, Stage

SHAPE = ("landmarks", "injection", "widths", "kernel", "groups")
"""What a light model shares with its teacher."""


def lightened(teacher: Ldeq, config: LdeqConfig) -> Ldeq:
    """Return a light model that begins with what it can take over of the weights of ``teacher``.

    Args:
        teacher: of the same shape, with face-mesh features beside a stem of its own.
        config: light.

    Raises:
        ModelError: where ``teacher`` is of another kind.
    """
    old = teacher.stem
    alike = all(getattr(teacher.config, name) == getattr(config, name) for name in SHAPE)
    if not (config.light and alike and isinstance(old, Stem) and old.mesh is not None):
        raise ModelError(f"{teacher.config.name} cannot teach {config.name}; give the weights of {config.name}-mesh")
    model = Ldeq(config)
    assert isinstance(model.stem, LightStem)
    model.cell.load_state_dict(teacher.cell.state_dict())
    with torch.no_grad():
        _take_encoder(old.mesh.encoder, model.stem.encoder)
        model.stem.block.norm.load_state_dict(old.block3.norm.state_dict())
        for norm, reader in zip(list(old.mesh.norms)[1:], model.cell.hourglass.inject, strict=True):
            assert isinstance(norm, nn.BatchNorm2d)
            assert isinstance(reader, nn.Conv2d)
            _absorb(norm, reader)
    return model


def _take_encoder(old: FaceMeshEncoder, new: LightEncoder) -> None:
    _take(old.first, new.first)
    old_blocks = [block for block in old.modules() if isinstance(block, ResidualBlock)]
    blocks = [block for block in new.modules() if isinstance(block, LightBlock)]
    for old_block, block in zip(old_blocks, blocks, strict=True):
        _take(old_block.depthwise, block.depthwise)
        _take(old_block.pointwise, block.pointwise)
        if isinstance(block.widen, nn.Conv2d):
            nn.init.dirac_(block.widen.weight)  # the channels as they are, and zeros


def _take(old: nn.Conv2d, new: nn.Conv2d) -> None:
    """Copy a convolution into one whose kernel may have more rows at the top and columns at the left."""
    more = new.kernel_size[0] - old.kernel_size[0]
    new.weight.copy_(F.pad(old.weight, (more, 0, more, 0)))
    assert new.bias is not None
    assert old.bias is not None
    new.bias.copy_(old.bias)


def _absorb(norm: nn.BatchNorm2d, reader: nn.Conv2d) -> None:
    """Let a 1x1 convolution do what the normalisation before it did."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    assert reader.bias is not None
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    reader.bias += reader.weight[:, :, 0, 0] @ (norm.bias - norm.running_mean * scale)
    reader.weight *= scale[None, :, None, None]


@dataclass(frozen=True, slots=True)
class Imitation:
    """The objective of a light model that does not see what its teacher sees yet.

    Attributes:
        teacher: in evaluation mode, on the device of the faces.
    """

    teacher: Ldeq

    def __call__(self, model: Ldeq, recipe: Recipe, faces: Faces, stage: Stage) -> float:
        """Leave the gradient of how far ``model`` is from its teacher in it, and return that; labels are not used.

        The distance of two features is the mean of their squared difference over the variance of the channel; those at
        stride 4, on which most depends, count twice.
        """
        model.zero_grad(set_to_none=True)
        augmentation = recipe.augmentation.narrowed(stage.geometry)
        x = network_input(augment(faces, stage.input_size, recipe.model.crop_scale, augmentation)[0])
        with torch.no_grad():
            wanted = _seen(self.teacher, x)
        finest, *coarser = (_apart(*pair) for pair in zip(_seen(model, x), wanted, strict=True))
        loss = 2 * finest + torch.stack(coarser).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())


def _seen(model: Ldeq, x: Tensor) -> list[Tensor]:
    """Return what a cell gets to see of pictures x: features of stride 4, and what is added at coarser levels."""
    finest, *coarser = model.cell.unpack(model.stem(x))
    return [finest, *(read(feature) for read, feature in zip(model.cell.hourglass.inject, coarser, strict=True))]


def _apart(found: Tensor, wanted: Tensor) -> Tensor:
    variance = wanted.var(dim=(0, 2, 3), keepdim=True)
    return ((found - wanted).square() / (variance + 1e-6)).mean()
