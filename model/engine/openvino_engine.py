"""The OpenVINO engine: the exported graphs in bfloat16 where the processor calculates in it. CPU; optional package."""

from __future__ import annotations

import sys
from pathlib import Path
from queue import LifoQueue
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.engine.names import Precision
from model.engine.onnx_engine import GraphEngine
from model.errors import ModelError

CONVERTER = "openvino.tools.ovc"

CALLERS = 2
"""Threads that can call at once without waiting for each other's request; OpenVINO lets them take turns."""

Floats = NDArray[np.float32]


class OpenVinoEngine(GraphEngine):
    """Runs the exported graphs with OpenVINO on the CPU.

    Convolutions are calculated in bfloat16 where the processor has instructions for it, sums in float32. A batch is
    evaluated one after the other: on a CPU that is as fast, and no face's result depends on who else is in view.
    """

    def __init__(self, weights: Path, threads: int | None = None) -> None:
        """Load the graphs made from ``weights``.

        Raises:
            ModelError: as for :class:`~model.engine.onnx_engine.GraphEngine`, or if openvino is not installed.
        """
        core = _core()
        super().__init__(weights)
        config, (stem, cell) = self._config, self._paths
        size, cells = config.input_size, config.heatmap_size
        half = "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        self._precision = Precision.BFLOAT16 if half else Precision.FLOAT32
        options = {
            "INFERENCE_PRECISION_HINT": self._precision,
            "PERFORMANCE_HINT": "LATENCY",
            "NUM_STREAMS": 1,
            "ENABLE_CPU_PINNING": False,
            "INFERENCE_NUM_THREADS": threads or 0,
        }
        state = [1, config.landmarks, cells, cells]
        injection = [1, config.encoding, cells, cells]
        self._stem = _Graph(core, stem, {"crops": [1, size, size, 3]}, options)
        self._cell = _Graph(core, cell, {"z": state, "u": injection}, options)

    @property
    def name(self) -> str:
        """Library, device and precision that really run."""
        return f"OpenVINO, CPU, {self._precision}"

    @property
    def precision(self) -> Precision:
        """Number format of the convolutions."""
        return self._precision

    def encode(self, crops: NDArray[np.uint8]) -> Floats:
        """Return the injection u for RGB crops (n, input_size, input_size, 3)."""
        return self._stem.run(crops)

    def evaluate(self, z: Floats, u: Floats) -> Floats:
        """Return f(z, u)."""
        return self._cell.run(z, u)


def _core() -> Any:
    # OpenVINO imports its converter if it can, and with it a telemetry package that writes into the home folder and
    # could go online. Graphs are read without the converter, so it is made to look as if it were not installed.
    sys.modules.setdefault(CONVERTER, None)  # type: ignore[arg-type]
    try:
        import openvino
    except ImportError as error:
        raise ModelError("openvino is not installed; pip install openvino==2026.4.1, or use --engine onnx") from error
    return openvino.Core()


class _Graph:
    """A compiled graph of single samples that several threads may run at once."""

    def __init__(self, core: Any, path: Path, shapes: dict[str, list[int]], options: dict[str, Any]) -> None:
        """Compile a graph for inputs of these shapes, in the order of its inputs.

        Raises:
            ModelError: if OpenVINO cannot.
        """
        self._inputs = list(shapes)
        self._idle: LifoQueue[Any] = LifoQueue()
        try:
            model = core.read_model(path)
            model.reshape(shapes)
            compiled = core.compile_model(model, "CPU", options)
            for _ in range(CALLERS):
                self._idle.put(compiled.create_infer_request())
        except RuntimeError as error:
            raise ModelError(f"OpenVINO cannot load {path.name}; restore it, or use --engine onnx") from error

    def run(self, *batches: NDArray[Any]) -> Floats:
        """Run one sample after the other; the inputs and the result are batches (n, ...)."""
        request = self._idle.get()
        try:
            samples = zip(*(np.ascontiguousarray(batch)[:, None] for batch in batches), strict=True)
            results = [_copied(request, dict(zip(self._inputs, sample, strict=True))) for sample in samples]
        finally:
            self._idle.put(request)
        return results[0] if len(results) == 1 else np.concatenate(results)


def _copied(request: Any, inputs: dict[str, NDArray[Any]]) -> Floats:
    """Run one sample; the result is copied, because the next run writes over the request's own memory."""
    return np.array(request.infer(inputs, share_inputs=True, share_outputs=True)[0])
