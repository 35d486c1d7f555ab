"""Plays a file as if it were a camera: in real time, in a loop if wanted."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace

from app.pipeline.frame import Frame
from app.sources.base import Source, SourceInfo

BEHIND_SECONDS = 0.5
"""Later than this, the clock is set back instead of hurrying (the computer slept, or the reader did)."""
_FALLBACK_PERIOD = 1 / 30


class PacedSource:
    """A live source made from one that is not; frames leave no earlier than their timestamps say.

    Late frames follow each other without waiting, so a reader that keeps up gets all of them. Timestamps and
    indices keep increasing over the seam of a loop.

    Args:
        reopen: opens the source, and opens it again for each further loop.
        loop: start again at the end, for ever.
        opened: the source for the first time, if it is open already.
    """

    def __init__(self, reopen: Callable[[], Source], *, loop: bool = False, opened: Source | None = None) -> None:
        self._reopen = reopen
        self._loop = loop
        self._source = reopen() if opened is None else opened
        # Gaps between frames may be as long as the file wants, so no read counts as stalled.
        self._info = replace(self._source.info, live=True, frames=None, patience=math.inf)
        self._closed = threading.Event()
        self._lock = threading.Lock()
        self._index = 0
        self._in_loop = 0
        self._shift = 0.0
        self._last = 0.0
        self._period = 1 / self._info.fps if self._info.fps else _FALLBACK_PERIOD
        self._zero: float | None = None

    @property
    def info(self) -> SourceInfo:
        """Facts about the inner source, as a live one."""
        return self._info

    @property
    def note(self) -> str:
        """What the inner source has to say, "" if nothing."""
        return str(getattr(self._source, "note", ""))

    def read(self) -> Frame | None:
        """Wait until the next frame is due and return it; None at the end or once closed.

        Raises:
            SourceError: the inner source failed.
        """
        frame = self._next()
        if frame is None:
            return None
        timestamp = frame.timestamp + self._shift
        now = time.perf_counter()
        if self._zero is None or now - self._zero - timestamp > BEHIND_SECONDS:
            self._zero = now - timestamp
        if self._closed.wait(max(0.0, self._zero + timestamp - now)):
            return None
        self._last = timestamp
        paced = replace(frame, index=self._index, timestamp=timestamp, captured=time.perf_counter())
        self._index += 1
        return paced

    def close(self) -> None:
        """Stop waiting and close the inner source."""
        self._closed.set()
        with self._lock:
            self._source.close()

    def _next(self) -> Frame | None:
        """The next frame of the inner source, from its beginning again at its end."""
        frame = self._source.read()
        if frame is not None:
            self._in_loop += 1
            return frame
        if not self._loop or not self._in_loop or self._closed.is_set():
            return None
        self._source.close()
        source = self._reopen()
        with self._lock:
            self._source = source
            if self._closed.is_set():
                source.close()
        frame = source.read()
        self._in_loop = 0 if frame is None else 1
        if frame is not None:
            self._shift = self._last + self._period - frame.timestamp
        return frame
