"""Closes a device that another thread may be reading, once that thread has left it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ReleaseGuard:
    """Calls ``release`` once: at :meth:`close`, or when the read in progress returns, whichever is later.

    Releasing a camera or a demuxer while another thread uses it crashes the process, and waiting for that thread could
    take for ever. So ``close`` never waits: the last user releases.
    """

    def __init__(self, release: Callable[[], None]) -> None:
        self._release = release
        self._lock = threading.Lock()
        self._users = 0
        self._closed = threading.Event()
        self._released = False

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._closed.is_set()

    def wait_closed(self, seconds: float) -> bool:
        """Sleep for ``seconds`` or until closed; return whether closed."""
        return self._closed.wait(seconds)

    @contextmanager
    def using(self) -> Iterator[bool]:
        """Use the device; yields False if it is closed already."""
        with self._lock:
            usable = not self._closed.is_set()
            self._users += usable
        try:
            yield usable
        finally:
            with self._lock:
                self._users -= usable
            self._release_if_last()

    def close(self) -> None:
        """Release now, or as soon as the device is no longer used."""
        self._closed.set()
        self._release_if_last()

    def _release_if_last(self) -> None:
        with self._lock:
            if not self._closed.is_set() or self._users or self._released:
                return
            self._released = True
            release, self._release = self._release, _do_nothing  # a source and its guard must not refer to each other
        release()


def _do_nothing() -> None:
    """Replaces the function that was called."""
