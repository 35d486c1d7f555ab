"""One setup at a time: a lock between processes that the system releases when its owner dies."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

POLL_SECONDS = 0.3


class SetupLock:
    """A file lock, held in a ``with`` block; the operating system frees it when the process dies."""

    def __init__(self, path: Path, waiting: Callable[[], None]) -> None:
        """Prepare a lock on ``path``; ``waiting`` is called once if another process holds it."""
        self._path = path
        self._waiting = waiting
        self._stream: IO[bytes] | None = None

    def __enter__(self) -> SetupLock:
        """Take the lock, waiting as long as it takes.

        Raises:
            OSError: the file cannot be written.
        """
        self._stream = self._path.open("ab")
        announced = False
        try:
            while not _try_lock(self._stream):
                if not announced:
                    self._waiting()
                    announced = True
                time.sleep(POLL_SECONDS)
        except BaseException:  # Ctrl-C, or a caller that does not want to wait
            self._stream.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None


if sys.platform == "win32":
    import msvcrt

    def _try_lock(stream: IO[bytes]) -> bool:
        stream.seek(0)
        try:
            msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(stream: IO[bytes]) -> bool:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True  # a file system without locks: two setups at once are unlikely there
        return True
