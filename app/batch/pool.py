"""Worker processes that do jobs one after the other. If one is killed, its input is tried once more."""

from __future__ import annotations

import multiprocessing
import pickle
import signal
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess

from app.batch.job import Job, JobState, Outcome, Stopped, Work
from app.batch.process import Message, serve
from app.batch.resources import WorkerPlacement
from app.core.ending import ENDING
from app.core.errors import UserError

TRIES = 2
"""How often an input is tried if its worker process is killed."""
CHECK_SECONDS = 0.2
"""Seconds between two checks of whether the person wants to stop."""
EXIT_SECONDS = 5.0
"""How long a worker may take to exit, once idle or after its pipe has closed."""

RunProgress = Callable[[Job, int, int | None], None]
FinishedJob = tuple[Job, Outcome, int]
"""A job, what became of it, and how often it was tried."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    placement: WorkerPlacement
    job: Job | None = None
    gone: bool = False


class ProcessPool:
    """Runs jobs in processes of their own.

    Args:
        work: does a job.
        placements: one for each worker.
    """

    def __init__(self, work: Work, placements: Sequence[WorkerPlacement]) -> None:
        self._work = work
        self._placements = tuple(placements)
        self._context = multiprocessing.get_context("spawn")  # a forked process with threads may hang
        self._tries: dict[str, int] = {}

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return len(self._placements)

    def run(self, jobs: Sequence[Job], stopped: Stopped, progress: RunProgress) -> Iterator[FinishedJob]:
        """Do ``jobs`` in their order, as many at once as there are workers; yield what became of each as it ends.

        Args:
            jobs: with different names.
            stopped: True ends running jobs early and starts no more; jobs that never started are not yielded.
            progress: called with a job and its progress.

        Raises:
            UserError: the system does not let a worker begin.
        """
        waiting = deque(jobs)
        workers: list[_Worker] = []
        stopping = False
        try:
            for placement in self._placements[: len(waiting)]:
                workers.append(self._start(placement))  # one by one: if one cannot begin, the others are ended
            while True:
                if not stopping and stopped():
                    stopping = True
                    waiting.clear()
                    for worker in workers:
                        _send(worker, Message.STOP)
                for index, worker in enumerate(workers):
                    if worker.job is None and waiting:
                        if worker.gone:
                            workers[index] = worker = self._start(worker.placement)
                        self._give(worker, waiting.popleft())
                busy = {worker.pipe: worker for worker in workers if worker.job is not None}
                if not busy:
                    return
                for pipe in wait(list(busy), CHECK_SECONDS):
                    yield from self._receive(busy[pipe], waiting, progress, stopping)  # type: ignore[index]
        finally:
            _end(workers)

    def _start(self, placement: WorkerPlacement) -> _Worker:
        try:
            ours, theirs = self._context.Pipe()
            process = self._context.Process(target=serve, args=(theirs, placement.environment), daemon=True)
            with _blocked_signals():
                process.start()
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise UserError(f"A worker process cannot be started: {reason}; use fewer --workers.") from error
        theirs.close()  # so that our end closes with the process
        worker = _Worker(process, ours, placement)
        _send(worker, self._work)
        return worker

    def _give(self, worker: _Worker, job: Job) -> None:
        self._tries[job.name] = self._tries.get(job.name, 0) + 1
        worker.job = job
        _send(worker, job.with_threads(worker.placement.threads))

    def _receive(
        self, worker: _Worker, waiting: deque[Job], progress: RunProgress, stopping: bool
    ) -> Iterator[FinishedJob]:
        """Take one message from a worker that has a job; its pipe is at its end if the process has ended."""
        job = worker.job
        assert job is not None
        tries = self._tries[job.name]
        try:
            what, *rest = worker.pipe.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            worker.process.join(EXIT_SECONDS)
            code = worker.process.exitcode
            if code is None:
                worker.process.kill()  # so that it does not work on beside the one that replaces it
            worker.job, worker.gone = None, True
            if stopping:
                yield job, Outcome(JobState.STOPPED), tries
            elif tries < TRIES:
                waiting.appendleft(job)
            else:
                yield job, Outcome(JobState.FAILED, _killed(job, code, tries)), tries
            return
        if what == Message.PROGRESS:
            progress(job, *rest)
        else:
            worker.job = None
            yield job, rest[0], tries


@contextmanager
def _blocked_signals() -> Iterator[None]:
    """Block Ctrl-C while a process starts: the new process never receives it, this one does right afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # starting it would unblock them
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _killed(job: Job, code: int | None, tries: int) -> str:
    if code is None:
        how = "stopped answering"
    else:
        how = f"was killed by signal {-code}" if code < 0 else f"ended with code {code}"
    return (
        f"The process that tracked {job.input} {how}, {tries} times; perhaps memory ran out: use fewer --workers, or "
        "try it alone with track."
    )


def _send(worker: _Worker, message: object) -> None:
    if not worker.gone:
        with suppress(OSError):  # a process that has ended is noticed at the end of its pipe
            worker.pipe.send(message)


def _end(workers: Sequence[_Worker]) -> None:
    """Let idle workers exit, and kill the others."""
    for worker in workers:
        if worker.job is None:
            _send(worker, None)
        else:
            worker.process.kill()
    for worker in workers:
        worker.process.join(EXIT_SECONDS)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join(EXIT_SECONDS)
        worker.pipe.close()
