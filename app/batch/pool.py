"""Worker processes that do jobs one after the other. One that is killed costs its video one more try, nothing else."""

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

from app.batch.job import FAILED, STOPPED, Job, Outcome, Stopped, Work
from app.batch.process import STOP, TOLD, serve
from app.batch.resources import Place

TRIES = 2
"""How often a video is tried whose worker ends in the middle of it."""
LOOK = 0.2
"""Seconds between two looks at whether the person wants to stop."""
PATIENCE = 5.0
"""Seconds for a worker without a job to leave."""

Progress = Callable[[Job, int, int | None], None]
Ended = tuple[Job, Outcome, int]
"""A job, what became of it, and how often it was tried."""


@dataclass(slots=True, eq=False)
class _Worker:
    process: BaseProcess
    pipe: Connection
    place: Place
    job: Job | None = None
    gone: bool = False


class ProcessPool:
    """Runs jobs in processes of their own.

    Args:
        work: does a job.
        places: one for each worker.
    """

    def __init__(self, work: Work, places: Sequence[Place]) -> None:
        self._work = work
        self._places = tuple(places)
        self._context = multiprocessing.get_context("spawn")  # the fork of a process with threads may hang
        self._tries: dict[str, int] = {}

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return len(self._places)

    def run(self, jobs: Sequence[Job], stopped: Stopped, progress: Progress) -> Iterator[Ended]:
        """Do ``jobs`` in their order, as many at once as there are places; yield what became of each as it ends.

        Args:
            jobs: with different names.
            stopped: True lets running jobs end early, and starts no more; those that never started are not yielded.
            progress: told how far a job is.
        """
        waiting = deque(jobs)
        workers: list[_Worker] = []
        stopping = False
        try:
            workers += [self._start(place) for place in self._places[: len(waiting)]]
            while True:
                if not stopping and stopped():
                    stopping = True
                    waiting.clear()
                    for worker in workers:
                        _send(worker, STOP)
                for index, worker in enumerate(workers):
                    if worker.job is None and waiting:
                        if worker.gone:
                            workers[index] = worker = self._start(worker.place)
                        self._give(worker, waiting.popleft())
                busy = {worker.pipe: worker for worker in workers if worker.job is not None}
                if not busy:
                    return
                for pipe in wait(list(busy), LOOK):
                    yield from self._hear(busy[pipe], waiting, progress, stopping)  # type: ignore[index]
        finally:
            _end(workers)

    def _start(self, place: Place) -> _Worker:
        ours, theirs = self._context.Pipe()
        process = self._context.Process(target=serve, args=(theirs, place.environment), daemon=True)
        with _held_signals():
            process.start()
        theirs.close()  # so that ours ends with the process
        worker = _Worker(process, ours, place)
        _send(worker, self._work)
        return worker

    def _give(self, worker: _Worker, job: Job) -> None:
        self._tries[job.name] = self._tries.get(job.name, 0) + 1
        worker.job = job
        _send(worker, job.with_threads(worker.place.threads))

    def _hear(self, worker: _Worker, waiting: deque[Job], progress: Progress, stopping: bool) -> Iterator[Ended]:
        """Take one message from a worker with a job; no message can come any more where its process ended."""
        job = worker.job
        assert job is not None
        tries = self._tries[job.name]
        try:
            what, *rest = worker.pipe.recv()
        except (EOFError, OSError, pickle.UnpicklingError):
            worker.process.join(PATIENCE)
            worker.job, worker.gone = None, True
            if stopping:
                yield job, Outcome(STOPPED), tries
            elif tries < TRIES:
                waiting.appendleft(job)
            else:
                yield job, Outcome(FAILED, _killed(job, worker.process.exitcode, tries)), tries
            return
        if what == TOLD:
            progress(job, *rest)
        else:
            worker.job = None
            yield job, rest[0], tries


@contextmanager
def _held_signals() -> Iterator[None]:
    """Hold back Ctrl-C while a process starts: the new one never sees it, this one does right after."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # it would let them through again while it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _killed(job: Job, code: int | None, tries: int) -> str:
    how = f"was killed by signal {-code}" if code is not None and code < 0 else f"ended with code {code}"
    return (
        f"The process that tracked {job.video} {how}, {tries} times; perhaps memory ran out: use fewer --workers, or "
        "try this video alone with track."
    )


def _send(worker: _Worker, message: object) -> None:
    if not worker.gone:
        with suppress(OSError):  # where it is gone the end of its pipe tells so
            worker.pipe.send(message)


def _end(workers: Sequence[_Worker]) -> None:
    """Let workers without a job leave, and end the others."""
    for worker in workers:
        if worker.job is None:
            _send(worker, None)
        else:
            worker.process.kill()
    for worker in workers:
        worker.process.join(PATIENCE)
        if worker.process.exitcode is None:
            worker.process.kill()
            worker.process.join(PATIENCE)
        worker.pipe.close()
