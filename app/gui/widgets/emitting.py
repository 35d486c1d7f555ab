"""Signals that are emitted by threads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import cache

from PySide6.QtCore import QObject, Qt, Signal, SignalInstance


def emitter(signal: SignalInstance) -> Callable[..., None]:
    """Return a function that has ``signal`` emitted by the window's event loop, unless its object is gone by then.

    A thread that waits for a slow disk may outlive the window. If it emitted the signal itself while the window is
    deleted, the process would crash. To be called on the window's thread; what it returns, on any.
    """
    passed = _relay().passed

    def emit(*values: object) -> None:
        passed.emit(signal, values)

    return emit


class _Relay(QObject):
    """Emits signals on the thread that made it; lives as long as the process."""

    passed = Signal(object, object)

    def __init__(self) -> None:
        super().__init__()
        self.passed.connect(self._emit, Qt.ConnectionType.QueuedConnection)

    def _emit(self, signal: SignalInstance, values: tuple[object, ...]) -> None:
        with suppress(RuntimeError):  # "Signal source has been deleted"
            signal.emit(*values)


@cache
def _relay() -> _Relay:
    return _Relay()
