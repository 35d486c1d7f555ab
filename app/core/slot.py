"""A slot for the newest value: writers never block, and readers get each value at most once."""

from __future__ import annotations

import threading
from typing import Generic, TypeVar

T = TypeVar("T")


class LatestSlot(Generic[T]):
    """Holds at most one value; a new value replaces one that was not taken."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._value: T | None = None
        self._closed = False
        self._replaced = 0

    @property
    def replaced(self) -> int:
        """How many values were replaced before they were taken."""
        with self._condition:
            return self._replaced

    @property
    def closed(self) -> bool:
        """Whether no further value will come."""
        with self._condition:
            return self._closed

    def put(self, value: T) -> None:
        """Store ``value``; ignored after :meth:`close`."""
        with self._condition:
            if self._closed:
                return
            if self._value is not None:
                self._replaced += 1
            self._value = value
            self._condition.notify_all()

    def take(self, timeout: float | None = 0.0) -> T | None:
        """Return the value and empty the slot, waiting up to ``timeout`` seconds (None: indefinitely).

        Returns None if nothing came in time, or if the slot is closed and empty.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._value is not None or self._closed, timeout)
            value, self._value = self._value, None
            return value

    def close(self) -> None:
        """Wake all readers; a value that is stored already can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()
