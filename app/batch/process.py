"""The inside of a worker process. Imports nothing but the standard library before it knows its place."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from app.batch.job import Job, Outcome

STOP = "stop"
"""Sent to a worker that is to end its job early."""
TOLD, ENDED = "told", "ended"
"""Sent by a worker: (TOLD, frames, total) now and then, (ENDED, outcome) once for each job."""


def serve(pipe: Connection, environment: dict[str, str]) -> None:
    """Do the jobs that come through ``pipe`` until None comes, or the process that started this one is gone.

    Args:
        pipe: gives what does a job, then the jobs, each after the one before has ended.
        environment: variables to set first.
    """
    # Ctrl-C reaches every process of the terminal; the one that was started by the person tells the others.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work = pipe.recv()
        while (job := pipe.recv()) is not None:
            desk = _Desk(pipe)
            pipe.send((ENDED, _do(work, job, desk)))
    except (EOFError, OSError):
        return


class _Desk:
    """One job's line to the parent."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._stopped = False

    def stopped(self) -> bool:
        while not self._stopped and self._pipe.poll():
            self._stopped = self._pipe.recv() == STOP
        return self._stopped

    def tell(self, frames: int, total: int | None) -> None:
        self._pipe.send((TOLD, frames, total))


def _do(work, job: Job, desk: _Desk) -> Outcome:  # type: ignore[no-untyped-def]  # Work cannot be named without imports
    try:
        found: Outcome = work(job, desk.stopped, desk.tell)
    except Exception as error:
        from app.batch.job import FAILED, Outcome

        return Outcome(FAILED, f"{job.video} could not be tracked ({type(error).__name__}: {error}).")
    return found


def _end_with_parent() -> None:
    """Leave at once where the parent was killed: what is being written belongs to the next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
