"""Choose and open an engine; falls back from CUDA to the CPU and says so."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from model.engine.base import Engine
from model.engine.choice import ONNX, TORCH, TORCH_EXACT, Cuda, candidates, cuda_candidates, open_fastest
from model.engine.onnx_engine import Int8Engine, OnnxEngine, has_graphs
from model.errors import ModelError
from model.weights import read_card

log = logging.getLogger(__name__)

MOST_THREADS = 4
CPU_ONLY = ("onnx-int8", "openvino")


def open_engine(weights: Path, engine: str = "auto", device: str = "auto", threads: int | None = None) -> Engine:
    """Open the engine that runs ``weights``.

    Args:
        weights: a .safetensors file with its .json and, for onnxruntime, its graphs.
        engine: "onnx", "onnx-int8", "openvino", "torch", "torch-f32" (CUDA only, without its 16 bits) or "auto". That
            is what was fastest on the device, see :mod:`model.engine.choice`, and torch where the graphs are
            missing; never "onnx-int8", which is less exact.
        device: "cpu", "cuda", or "auto": CUDA where it works, else the CPU, with a logged warning if there is a card.
        threads: CPU threads; None takes :func:`default_threads`.

    Raises:
        ModelError: for unusable weights, or where an explicitly chosen device is not there.
    """
    threads = default_threads() if threads is None else threads
    graphs = has_graphs(weights)
    if device != "cpu" and engine not in CPU_ONLY:
        cuda = cuda_candidates(graphs)
        if device == "cuda":
            return _open_on_cuda(weights, engine, threads, graphs, cuda)
        if cuda is not None and engine in ("auto", *cuda.engines):
            try:
                return _open_on_cuda(weights, engine, threads, graphs, cuda)
            except ModelError as error:
                log.warning("CUDA is installed but does not run here, so the CPU is used: %s", error)
    if device == "auto":
        device = "cpu"
    if engine != "auto":
        return _open(weights, engine, device, threads)
    if not graphs:
        return _open(weights, TORCH, device, threads)
    if len(candidates()) == 1:
        return _open(weights, ONNX, device, threads)
    return open_fastest(read_card(weights), threads, lambda name: _open(weights, name, device, threads))


def default_threads() -> int:
    """Return half of the processors, from 1 to 4.

    Capture, painting and encoding need the others: a pool that takes every core waits at each layer for
    the thread that was pushed aside, which made solves many times slower beside other work.
    """
    return max(1, min(MOST_THREADS, (os.cpu_count() or 1) // 2))


def _open_on_cuda(weights: Path, engine: str, threads: int, graphs: bool, cuda: Cuda | None) -> Engine:
    """Open an engine on CUDA; where there is no card, what the engine says about that is raised."""
    if engine != "auto":
        return _open(weights, engine, "cuda", threads)
    if cuda is None:
        return _open(weights, ONNX if graphs else TORCH, "cuda", threads)
    if len(cuda.engines) == 1:
        return _open(weights, cuda.engines[0], "cuda", threads)
    return open_fastest(read_card(weights), threads, lambda name: _open(weights, name, "cuda", threads), cuda)


def _open(weights: Path, engine: str, device: str, threads: int) -> Engine:
    if engine in (TORCH, TORCH_EXACT):
        return _open_torch(weights, engine, device, threads)
    if engine in CPU_ONLY and device != "cpu":
        raise ModelError(f"the engine {engine} runs on the CPU; use --device cpu, or --engine onnx for CUDA")
    if engine == "openvino":
        from model.engine.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(weights, threads)
    return (Int8Engine if engine == "onnx-int8" else OnnxEngine)(weights, device, threads)


def _open_torch(weights: Path, engine: str, device: str, threads: int) -> Engine:
    if device == "cuda":
        from model.engine.cuda_engine import open_cuda

        return open_cuda(weights, ()) if engine == TORCH_EXACT else open_cuda(weights)
    if engine == TORCH_EXACT:
        raise ModelError(f"the engine {engine} is for CUDA; on the CPU --engine torch is as exact")
    from model.engine.torch_engine import TorchEngine

    return TorchEngine(weights, device, threads)
