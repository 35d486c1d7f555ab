"""The inside of a worker process. Imports no package before its environment is set."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from enum import StrEnum
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING

from app.core.ending import ENDING

if TYPE_CHECKING:
    from app.batch.job import Job, Outcome


class Message(StrEnum):
    """What is sent through a worker's pipe besides jobs."""

    STOP = "stop"
    """To the worker: end the job early."""
    PROGRESS = "progress"
    """From the worker, now and then: (PROGRESS, frames, total)."""
    ENDED = "ended"
    """From the worker, once for each job: (ENDED, outcome)."""


def serve(pipe: Connection, environment: dict[str, str]) -> None:
    """Do the jobs that come through ``pipe`` until None comes or the parent process has ended.

    Args:
        pipe: delivers the function that does a job, then the jobs, each after the one before has ended.
        environment: variables to set first.
    """
    # Ctrl-C reaches every process of the terminal; the parent passes it on.
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    os.environ.update(environment)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        work = pipe.recv()
        while (job := pipe.recv()) is not None:
            if job == Message.STOP:
                continue  # there is no job, or it ended meanwhile
            pipe.send((Message.ENDED, _do(work, job, _ParentLink(pipe))))
    except (EOFError, OSError):
        return


class _ParentLink:
    """Connects one job to the parent process."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self._stopped = False

    def stopped(self) -> bool:
        while not self._stopped and self._pipe.poll():
            self._stopped = self._pipe.recv() == Message.STOP
        return self._stopped

    def progress(self, frames: int, total: int | None) -> None:
        self._pipe.send((Message.PROGRESS, frames, total))


def _do(work, job: Job, parent: _ParentLink) -> Outcome:  # type: ignore[no-untyped-def]  # naming Work needs imports
    try:
        found: Outcome = work(job, parent.stopped, parent.progress)
    except Exception as error:
        from app.batch.job import JobState, Outcome

        return Outcome(JobState.FAILED, f"{job.input} could not be tracked ({type(error).__name__}: {error}).")
    return found


def _end_with_parent() -> None:
    """End at once if the parent is killed: what is being written is begun anew by the next run."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
