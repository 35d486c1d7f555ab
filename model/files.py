"""Files that are there as a whole or not at all, and that survive a power failure as far as fsync goes.

A file is written under another name in the same folder, flushed, brought to the disk with fsync, and renamed over its
target; then the folder's entry is brought to the disk too, where the system can. Whoever reads the target finds the old
content or the new one, never a part. Disks and file systems that do not honour fsync promise less.
"""

from __future__ import annotations

import errno
import io
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

WINDOWS = os.name == "nt"
PAUSES = (0.01, 0.05, 0.2, 0.5)
"""Seconds between attempts to rename a file that another program holds."""
LONGEST_STEM = 40
"""Characters of a file's name that its temporary name repeats; names longer than 255 bytes are refused."""


@contextmanager
def open_whole(path: Path) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes the place of ``path`` when the block ends without an error.

    The folder must exist. After an error ``path`` is what it was before. A link stays, and so does a device or a
    pipe, such as /dev/null: it is written to.

    Raises:
        OSError: if it cannot be written.
    """
    if is_device(path):
        with io.BytesIO() as whole:
            yield whole
            with path.open("wb") as device:
                device.write(whole.getvalue())
        return
    if path.is_symlink():
        path = Path(os.path.realpath(path))
    # One for each thread: of two that write the same file the later one wins, and both write a whole one.
    temporary = path.with_name(f".{path.name[:LONGEST_STEM]}.{os.getpid()}-{threading.get_native_id()}.tmp")
    try:
        with temporary.open("w+b") as file:
            yield file
            sync(file)
        _replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def is_file(path: Path) -> bool:
    """Return whether there is a file; False where the system refuses access, or the name is too long."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_there(path: Path) -> bool:
    """Return whether there is a file or folder; False likewise: writing there will say why."""
    try:
        return path.exists()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Return whether there is a folder; False likewise."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_device(path: Path) -> bool:
    """Return whether ``path`` is there and neither a file nor a folder: a device, a pipe or a socket."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def write_whole(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``; see :func:`open_whole`.

    Raises:
        OSError: if it cannot be written.
    """
    with open_whole(path) as file:
        file.write(data)


def move_whole(source: Path, path: Path) -> None:
    """Rename a finished file, or a folder whose files are on the disk already, over ``path`` and sync the folder.

    Raises:
        OSError: if that is impossible.
    """
    if source.is_file():
        sync_file(source)
    _replace(source, path)
    sync_folder(path.parent)


def _replace(source: Path, path: Path) -> None:
    """Rename over ``path``. On Windows a virus scanner or an indexer may hold a new file for a moment: try again."""
    for pause in PAUSES if WINDOWS else ():
        try:
            os.replace(source, path)
        except PermissionError:
            time.sleep(pause)
        else:
            return
    os.replace(source, path)


def sync(file: IO[bytes] | IO[str] | io.FileIO) -> None:
    """Bring what was written to an open file to the disk.

    Raises:
        OSError: if the disk does not take it.
    """
    file.flush()
    with suppress(ValueError):  # a stream that is no file of the system
        _fsync(file.fileno())


def sync_file(path: Path) -> None:
    """Bring what any program wrote to ``path`` to the disk.

    Raises:
        OSError: if it is not there, or the disk does not take it.
    """
    # Windows syncs only files that are open for writing.
    descriptor = os.open(path, os.O_RDWR | getattr(os, "O_BINARY", 0))
    try:
        _fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; does nothing where the system cannot (Windows)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _fsync(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):  # pipes, devices and some network disks
            raise
