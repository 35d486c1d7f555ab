"""Reading and writing on threads of their own: frames are read before they are needed, results written behind.

Order is kept, nothing is left out, and only a few pictures wait at a time, so that memory use stays constant. An error
on either thread is raised again on the thread that tracks.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import Generic, TypeVar

from app.core.frame import Frame
from app.sources.base import Source, SourceInfo

T = TypeVar("T")

QUEUE_SIZE = 4
"""Pictures that may wait in a queue: enough to even out a slow frame, such as one in which faces are detected."""
QUEUE_BYTES = 64 << 20
"""Upper limit of the memory of a queue's pictures; one picture may always wait."""
_WAKE_SECONDS = 0.2
"""Longest wait at a time, because on Windows Ctrl-C does not interrupt a wait."""


def queue_size(info: SourceInfo) -> int:
    """Return how many pictures of a source may wait in a queue."""
    size = max(1, 3 * info.width * info.height)
    return max(1, min(QUEUE_SIZE, QUEUE_BYTES // size))


class BoundedQueue(Generic[T]):
    """First in, first out, from one thread to one other; both wait for each other.

    Unlike :class:`queue.Queue` it can be ended by either side, which wakes the other one.

    Args:
        size: the most values that may wait.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._values: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._stopped = False

    def put(self, value: T) -> bool:
        """Add ``value``, waiting for room; return False once the receiver has called :meth:`stop`."""
        with self._changed:
            while len(self._values) >= self._size and not self._stopped:
                self._changed.wait(_WAKE_SECONDS)
            if self._stopped:
                return False
            self._values.append(value)
            self._changed.notify_all()
            return True

    def take(self) -> T | None:
        """Return the next value, waiting for it; None after the last."""
        with self._changed:
            while not (self._values or self._ended or self._stopped):
                self._changed.wait(_WAKE_SECONDS)
            if not self._values:
                return None
            value = self._values.popleft()
            self._changed.notify_all()
            return value

    def end(self) -> None:
        """Called by the sender after the last value; values that wait can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Called by the receiver when it takes no more; values that wait are dropped."""
        with self._changed:
            self._stopped = True
            self._values.clear()
            self._changed.notify_all()


class BackgroundReader:
    """Reads a source on a thread of its own until :meth:`close`; the caller closes the source afterwards.

    Args:
        source: read by nothing else meanwhile.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._queue: BoundedQueue[Frame] = BoundedQueue(queue_size(source.info))
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="track-reader", daemon=True)
        self._thread.start()

    def read(self) -> Frame | None:
        """Return the next frame, waiting for it; None at the end.

        Raises:
            Exception: what the source raised, after the frames that came before.
        """
        frame = self._queue.take()
        if frame is None:
            _raise_once(self)
        return frame

    def close(self, timeout: float = 10.0) -> None:
        """Stop reading; wait at most ``timeout`` seconds for a read in progress."""
        self._queue.stop()
        self._thread.join(timeout)

    def __enter__(self) -> BackgroundReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while (frame := self._source.read()) is not None and self._queue.put(frame):
                pass
        except BaseException as error:  # it is raised in read
            self._error = error
        self._queue.end()


class BackgroundWriter(Generic[T]):
    """Writes values on a thread of its own, and finishes there, so that nothing is closed while it is written.

    Args:
        write: called with one value after the other.
        finish: called once after the last value, even if ``write`` failed; with the exception of ``write`` or None.
        size: the most values that may wait.
    """

    def __init__(
        self, write: Callable[[T], None], finish: Callable[[BaseException | None], None], size: int = QUEUE_SIZE
    ) -> None:
        self._write = write
        self._finish = finish
        self._queue: BoundedQueue[T] = BoundedQueue(size)
        self._error: BaseException | None = None
        # Not a daemon: whatever happens to the caller, the process does not end before the outputs are finished. It
        # starts with the first value, so that a caller interrupted before that leaves no thread that waits for ever.
        self._thread = threading.Thread(target=self._run, name="track-writer")

    def put(self, value: T) -> None:
        """Hand over a value, waiting while the queue is full.

        Raises:
            Exception: what ``write`` raised for an earlier value.
        """
        self._begin()
        if not self._queue.put(value):
            self._wait()
            _raise_once(self)

    def close(self) -> None:
        """Wait until everything handed over is written, then finish; safe to call twice.

        Raises:
            Exception: what ``write`` or ``finish`` raised, unless :meth:`put` has raised it.
        """
        self._begin()
        self._queue.end()
        self._wait()
        _raise_once(self)

    def _begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def _wait(self) -> None:
        while self._thread.is_alive():
            self._thread.join(_WAKE_SECONDS)

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            while (value := self._queue.take()) is not None:
                self._write(value)
        except BaseException as error:  # it is raised in put or close
            failure = self._error = error
        try:
            self._finish(failure)
        except BaseException as error:
            self._error = failure or error
        finally:
            failure = None
            self._queue.stop()


def _raise_once(thread: BackgroundReader | BackgroundWriter[T]) -> None:
    """Raise the other thread's error, once; no reference is kept, since its traceback holds pictures."""
    error, thread._error = thread._error, None
    if error is not None:
        try:
            raise error
        finally:
            del error
