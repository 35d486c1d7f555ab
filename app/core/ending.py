"""The signals that ask a program to end. Standard library only, as :mod:`app.core.places`."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name))
"""Those of this system: Ctrl-C, a polite kill, a terminal that is closed, and Ctrl-Break on Windows."""


@contextmanager
def answering(handle: Callable[[int, FrameType | None], object]) -> Iterator[None]:
    """Let ``handle`` answer :data:`ENDING` while the block runs, on the main thread.

    What is ignored stays so: under nohup the end of the terminal, in the background of a script Ctrl-C.
    """
    numbers = [number for number in ENDING if signal.getsignal(number) != signal.SIG_IGN]
    before = [signal.signal(number, handle) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)
