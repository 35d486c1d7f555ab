"""Closing a device that another thread may be reading, without pulling it from under that thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class ReleaseGuard:
    """Calls ``release`` once: at :meth:`close`, or when the read in progress returns, whichever is later.

    Releasing a camera or a demuxer while another thread is inside it crashes the process, and waiting
    for that thread could take for ever. So ``close`` never waits: the last one out releases.
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
        """Hold the device; gives False if it is closed already."""
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
        """Release now, or as soon as nobody uses the device."""
        self._closed.set()
        self._release_if_last()

    def _release_if_last(self) -> None:
        with self._lock:
            if not self._closed.is_set() or self._users or self._released:
                return
            self._released = True
            release, self._release = self._release, _nothing  # or a source and its guard would keep each other
        release()


def _nothing() -> None:
    """Take the place of what was released."""
