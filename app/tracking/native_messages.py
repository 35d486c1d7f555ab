"""Hides the dozens of irrelevant lines that MediaPipe's native library writes to standard error.

The library has no option for that. While a model is loaded or closed, the file descriptor is redirected to a file;
afterwards everything but the library's information and warnings is passed on: its errors, and what other threads wrote
meanwhile. After an exception everything is passed on, because it may contain the cause.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
import tempfile
import threading
import time
from collections.abc import Iterator

log = logging.getLogger(__name__)

CHATTER = re.compile(rb"(INFO|WARNING): |[IW]\d{4} \d\d:\d\d:")
"""Start of an irrelevant line, as written by TensorFlow Lite or by Google's logging library."""

SETTLE_SECONDS = 0.01
"""Wait before the file is read, so that writes in progress on other threads, which take microseconds, get there."""

_redirection = threading.RLock()
"""Two threads redirecting the process's single descriptor at once would leave it redirected."""


@contextlib.contextmanager
def native_messages_hidden() -> Iterator[None]:
    """Keep the library's information and warnings off the terminal inside the block; they go to the debug log.

    If standard error cannot be redirected, nothing is hidden.
    """
    with _redirection, contextlib.ExitStack() as stack:
        # A process with a window may have no standard error, and so nothing to hide.
        with contextlib.suppress(OSError, ValueError):
            stack.enter_context(_standard_error_sorted())
        yield


@contextlib.contextmanager
def _standard_error_sorted() -> Iterator[None]:
    descriptor = sys.__stderr__.fileno() if sys.__stderr__ else -1
    with (
        os.fdopen(os.dup(descriptor), "wb", buffering=0) as terminal,
        # Named, so that its last messages stay in the temporary folder if the library ends the process.
        tempfile.NamedTemporaryFile("a+b", prefix="ldeq-live-native-", suffix=".log") as caught,
    ):
        os.dup2(caught.fileno(), descriptor)
        failed = True
        try:
            yield
            failed = False
        finally:
            os.dup2(terminal.fileno(), descriptor)
            time.sleep(SETTLE_SECONDS)
            caught.seek(0)
            text = caught.read()
            others, chatter = (text, b"") if failed else split_chatter(text)
            with contextlib.suppress(OSError):
                terminal.write(others)
    if chatter:
        log.debug("MediaPipe: %s", chatter.decode(errors="replace").rstrip())


def split_chatter(text: bytes) -> tuple[bytes, bytes]:
    """Split text into what concerns a user and the library's information and warnings."""
    lines = text.splitlines(keepends=True)
    others = [line for line in lines if not CHATTER.match(line)]
    return b"".join(others), b"".join(line for line in lines if CHATTER.match(line))
