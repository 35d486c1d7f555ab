"""The cell with products of 8 bits: a graph for :class:`model.engine.onnx_engine.Int8Engine`.

The 3 x 3 convolutions are quantised: weights per output channel, activations by their range along the solves of some
pictures. Those of 1 x 1 stay float: RwR then flickers 1 % more than in float, not 3 %, for a tenth of the time.
``docs/reports/performance-history.md`` has the figures.
"""

from __future__ import annotations

import contextlib
import dataclasses
import io
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.engine.onnx_engine import OnnxEngine, graph_paths, int8_path
from model.engine.runtime import import_onnxruntime
from model.weights import read_card, sha256, write_card

FLOAT = ("/tail/", "/head/", "/merge", "/inject")
"""Parts of the names of convolutions that are not quantised."""
KEPT_PERCENT = 99.999
"""Activations within this percentage are represented, those beyond it clipped."""
EVALUATIONS = 4
"""How far each picture is solved: warm starts look like the later ones."""


def quantise_cell(weights: Path, pictures: NDArray[np.uint8]) -> Path:
    """Write the cell's graph of 8 bits beside ``weights``, from the float one, and enter its checksum in the JSON.

    Args:
        weights: a .safetensors file with its graphs.
        pictures: RGB crops (n, input_size, input_size, 3) to measure ranges on; some dozens do.

    Raises:
        ModelError: if the weights or a graph are missing or damaged.
    """
    # Only used to make weights, and it imports much of the onnx package.
    import onnx

    import_onnxruntime()
    from onnxruntime.quantization import CalibrationMethod, QuantFormat, QuantType, quantize_static
    from onnxruntime.quantization.shape_inference import quant_pre_process

    inputs = solve_inputs(OnnxEngine(weights, threads=1), pictures)
    path = int8_path(weights)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        plain = Path(folder) / "cell.onnx"
        quant_pre_process(graph_paths(weights)[1], plain, skip_symbolic_shape=True)
        nodes = [node.name for node in onnx.load(plain).graph.node if node.op_type == "Conv"]
        quantize_static(
            plain,
            path,
            _Reader(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            nodes_to_exclude=[name for name in nodes if any(part in name for part in FLOAT)],
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.Percentile,
            extra_options={"CalibPercentile": KEPT_PERCENT},
        )
    card = read_card(weights)
    write_card(dataclasses.replace(card, files={**card.files, path.name: sha256(path)}))
    return path


def solve_inputs(engine: OnnxEngine, pictures: NDArray[np.uint8]) -> list[dict[str, NDArray[np.float32]]]:
    """Return the inputs of the cell along plain solves of the pictures."""
    inputs = []
    for picture in pictures:
        u, z = engine.encode(picture[None]), engine.zero_state(1)
        for _ in range(EVALUATIONS):
            inputs.append({"z": z, "u": u})
            z = engine.evaluate(z, u)
    return inputs


class _Reader:
    """Gives onnxruntime's calibration one input after the other."""

    def __init__(self, inputs: Sequence[dict[str, NDArray[np.float32]]]) -> None:
        self._inputs: Iterator[dict[str, NDArray[np.float32]]] = iter(inputs)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next input, None after the last."""
        return next(self._inputs, None)
