"""Work that the window does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable

Background = Callable[[Callable[[], None]], object]
"""Runs a piece of work without making the caller wait; tests put in their own."""


def in_background(job: Callable[[], None]) -> threading.Thread:
    """Run ``job`` on a thread of its own, which does not keep the program from ending."""
    thread = threading.Thread(target=job, name="window-work", daemon=True)
    thread.start()
    return thread
