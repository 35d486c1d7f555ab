"""Choose and open an engine; falls back from CUDA to the CPU and says so."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from model.engine.base import Engine
from model.engine.choice import Cuda, Place, candidates, cuda_candidates, measure, open_fastest, remembered
from model.engine.names import Device, EngineName
from model.engine.onnx_engine import Int8Engine, OnnxEngine, has_graphs
from model.errors import ModelError
from model.weights import read_card

log = logging.getLogger(__name__)

LEAST_THREADS, MOST_THREADS = 2, 4
CPU_ONLY = (EngineName.ONNX_INT8, EngineName.OPENVINO)
TORCH = (EngineName.TORCH, EngineName.TORCH_F32)


def open_engine(
    weights: Path, engine: str = EngineName.AUTO, device: str = Device.AUTO, threads: int | None = None
) -> Engine:
    """Open the engine that runs ``weights``.

    Args:
        weights: a .safetensors file with its .json and, for onnxruntime and OpenVINO, its graphs.
        engine: a word of :class:`EngineName`. "torch-f32" is for CUDA only, where "torch" may calculate in 16 bits.
            "auto" is the engine measured as fastest on the device, see :mod:`model.engine.choice`, and "torch" if the
            graphs are missing; never "onnx-int8", which is less exact.
        device: a word of :class:`Device`. "auto" is CUDA if it works, otherwise the CPU, with a logged warning if there
            is a card.
        threads: CPU threads; None takes :func:`default_threads`.

    Raises:
        ModelError: for unusable weights, unknown names, or an explicitly chosen engine or device that does not work.
    """
    try:
        name, where = EngineName(engine), Device(device)
    except ValueError as error:
        raise ModelError(f"there is no such engine or device: {error}") from None
    threads = default_threads() if threads is None else threads
    graphs = has_graphs(weights)
    if where != Device.CPU and name not in CPU_ONLY:
        cuda = cuda_candidates(graphs)
        if where == Device.CUDA:
            return _open_on_cuda(weights, name, threads, graphs, cuda)
        if cuda is not None and name in (EngineName.AUTO, *cuda.engines):
            try:
                return _open_on_cuda(weights, name, threads, graphs, cuda)
            except ModelError as error:
                log.warning("CUDA is installed but does not run here, so the CPU is used: %s", error)
    where = Device.CPU if where == Device.AUTO else where
    if name == EngineName.AUTO:
        only = _only_engine(graphs)
        if only is None:
            return open_fastest(Place(read_card(weights), threads), lambda each: _open(weights, each, where, threads))
        name = only
    return _open(weights, name, where, threads)


def automatic_engine(weights: Path, threads: int | None = None) -> EngineName:
    """Return the engine that "auto" stands for on the CPU.

    None is opened if there is only one, or if the fastest was measured before; otherwise they are measured now and the
    result is remembered.

    Args:
        weights: a .safetensors file with its .json.
        threads: CPU threads of the engine; None takes :func:`default_threads`.

    Raises:
        ModelError: for unusable weights.
    """
    only = _only_engine(has_graphs(weights))
    if only is not None:
        return only
    threads = default_threads() if threads is None else threads
    place = Place(read_card(weights), threads)
    known = remembered(place)
    if known is None:
        known, _ = measure(place, lambda name: _open(weights, name, Device.CPU, threads))
    return known.engine


def _only_engine(graphs: bool) -> EngineName | None:
    """Return the engine that "auto" is on the CPU if there is nothing to measure, None if there is a choice."""
    if not graphs:
        return EngineName.TORCH
    names = candidates()
    return names[0] if len(names) == 1 else None


def default_threads(processors: int | None = None) -> int:
    """Return half of the processors, at least 2 where there are as many, and at most 4.

    Capture, painting and encoding need the others. With two processors the model's second thread takes what they leave.

    Args:
        processors: that the program may use; None for all of the computer's.
    """
    processors = processors or os.cpu_count() or 1
    return min(processors, max(LEAST_THREADS, min(MOST_THREADS, processors // 2)))


def _open_on_cuda(weights: Path, engine: EngineName, threads: int, graphs: bool, cuda: Cuda | None) -> Engine:
    """Open an engine on CUDA; without a card the engine's own error is raised."""
    if engine == EngineName.AUTO and cuda is not None and len(cuda.engines) > 1:
        place = Place(read_card(weights), threads, cuda)
        return open_fastest(place, lambda name: _open(weights, name, Device.CUDA, threads))
    if engine == EngineName.AUTO:
        plain = EngineName.ONNX if graphs else EngineName.TORCH
        engine = plain if cuda is None else cuda.engines[0]
    return _open(weights, engine, Device.CUDA, threads)


def _open(weights: Path, engine: EngineName, device: Device, threads: int) -> Engine:
    if engine in TORCH:
        return _open_torch(weights, engine, device, threads)
    if engine in CPU_ONLY and device != Device.CPU:
        raise ModelError(f"the engine {engine} runs on the CPU; use --device cpu, or --engine onnx for CUDA")
    if engine == EngineName.OPENVINO:
        from model.engine.openvino_engine import OpenVinoEngine

        return OpenVinoEngine(weights, threads)
    return (Int8Engine if engine == EngineName.ONNX_INT8 else OnnxEngine)(weights, device, threads)


def _open_torch(weights: Path, engine: EngineName, device: Device, threads: int) -> Engine:
    if device == Device.CUDA:
        from model.engine.cuda_engine import open_cuda

        return open_cuda(weights, ()) if engine == EngineName.TORCH_F32 else open_cuda(weights)
    if engine == EngineName.TORCH_F32:
        raise ModelError(f"the engine {engine} is for CUDA; on the CPU --engine torch is as exact")
    from model.engine.torch_engine import TorchEngine

    return TorchEngine(weights, device, threads)
