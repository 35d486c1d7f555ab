"""Ring buffers of fixed size for what the panels show of the last seconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.topology import POINTS


class TraceRing:
    """The newest samples of several signals with their times, oldest first.

    Every sample is written twice, half the buffer apart, so that the last n samples always lie in one piece and are
    read by one copy.

    Args:
        signals: values per sample.
        capacity: most samples kept.
    """

    def __init__(self, signals: int, capacity: int) -> None:
        self._capacity = capacity
        self._times = np.zeros(2 * capacity)
        self._values = np.zeros((signals, 2 * capacity), np.float32)
        self.clear()

    @property
    def newest(self) -> float | None:
        """Time of the last sample, None if there is none."""
        return float(self._times[self._next - 1 + self._capacity]) if self._filled else None

    def clear(self) -> None:
        """Drop all samples."""
        self._next = self._filled = 0

    def add(self, time: float, values: NDArray[np.floating]) -> None:
        """Note one sample (signals,), NaN where a signal has none; times must not run back."""
        for place in (self._next, self._next + self._capacity):
            self._times[place] = time
            self._values[:, place] = values
        self._next = (self._next + 1) % self._capacity
        self._filled = min(self._filled + 1, self._capacity)

    def since(self, time: float) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
        """Return copies of the times (n,) and values (signals, n) from ``time`` on."""
        end = self._next + self._capacity
        first = end - self._filled
        first += int(np.searchsorted(self._times[first:end], time))
        return self._times[first:end].copy(), self._values[:, first:end].copy()


class PointWindow:
    """Root mean square of each landmark's readings over the last seconds.

    Args:
        seconds: length of the window.
        capacity: most readings kept; where more come in that time, the window is shorter.
    """

    def __init__(self, seconds: float, capacity: int = 768) -> None:
        self._seconds = seconds
        self._times = np.full(capacity, -np.inf)
        self._squares = np.zeros((capacity, POINTS), np.float32)
        self._newest = -np.inf
        self._next = 0

    def clear(self) -> None:
        """Drop all readings."""
        self._times.fill(-np.inf)
        self._newest = -np.inf
        self._next = 0

    def add(self, time: float, points: NDArray[np.float32] | None) -> None:
        """Add readings (98,) at ``time`` seconds, None for time alone; a time before the last one clears the window."""
        if time < self._newest:
            self.clear()
        self._newest = time
        if points is not None:
            self._times[self._next] = time
            np.square(points, out=self._squares[self._next])
            self._next = (self._next + 1) % len(self._times)

    def reading(self) -> NDArray[np.float32] | None:
        """Return (98,) over the window that ends at the last time noted; None if it is empty."""
        recent = self._times > self._newest - self._seconds
        count = int(recent.sum())
        if not count:
            return None
        # One product instead of a selection and a mean: no copy of the readings. Not by BLAS, whose threads wait for
        # each other, which takes long on a busy computer.
        return np.sqrt(np.einsum("i,ij->j", recent.astype(np.float32), self._squares) / np.float32(count))
