"""Worker processes: real ones, with work that needs no model."""

from __future__ import annotations

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.batch import resources
from app.batch.job import Job, JobState, OutputKind
from app.batch.pool import ProcessPool
from app.batch.resources import WORKER_MEMORY, Computer, WorkerPlacement, available_memory, cuda_cards, place_workers
from app.core.errors import UserError
from app.core.places import ROOT
from tests.batch_fakes import FRAMES, Diary, follow_orders, jobs, never, videos
from tests.waiting import PROCESS_SECONDS, wait_until

pytestmark = pytest.mark.process

posix = pytest.mark.skipif(sys.platform == "win32", reason="workers kill themselves with a signal")


@pytest.fixture(autouse=True)
def _a_worker_may_take_its_time_to_exit(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may still be starting, which takes long on a busy computer."""
    monkeypatch.setattr("app.batch.pool.EXIT_SECONDS", PROCESS_SECONDS)


TWO = (WorkerPlacement(), WorkerPlacement())


def run(
    tasks: list[Job],
    places: Any = TWO,
    stopped: Callable[[], bool] = never,
    progress: Any = lambda job, frames, total: None,
) -> dict[str, Any]:
    pool = ProcessPool(follow_orders, places)
    return {job.name: (outcome, tries) for job, outcome, tries in pool.run(tasks, stopped, progress)}


def table(job: Job) -> list[str]:
    """Return the process, the card and the threads of a job."""
    return job.unfinished(OutputKind.CSV).read_text(encoding="utf-8").split(";")[1].split(",")


@posix
def test_one_bad_video_costs_the_others_nothing(tmp_path: Path) -> None:
    paths = videos(tmp_path / "in", **{"a": "ok", "b": "fail", "c": "die", "d": "die-once", "e": "raise", "f": "ok"})
    tasks = jobs(tmp_path / "out", paths)
    diary = Diary()
    found = run(tasks, [WorkerPlacement(3, "5"), WorkerPlacement(3, "7")], progress=diary.progress)
    states = {name: (outcome.state, tries) for name, (outcome, tries) in found.items()}
    assert states == {
        "a": (JobState.DONE, 1),
        "b": (JobState.FAILED, 1),
        "c": (JobState.FAILED, 2),
        "d": (JobState.DONE, 2),
        "e": (JobState.FAILED, 1),
        "f": (JobState.DONE, 1),
    }
    assert "killed by signal 9, 2 times" in found["c"][0].error
    assert str(paths["c"]) in found["c"][0].error
    assert "ZeroDivisionError: oh" in found["e"][0].error
    assert ("a", 0, FRAMES) in diary.told
    assert ("a", FRAMES, FRAMES) in diary.told
    places = [table(job) for job in tasks]
    assert {int(place[0]) for place in places}.isdisjoint({os.getpid()})
    assert {place[1] for place in places} == {"5", "7"}
    assert {place[2] for place in places} == {"3"}


def test_a_worker_that_does_not_end_is_said_to_have_stopped_answering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.batch.pool.EXIT_SECONDS", 0.1)
    tasks = jobs(tmp_path / "out", videos(tmp_path / "in", a="hang-up"))
    ((outcome, tries),) = run(tasks).values()
    assert (outcome.state, tries) == (JobState.FAILED, 2)
    assert "stopped answering, 2 times" in outcome.error
    worker = int(table(tasks[0])[0])
    wait_until(lambda: not _alive(worker))


def test_stopping_ends_running_jobs_and_begins_no_more(tmp_path: Path) -> None:
    paths = videos(tmp_path / "in", a="wait", b="wait", c="ok", d="ok")
    diary = Diary()
    found = run(jobs(tmp_path / "out", paths), stopped=lambda: len(diary.told) == 2, progress=diary.progress)
    assert {name: outcome.state for name, (outcome, _) in found.items()} == {
        "a": JobState.STOPPED,
        "b": JobState.STOPPED,
    }
    assert {outcome.frames for outcome, _ in found.values()} == {5}


def test_stopping_leaves_workers_without_a_job_alone(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    paths = videos(tmp_path / "in", a="ok", b="wait")
    ended: list[JobState] = []
    pool = ProcessPool(follow_orders, TWO)
    for _, outcome, _ in pool.run(jobs(tmp_path / "out", paths), lambda: bool(ended), Diary().progress):
        ended.append(outcome.state)
    assert ended == [JobState.DONE, JobState.STOPPED]
    assert capfd.readouterr().err == ""


def test_a_chosen_number_of_threads_stays(tmp_path: Path) -> None:
    from dataclasses import replace

    (job,) = jobs(tmp_path, videos(tmp_path / "in", a="ok"))
    chosen = replace(job.settings, engine=replace(job.settings.engine, threads=7))
    assert job.with_threads(2).settings.engine.threads == 2
    assert replace(job, settings=chosen).with_threads(2).settings.engine.threads == 7


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_ctrl_c_does_not_reach_a_worker_that_starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    masks = []
    real = multiprocessing.get_context("spawn").Process.start

    def start(process: Any) -> None:
        real(process)
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="ascii")
        masks.append(int(dict(line.split(":", 1) for line in status.splitlines())["SigBlk"], 16))

    monkeypatch.setattr(multiprocessing.get_context("spawn").Process, "start", start)
    (outcome,) = run(jobs(tmp_path / "out", videos(tmp_path / "in", a="ok")), TWO[:1]).values()
    assert outcome[0].state == JobState.DONE
    wanted = sum(1 << number - 1 for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    assert [mask & wanted for mask in masks] == [wanted]
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ()) & {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


ORPHAN = """
from pathlib import Path
from app.batch.pool import ProcessPool
from app.batch.resources import WorkerPlacement
from tests.batch_fakes import follow_orders, jobs, never, videos
if __name__ == "__main__":
    tasks = jobs(Path("out").absolute(), videos(Path("in").absolute(), a="wait"))
    pool = ProcessPool(follow_orders, [WorkerPlacement()])
    list(pool.run(tasks, never, lambda job, frames, total: print(frames, flush=True)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "orphan.py").write_text(ORPHAN, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "orphan.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().strip() == b"0"  # the worker is in the middle of its job
        worker = int(table(jobs(tmp_path / "out", {"a": tmp_path / "in" / "a.mp4"})[0])[0])
        assert Path(f"/proc/{worker}").exists()
        process.send_signal(signal.SIGKILL)
    wait_until(lambda: not _alive(worker))


def _alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def counts(places: Any) -> list[tuple[int, int | None]]:
    return [(place.threads, place.card) for place in places]


GIB = 2**30


@pytest.mark.parametrize(
    ("jobs", "computer", "workers", "expected"),
    [
        (10, Computer(2, 20 * GIB), None, [(1, None)] * 2),
        (10, Computer(8, None), None, [(1, None)] * 8),
        (3, Computer(8, 20 * GIB), None, [(2, None)] * 3),
        (1, Computer(16, 20 * GIB), None, [(4, None)]),
        (1, Computer(2, 20 * GIB), None, [(2, None)]),
        (10, Computer(8, int(2.5 * WORKER_MEMORY)), None, [(2, None)] * 2),
        (10, Computer(8, 1), None, [(4, None)]),
        (10, Computer(2, 20 * GIB), 3, [(1, None)] * 3),
        (2, Computer(2, 20 * GIB), 3, [(1, None)] * 2),
        (10, Computer(16, 90 * GIB, ("0", "1")), None, [(4, "0"), (4, "1")]),
        (10, Computer(16, 90 * GIB, ("2", "5")), 5, [(2, "2"), (2, "5"), (2, "2"), (2, "5"), (2, "2")]),
    ],
)
def test_workers_share_cores_memory_and_cards(jobs: int, computer: Any, workers: int | None, expected: Any) -> None:
    assert counts(place_workers(jobs, computer, workers)) == expected


def test_no_worker_at_all_is_refused() -> None:
    with pytest.raises(UserError, match="at least 1, not 0"):
        place_workers(3, Computer(2), 0)


@pytest.mark.parametrize(
    ("visible", "found", "expected"),
    [(None, 0, ()), (None, 2, ("0", "1")), ("3,5", 2, ("3", "5")), ("3,5", 1, ("3",)), ("", 0, ())],
)
def test_cards_are_those_that_the_person_lets_be_seen(
    monkeypatch: pytest.MonkeyPatch, visible: str | None, found: int, expected: Any
) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert cuda_cards(lambda: found) == expected


def test_the_share_of_a_container(tmp_path: Path) -> None:
    for name, text in (
        ("memory.max", "1000\n"),
        ("memory.current", "900\n"),
        ("memory.stat", "anon 100\ninactive_file 700\n"),
    ):
        (tmp_path / name).write_text(text)
    assert resources._cgroup(tmp_path / "memory.max") == 800
    (tmp_path / "memory.max").write_text("max\n")
    with pytest.raises(ValueError, match="max"):
        resources._cgroup(tmp_path / "memory.max")
    (tmp_path / "cpu.max").write_text("250000 100000\n")
    assert resources._quota(tmp_path / "cpu.max") == 3
    (tmp_path / "cpu.max").write_text("max 100000\n")
    with pytest.raises(ValueError, match="max"):
        resources._quota(tmp_path / "cpu.max")


def test_a_worker_that_cannot_begin_is_one_sentence_and_ends_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = multiprocessing.get_context("spawn").Process
    real, begun = process.start, list[Any]()

    def start(self: Any) -> None:
        if begun:
            raise OSError(errno.EMFILE, "Too many open files")
        real(self)
        begun.append(self)

    monkeypatch.setattr(process, "start", start)
    with pytest.raises(UserError, match="cannot be started: too many open files; use fewer --workers"):
        run(jobs(tmp_path / "out", videos(tmp_path / "in", a="ok", b="ok")))
    assert [each.exitcode for each in begun] == [0]


def test_the_memory_of_this_computer() -> None:
    found = available_memory()
    assert found is None or 2**20 < found < 2**50
    assert sys.platform != "linux" or found is not None
