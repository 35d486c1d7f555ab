"""The onnxruntime engine: two graphs, stem and cell, with the solver loop outside. Needs no torch."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.config import LdeqConfig
from model.engine.names import Precision
from model.engine.runtime import import_onnxruntime
from model.errors import ModelError
from model.files import is_file
from model.heatmap import decode
from model.weights import read_card, verify

CPU_PROVIDER = "CPUExecutionProvider"
CUDA_PROVIDER = "CUDAExecutionProvider"
SILENT = 4
"""onnxruntime log level: fatal only. It prints pages when CUDA libraries are missing; we say it in a sentence."""


def graph_paths(weights: Path) -> tuple[Path, Path]:
    """Return where the stem and cell graphs of a weights file live."""
    return weights.with_name(f"{weights.stem}-stem.onnx"), weights.with_name(f"{weights.stem}-cell.onnx")


def has_graphs(weights: Path) -> bool:
    """Whether onnxruntime and OpenVINO can run a weights file: its stem and cell graphs are there."""
    return all(map(is_file, graph_paths(weights)))


def int8_path(weights: Path) -> Path:
    """Return where the cell's graph of 8 bits of a weights file lives."""
    return weights.with_name(f"{weights.stem}-cell-int8.onnx")


class GraphEngine:
    """What the engines that run the exported graphs have in common; states are float32 numpy arrays."""

    def __init__(self, weights: Path) -> None:
        """Check the graphs made from ``weights``.

        Raises:
            ModelError: if a graph is missing, damaged or not of these weights.
        """
        card = read_card(weights)
        self._paths = self._graphs(weights)
        self._config = card.config
        for path in self._paths:
            verify(card, path)

    def _graphs(self, weights: Path) -> tuple[Path, Path]:
        return graph_paths(weights)

    @property
    def config(self) -> LdeqConfig:
        """Shape and solver of the model."""
        return self._config

    @property
    def precision(self) -> Precision:
        """Number format of the convolutions."""
        return Precision.FLOAT32

    def zero_state(self, count: int) -> NDArray[np.float32]:
        """Return z0 = 0."""
        size = self._config.heatmap_size
        return np.zeros((count, self._config.landmarks, size, size), np.float32)

    def decode(self, z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return landmarks (n, k, 2) and spread (n, k) in crop units."""
        return decode(z, self._config.half_pixel)


class OnnxEngine(GraphEngine):
    """Runs the exported graphs with onnxruntime on the CPU or CUDA."""

    def __init__(self, weights: Path, device: str = "cpu", threads: int | None = None) -> None:
        """Load the graphs made from ``weights`` onto ``device`` ("cpu" or "cuda").

        Raises:
            ModelError: as for :class:`GraphEngine`, or if CUDA does not bind.
        """
        super().__init__(weights)
        self._stem, self._cell = (session(path, device, threads) for path in self._paths)
        self._device = device

    @property
    def name(self) -> str:
        """Library and device that really run."""
        return f"onnxruntime, {self._device.upper()}"

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the injection u for RGB crops (n, input_size, input_size, 3)."""
        u: NDArray[np.float32] = self._stem.run(None, {"crops": crops})[0]
        return u

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return f(z, u)."""
        new: NDArray[np.float32] = self._cell.run(None, {"z": z, "u": u})[0]
        return new


class Int8Engine(OnnxEngine):
    """Runs the cell with products of 8 bits, on the CPU: twice as fast where it has instructions for them, less exact.

    ``docs/reports/performance.md`` has its cost; :mod:`model.engine.quantise` makes its graph.
    """

    def _graphs(self, weights: Path) -> tuple[Path, Path]:
        cell = int8_path(weights)
        if not is_file(cell):
            raise ModelError(f"{cell.name} is missing beside {weights.name}; use --engine onnx, or other weights")
        return graph_paths(weights)[0], cell

    @property
    def name(self) -> str:
        """Library, device and precision that really run."""
        return f"{super().name}, {self.precision}"

    @property
    def precision(self) -> Precision:
        """Number format of the cell's convolutions."""
        return Precision.INT8


def session(path: Path, device: str, threads: int | None) -> Any:
    """Open a graph with onnxruntime on ``device`` ("cpu" or "cuda").

    Raises:
        ModelError: if it cannot be loaded, or CUDA does not bind.
    """
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = SILENT
    # Threads that spin while they wait take the processor from those that capture, track and paint.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    if threads is not None:
        options.intra_op_num_threads = threads
    providers = [CUDA_PROVIDER, CPU_PROVIDER] if device == "cuda" else [CPU_PROVIDER]
    if device == "cuda":
        if hasattr(ort, "preload_dlls"):
            with contextlib.redirect_stdout(io.StringIO()):  # it prints what it does not find
                ort.preload_dlls()  # finds the CUDA libraries that pip installed beside torch
        ort.set_default_logger_severity(SILENT)
    try:
        session = ort.InferenceSession(str(path), options, providers=providers)
    except Exception as error:  # onnxruntime raises many types of its own
        reason = (str(error).splitlines() or [""])[0].rpartition(" : ")[2].rstrip(".")  # without its codes
        raise ModelError(f"onnxruntime cannot load {path.name} ({reason}); restore it, or try --device cpu") from error
    if device == "cuda" and CUDA_PROVIDER not in session.get_providers():
        raise ModelError("onnxruntime found no usable CUDA; use --device cpu, or see doctor for what is missing")
    return session
