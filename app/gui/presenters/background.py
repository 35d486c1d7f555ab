"""Work on background threads."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

Background = Callable[[Callable[[], None]], object]
"""Runs work in the background; tests pass their own."""


def in_background(job: Callable[[], None]) -> threading.Thread:
    """Run ``job`` on a thread of its own, which does not keep the program from ending."""
    thread = threading.Thread(target=job, name="window-work", daemon=True)
    thread.start()
    return thread


class BackgroundSaves:
    """Work that writes files; the window waits for it before the program ends."""

    def __init__(self) -> None:
        self._threads: list[threading.Thread] = []

    def start(self, job: Callable[[], None]) -> None:
        """Run ``job`` on a thread of its own."""
        self._threads = [*(thread for thread in self._threads if thread.is_alive()), in_background(job)]

    def wait(self, seconds: float) -> bool:
        """Wait until all has been written, but no longer than ``seconds``; return whether it has."""
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        return not any(thread.is_alive() for thread in self._threads)
