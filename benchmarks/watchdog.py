"""How long the window's thread is busy in one go: longer than 50 ms and a person feels it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from PySide6.QtWidgets import QApplication

LIMIT_SECONDS = 0.05


@dataclass(slots=True)
class Watchdog:
    """Drives the event loop and notes each turn that handled events.

    A turn's wall time holds what the window did and what it waited for: other threads' hold of the
    interpreter, and the operating system. Its CPU time is the window's own work.

    Attributes:
        wall: seconds of each turn by the clock.
        cpu: seconds of CPU that the window's thread took in it.
    """

    wall: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def spin(self, application: QApplication, seconds: float) -> None:
        """Handle events for so many seconds, as ``exec`` would."""
        end = time.perf_counter() + seconds
        while (started := time.perf_counter()) < end:
            before = time.thread_time()
            application.processEvents()
            self.wall.append(time.perf_counter() - started)
            self.cpu.append(time.thread_time() - before)
            time.sleep(0.001)

    def clear(self) -> None:
        """Forget the turns so far."""
        self.wall.clear()
        self.cpu.clear()

    def figures(self) -> dict[str, float]:
        """Return the longest turn and the 99.9th percentile in ms, by clock and CPU, and the turns over the limit."""
        return {
            "longest_ms": 1e3 * max(self.wall, default=0.0),
            "longest_cpu_ms": 1e3 * max(self.cpu, default=0.0),
            "p999_ms": 1e3 * _percentile(self.wall, 0.999),
            "over_limit": sum(turn > LIMIT_SECONDS for turn in self.wall),
            "turns": len(self.wall),
        }


def _percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else 0.0
