"""How long the window's thread is busy in one go: longer than 50 ms and a person feels it."""

from __future__ import annotations

import resource
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PySide6.QtCore import QEvent
from PySide6.QtWidgets import QApplication

from benchmarks.work_alarm import WorkAlarm

LIMIT_SECONDS = 0.05
STACK_SECONDS = 0.02
"""Own work in one turn after which its stack is noted, and again after each further such time."""
KEPT_TURNS = 50
BIN_SECONDS, BINS = 1e-4, 10_000
"""Turns are counted in bins of a tenth of a millisecond, the last of which holds whatever took a second or longer: an
hour has millions of turns, and a list of them would grow by as much as a leak that a soak is to find."""


def _empty() -> array[int]:
    return array("q", bytes(8 * BINS))


@dataclass(slots=True)
class Watchdog:
    """Drives the event loop and notes each turn that handled events.

    A turn's wall time holds what the window did and what it waited for: other threads' hold of the
    interpreter, and the operating system. Its CPU time is the window's own work, whatever else the computer does.

    Attributes:
        turns: how many there were.
        longest: seconds of the longest by the clock.
        longest_cpu: seconds of CPU that the window's thread took in the one with the most.
        over_limit: those longer than :data:`LIMIT_SECONDS` by the clock.
        over_limit_cpu: those longer than it by their own work.
        doing: what the window was told last, to explain a long turn.
        long_turns: what is known of the turns whose own work was over the limit, the :data:`KEPT_TURNS` first ones.
    """

    turns: int = 0
    longest: float = 0.0
    longest_cpu: float = 0.0
    over_limit: int = 0
    over_limit_cpu: int = 0
    doing: str = ""
    long_turns: list[dict[str, Any]] = field(default_factory=list)
    _counts: array[int] = field(default_factory=_empty)
    _stacks: list[str] = field(default_factory=list)
    _alarm: WorkAlarm = field(init=False)

    def __post_init__(self) -> None:
        self._alarm = WorkAlarm(STACK_SECONDS, self._stacks.append)

    def spin(self, application: QApplication, seconds: float) -> None:
        """Handle events for so many seconds, as ``exec`` would."""
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            with self._turn():
                application.processEvents()
            time.sleep(0.001)
        # Widgets that are to be deleted later wait for an event loop to return, and here none ever does.
        with self._turn():
            application.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)

    def call(self, name: str, doing: Callable[[], object]) -> None:
        """Do something that an event would have caused, as a turn of its own."""
        self.doing = name
        with self._turn():
            doing()

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._stacks.clear()
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_THREAD)
        worked = time.thread_time()
        self._alarm.start()
        try:
            yield
        finally:
            self._alarm.stop()
            wall, cpu = time.perf_counter() - started, time.thread_time() - worked
            self._note(wall, cpu)
            if cpu > LIMIT_SECONDS and len(self.long_turns) < KEPT_TURNS:
                after = resource.getrusage(resource.RUSAGE_THREAD)
                self.long_turns.append(
                    {
                        "doing": self.doing,
                        "cpu_ms": round(1e3 * cpu, 1),
                        "system_ms": round(1e3 * (after.ru_stime - before.ru_stime), 1),
                        "clock_ms": round(1e3 * wall, 1),
                        "page_faults": after.ru_minflt - before.ru_minflt,
                        "stacks": list(self._stacks),
                    }
                )

    def _note(self, wall: float, cpu: float) -> None:
        self.turns += 1
        self.longest, self.longest_cpu = max(self.longest, wall), max(self.longest_cpu, cpu)
        self.over_limit += wall > LIMIT_SECONDS
        self.over_limit_cpu += cpu > LIMIT_SECONDS
        self._counts[min(int(wall / BIN_SECONDS), BINS - 1)] += 1

    def clear(self) -> None:
        """Forget the turns so far."""
        self.turns = self.over_limit = self.over_limit_cpu = 0
        self.longest = self.longest_cpu = 0.0
        self.long_turns.clear()
        self._counts = _empty()

    def figures(self) -> dict[str, float]:
        """Return the longest turn and the 99.9th percentile in ms, by clock and CPU, and the turns over the limit."""
        return {
            "longest_ms": 1e3 * self.longest,
            "longest_cpu_ms": 1e3 * self.longest_cpu,
            "p999_ms": 1e3 * self._percentile(0.999),
            "over_limit": self.over_limit,
            "over_limit_cpu": self.over_limit_cpu,
            "turns": self.turns,
        }

    def _percentile(self, share: float) -> float:
        """Return the seconds that this share of the turns did not take, to the upper edge of a bin."""
        if not self.turns:
            return 0.0
        return float(np.searchsorted(np.cumsum(np.array(self._counts)), share * self.turns) + 1) * BIN_SECONDS
