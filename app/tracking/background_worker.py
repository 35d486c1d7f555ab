"""A background thread that does one job at a time."""

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


class BackgroundWorker:
    """Runs jobs in turn on one thread that is kept: libraries hold memory for each thread that calls them.

    Unlike an executor's threads it is a daemon: a driver that hangs must not keep the program from ending. The thread
    starts with the first job, and ends with :meth:`close` or when the worker is no longer referenced.

    Args:
        name: of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: _Jobs = SimpleQueue()
        self._end = weakref.finalize(self, self._jobs.put, None)  # also runs if the owner forgets close()
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Queue ``work`` and return its future.

        Raises:
            RuntimeError: the worker is closed.
        """
        if not self._end.alive:
            raise RuntimeError(f"the thread {self._name} has ended")
        if self._thread is None:
            self._thread = threading.Thread(target=_run, args=(self._jobs,), name=self._name, daemon=True)
            self._thread.start()
        future: Future[T] = Future()
        self._jobs.put((future, work))
        return future

    def close(self) -> None:
        """End the thread after the queued jobs, waiting up to a second; safe to call twice."""
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
        del job, future, work  # they would keep their pictures in memory until the next job
