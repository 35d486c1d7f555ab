"""The one interface the solver sees: encode a crop, evaluate the cell, decode heatmaps."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from model.config import LdeqConfig
from model.engine.names import Precision

State = Any
"""An array of the engine's own type (numpy or torch): heatmaps z or injection u, batch first."""


class Engine(Protocol):
    """Runs an LDEQ of k landmarks. Between calls, states stay in the engine's own arrays (numpy, or GPU memory).

    Several threads may call it at once, unless it is :class:`Asynchronous`.
    """

    @property
    def config(self) -> LdeqConfig:
        """Shape and solver of the model."""
        ...

    @property
    def name(self) -> str:
        """Library and device in use, for display: "onnxruntime, CPU", "torch, CUDA: RTX 4060"."""
        ...

    @property
    def precision(self) -> Precision:
        """Number format of the convolutions; INT8 is that of the cell, whose stem calculates in FLOAT32."""
        ...

    def encode(self, crops: NDArray[np.uint8]) -> State:
        """Return the injection u for RGB crops (n, input_size, input_size, 3)."""
        ...

    def zero_state(self, count: int) -> State:
        """Return z0 = 0, (count, k, heatmap_size, heatmap_size) float32."""
        ...

    def evaluate(self, z: State, u: State) -> State:
        """Return f(z, u)."""
        ...

    def decode(self, z: State) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return landmarks (n, k, 2) and spread (n, k) in crop units."""
        ...


@runtime_checkable
class Asynchronous(Protocol):
    """An engine whose calls may return before its device has finished.

    Only timing code needs to know, and code that would otherwise give the engine a thread of its own.
    """

    def wait(self) -> None:
        """Block until all work submitted so far is done."""
        ...
