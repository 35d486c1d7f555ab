"""The engine that takes the place of one that failed while it ran: a lost GPU must not end a run."""

from __future__ import annotations

from pathlib import Path

from model.engine.base import Engine
from model.engine.names import Device, EngineName
from model.engine.onnx_engine import has_graphs
from model.engine.open import TORCH, open_engine


def open_plainest(weights: Path, engine: str, threads: int | None) -> Engine:
    """Open the engine least likely to fail: PyTorch if it was asked for, otherwise onnxruntime, on the CPU.

    Raises:
        ModelError: for unusable weights.
    """
    torch = engine in TORCH or not has_graphs(weights)
    return open_engine(weights, EngineName.TORCH if torch else EngineName.ONNX, Device.CPU, threads)
