"""The two ends of a run on threads of their own: pictures are read ahead of the tracker, results written behind it.

Everything keeps its order, nothing is left out, and only a few pictures wait at a time, so memory stays flat. An error
at either end reaches the tracker's thread as if it had been raised there.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Generic, TypeVar

from app.core.frame import Frame
from app.sources.base import Source, SourceInfo

T = TypeVar("T")

MOST_WAITING = 4
"""Pictures that may wait on a belt: enough to even out a slow frame, such as one with a look for faces."""
WAITING_BYTES = 64 << 20
"""Large pictures share this much memory on a belt, but one may always wait."""
_LOOK_UP = 0.2
"""Seconds after which a wait looks up: Windows tells a waiting thread nothing of Ctrl-C."""


def room_for(info: SourceInfo) -> int:
    """Return how many pictures of a source may wait on a belt."""
    size = max(1, 3 * info.width * info.height)
    return max(1, min(MOST_WAITING, WAITING_BYTES // size))


class Belt(Generic[T]):
    """Carries values from one thread to one other, in order. Who puts waits for room, who takes waits for values.

    Args:
        room: values that may wait on it.
    """

    def __init__(self, room: int) -> None:
        self._room = room
        self._values: deque[T] = deque()
        self._changed = threading.Condition()
        self._ended = False
        self._stopped = False

    def put(self, value: T) -> bool:
        """Add ``value``, waiting for room; return False where nobody takes any more."""
        with self._changed:
            while len(self._values) >= self._room and not self._stopped:
                self._changed.wait(_LOOK_UP)
            if self._stopped:
                return False
            self._values.append(value)
            self._changed.notify_all()
            return True

    def take(self) -> T | None:
        """Return the next value, waiting for it; None after the last."""
        with self._changed:
            while not (self._values or self._ended or self._stopped):
                self._changed.wait(_LOOK_UP)
            if not self._values:
                return None
            value = self._values.popleft()
            self._changed.notify_all()
            return value

    def end(self) -> None:
        """Say that no more values come; those on the belt can still be taken."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Say that nobody takes any more; what is on the belt is dropped."""
        with self._changed:
            self._stopped = True
            self._values.clear()
            self._changed.notify_all()


class ReadAhead:
    """Reads a source on a thread of its own until :meth:`close`; the source stays the caller's to close afterwards.

    Args:
        source: read by nobody else meanwhile.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._belt: Belt[Frame] = Belt(room_for(source.info))
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="track-reader", daemon=True)
        self._thread.start()

    def read(self) -> Frame | None:
        """Return the next frame, waiting for it; None at the end.

        Raises:
            Exception: what the source raised, after the frames that came before.
        """
        frame = self._belt.take()
        if frame is None:
            _raise(self)
        return frame

    def close(self, timeout: float = 10.0) -> None:
        """Stop reading; wait at most ``timeout`` seconds for a read that is under way."""
        self._belt.stop()
        self._thread.join(timeout)

    def __enter__(self) -> ReadAhead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        try:
            while (frame := self._source.read()) is not None and self._belt.put(frame):
                pass
        except BaseException as error:  # it is raised in read
            self._error = error
        self._belt.end()


class WriteBehind(Generic[T]):
    """Writes values on a thread of its own, and finishes there, so that nothing is closed while it is written.

    Args:
        write: called with one value after the other.
        finish: called once after the last, also where ``write`` failed; with what it raised, else None.
        room: values that may wait.
    """

    def __init__(
        self, write: Callable[[T], None], finish: Callable[[BaseException | None], None], room: int = MOST_WAITING
    ) -> None:
        self._write = write
        self._finish = finish
        self._belt: Belt[T] = Belt(room)
        self._error: BaseException | None = None
        # No daemon: whatever becomes of the caller, the process does not end before the outputs are finished. It starts
        # with the first value, so that a caller who was interrupted before that leaves nothing that waits for ever.
        self._thread = threading.Thread(target=self._run, name="track-writer")

    def put(self, value: T) -> None:
        """Hand over a value, waiting while too many wait.

        Raises:
            Exception: what ``write`` raised for an earlier one.
        """
        self._begin()
        if not self._belt.put(value):
            self._wait()
            _raise(self)

    def close(self) -> None:
        """Let everything be written that was handed over, then finish; safe to call twice.

        Raises:
            Exception: what ``write`` or ``finish`` raised, unless :meth:`put` has raised it.
        """
        self._begin()
        self._belt.end()
        self._wait()
        _raise(self)

    def _begin(self) -> None:
        if self._thread.ident is None:
            self._thread.start()

    def _wait(self) -> None:
        while self._thread.is_alive():
            self._thread.join(_LOOK_UP)

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            while (value := self._belt.take()) is not None:
                self._write(value)
        except BaseException as error:  # it is raised in put or close
            failure = self._error = error
        try:
            self._finish(failure)
        except BaseException as error:
            self._error = failure or error
        finally:
            failure = None
            self._belt.stop()


def _raise(end: ReadAhead | WriteBehind[T]) -> None:
    """Raise the error of the other thread, once; the error must not keep what it passed through."""
    error, end._error = end._error, None
    if error is not None:
        try:
            raise error
        finally:
            del error
