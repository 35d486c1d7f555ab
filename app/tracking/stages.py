"""Time spent in each stage of a frame."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimes:
    """Accumulates the seconds spent in each stage of one frame."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Add the duration of the block to ``stage``."""
        started = time.perf_counter()
        yield
        self._seconds[stage] = self._seconds.get(stage, 0.0) + time.perf_counter() - started

    def finish(self) -> dict[str, float]:
        """Return the seconds by stage; "total" is the time since this object was created."""
        return {**self._seconds, "total": time.perf_counter() - self._started}
