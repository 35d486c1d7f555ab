"""An engine that notes how long each of its steps takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from model.config import LdeqConfig
from model.engine.base import Asynchronous, Engine, State

T = TypeVar("T")

STEM, CELL, DECODE = "stem", "cell", "decode"


class TimedEngine:
    """Passes everything on to another engine, and waits for its device before and after each step.

    Without that a step would seem to take no time, and who reads its result all of it. In turn nothing overlaps.

    Attributes:
        seconds: by step, since the last :meth:`take`.
        evaluations: of the cell, since then.
    """

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self.seconds: dict[str, float] = {}
        self.evaluations = 0

    @property
    def config(self) -> LdeqConfig:
        """Of the inner engine."""
        return self._inner.config

    @property
    def name(self) -> str:
        """Of the inner engine."""
        return self._inner.name

    def take(self) -> tuple[dict[str, float], int]:
        """Return seconds by step, and evaluations, and begin anew."""
        taken = self.seconds, self.evaluations
        self.seconds, self.evaluations = {}, 0
        return taken

    def encode(self, crops: NDArray[np.uint8]) -> State:
        """Do as the inner engine."""
        return self._timed(STEM, lambda: self._inner.encode(crops))

    def zero_state(self, count: int) -> State:
        """Do as the inner engine."""
        return self._inner.zero_state(count)

    def evaluate(self, z: State, u: State) -> State:
        """Do as the inner engine."""
        self.evaluations += 1
        return self._timed(CELL, lambda: self._inner.evaluate(z, u))

    def decode(self, z: State) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Do as the inner engine."""
        result: Any = self._timed(DECODE, lambda: self._inner.decode(z))
        return result  # type: ignore[no-any-return]

    def _timed(self, step: str, run: Callable[[], T]) -> T:
        self.wait()
        started = time.perf_counter()
        result = run()
        self.wait()
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started
        return result

    def wait(self) -> None:
        """Wait for the device. That there is this method keeps the pipeline from encoding on a thread beside."""
        if isinstance(self._inner, Asynchronous):
            self._inner.wait()
