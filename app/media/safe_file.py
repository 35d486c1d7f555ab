"""A file for FFmpeg that rolls back to its last consistent state after a failed write."""

from __future__ import annotations

import io
import os
from pathlib import Path

from model.files import sync


class SafeFile:
    """A file object for PyAV. A disk error is kept in :attr:`error` instead of raised into FFmpeg.

    FFmpeg continues after a failed write, and at the end overwrites the file's header with a reference to an index
    that may never have reached the full disk. So the first failure undoes everything since the last :meth:`mark`,
    and later writes are ignored.

    Args:
        path: created, or emptied if it exists.

    Raises:
        OSError: if it cannot be created.
    """

    def __init__(self, path: Path) -> None:
        self.error: OSError | None = None
        self._file = io.FileIO(path, "w+")
        self._undo: list[tuple[int, bytes]] = []
        self._whole = 0
        self._position = 0
        self._size = 0

    def write(self, data: bytes) -> int:
        """Write ``data`` at the current position; the operating system has it when this returns."""
        data = bytes(data)
        if self.error is None:
            try:
                self._remember(len(data))
                self._put(self._position, data)
            except OSError as error:
                self.error = error
                self._take_back()
        self._position += len(data)
        self._size = max(self._size, self._position)
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def seekable(self) -> bool:
        """Whether :meth:`seek` works."""
        return True

    def mark(self) -> None:
        """Declare what has been written so far to be consistent."""
        if self.error is None:
            self._whole = self._size
            self._undo.clear()

    def close(self) -> None:
        """Bring the file to the disk and close it; safe to call twice."""
        if self._file.closed:
            return
        try:
            with self._file:
                sync(self._file)
        except OSError as error:
            self.error = self.error or error

    def _remember(self, length: int) -> None:
        """Keep the bytes of the consistent part that a write of ``length`` is about to replace."""
        kept = min(length, self._whole - self._position)
        if kept > 0:
            self._file.seek(self._position)
            self._undo.append((self._position, self._file.read(kept)))

    def _put(self, position: int, data: bytes) -> None:
        self._file.seek(position)
        rest = memoryview(data)
        while rest:
            rest = rest[self._file.write(rest) or 0 :]

    def _take_back(self) -> None:
        try:
            for position, data in reversed(self._undo):
                self._put(position, data)
            self._file.truncate(self._whole)
        except OSError:
            pass  # the disk is gone; nothing can be saved
