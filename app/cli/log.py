"""The log file: messages, and tracebacks of errors and of crashes in libraries."""

from __future__ import annotations

import contextlib
import faulthandler
import logging
import os
import sys
import tempfile
from pathlib import Path
from typing import IO

NAME = "ldeq-live"
FILE_NAME = "ldeq-live.log"
CRASH_FILE_NAME = "crash.log"
LARGEST = 1_000_000
FORMAT = "%(asctime)s %(process)d %(levelname)s %(name)s: %(message)s"
LOUD_LIBRARIES = ("matplotlib", "PIL", "urllib3", "numba", "onnxscript")

_crash_file: IO[str] | None = None


def log_folder() -> Path:
    """Return the folder of the log files; not made yet.

    Raises:
        ImportError: packages are missing.
    """
    import platformdirs  # not above: doctor says which packages are missing

    return Path(platformdirs.user_log_dir(NAME, appauthor=False))


def start_log(debug: bool) -> Path | None:
    """Send log records to a file, warnings also to standard error, and crashes to a file of their own.

    Args:
        debug: log everything, not only warnings and errors.

    Returns:
        The log file, or None if none can be written.
    """
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if handler.get_name() == NAME]:
        root.removeHandler(old)
        old.close()
    root.setLevel(logging.DEBUG if debug else logging.INFO)
    for library in LOUD_LIBRARIES:
        logging.getLogger(library).setLevel(logging.WARNING)
    screen = logging.StreamHandler(sys.stderr)
    screen.setLevel(logging.DEBUG if debug else logging.WARNING)
    screen.setFormatter(logging.Formatter(f"{NAME}: %(message)s"))
    # What ends the program is told by the command line, in one sentence.
    screen.addFilter(lambda record: debug or record.levelno < logging.CRITICAL)
    _add(root, screen)
    logging.raiseExceptions = debug  # a full disk must not fill the terminal with tracebacks
    for folder in (log_folder, _temporary_folder):
        try:
            return _log_into(folder(), root)
        except (OSError, ImportError):
            continue
    return None


def _temporary_folder() -> Path:
    """Return where the log goes if its own folder cannot be used; raises OSError where nothing can be written."""
    return Path(tempfile.gettempdir()) / NAME


def _log_into(folder: Path, root: logging.Logger) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE_NAME
    _keep_small(path)
    # Names of files need not be text.
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(logging.Formatter(FORMAT))
    _add(root, handler)
    _watch_crashes(folder / CRASH_FILE_NAME)
    return path


def _add(root: logging.Logger, handler: logging.Handler) -> None:
    handler.set_name(NAME)
    root.addHandler(handler)


def _keep_small(path: Path) -> None:
    """Start a new file once the old one has grown; another running instance may hold it open."""
    with contextlib.suppress(OSError):
        if path.stat().st_size > LARGEST:
            os.replace(path, path.with_suffix(".old.log"))


def _watch_crashes(path: Path) -> None:
    global _crash_file
    if _crash_file is not None or faulthandler.is_enabled():
        return
    _keep_small(path)
    _crash_file = path.open("a", encoding="utf-8")
    faulthandler.enable(_crash_file)
