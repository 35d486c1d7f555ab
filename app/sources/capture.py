"""Reads a live source on a thread of its own, keeps the newest frame, and notices when the source stalls."""

from __future__ import annotations

import logging
import math
import threading
import time

from app.core.errors import SourceError
from app.core.frame import Frame
from app.core.slot import LatestSlot
from app.sources.base import Source

log = logging.getLogger(__name__)

FAILURES_IN_A_ROW = 10
"""The capture ends after so many unexpected errors of ``read`` without a frame in between."""
_RETRY_SECONDS = 0.05
_FIRST_JOIN = 0.1


class CaptureThread:
    """Moves frames from ``source`` into ``slot`` until stopped, ended or failed; then closes both.

    The slot is closed after :attr:`error` or :attr:`ended` is set, so a reader that finds it closed knows why.

    Args:
        source: an open live source; this object closes it.
        slot: receives the newest frame.
        patience: seconds without a frame before the source counts as stalled; the source's own by default.
    """

    def __init__(self, source: Source, slot: LatestSlot[Frame], *, patience: float | None = None) -> None:
        self._source = source
        self._slot = slot
        self._patience = source.info.patience if patience is None else patience
        self._stop = threading.Event()
        self._done = threading.Event()
        self._lock = threading.Lock()
        self._error: SourceError | None = None
        self._ended = False
        self._captured = 0
        self._last_frame = 0.0
        self._reader = threading.Thread(target=self._read, name="capture", daemon=True)
        # A thread that never runs would keep this object, and the source with its decoder, in a reference cycle.
        self._threads = [self._reader]
        if math.isfinite(self._patience):
            self._threads.append(threading.Thread(target=self._watch, name="capture-watch", daemon=True))

    @property
    def captured(self) -> int:
        """Frames read so far."""
        return self._captured

    @property
    def error(self) -> SourceError | None:
        """Why the capture failed; None if it has not."""
        with self._lock:
            return self._error

    @property
    def ended(self) -> bool:
        """Whether the source has ended."""
        return self._ended

    def start(self) -> None:
        """Start reading."""
        self._last_frame = time.perf_counter()
        for thread in self._threads:
            thread.start()

    def stop(self, timeout: float = 2.0) -> bool:
        """End the capture: wait, close the source, wait again; safe to call twice and before ``start``.

        Returns:
            Whether the thread ended within ``timeout`` seconds. One that hangs inside a driver is abandoned; it
            releases the device when the driver returns.
        """
        deadline = time.perf_counter() + timeout
        self._stop.set()
        self._slot.close()
        self._join(min(_FIRST_JOIN, timeout / 2))
        self._source.close()
        self._join(deadline - time.perf_counter())
        return not self._reader.is_alive()

    def _join(self, seconds: float) -> None:
        for thread in self._threads:
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join(max(seconds, 0.0))

    def _read(self) -> None:
        in_a_row = 0
        try:
            while not self._stop.is_set():
                try:
                    frame = self._source.read()
                except SourceError as error:
                    self._fail(error)
                    return
                except Exception as error:
                    in_a_row += 1
                    log.warning("reading %s failed", self._source.info.name, exc_info=True)
                    if in_a_row >= FAILURES_IN_A_ROW:
                        name = self._source.info.name
                        self._fail(SourceError(f"{name} cannot be read any more ({error}): open it again."))
                        return
                    self._stop.wait(_RETRY_SECONDS)
                    continue
                if frame is None:
                    self._ended = not self._stop.is_set()
                    return
                in_a_row = 0
                self._captured += 1
                self._last_frame = time.perf_counter()
                self._slot.put(frame)
        finally:
            self._done.set()
            self._slot.close()
            self._source.close()

    def _watch(self) -> None:
        pause = min(self._patience / 4, 0.5)
        checked = time.perf_counter()
        while not self._done.wait(pause) and not self._stop.is_set():
            now = time.perf_counter()
            if now - checked > pause + max(1.0, self._patience / 2):
                self._last_frame = now  # the computer was suspended, and the source with it
            checked = now
            if now - self._last_frame > self._patience:
                name = self._source.info.name
                self._fail(
                    SourceError(
                        f"{name} stopped delivering pictures for {self._patience:g} s: "
                        "check its cable or connection and open it again."
                    )
                )
                self._stop.set()
                self._slot.close()
                self._source.close()

    def _fail(self, error: SourceError) -> None:
        with self._lock:
            if self._error is None and not self._stop.is_set():
                self._error = error
