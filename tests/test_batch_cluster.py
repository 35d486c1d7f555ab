"""Batches on a Ray cluster: on a small stand-in for Ray, and on Ray itself where it is installed."""

from __future__ import annotations

import json
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from app.batch import nodes
from app.batch import task as task_module
from app.batch.cluster import HERE, RayCluster, import_ray
from app.batch.job import BatchSettings, Job, JobState, OutputKind
from app.batch.run import run_batch
from app.batch.task import program_checksum, remote_task, run_task
from app.core.errors import UserError
from tests.batch_fakes import TABLE, Diary, follow_orders, jobs, never, plan, videos, weights
from tests.ray_fakes import HEAD, FakeRay

ALWAYS = 1000


def run(runner: Any, tasks: list[Job], stopped: Callable[[], bool] = never) -> dict[str, Any]:
    return {job.name: outcome for job, outcome, _ in runner.run(tasks, stopped, lambda *told: None)}


def test_jobs_run_as_tasks(tmp_path: Path) -> None:
    paths = videos(tmp_path / "in", a="ok", b="fail", c="ok", d="ok", e="ok", f="ok")
    ray = FakeRay(dying={"c": ALWAYS})
    runner = RayCluster(ray, follow_orders, "10.0.0.1:6379", most=2)  # type: ignore[arg-type]
    found = run(runner, jobs(tmp_path / "out", paths))
    assert {name: outcome.state for name, outcome in found.items()} == {
        **dict.fromkeys("adef", JobState.DONE),
        **dict.fromkeys("bc", JobState.FAILED),
    }
    assert "The worker died unexpectedly" in found["c"].error
    assert "\n" not in found["c"].error
    assert (ray.most, runner.workers, ray.ended) == (2, 2, True)
    assert ray.initialised["address"] == "10.0.0.1:6379"
    assert ray.options == {"num_cpus": 1, "num_gpus": 0, "max_retries": 0}


def test_a_job_whose_computer_dies_is_done_again_from_the_beginning(tmp_path: Path) -> None:
    videos(tmp_path / "in", a="ok", b="ok", c="ok")
    ray = FakeRay(dying={"a": 1, "b": ALWAYS})
    settings = BatchSettings((OutputKind.CSV,), engine=weights(tmp_path))
    out = tmp_path / "out"
    run_batch(plan([tmp_path / "in"], out, settings), lambda jobs: cluster(ray), Diary(), never)
    report = json.loads((out / "batch.json").read_text(encoding="utf-8"))
    found = {Path(file["video"]).stem: (file["state"], file["tries"], len(file["outputs"])) for file in report["files"]}
    assert found == {"a": ("done", 2, 1), "b": ("failed", 2, 0), "c": ("done", 1, 1)}
    assert sorted(job.name for job in ray.jobs) == ["a", "a", "b", "b", "c"]
    workspaces = [job.workspace for job in ray.jobs]
    assert len(set(workspaces)) == 5  # two tries never write the same file
    assert sorted(path.name for path in out.iterdir()) == [".batch", "a.csv", "batch.json", "c.csv"]
    assert not (out / ".batch" / "cluster").exists()


def cluster(ray: FakeRay) -> RayCluster:
    return RayCluster(ray, follow_orders, HERE, most=2, is_reachable=ray.reached)  # type: ignore[arg-type]


@pytest.mark.parametrize(("begun", "tries"), [(True, 2), (False, 1)])
def test_a_computer_that_is_silent_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool, tries: int
) -> None:
    monkeypatch.setattr(nodes, "LOOK_SECONDS", 0.0)
    paths = videos(tmp_path / "in", a="ok", b="ok")
    ray = FakeRay(lost={"a": begun})
    found = list(cluster(ray).run(jobs(tmp_path / "out", paths), never, lambda *told: None))
    assert {job.name: (outcome.state, count) for job, outcome, count in found} == {
        "a": (JobState.DONE, tries),
        "b": (JobState.DONE, 1),
    }
    assert not (tmp_path / "out" / ".batch" / "cluster").exists()


def test_the_head_of_the_cluster_is_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(nodes, "HEAD_SECONDS", 0.0)
    videos(tmp_path / "in", a="ok", b="ok", c="ok")
    settings = BatchSettings((OutputKind.CSV,), engine=weights(tmp_path))
    out = tmp_path / "out"
    ray = FakeRay(slow=ALWAYS)
    ray.head_is_there = False
    report = run_batch(plan([tmp_path / "in"], out, settings), lambda jobs: cluster(ray), Diary(), never)
    assert [file.state for file in report.files] == [JobState.FAILED, JobState.FAILED, JobState.WAITING]
    assert all("start it again" in file.error for file in report.failed)
    assert sorted(path.name for path in out.iterdir()) == [".batch", "batch.json"]
    assert ray.ended
    ray = FakeRay()
    report = run_batch(plan([tmp_path / "in"], out, settings), lambda jobs: cluster(ray), Diary(), never)
    assert [file.state for file in report.files] == [JobState.DONE] * 3


def test_only_a_long_silence_of_the_head_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nodes, "LOOK_SECONDS", 0.0)
    reachable = [False, True]
    asked: list[str] = []

    def list_nodes() -> list[dict[str, Any]]:
        asked.append("nodes")
        return [{"NodeID": "a", "Alive": len(asked) == 1}, {"NodeID": "b", "Alive": True}]

    watched = nodes.Nodes(HEAD, list_nodes, lambda address: reachable.pop(0) if reachable else True)
    assert watched.look() == frozenset()
    assert (watched.head_lost, asked) == (False, [])
    assert watched.look() == frozenset()
    assert watched.look() == {"a"}
    assert watched.look() == frozenset()  # no news
    assert (watched.dead, watched.head_lost) == ({"a"}, False)


def test_a_head_that_is_not_known_is_not_watched() -> None:
    def refuse(address: str) -> bool:
        raise AssertionError(address)

    watched = nodes.Nodes(None, lambda: [{"NodeID": "a", "Alive": False}], refuse)
    assert watched.look() == {"a"}
    assert not watched.head_lost


def test_whether_something_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        assert nodes.answers(address)
    assert not nodes.answers(address)


def test_without_jobs_nothing_is_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".batch" / "cluster").mkdir(parents=True)
    ray = FakeRay()
    assert run(cluster(ray), []) == {}
    assert ray.ended
    assert (tmp_path / ".batch" / "cluster").exists()


def test_a_try_that_was_given_up_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = tmp_path / "run" / "1"
    workspace.mkdir(parents=True)
    monkeypatch.setattr(task_module, "CHECK_SECONDS", 0.0)
    check = task_module._StopCheck(workspace)
    assert not check.stopped()
    workspace.rmdir()  # its job was started again
    assert check.stopped()
    workspace.mkdir()
    assert check.stopped()
    check = task_module._StopCheck(workspace)
    assert not check.stopped()
    (workspace.parent / task_module.STOP).touch()
    assert check.stopped()


@pytest.mark.parametrize(
    ("lacks", "message"),
    [
        ("folder", "does not see the output folder"),
        ("video", "a.mp4; share its folder under the same path"),
        ("version", "another version"),
    ],
)
def test_a_computer_that_cannot_take_part_is_named(tmp_path: Path, lacks: str, message: str) -> None:
    paths = videos(tmp_path / "in", a="ok")
    (job,) = jobs(tmp_path / "out", paths, BatchSettings(TABLE.kinds, engine=weights(tmp_path)))
    job = Job(job.input, job.name, job.kinds, job.folder, job.settings, (), tmp_path / "workspace")
    if lacks != "folder":
        (tmp_path / "workspace").mkdir()
    if lacks == "video":
        job.input.unlink()
    checksum = program_checksum(job.settings.engine.weights) if lacks != "version" else "another"
    said = run_task(checksum, job.settings.engine.weights, pickle.dumps((follow_orders, job)), "here")
    assert isinstance(said, str)
    assert said.startswith(f"The computer {socket.gethostname()} ")
    assert message in said
    assert not list(tmp_path.rglob("a.csv"))


def test_a_computer_without_the_program_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", ModuleType("ray"))
    monkeypatch.setitem(sys.modules, "app.batch.task", None)
    said = remote_task()("checksum", tmp_path, b"not even read")
    assert isinstance(said, str)
    assert said.startswith(f"The computer {socket.gethostname()} does not have this program")


def test_a_computer_that_cannot_take_part_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    videos(tmp_path / "in", a="ok", b="ok")
    settings = BatchSettings((OutputKind.CSV,), engine=weights(tmp_path))
    ray, diary = FakeRay(), Diary()
    monkeypatch.setattr("app.batch.cluster.program_checksum", lambda weights: "that of this computer")
    with pytest.raises(UserError, match="has another version"):
        run_batch(plan([tmp_path / "in"], tmp_path / "out", settings), lambda jobs: cluster(ray), diary, never)
    assert [file.state for file in diary.ended] == [JobState.FAILED]
    assert ray.ended


def test_the_checksum_tells_programs_and_weights_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = weights(tmp_path).weights
    before = program_checksum(path)

    def checksum() -> str:
        program_checksum.cache_clear()
        return program_checksum(path)

    assert checksum() == before
    path.with_name("weights-cell.onnx").touch()
    with_graph = checksum()
    assert with_graph != before
    path.write_text("other numbers", encoding="utf-8")
    assert checksum() not in (before, with_graph)
    (tmp_path / "app").mkdir()
    monkeypatch.setattr(task_module, "ROOT", tmp_path)
    empty = checksum()
    (tmp_path / "app" / "a.py").touch()
    assert checksum() != empty


@pytest.mark.parametrize(
    ("resources", "device", "workers", "cards"),
    [
        ({"CPU": 12.0}, "auto", 12, 0),
        ({"CPU": 12.0, "GPU": 3.0}, "auto", 3, 1),
        ({"CPU": 12.0, "GPU": 3.0}, "cpu", 12, 0),
        ({"CPU": 12.0, "GPU": 2.0}, "cuda", 2, 1),
    ],
)
def test_a_card_for_each_job_where_there_are_cards(resources: Any, device: str, workers: int, cards: int) -> None:
    ray = FakeRay(resources)
    assert RayCluster(ray, follow_orders, HERE, device=device).workers == workers  # type: ignore[arg-type]
    assert ray.options["num_gpus"] == cards
    assert ray.initialised["address"] == "local"  # without one, Ray joins a cluster that it finds


def test_ray_starts_without_reports_of_its_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RAY_USAGE_STATS_ENABLED", raising=False)
    ray = FakeRay({"CPU": 1.0})
    RayCluster(ray, follow_orders, HERE)  # type: ignore[arg-type]
    assert not ray.reports_use


def test_stopping_reaches_the_tasks_through_the_folder(tmp_path: Path) -> None:
    paths = videos(tmp_path / "in", a="wait", b="wait", c="ok")
    ray = FakeRay(slow=1)
    runner = RayCluster(ray, follow_orders, HERE, most=2)  # type: ignore[arg-type]
    found = run(runner, jobs(tmp_path / "out", paths), lambda: ray.most == 2)  # both of the first tasks were begun
    assert {name: outcome.state for name, outcome in found.items()} == {"a": JobState.STOPPED, "b": JobState.STOPPED}
    assert sorted(path.name for path in (tmp_path / "out" / "unfinished").iterdir()) == ["a.csv", "b.csv"]
    assert not (tmp_path / "out" / ".batch" / "cluster").exists()


def test_stopping_needs_no_room_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = videos(tmp_path / "in", a="wait", b="wait", c="ok")
    touch = Path.touch

    def full(path: Path, *args: Any, **kwargs: Any) -> None:
        if path.name == task_module.STOP:
            raise OSError(28, "No space left on device")
        touch(path, *args, **kwargs)

    monkeypatch.setattr(Path, "touch", full)
    ray = FakeRay(slow=1)
    runner = RayCluster(ray, follow_orders, HERE, most=2)  # type: ignore[arg-type]
    found = run(runner, jobs(tmp_path / "out", paths), lambda: ray.most == 2)
    assert {name: outcome.state for name, outcome in found.items()} == {"a": JobState.STOPPED, "b": JobState.STOPPED}
    assert ray.ended


def test_clusters_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"cannot be reached at nowhere:1 \(Could not reach it\); check"):
        RayCluster(FakeRay(), follow_orders, "nowhere:1")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="at least 1"):
        RayCluster(FakeRay(), follow_orders, HERE, most=0)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs the package ray; install it with: .* -m pip install ray=="):
        import_ray()


@pytest.mark.process
@pytest.mark.filterwarnings("default")
def test_ray_itself(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="optional")
    paths = videos(tmp_path / "in", a="ok", b="fail", c="die-once", d="die", e="ok")
    runner = RayCluster(import_ray(), follow_orders, HERE, most=2, device="cpu")
    found = {job.name: (outcome.state, tries) for job, outcome, tries in runner.run(*told(tmp_path / "out", paths))}
    assert found == {
        **dict.fromkeys("ae", (JobState.DONE, 1)),
        "b": (JobState.FAILED, 1),
        "c": (JobState.DONE, 2),
        "d": (JobState.FAILED, 2),
    }


def told(folder: Path, paths: dict[str, Path]) -> Any:
    return jobs(folder, paths), never, lambda *progress: None
