"""Jobs on a Ray cluster. Ray is optional; all computers need the program and the folders under the same paths."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from app.batch.job import Job, JobState, Outcome, Stopped, Work
from app.batch.pool import TRIES, FinishedJob, RunProgress
from app.batch.records import FOLDER
from app.core.errors import UserError
from app.core.places import ROOT

RAY = "ray==2.60.0"
HERE = "here"
"""In place of an address: Ray on this computer only."""
CHECK_SECONDS = 0.5
"""Seconds between two checks of whether the person wants to stop."""


class Ray(Protocol):
    """The part of the package ray that is used."""

    def init(self, **options: Any) -> Any: ...
    def remote(self, **options: Any) -> Any: ...
    def wait(self, tasks: list[Any], **options: Any) -> tuple[list[Any], list[Any]]: ...
    def get(self, task: Any) -> Any: ...
    def cluster_resources(self) -> dict[str, float]: ...
    def shutdown(self) -> None: ...


def import_ray() -> Ray:
    """Return the package.

    Raises:
        UserError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise UserError(
            f"--ray needs the package ray; install it with: {sys.executable} -m pip install {RAY}"
        ) from error
    package: Ray = ray
    return package


class RayCluster:
    """Runs jobs as Ray tasks. One whose worker dies is tried once more, by Ray, perhaps on another computer.

    Args:
        ray: the package.
        work: does a job.
        address: of the cluster, "auto" for the one this computer belongs to, :data:`HERE` for this computer only.
        most: limit of the jobs at once; None takes what the cluster has room for.
        device: "cpu", "cuda", or "auto": one GPU for each job if the cluster has any.

    Raises:
        UserError: the cluster cannot be reached.
    """

    def __init__(self, ray: Ray, work: Work, address: str, *, most: int | None = None, device: str = "auto") -> None:
        if most is not None and most < 1:
            raise UserError(f"The number of workers must be at least 1, not {most}.")
        self._ray = ray
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            ray.init(
                address=None if address == HERE else address,
                runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(paths)}},
                log_to_driver=False,
                logging_level="error",
                **({"include_dashboard": False} if address == HERE else {}),
            )
        except Exception as error:  # ray raises many types of its own
            reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
            raise UserError(f"Ray cannot be reached at {address} ({reason}); check the address.") from error
        resources = ray.cluster_resources()
        cards = int(resources.get("GPU", 0)) if device != "cpu" else 0
        needs_card = device == "cuda" or cards > 0
        self._most = most or max(1, cards if needs_card else int(resources.get("CPU", 1)))
        options = {"num_cpus": 1, "num_gpus": int(needs_card), "max_retries": TRIES - 1}
        self._task = ray.remote(**options)(_do)
        self._work = work

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return self._most

    def run(self, jobs: Sequence[Job], stopped: Stopped, progress: RunProgress) -> Iterator[FinishedJob]:
        """Do ``jobs``; as :meth:`app.batch.pool.ProcessPool.run`, but without progress within a job."""
        waiting = list(reversed(jobs))
        running: dict[Any, Job] = {}
        flag = jobs[0].folder / FOLDER / f"stop-{uuid4().hex}" if jobs else None
        stopping = False
        try:
            while waiting or running:
                if not stopping and stopped() and flag is not None:
                    stopping = True
                    waiting.clear()
                    flag.touch()  # every computer sees the output folder
                while waiting and len(running) < self._most:
                    job = waiting.pop()
                    running[self._task.remote(self._work, job.with_threads(1), str(flag))] = job
                ended, _ = self._ray.wait(list(running), num_returns=1, timeout=CHECK_SECONDS) if running else ([], [])
                for task in ended:
                    yield running.pop(task), self._result(task, stopping), 1
        finally:
            # Tasks still running belong to a run that was aborted; Ray ends them with it.
            self._ray.shutdown()
            if flag is not None:
                flag.unlink(missing_ok=True)

    def _result(self, task: Any, stopping: bool) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(task)
        except Exception as error:  # ray raises many types of its own; a dead worker is one
            reason = (str(error).splitlines() or [""])[0].rstrip(".")
            if stopping:
                return Outcome(JobState.STOPPED)
            return Outcome(
                JobState.FAILED, f"A task of Ray ended early, {TRIES} times ({type(error).__name__}: {reason})."
            )
        return outcome


def _do(work: Work, job: Job, flag: str) -> Outcome:
    """Do a job on any computer; a file signals that it should stop."""
    return work(job, _StopFile(Path(flag)).stopped, _no_progress)


class _StopFile:
    """Checks twice a second whether a file exists; more often would load a network disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._next = 0.0
        self._there = False

    def stopped(self) -> bool:
        now = time.monotonic()
        if not self._there and now >= self._next:
            self._next = now + CHECK_SECONDS
            with contextlib.suppress(OSError):
                self._there = self._path.exists()
        return self._there


def _no_progress(frames: int, total: int | None) -> None:
    """No-op callback."""
