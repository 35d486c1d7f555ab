"""How long the window's thread is busy in one go: longer than 50 ms and a person feels it."""

from __future__ import annotations

import time
from array import array
from dataclasses import dataclass, field

import numpy as np
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

LIMIT_SECONDS = 0.05
BIN_SECONDS, BINS = 1e-4, 10_000
"""Turns are counted in bins of a tenth of a millisecond, the last of which holds whatever took a second or longer: an
hour has millions of turns, and a list of them would grow by as much as a leak that a soak is to find."""


def _empty() -> array[int]:
    return array("q", bytes(8 * BINS))


@dataclass(slots=True)
class Watchdog:
    """Drives the event loop and notes each turn that handled events.

    A turn's wall time holds what the window did and what it waited for: other threads' hold of the
    interpreter, and the operating system. Its CPU time is the window's own work.

    Attributes:
        turns: how many there were.
        longest: seconds of the longest by the clock.
        longest_cpu: seconds of CPU that the window's thread took in the one with the most.
        over_limit: those longer than :data:`LIMIT_SECONDS`.
    """

    turns: int = 0
    longest: float = 0.0
    longest_cpu: float = 0.0
    over_limit: int = 0
    _counts: array[int] = field(default_factory=_empty)

    def spin(self, application: QApplication, seconds: float) -> None:
        """Handle events for so many seconds, as ``exec`` would."""
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            before = time.thread_time()
            application.processEvents()
            self._note(time.perf_counter() - started, time.thread_time() - before)
            time.sleep(0.001)
        # Widgets that are to be deleted later wait for an event loop to return, and here none ever does.
        application.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    def _note(self, wall: float, cpu: float) -> None:
        self.turns += 1
        self.longest, self.longest_cpu = max(self.longest, wall), max(self.longest_cpu, cpu)
        self.over_limit += wall > LIMIT_SECONDS
        self._counts[min(int(wall / BIN_SECONDS), BINS - 1)] += 1

    def clear(self) -> None:
        """Forget the turns so far."""
        self.turns = self.over_limit = 0
        self.longest = self.longest_cpu = 0.0
        self._counts = _empty()

    def figures(self) -> dict[str, float]:
        """Return the longest turn and the 99.9th percentile in ms, by clock and CPU, and the turns over the limit."""
        return {
            "longest_ms": 1e3 * self.longest,
            "longest_cpu_ms": 1e3 * self.longest_cpu,
            "p999_ms": 1e3 * self._percentile(0.999),
            "over_limit": self.over_limit,
            "turns": self.turns,
        }

    def _percentile(self, share: float) -> float:
        """Return the seconds that this share of the turns did not take, to the upper edge of a bin."""
        if not self.turns:
            return 0.0
        return float(np.searchsorted(np.cumsum(np.array(self._counts)), share * self.turns) + 1) * BIN_SECONDS
