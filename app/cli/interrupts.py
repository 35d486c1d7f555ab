"""Ctrl-C, and a terminal that is closed, for commands that finish what they write."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from app.core.ending import ENDING


@contextmanager
def interrupts(stop: threading.Event) -> Iterator[None]:
    """Let any of :data:`ENDING` set ``stop``; a second one breaks off."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, stack: FrameType | None) -> None:
        # A terminal that is closed says so twice: the shell does, and then the system.
        if stop.is_set() and signal.Signals(number).name != "SIGHUP":
            raise KeyboardInterrupt
        stop.set()

    # What is ignored stays so: under nohup the end of the terminal, in the background of a script Ctrl-C.
    numbers = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
