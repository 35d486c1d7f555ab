"""Tells where the window's thread is once it has worked for so long in one go (Linux)."""

from __future__ import annotations

import ctypes
import signal
import sys
import traceback
from collections.abc import Callable
from types import FrameType

_THREAD_CPU_CLOCK, _NOTIFY_BY_SIGNAL = 3, 0
"""CLOCK_THREAD_CPUTIME_ID and SIGEV_SIGNAL."""
_FRAMES = 12


class _SignalEvent(ctypes.Structure):
    _fields_ = (
        ("value", ctypes.c_void_p),
        ("number", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("rest", ctypes.c_char * 48),
    )


class _TimerSpan(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_long) for name in ("every_s", "every_ns", "first_s", "first_ns"))


class WorkAlarm:
    """Notes the stack of the main thread each time it has spent so much CPU time since :meth:`start`.

    The kernel counts the thread's own CPU time and sends a signal, whose handler Python calls on the main thread.
    Another thread that looked at the stack would keep its local variables alive, among them painters that must end
    before the next event. A stack is that of the first Python code that runs after the time was up, so long work
    inside Qt may show as what came right after it.

    Args:
        seconds: of CPU time, each time; created and used on the main thread.
        told: called with the innermost functions, the outermost first.
    """

    def __init__(self, seconds: float, told: Callable[[str], None]) -> None:
        self._told = told
        self._timer = ctypes.c_void_p()
        self._span = _span(seconds)
        self._never = _span(0.0)
        self._library = ctypes.CDLL(None) if sys.platform.startswith("linux") else None
        if self._library is None:
            return
        signal.signal(signal.SIGPROF, self._ring)
        signal.siginterrupt(signal.SIGPROF, False)
        event = _SignalEvent(None, signal.SIGPROF, _NOTIFY_BY_SIGNAL)
        if self._library.timer_create(_THREAD_CPU_CLOCK, ctypes.byref(event), ctypes.byref(self._timer)):
            self._library = None

    def start(self) -> None:
        """Count from now on."""
        self._set(self._span)

    def stop(self) -> None:
        """Stop counting."""
        self._set(self._never)

    def _set(self, span: _TimerSpan) -> None:
        if self._library is not None:
            self._library.timer_settime(self._timer, 0, ctypes.byref(span), None)

    def _ring(self, number: int, frame: FrameType | None) -> None:
        calls = traceback.extract_stack(frame, _FRAMES)
        self._told(" > ".join(f"{call.name} ({call.filename.rpartition('/')[2]}:{call.lineno})" for call in calls))


def _span(seconds: float) -> _TimerSpan:
    whole, rest = int(seconds), round(1e9 * (seconds % 1.0))
    return _TimerSpan(whole, rest, whole, rest)
