"""Files the application writes: free names, checks before any work, whole files, one sentence for what went wrong."""

from __future__ import annotations

import errno
import io
import os
import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Any

from app.core.errors import NameTaken, RecordingError
from model import files, json_files


def _denied(platform: str) -> str:
    """Return what a refusal means; Windows refuses files that another program has open, too."""
    way_out = "choose a folder you may write to"
    return f"permission is denied; {way_out}{', or close the program that has it open' * (platform == 'win32')}"


_REASONS = {
    errno.ENOSPC: "the disk is full; free some space or choose another folder",
    errno.EDQUOT if hasattr(errno, "EDQUOT") else errno.ENOSPC: "your disk quota is used up; free some space",
    errno.EFBIG: "the file would be larger than this disk allows; choose another folder",
    errno.EACCES: _denied(sys.platform),
    errno.EPERM: _denied(sys.platform),
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOENT: "its folder does not exist; create it or choose another one",
    errno.ENOTDIR: "its folder is a file; choose another one",
    errno.EISDIR: "it is a folder; give a file name",
    errno.EIO: "the disk does not respond; check it or choose another folder",
}


def dated_name(stem: str, now: datetime | None = None) -> str:
    """Return ``stem-20260131-142501`` for ``now``, or the present."""
    return f"{stem}-{now or datetime.now():%Y%m%d-%H%M%S}"


def unique_path(folder: Path, stem: str, suffix: str, now: datetime | None = None) -> Path:
    """Return a path in ``folder`` that does not exist yet: ``stem-20260131-142501.mp4``, then ``...-2.mp4``.

    Args:
        folder: need not exist yet.
        stem: start of the name.
        suffix: with its dot.
        now: the time in the name; the present if not given.
    """
    name = dated_name(stem, now)
    path, count = folder / f"{name}{suffix}", 1
    while files.is_there(path):
        count += 1
        path = folder / f"{name}-{count}{suffix}"
    return path


def take_name(free_path: Callable[[], Path]) -> Path:
    """Create an empty file under a free name and return it; two that look for one at once get different names.

    Args:
        free_path: returns a path at which there is nothing, in a folder that exists.

    Raises:
        RecordingError: if it cannot be created.
    """
    while True:
        path = free_path()
        with writing(path), suppress(FileExistsError):
            path.touch(exist_ok=False)
            return path


def make_folder(folder: Path) -> None:
    """Create a folder and those above it where they are missing.

    Raises:
        RecordingError: if it cannot be created.
    """
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def write_whole(path: Path, data: bytes) -> None:
    """Write a file; it survives a power failure, see :mod:`model.files`.

    Raises:
        RecordingError: if it cannot be written; the previous content stays.
    """
    try:
        files.write_whole(path, data)
    except OSError as error:
        raise failure(path, error) from error


def write_json(path: Path, values: Any) -> None:
    """Write values, dataclasses among them, as JSON; see :func:`write_whole`.

    Raises:
        RecordingError: if it cannot be written; the previous content stays.
        ValueError: for numbers that are not finite.
    """
    try:
        json_files.write_json(path, values)
    except OSError as error:
        raise failure(path, error) from error


def finish(file: IO[bytes] | IO[str] | io.FileIO, path: Path) -> None:
    """Bring a file that grew to the disk and close it; does nothing to one that is closed.

    Raises:
        RecordingError: the disk does not take it, or the file was deleted or moved meanwhile.
    """
    if file.closed:
        return
    try:
        with file:
            files.sync(file)
    except OSError as error:
        raise failure(path, error) from error
    check_still_there(path)


def check_still_there(path: Path) -> None:
    """Check that a file that was just finished has not vanished, which most systems let happen to an open one.

    Raises:
        RecordingError: it has.
    """
    if not files.is_there(path):
        raise RecordingError(f"{path} vanished while it was written; choose a folder that stays.")


def failure(path: Path, error: OSError) -> RecordingError:
    """Return the error to raise when writing ``path`` failed: one sentence that says what to do."""
    reason = _REASONS.get(error.errno or 0) or f"{(error.strerror or str(error)).lower()}; choose another place"
    return RecordingError(f"Cannot write {path}: {reason}.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong in a block that writes ``path``, or files in it, into one sentence.

    Raises:
        RecordingError: for any OSError but that of a closed terminal.
    """
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise failure(path, error) from error


def check_writable(path: Path, *, overwrite: bool = False) -> None:
    """Check, without leaving a trace, that ``path`` can be created.

    Raises:
        RecordingError: if the folder is missing or not writable, or the file exists and ``overwrite`` is false.
    """
    with writing(path):
        there, folder = path.exists(), path.is_dir()
    if folder:
        raise RecordingError(f"Cannot write {path}: it is a folder; give a file name.")
    if there:
        if not overwrite:
            raise RecordingError(f"{path} exists already; choose another name, or give --overwrite.")
        if not os.access(path, os.W_OK):
            raise RecordingError(f"Cannot write {path}: the file is write-protected; choose another name.")
        if files.is_device(path):
            return
    check_folder(real_path(path).parent if path.is_symlink() else path.parent, path)


def check_new_file(path: Path) -> None:
    """Check, without leaving a trace, that ``path`` can be created, for commands that replace nothing.

    Raises:
        RecordingError: if it is there already, or the folder is missing or not writable.
    """
    if files.is_there(path):
        raise RecordingError(f"{path} exists already; choose another name.")
    check_writable(path, overwrite=True)


def check_new_folder(folder: Path) -> None:
    """Check, without leaving a trace, that a folder for new files can be created under that name.

    Raises:
        RecordingError: if it is a file, holds files already, or cannot be created.
    """
    with writing(folder):
        if folder.exists() and not folder.is_dir():
            raise RecordingError(f"{folder} is a file; choose another name for the folder.")
        if folder.is_dir() and any(folder.iterdir()):
            raise NameTaken(f"{folder} exists already and holds files; choose another name.")
    if ends_badly(folder.name):
        raise RecordingError(f"{folder} ends in a space or a dot, which Windows drops; choose another name.")
    check_folder(nearest_folder(folder), folder)


def ends_badly(name: str) -> bool:
    """Whether a name ends in a space or a dot, which Windows drops, so that the file cannot be found again there."""
    return name != name.rstrip(" .")


def real_path(path: Path) -> Path:
    """Return the path without links, the same for all names of a file; of a cycle of links one of them."""
    return Path(os.path.realpath(path))


def identity(path: Path) -> Hashable:
    """Return what is the same for all names of one file: links, and other letters where their case does not count."""
    real = real_path(path)
    try:
        found = real.stat()
    except OSError:  # it is not there yet
        pass
    else:
        if found.st_ino:  # some network disks have none
            return found.st_dev, found.st_ino
    return str(real).casefold() if sys.platform in ("win32", "darwin") else str(real)


def nearest_folder(path: Path) -> Path:
    """Return the nearest folder above ``path``, or itself, that exists."""
    while not files.is_there(path) and path != path.parent:
        path = path.parent
    return path


def check_folder(folder: Path, path: Path) -> None:
    """Check that files can be created in ``folder``; ``path`` is what the message names.

    Raises:
        RecordingError: if they cannot.
    """
    probe = folder / f".{os.getpid()}-{threading.get_native_id()}.tmp"
    with writing(path):
        # Not tempfile: on Windows, before Python 3.13, it takes a refusal for a name that is taken, and tries others
        # for hours. There the system removes the file as it is closed.
        removes_itself = getattr(os, "O_TEMPORARY", 0)
        descriptor = os.open(probe, os.O_CREAT | os.O_EXCL | os.O_WRONLY | removes_itself)
        if not removes_itself:
            probe.unlink(missing_ok=True)
        os.close(descriptor)
