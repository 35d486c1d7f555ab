"""Ctrl-C, and a terminal that is closed, for commands that finish what they write."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from app.core.ending import answering


@contextmanager
def interrupts(stop: threading.Event) -> Iterator[None]:
    """Let any of :data:`app.core.ending.ENDING` set ``stop``; a second one breaks off."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, stack: FrameType | None) -> None:
        # A terminal that is closed says so twice: the shell does, and then the system.
        if stop.is_set() and signal.Signals(number).name != "SIGHUP":
            raise KeyboardInterrupt
        stop.set()

    with answering(handle):
        yield
