"""Waiting for what other threads do."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE_SECONDS = 60.0
"""So long that even a computer that is busy with other work gets there; a test that passes never waits for it."""
PATIENCE_MS = round(1000 * PATIENCE_SECONDS)
"""The same for Qt."""
PROCESS_SECONDS = 240.0
"""For another process that imports large libraries; less than what a whole test may take."""


def wait_until(condition: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    """Return as soon as ``condition`` holds; fail if it does not come true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.002)
