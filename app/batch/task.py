"""What a Ray task does on any computer of a cluster: check that the computer can take part, then do a job there."""

from __future__ import annotations

import contextlib
import hashlib
import pickle
import platform
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from app.batch.job import Job, Outcome, Work
from app.core.places import REQUIREMENTS, ROOT, WEIGHTS

STOP = "stop"
"""File beside the workspaces of a run: all its jobs are to end early."""
CHECK_SECONDS = 0.5
"""Seconds between two checks of whether a job is to stop; more often would load a network disk."""

RemoteTask = Callable[[str, Path, bytes], Outcome | str]
"""Given the driver's :func:`program_checksum`, the weights and a pickled (work, job), returns what became of the job,
or one sentence that says why this computer can do none."""


def remote_task() -> RemoteTask:
    """Return the function for Ray.

    Ray sends a nested function by value, so it can run, and say what is wrong, on a computer without this program.
    """
    root = str(ROOT)

    def start(checksum: str, weights: Path, pickled: bytes) -> Outcome | str:
        import platform

        import ray

        try:
            from app.batch.task import run_task
        except ImportError as error:
            sentence = "The computer {} does not have this program under {} ({}); install the same version there."
            return sentence.format(platform.node(), root, error)
        return run_task(checksum, weights, pickled, ray.get_runtime_context().get_node_id())

    return start


def node_file(workspace: Path) -> Path:
    """Return the file in which the computer that uses a workspace leaves its name."""
    return workspace.with_suffix(".node")


def run_task(checksum: str, weights: Path, pickled: bytes, node: str) -> Outcome | str:
    """Do a job if this computer, which Ray calls ``node``, can; see :data:`RemoteTask`."""
    host = platform.node()
    if program_checksum(weights) != checksum:
        return (
            f"The computer {host} has another version of the program or of its weights under {ROOT} than the computer "
            "on which the run was started; install the same version there."
        )
    work: Work
    job: Job
    work, job = pickle.loads(pickled)
    workspace = job.workspace
    assert workspace is not None
    if not workspace.is_dir():
        return f"The computer {host} does not see the output folder {job.folder}; share it under the same path."
    node_file(workspace).write_text(node, encoding="ascii")
    if not job.input.exists():
        return f"The computer {host} does not see {job.input}; share its folder under the same path."
    return work(job, _StopCheck(workspace).stopped, _no_progress)


@cache
def program_checksum(weights: Path) -> str:
    """Return one SHA-256 of everything that determines what a job writes: the program, its packages, the weights."""
    names = {REQUIREMENTS: REQUIREMENTS.name, weights: ""}
    for folder in (ROOT / "app", ROOT / "model"):
        names |= {path: path.relative_to(ROOT).as_posix() for path in folder.rglob("*.py")}
    names |= {path: path.name for path in (*WEIGHTS.iterdir(), *weights.parent.glob(f"{weights.stem}*"))}
    whole = hashlib.sha256()
    for name, path in sorted((name, path) for path, name in names.items()):
        with contextlib.suppress(OSError):  # what is missing makes a difference, too
            content = path.read_bytes()
            whole.update(f"{name} {len(content)} ".encode())
            whole.update(content)
    return whole.hexdigest()


class _StopCheck:
    """Whether a job is to stop: the person said so, or its workspace is gone because it has been given to another try.

    A computer that was cut off from the cluster may go on with a job that has been started again elsewhere.
    """

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace
        self._next = 0.0
        self._stopped = False

    def stopped(self) -> bool:
        now = time.monotonic()
        if not self._stopped and now >= self._next:
            self._next = now + CHECK_SECONDS
            with contextlib.suppress(OSError):
                self._stopped = (self._workspace.parent / STOP).exists() or not self._workspace.exists()
        return self._stopped


def _no_progress(frames: int, total: int | None) -> None:
    """No-op callback."""
