"""Checkpoints in the form of the LDEQ authors', built from the description of that form."""

from __future__ import annotations

import argparse
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

WFLW_ARGUMENTS: dict[str, Any] = {
    "solver": "anderson",
    "beta": 0.3,
    "epochs": 60,
    "lr": 1e-4,
    "dataset": "WFLW",
    "amp": False,
}
WFLW_V_ARGUMENTS = {"solver": "fpi", "beta": 0.4, "epochs": 60, "lr": 1e-4, "dataset": "WFLW", "amp": False}


def released_shapes(channels: int = 16, width: int = 16, increment: int = 8) -> dict[str, tuple[int, ...]]:
    """Return the shape of every entry of a released state dict, in its order."""
    shapes: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, inputs: int, outputs: int, kernel: int) -> None:
        shapes[f"{name}.conv.weight"] = (outputs, inputs, kernel, kernel)
        shapes[f"{name}.conv.bias"] = (outputs,)

    def block(name: str, inputs: int, outputs: int, kernel: int, statistics: bool = False) -> None:
        convolution(name, inputs, outputs, kernel)
        for entry in ("weight", "bias", *(("running_mean", "running_var") if statistics else ())):
            shapes[f"{name}.norm.{entry}"] = (outputs,)
        if statistics:
            shapes[f"{name}.norm.num_batches_tracked"] = ()

    block("tail.0", 3, channels // 4, 7, statistics=True)
    block("tail.1", channels // 4, channels // 2, 3, statistics=True)
    block("tail.3", channels // 2, channels, 3, statistics=True)
    cell, glass = "deq_layer.cell", "deq_layer.cell.hourglass"
    block(f"{cell}.tail", 98 + channels, width, 1)
    widths = [width + level * increment for level in range(5)]
    for level in range(4):
        block(f"{glass}.same{level + 1}", widths[level], widths[level], 3)
        block(f"{glass}.upchan{level + 1}", widths[level], widths[level + 1], 3)
    block(f"{glass}.bottlneck", widths[4], widths[4], 3)
    for step, level in enumerate((3, 2, 1, 0)):
        block(f"{glass}.downchan{2 * step + 1}", widths[level + 1], widths[level], 3)
        block(f"{glass}.downchan{2 * step + 2}", 2 * widths[level], widths[level], 1)
        block(f"{glass}.same{step + 5}", widths[level], widths[level], 5)
    convolution(f"{cell}.head", width, 98, 1)
    return shapes


def deterministic_state(shapes: Mapping[str, tuple[int, ...]], head: float = 1.0) -> OrderedDict[str, torch.Tensor]:
    """Return the weights of the parity fixture's recipe by released name.

    Args:
        shapes: as from :func:`released_shapes`.
        head: factor on the head's weights. At 1 the cell does not converge and amplifies rounding; at 0.05 it
            converges to heatmaps that are nearly flat; at 30 heatmaps have sharp peaks all over the crop.
    """
    state: OrderedDict[str, torch.Tensor] = OrderedDict()
    for i, (name, shape) in enumerate(shapes.items()):
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(0)
            continue
        t = np.arange(int(np.prod(shape)), dtype=np.float64)
        base = np.sin(0.731 * t + 1.37 * i) + 0.5 * np.sin(0.113 * t + 0.29 * i)
        if name.endswith("running_var"):
            values = 1 + 0.3 * np.abs(base)
        elif name.endswith("running_mean"):
            values = 0.1 * base
        elif name.endswith("norm.weight"):
            values = 1 + 0.1 * base
        elif name.endswith("bias"):
            values = 0.05 * base
        else:
            values = base * np.sqrt(1.2 / np.prod(shape[1:]))
            if ".head." in name:
                values = head * values
        state[name] = torch.from_numpy(values.reshape(shape).astype(np.float32))
    return state


def write_checkpoint(path: Path, state: Mapping[str, Any], arguments: Mapping[str, Any] | None) -> Path:
    """Save a state dict, and the training run's arguments if there are any, as the authors did."""
    content: dict[str, Any] = {"epoch": 60, "state_dict": state}
    if arguments is not None:
        content["args"] = argparse.Namespace(**arguments)
    torch.save(content, path)
    return path
