"""Signals that are emitted by threads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from PySide6.QtCore import SignalInstance


def emitter(signal: SignalInstance) -> Callable[..., None]:
    """Return a function that emits ``signal`` on any thread, and does nothing once the signal's object is gone.

    A thread that waits for a slow disk may outlive the window.
    """

    def emit(*values: object) -> None:
        with suppress(RuntimeError):  # "Signal source has been deleted"
            signal.emit(*values)

    return emit
