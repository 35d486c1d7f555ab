"""Export of a trained LDEQ to ONNX: stem and cell as two graphs."""

from __future__ import annotations

import dataclasses
import warnings
from pathlib import Path

import torch
from torch import Tensor, nn

from model.engine.onnx_engine import graph_paths
from model.engine.rewrite import rewritten_cell
from model.network import image_statistics
from model.weights import load_weights, read_card, sha256, write_card

OPSET = 18


class _StemFromPixels(nn.Module):
    """uint8 RGB (n, s, s, 3) to the injection, with the image normalisation inside."""

    mean: Tensor
    scale: Tensor

    def __init__(self, stem: nn.Module) -> None:
        super().__init__()
        self.stem = stem
        mean, deviation = image_statistics(torch.device("cpu"))
        self.register_buffer("mean", mean[:, None, None])
        self.register_buffer("scale", 1 / deviation[:, None, None])

    def forward(self, crops: Tensor) -> Tensor:
        # Colours first: onnxruntime takes 0.9 ms for a subtraction and a division along a last axis of three.
        out: Tensor = self.stem((crops.permute(0, 3, 1, 2).float() - self.mean) * self.scale)
        return out


def export_onnx(weights: Path) -> tuple[Path, Path]:
    """Write the stem and cell graphs beside ``weights`` and enter their checksums in its JSON.

    Returns:
        Paths of the stem and the cell graph.
    """
    model = load_weights(weights)
    config = model.config
    size, cells = config.input_size, config.heatmap_size
    stem_path, cell_path = graph_paths(weights)
    crops = torch.zeros(1, size, size, 3, dtype=torch.uint8)
    z, u = torch.zeros(1, config.landmarks, cells, cells), torch.zeros(1, config.encoding, cells, cells)
    for module, inputs, names, output, path in (
        (_StemFromPixels(model.stem), (crops,), ["crops"], "u", stem_path),
        (rewritten_cell(model.cell), (z, u), ["z", "u"], "f", cell_path),
    ):
        write_graph(module, inputs, path, names, output)
    card = read_card(weights)
    files = {path.name: sha256(path) for path in (weights, stem_path, cell_path)}
    write_card(dataclasses.replace(card, files=files))
    return stem_path, cell_path


def write_graph(module: nn.Module, inputs: tuple[Tensor, ...], path: Path, names: list[str], output: str) -> None:
    """Write a module as an ONNX graph for any batch size.

    Args:
        module: with one output; switched to evaluation mode.
        inputs: example inputs, a batch of one each.
        path: file to write.
        names: of the inputs.
        output: name of the output.
    """
    with warnings.catch_warnings():
        # The TorchScript exporter is deprecated, but writes group norms in operators that every
        # onnxruntime provider has kernels for.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(),
            inputs,
            str(path),
            input_names=names,
            output_names=[output],
            dynamic_axes={name: {0: "n"} for name in [*names, output]},
            opset_version=OPSET,
            dynamo=False,
        )
