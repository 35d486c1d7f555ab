"""A thread beside, for one thing at a time that the caller does not need yet."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

T = TypeVar("T")

JOIN_SECONDS = 1.0

_Jobs = SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None]


class Aside:
    """Does what it is given in turn, on a thread that is kept: libraries hold memory for each thread that calls them.

    A daemon, unlike those of an executor: a driver that hangs must not keep the program from ending.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: _Jobs = SimpleQueue()
        self._end = weakref.finalize(self, self._jobs.put, None)  # also for who forgets to close it
        self._thread: threading.Thread | None = None

    def begin(self, work: Callable[[], T]) -> Callable[[], T]:
        """Begin ``work``; return what waits for its result, and raises what it raised.

        Raises:
            RuntimeError: it is closed.
        """
        if not self._end.alive:
            raise RuntimeError(f"the thread {self._name} has ended")
        if self._thread is None:
            self._thread = threading.Thread(target=_run, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        self._jobs.put((future, work))
        return future.result

    def close(self) -> None:
        """End the thread, waiting a moment for what it does; safe to call twice."""
        self._end()
        if self._thread is not None:
            self._thread.join(JOIN_SECONDS)


def _run(jobs: _Jobs) -> None:
    while (job := jobs.get()) is not None:
        future, work = job
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)
        del job, future, work  # until the next one comes they would keep their pictures
