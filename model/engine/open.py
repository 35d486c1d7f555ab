"""Choose and open an engine; falls back from CUDA to the CPU and says so."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from model.engine.base import Engine
from model.engine.choice import candidates, open_fastest
from model.engine.onnx_engine import CUDA_PROVIDER, Int8Engine, OnnxEngine, graph_paths
from model.errors import ModelError
from model.weights import read_card

log = logging.getLogger(__name__)

MOST_THREADS = 4
CPU_ONLY = ("onnx-int8", "openvino")


def open_engine(weights: Path, engine: str = "auto", device: str = "auto", threads: int | None = None) -> Engine:
    """Open the engine that runs ``weights``.

    Args:
        weights: a .safetensors file with its .json and, for onnxruntime, its graphs.
        engine: "onnx", "onnx-int8", "openvino", "torch" or "auto". That is torch where the graphs are missing,
            onnxruntime on CUDA, and on the CPU what was fastest there, see :mod:`model.engine.choice`; never
            "onnx-int8", which is less exact.
        device: "cpu", "cuda", or "auto": CUDA where it binds, else the CPU with a logged warning.
        threads: CPU threads; None takes :func:`default_threads`.

    Raises:
        ModelError: for unusable weights, or where an explicitly chosen device is not there.
    """
    threads = default_threads() if threads is None else threads
    choose = engine == "auto" and all(path.is_file() for path in graph_paths(weights))
    if engine == "auto":
        engine = "onnx" if choose else "torch"
    if device == "auto":
        if engine not in CPU_ONLY and _cuda_offered(engine):
            try:
                return _open(weights, engine, "cuda", threads)
            except ModelError as error:
                log.warning("CUDA is installed but does not run here, so the CPU is used: %s", error)
        device = "cpu"
    if choose and device == "cpu" and len(candidates()) > 1:
        return open_fastest(read_card(weights), threads, lambda name: _open(weights, name, "cpu", threads))
    return _open(weights, engine, device, threads)


def default_threads() -> int:
    """Return half of the processors, from 1 to 4.

    Capture, painting and encoding need the others: a pool that takes every core waits at each layer for
    the thread that was pushed aside, which made solves many times slower beside other work.
    """
    return max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))


def _open(weights: Path, engine: str, device: str, threads: int | None) -> Engine:
    if engine == "torch":
        from model.engine.torch_engine import TorchEngine

        return TorchEngine(weights, device, threads)
    if engine in CPU_ONLY and device != "cpu":
        raise ModelError(f"the engine {engine} runs on the CPU; use --device cpu, or --engine onnx for CUDA")
    if engine == "openvino":
        from model.engine.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(weights, threads)
    return (Int8Engine if engine == "onnx-int8" else OnnxEngine)(weights, device, threads)


def _cuda_offered(engine: str) -> bool:
    """Whether a CUDA card seems to be there at all; a machine without one needs no warning."""
    if engine == "torch":
        import torch

        return torch.cuda.is_available()
    import onnxruntime as ort

    return CUDA_PROVIDER in ort.get_available_providers() and _nvidia_driver_present()


def _nvidia_driver_present() -> bool:
    import ctypes
    import sys

    name = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
