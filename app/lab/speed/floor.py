"""Lower bounds of a frame's cost: multiplications and bytes of the network, and this processor's speed at each.

A share of the ceiling is 2 x multiplications over time, over the speed of one large product of matrices, or convolution
where that is faster, with the same threads and precision in the same run (onnxruntime, and PyTorch for bfloat16).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from model.config import LdeqConfig
from model.engine.names import Precision

SIDE = 512
"""Of the matrices of the ceiling."""
CHANNELS = 64
"""Of the convolution of the ceiling."""
REPEATS = 40
COPIED = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Work:
    """The least work of one stage.

    Attributes:
        multiplications: of its convolutions (each with an addition).
        bytes: where each convolution reads its input and weights, and writes its output, once in float32.
    """

    multiplications: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What this computer does at best, with the threads of the engine.

    Attributes:
        operations: multiplications and additions a second, by precision; what could not be measured is missing.
        bytes: copied a second by one thread, read and written.
    """

    operations: dict[Precision, float]
    bytes: float


def stage_work(config: LdeqConfig) -> dict[str, Work]:
    """Return the convolutions' work in stem and cell for one crop."""
    import torch
    from torch import Tensor, nn

    from model.network import Ldeq

    with torch.device("meta"):
        model = Ldeq(config)
        picture = torch.zeros(1, 3, config.input_size, config.input_size)
        size = config.heatmap_size
        z, u = torch.zeros(1, config.landmarks, size, size), torch.zeros(1, config.encoding, size, size)
    totals: dict[str, Work] = {}
    for name, module, inputs in (("stem", model.stem, (picture,)), ("cell", model.cell, (z, u))):
        counted: list[Work] = []

        def count(layer: nn.Module, given: tuple[Tensor, ...], out: Tensor, to: list[Work] = counted) -> None:
            weight = layer.weight
            assert isinstance(weight, Tensor)
            values = given[0].numel() + weight.numel() + out.numel()
            to.append(Work(out.numel() * weight[0].numel(), 4 * values))

        for layer in module.modules():
            if isinstance(layer, nn.Conv2d):
                layer.register_forward_hook(count)
        with torch.inference_mode():
            module.eval()(*inputs)
        totals[name] = Work(sum(work.multiplications for work in counted), sum(work.bytes for work in counted))
    return totals


def measure_ceiling(threads: int) -> Ceiling:
    """Measure what the processor does at best. Runs are short, so that at least some are not interrupted."""
    ways = (
        (Precision.FLOAT32, _float_product),
        (Precision.FLOAT32, _float_convolution),
        (Precision.INT8, _int8_product),
        (Precision.BFLOAT16, _bfloat16_product),
    )
    operations: dict[Precision, float] = {}
    for name, make in ways:
        run = make(threads)
        if run is not None:
            operations[name] = max(operations.get(name, 0.0), 2 * SIDE**3 / _best(run))
    source, target = np.ones(COPIED, np.uint8), np.empty(COPIED, np.uint8)
    return Ceiling(operations, 2 * COPIED / _best(lambda: np.copyto(target, source)))


def _best(run: Callable[[], object]) -> float:
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def _float_product(threads: int) -> Callable[[], object]:
    from onnx import helper

    left = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
    return _graph([helper.make_node("MatMul", ["a", "b"], ["c"])], {"a": left}, {"b": left}, threads)


def _float_convolution(threads: int) -> Callable[[], object]:
    """Return a convolution of as many multiplications: 3 x 3, 64 to 64 channels, about 60 x 60."""
    from onnx import helper

    side = round((SIDE**3 / (CHANNELS**2 * 9)) ** 0.5)
    random = np.random.default_rng(0)
    image = random.standard_normal((1, CHANNELS, side, side), np.float32)
    weights = random.standard_normal((CHANNELS, CHANNELS, 3, 3), np.float32)
    node = helper.make_node("Conv", ["a", "b"], ["c"], pads=[1, 1, 1, 1])
    return _graph([node], {"a": image}, {"b": weights}, threads)


def _int8_product(threads: int) -> Callable[[], object]:
    from onnx import helper

    left = np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    right = (left.astype(np.int16) - 128).astype(np.int8)
    return _graph([helper.make_node("MatMulInteger", ["a", "b"], ["c"])], {"a": left}, {"b": right}, threads)


def _graph(
    nodes: list[Any], inputs: dict[str, np.ndarray], constants: dict[str, np.ndarray], threads: int
) -> Callable[[], object]:
    from onnx import TensorProto, helper, numpy_helper

    from model.engine.onnx_engine import CPU_PROVIDER, SILENT
    from model.engine.runtime import import_onnxruntime

    ort = import_onnxruntime()
    a = inputs["a"]
    integer = a.dtype == np.uint8
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("a", TensorProto.UINT8 if integer else TensorProto.FLOAT, a.shape)],
        [helper.make_tensor_value_info("c", TensorProto.INT32 if integer else TensorProto.FLOAT, a.shape)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(model.SerializeToString(), options, providers=[CPU_PROVIDER])

    def run() -> object:
        return session.run(None, inputs)

    return run


def _bfloat16_product(threads: int) -> Callable[[], object] | None:
    """Return a product in bfloat16; None if the processor has no instructions for it."""
    import torch

    from model.training.autocast import cpu_has_bfloat16

    if not cpu_has_bfloat16():
        return None
    torch.set_num_threads(threads)
    left = torch.randn(SIDE, SIDE, generator=torch.Generator().manual_seed(0)).bfloat16()

    def run() -> object:
        return left @ left

    return run
