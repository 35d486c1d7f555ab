"""How long the stages of a frame took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager


class StageTimes:
    """Adds up seconds by stage for one frame."""

    def __init__(self) -> None:
        self._started = time.perf_counter()
        self._seconds: dict[str, float] = {}

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Count the block towards ``stage``."""
        started = time.perf_counter()
        yield
        self._seconds[stage] = self._seconds.get(stage, 0.0) + time.perf_counter() - started

    def finish(self) -> dict[str, float]:
        """Return the seconds by stage, and under "total" those since this object was made."""
        return {**self._seconds, "total": time.perf_counter() - self._started}
