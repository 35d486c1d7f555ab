"""Batches on a Ray cluster: on a small stand-in for Ray, and on Ray itself where it is installed."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.batch.cluster import HERE, RayCluster, import_ray
from app.batch.job import Job, JobState
from app.core.errors import UserError
from tests.batch_fakes import follow_orders, jobs, never, videos


class FakeRay:
    """Runs each task when somebody asks for it, after ``slow`` looks; tasks and results are pickled, as by Ray."""

    def __init__(self, resources: dict[str, float] | None = None, broken: Sequence[str] = (), slow: int = 0) -> None:
        self.resources = resources or {"CPU": 4.0}
        self.broken = broken
        self.slow = slow
        self.most = 0
        self.options: dict[str, Any] = {}
        self.initialised: dict[str, Any] = {}
        self.ended = False
        self._tasks: dict[int, Any] = {}

    def init(self, **options: Any) -> None:
        if options["address"] == "nowhere:1":
            raise ConnectionError("Could not reach it.\nSecond line")
        self.initialised = options

    def cluster_resources(self) -> dict[str, float]:
        return self.resources

    def remote(self, **options: Any) -> Any:
        self.options = options
        ray = self

        def wrap(function: Any) -> Any:
            class Task:
                @staticmethod
                def remote(*arguments: Any) -> Any:
                    number = len(ray._tasks)
                    ray._tasks[number] = pickle.dumps((function, arguments))
                    ray.most = max(ray.most, sum(value is not None for value in ray._tasks.values()))
                    return number

            return Task

        return wrap

    def wait(self, tasks: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        if self.slow:
            self.slow -= 1
            return [], tasks
        return tasks[:1], tasks[1:]

    def get(self, task: int) -> Any:
        data, self._tasks[task] = self._tasks[task], None
        function, arguments = pickle.loads(data)
        if arguments[1].name in self.broken:
            raise RuntimeError("The worker died unexpectedly.\nLong story")
        return pickle.loads(pickle.dumps(function(*arguments)))

    def shutdown(self) -> None:
        self.ended = True


def run(runner: Any, tasks: list[Job], stopped: Callable[[], bool] = never) -> dict[str, Any]:
    return {job.name: outcome for job, outcome, _ in runner.run(tasks, stopped, lambda *told: None)}


def test_jobs_run_as_tasks(tmp_path: Path) -> None:
    paths = videos(tmp_path / "in", a="ok", b="fail", c="ok", d="ok", e="ok", f="ok")
    ray = FakeRay(broken=("c",))
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
    assert ray.options == {"num_cpus": 1, "num_gpus": 0, "max_retries": 1}


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
    assert ray.initialised["address"] is None


def test_stopping_reaches_the_tasks_through_the_folder(tmp_path: Path) -> None:
    paths = videos(tmp_path / "in", a="wait", b="wait", c="ok")
    (tmp_path / "out" / ".batch").mkdir(parents=True)
    ray = FakeRay(slow=1)
    runner = RayCluster(ray, follow_orders, HERE, most=2)  # type: ignore[arg-type]
    found = run(runner, jobs(tmp_path / "out", paths), lambda: ray.most == 2)  # both of the first tasks were begun
    assert {name: outcome.state for name, outcome in found.items()} == {"a": JobState.STOPPED, "b": JobState.STOPPED}
    assert list((tmp_path / "out" / ".batch").iterdir()) == []


def test_clusters_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match=r"cannot be reached at nowhere:1 \(Could not reach it\); check"):
        RayCluster(FakeRay(), follow_orders, "nowhere:1")  # type: ignore[arg-type]
    with pytest.raises(UserError, match="at least 1"):
        RayCluster(FakeRay(), follow_orders, HERE, most=0)  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs the package ray; install it with: .* -m pip install ray=="):
        import_ray()


@pytest.mark.filterwarnings("default")
def test_ray_itself(tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="optional")
    paths = videos(tmp_path / "in", a="ok", b="fail", c="die-once", d="die", e="ok")
    runner = RayCluster(import_ray(), follow_orders, HERE, most=2, device="cpu")
    found = run(runner, jobs(tmp_path / "out", paths))
    assert {name: outcome.state for name, outcome in found.items()} == {
        **dict.fromkeys("ace", JobState.DONE),
        **dict.fromkeys("bd", JobState.FAILED),
    }
