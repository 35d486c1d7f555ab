"""Work on background threads."""

from __future__ import annotations

import threading
from collections.abc import Callable

Background = Callable[[Callable[[], None]], object]
"""Runs work in the background; tests pass their own."""


def in_background(job: Callable[[], None]) -> threading.Thread:
    """Run ``job`` on a thread of its own, which does not keep the program from ending."""
    thread = threading.Thread(target=job, name="window-work", daemon=True)
    thread.start()
    return thread
