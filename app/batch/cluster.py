"""Jobs on a Ray cluster. Ray is optional; all computers need the program and the folders under the same paths."""

from __future__ import annotations

import os
import pickle
import shutil
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from app.batch.job import Job, JobState, Outcome, Stopped, Work
from app.batch.nodes import Nodes
from app.batch.pool import TRIES, FinishedJob, RunProgress
from app.batch.records import FOLDER, WORKSPACES
from app.batch.task import CHECK_SECONDS, STOP, node_file, program_checksum, remote_task
from app.core.commands import install_command
from app.core.errors import UserError
from app.core.files import failure, writing
from app.core.places import ROOT

RAY = "ray==2.60.0"
HERE = "here"
"""In place of an address: Ray on this computer only."""
_HEAD_LOST = "the head of the Ray cluster does not answer any more; start it again, then run the same command"


class Ray(Protocol):
    """The part of the package ray that is used."""

    def init(self, **options: Any) -> Any: ...
    def remote(self, **options: Any) -> Any: ...
    def wait(self, tasks: list[Any], **options: Any) -> tuple[list[Any], list[Any]]: ...
    def get(self, task: Any) -> Any: ...
    def cluster_resources(self) -> dict[str, float]: ...
    def nodes(self) -> list[dict[str, Any]]: ...
    def get_runtime_context(self) -> Any: ...
    def shutdown(self) -> None: ...


def import_ray() -> Ray:
    """Return the package.

    Raises:
        UserError: it is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise UserError(f"--ray needs the package ray; install it with: {install_command(RAY)}") from error
    package: Ray = ray
    return package


class RayCluster:
    """Runs jobs as Ray tasks. One whose worker or computer dies is tried once more, perhaps on another computer.

    Args:
        ray: the package.
        work: does a job.
        address: of the cluster, "auto" for the one this computer belongs to, :data:`HERE` for this computer only.
        most: limit of the jobs at once; None takes what the cluster has room for.
        device: "cpu", "cuda", or "auto": one GPU for each job if the cluster has any.
        is_reachable: as in :class:`app.batch.nodes.Nodes`.

    Raises:
        UserError: the cluster cannot be reached.
    """

    def __init__(
        self,
        ray: Ray,
        work: Work,
        address: str,
        *,
        most: int | None = None,
        device: str = "auto",
        is_reachable: Callable[[str], bool] | None = None,
    ) -> None:
        if most is not None and most < 1:
            raise UserError(f"The number of workers must be at least 1, not {most}.")
        self._ray = ray
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # a Ray that starts here would report its use to its makers
        try:
            ray.init(
                address="local" if address == HERE else address,
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
        # Ray does not tell about its own retries, and limits those for lack of memory separately.
        options = {"num_cpus": 1, "num_gpus": int(needs_card), "max_retries": 0}
        self._task = ray.remote(**options)(remote_task())
        self._work = work
        head = getattr(ray.get_runtime_context(), "gcs_address", None)  # not known to a Ray client (ray://)
        self._nodes = Nodes(head, ray.nodes, is_reachable)

    @property
    def workers(self) -> int:
        """How many jobs run at once."""
        return self._most

    def run(self, jobs: Sequence[Job], stopped: Stopped, progress: RunProgress) -> Iterator[FinishedJob]:
        """Do ``jobs``; as :meth:`app.batch.pool.ProcessPool.run`, but without progress within a job."""
        if not jobs:
            self._ray.shutdown()
            return
        waiting = deque(jobs)
        tries: Counter[str] = Counter()
        running: dict[Any, _Try] = {}
        stopping = False
        place = jobs[0].folder / FOLDER / WORKSPACES / uuid4().hex
        try:
            while (waiting or running) and not self._nodes.head_lost:
                if not stopping and stopped():
                    stopping = True
                    waiting.clear()
                    self._tell_to_stop(place, running.values())
                while waiting and len(running) < self._most:
                    job = waiting.popleft()
                    tries[job.name] += 1
                    attempt = _Try(job, place / uuid4().hex)
                    running[self._start(attempt)] = attempt
                for task, found in self._ended(running):
                    attempt = running.pop(task)
                    job = attempt.job
                    if isinstance(found, _NeverBegun):
                        tries[job.name] -= 1
                    gone = stopping and not attempt.workspace.exists()
                    outcome = None if gone or isinstance(found, Exception) else attempt.adopt(found)
                    attempt.end()
                    if outcome is not None:
                        yield job, outcome, tries[job.name]
                    elif isinstance(found, _HeadLost):
                        yield job, _unfinished(job, _HEAD_LOST), tries[job.name]
                    elif stopping:
                        yield job, Outcome(JobState.STOPPED), tries[job.name]
                    elif tries[job.name] < TRIES:
                        waiting.appendleft(job)
                    else:
                        yield job, _died(job, found), tries[job.name]
        finally:
            # Tasks still running belong to a run that was aborted; Ray ends them with it.
            self._ray.shutdown()
            shutil.rmtree(place.parent, ignore_errors=True)

    @staticmethod
    def _tell_to_stop(place: Path, running: Iterable[_Try]) -> None:
        """Leave a file that says so, since every computer sees the output folder."""
        try:
            place.mkdir(parents=True, exist_ok=True)
            (place / STOP).touch()
        except OSError:  # such as on a full disk; a try without its workspace ends as well
            for attempt in running:
                attempt.end()

    def _start(self, attempt: _Try) -> Any:
        weights = attempt.job.settings.engine.weights
        with writing(attempt.workspace):
            attempt.workspace.mkdir(parents=True)
        pickled = pickle.dumps((self._work, attempt.job_in_workspace))
        return self._task.remote(program_checksum(weights), weights, pickled)

    def _ended(self, running: Mapping[Any, _Try]) -> Iterator[tuple[Any, Outcome | str | Exception]]:
        """Wait a little; yield tasks that have ended, with what they returned or why they did not."""
        ended, _ = self._ray.wait(list(running), num_returns=1, timeout=CHECK_SECONDS) if running else ([], [])
        for task in ended:
            try:
                yield task, self._ray.get(task)
            except Exception as error:  # ray raises many types of its own; a dead worker is one
                yield task, error
        if ended:
            return
        new = self._nodes.look()
        for task, attempt in list(running.items()):
            node = attempt.node
            if self._nodes.head_lost:
                yield task, _HeadLost()
            elif node in self._nodes.dead:
                yield task, ConnectionError("its computer does not answer any more")
            elif node is None and new:
                yield task, _NeverBegun("its computer may be lost")


class _HeadLost(Exception):
    """The cluster is gone. The computer that tracks may still be there, but what it returns arrives nowhere."""


class _NeverBegun(Exception):
    """No computer has begun a try yet, and it may have been sent to one that is gone."""


@dataclass(frozen=True, slots=True)
class _Try:
    """One try of a job.

    Attributes:
        job: as it was given to the runner.
        workspace: where this try writes. Once it is gone, the try ends, should it still go on somewhere.
    """

    job: Job
    workspace: Path

    @property
    def job_in_workspace(self) -> Job:
        return replace(self.job.with_threads(1), workspace=self.workspace)

    @property
    def node(self) -> str | None:
        """Return Ray's name for the computer that has begun this try; None if none has."""
        try:
            return node_file(self.workspace).read_text(encoding="ascii") or None
        except OSError:
            return None

    def adopt(self, found: Outcome | str) -> Outcome:
        """Move what was written to where other workers write it; ``found`` is what the task has returned."""
        if isinstance(found, str):
            return Outcome(JobState.FAILED, found, fatal=True)
        for kind in self.job.kinds:
            written, path = self.job_in_workspace.unfinished(kind), self.job.unfinished(kind)
            try:
                if path.is_dir():
                    shutil.rmtree(path)
                if written.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    written.replace(path)
            except OSError as error:
                return replace(found, state=JobState.FAILED, error=str(failure(path, error)))
        return found

    def end(self) -> None:
        """Remove the workspace."""
        shutil.rmtree(self.workspace, ignore_errors=True)
        node_file(self.workspace).unlink(missing_ok=True)


def _died(job: Job, error: object) -> Outcome:
    reason = (str(error).splitlines() or [""])[0].rstrip(".")
    return _unfinished(job, f"its task of Ray ended early, {TRIES} times ({type(error).__name__}: {reason})")


def _unfinished(job: Job, reason: str) -> Outcome:
    return Outcome(JobState.FAILED, f"{job.input} was not finished: {reason}.")
