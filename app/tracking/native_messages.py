"""What MediaPipe's native library writes to standard error: dozens of lines that mean nothing to a user.

The library has no switch for them. While a model is loaded or closed, the descriptor itself is redirected to a file;
afterwards everything but the library's information and warnings is written on: its errors, and what other threads wrote
meanwhile. What came before an exception is written on in full, because it may tell why.
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
"""How a line of no concern starts: in TensorFlow Lite's form, or in that of Google's logging library."""

SETTLE_SECONDS = 0.01
"""What another thread is just writing into the file gets there before the file is read; it takes microseconds."""

_redirection = threading.RLock()
"""Two threads that redirect the process's one descriptor at once would leave it redirected."""


@contextlib.contextmanager
def native_messages_hidden() -> Iterator[None]:
    """Keep the library's information and warnings from the terminal inside the block; they go to the debug log.

    Where standard error cannot be redirected, nothing is hidden.
    """
    with _redirection, contextlib.ExitStack() as stack:
        # A window's process may have no standard error, and so nothing to hide.
        with contextlib.suppress(OSError, ValueError):
            stack.enter_context(_standard_error_sorted())
        yield


@contextlib.contextmanager
def _standard_error_sorted() -> Iterator[None]:
    descriptor = sys.__stderr__.fileno() if sys.__stderr__ else -1
    with (
        os.fdopen(os.dup(descriptor), "wb", buffering=0) as terminal,
        # Named, so that where the library ends the whole process its last words stay in the temporary folder.
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
    """Split what was written into what concerns a user and the library's information and warnings."""
    lines = text.splitlines(keepends=True)
    others = [line for line in lines if not CHATTER.match(line)]
    return b"".join(others), b"".join(line for line in lines if CHATTER.match(line))
