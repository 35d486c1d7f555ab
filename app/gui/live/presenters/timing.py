"""Rates and latencies over the last seconds."""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

RATE_SECONDS = 2.0
LATENCY_SECONDS = 5.0
LEAST_COUNTED = 1.0


class RateMeter:
    """Events per second over the last :data:`RATE_SECONDS`; ticked on one thread, read on another."""

    def __init__(self, seconds: float = RATE_SECONDS) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque()
        self._lock = threading.Lock()

    def tick(self, now: float) -> None:
        """Count one event at ``now`` seconds."""
        with self._lock:
            self._times.append(now)
            self._forget(now)

    def rate(self, now: float) -> float | None:
        """Events per second, or None before two events were seen."""
        with self._lock:
            self._forget(now)
            if len(self._times) < 2:
                return None
            first, last = self._times[0], self._times[-1]
            # A source that stalls must not keep showing its old rate: time since the last event counts
            # once it is longer than the usual gap.
            gap = (last - first) / (len(self._times) - 1)
            span = max(last - first, now - first - gap)
            return (len(self._times) - 1) / span if span > 0 else None

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._times.clear()

    def _forget(self, now: float) -> None:
        # The last two stay, so that less than one event per window still has a rate.
        while len(self._times) > 2 and now - self._times[0] > self._seconds:
            self._times.popleft()


class CountMeter:
    """How fast a number that somebody else counts grows, over the last :data:`RATE_SECONDS`; used by one thread."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def rate(self, count: int, now: float) -> float | None:
        """Note the number at ``now`` seconds; return its growth a second, None for the first :data:`LEAST_COUNTED`."""
        if self._seen and count < self._seen[-1][1]:
            self.clear()  # it began anew
        self._seen.append((now, count))
        while now - self._seen[0][0] > RATE_SECONDS:
            self._seen.popleft()
        seconds, before = now - self._seen[0][0], self._seen[0][1]
        return (count - before) / seconds if seconds >= LEAST_COUNTED else None

    def clear(self) -> None:
        """Drop everything."""
        self._seen.clear()


@dataclass(frozen=True, slots=True)
class Latency:
    """Capture-to-paint latency in seconds: the median and the 95th percentile of the last seconds."""

    p50: float
    p95: float


class LatencyMeter:
    """Capture-to-paint latency over the last :data:`LATENCY_SECONDS`; safe to use from several threads."""

    def __init__(self, seconds: float = LATENCY_SECONDS) -> None:
        self._seconds = seconds
        self._samples: deque[tuple[float, float]] = deque()
        self._lock = threading.Lock()

    def add(self, captured: float, painted: float) -> None:
        """Note a frame that left the source at ``captured`` and was painted at ``painted``."""
        with self._lock:
            self._samples.append((painted, painted - captured))
            self._forget(painted)

    def latency(self, now: float) -> Latency | None:
        """Percentiles of what was painted lately; None when nothing was."""
        with self._lock:
            self._forget(now)
            values = [value for _, value in self._samples]
        if not values:
            return None
        p50, p95 = np.percentile(values, (50, 95))
        return Latency(float(p50), float(p95))

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._samples.clear()

    def _forget(self, now: float) -> None:
        while self._samples and now - self._samples[0][0] > self._seconds:
            self._samples.popleft()
