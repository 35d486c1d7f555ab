"""From a released checkpoint to our model: names, shapes and the settings that the weights do not hold."""

from __future__ import annotations

import torch
from torch import Tensor

from model.config import LANDMARKS, LdeqConfig
from model.errors import ModelError
from model.network import Ldeq
from model.official.checkpoint import Checkpoint
from model.official.names import FIRST, parameter_names
from model.official.variant import Variant

INPUT_SIZE = 256
GROUPS = 8
CROP_SCALE = 1.2
COUNTER = "num_batches_tracked"
"""Buffers that only training uses; they start at 0 again."""

LICENCE = (
    "research and evaluation only, not for commercial use: converted from weights that the LDEQ authors released "
    "under the NVIDIA License of github.com/polo5/LDEQ_RwR, which this file inherits; pass it on only with that licence"
)


def convert(checkpoint: Checkpoint, variant: Variant) -> Ldeq:
    """Build our model from a released checkpoint, in evaluation mode, float32, on the CPU.

    The published sizes are C = W = 264 and i = 24; others are read off the weights' shapes.

    Raises:
        ModelError: for weights that are missing, unknown, of the wrong shape or type, or not finite.
    """
    tensors = dict(checkpoint.tensors)
    names = parameter_names(_skeleton(LdeqConfig()).state_dict())
    _check_names(tensors, set(names))
    config = _config(tensors, variant)
    model = _skeleton(config)
    shapes = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    state = {}
    for released, name in names.items():
        if name.endswith(COUNTER):
            state[name] = torch.zeros(shapes[name], dtype=torch.long)
            continue
        tensor = tensors[released]
        if tuple(tensor.shape) != shapes[name]:
            raise ModelError(
                f"the weight {released} has shape {tuple(tensor.shape)}, where an LDEQ of this size has {shapes[name]}"
            )
        state[name] = _float32(released, tensor)
    model.load_state_dict(state, assign=True)
    return model.requires_grad_(False).eval()


def _skeleton(config: LdeqConfig) -> Ldeq:
    """Return a model without memory for its weights."""
    with torch.device("meta"):
        return Ldeq(config)


def _check_names(tensors: dict[str, Tensor], expected: set[str]) -> None:
    missing = sorted(name for name in expected - set(tensors) if not name.endswith(COUNTER))
    if missing:
        raise ModelError(f"the checkpoint lacks {_count(missing)} of a released LDEQ: {_listed(missing)}")
    unknown = sorted(set(tensors) - expected)
    if unknown:
        raise ModelError(f"the checkpoint holds {_count(unknown)} that no released LDEQ has: {_listed(unknown)}")


def _count(names: list[str]) -> str:
    return "1 weight" if len(names) == 1 else f"{len(names)} weights"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:2]) + (", ..." if len(names) > 2 else "")


def _config(tensors: dict[str, Tensor], variant: Variant) -> LdeqConfig:
    """Read the sizes off the shapes; the rest is what was published.

    Raises:
        ModelError: if no LDEQ has such sizes.
    """
    cell = "deq_layer.cell"
    first = f"{cell}.hourglass.upchan1.conv.weight"
    refine = f"{cell}.hourglass.same8.conv.weight"
    for name in (FIRST, first, refine):
        if tensors[name].ndim != 4:
            raise ModelError(f"the weight {name} is no convolution: its shape is {tuple(tensors[name].shape)}")
    landmarks = tensors[f"{cell}.head.conv.bias"].numel()
    if landmarks != LANDMARKS:
        raise ModelError(f"the checkpoint finds {landmarks} landmarks, this program needs one for {LANDMARKS}")
    width = tensors[first].shape[1]
    try:
        return LdeqConfig(
            name=f"ldeq-official-{variant.name}",
            input_size=INPUT_SIZE,
            injection=4 * tensors[FIRST].shape[0],
            width=width,
            increment=tensors[first].shape[0] - width,
            kernel=tensors[refine].shape[-1],
            groups=GROUPS,
            beta=variant.beta,
            half_pixel=False,
            crop_scale=CROP_SCALE,
            solver=variant.solver,
            max_steps=variant.max_steps,
            tolerance=variant.tolerance,
            extra_step=True,
        )
    except ModelError as error:
        raise ModelError(f"the weights make no LDEQ: {error}") from error


def _float32(name: str, tensor: Tensor) -> Tensor:
    """Return a weight of any floating precision as plain float32, once it is sure to be whole and finite."""
    if tensor.layout != torch.strided or tensor.is_meta or not tensor.is_floating_point():
        raise ModelError(f"the weight {name} is no plain floating-point tensor; the checkpoint is not the authors'")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ModelError(f"the weight {name} is larger than what is stored of it; the checkpoint is not the authors'")
    weight = tensor.detach().to(torch.float32).contiguous()
    if not torch.isfinite(weight).all():
        raise ModelError(f"the weight {name} holds values that are not finite; the checkpoint is broken")
    return weight
