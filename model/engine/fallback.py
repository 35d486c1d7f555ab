"""When an engine fails while it runs, another takes its place: a lost GPU must not end what is going on."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from model.engine.base import Engine
from model.engine.names import Device, EngineName
from model.engine.onnx_engine import has_graphs
from model.engine.open import open_engine
from model.errors import ModelError, in_short

log = logging.getLogger(__name__)

MOST = 3
"""Replacements in one run. An engine that fails more often than that has a lasting cause, and no other one cures it."""

OpenEngine = Callable[[], Engine]


class EngineSupply:
    """The engine in use, and the next one when it fails. States of one engine mean nothing to another.

    Args:
        first: the engine to begin with.
        open_next: opens what takes its place; asked again each time one failed.

    Attributes:
        engine: the one in use.
        replaced: how often it was replaced.
    """

    def __init__(self, first: Engine, open_next: OpenEngine | None = None) -> None:
        self.engine = first
        self.replaced = 0
        self._open_next = open_next

    @property
    def alone(self) -> bool:
        """Whether there never was anything to take the engine's place."""
        return self._open_next is None

    def replace(self, reason: str) -> Engine:
        """Put the next engine in the place of the one that failed, and return it.

        Args:
            reason: what went wrong, for people.

        Raises:
            ModelError: there is no other, or none that works.
        """
        failed, reason = self.engine.name, in_short(reason)
        if self._open_next is None or self.replaced >= MOST:
            raise ModelError(f"{failed} failed ({reason}); start again, or choose another with --engine or --device")
        self.replaced += 1
        try:
            self.engine = self._open_next()
        except Exception as error:  # libraries raise many types of their own
            raise ModelError(
                f"{failed} failed ({reason}) and nothing can take its place ({in_short(str(error))}); start again, or "
                "choose another with --engine or --device"
            ) from error
        log.warning("%s failed (%s) and was replaced by %s", failed, reason, self.engine.name)
        return self.engine


def open_plainest(weights: Path, engine: str, threads: int | None) -> Engine:
    """Open what is least likely to fail for ``weights``: PyTorch where it was asked for, else onnxruntime, on the CPU.

    Raises:
        ModelError: for unusable weights.
    """
    torch = engine in (EngineName.TORCH, EngineName.TORCH_F32) or not has_graphs(weights)
    return open_engine(weights, EngineName.TORCH if torch else EngineName.ONNX, Device.CPU, threads)
