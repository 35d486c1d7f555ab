"""A small stand-in for Ray."""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Mapping
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest.mock import patch

from app.batch.job import Job
from app.batch.task import node_file

HEAD = "10.0.0.1:6379"


class FakeRay:
    """Runs each task when somebody asks for it, after ``slow`` looks; arguments and results are pickled, as by Ray.

    The tasks of the jobs in ``dying`` end without a result, as often as it says, after their outputs were begun.
    Those of the jobs in ``lost`` never end, since their computer dies: after it has begun them, or (False) before.
    """

    def __init__(
        self,
        resources: dict[str, float] | None = None,
        dying: Mapping[str, int] | None = None,
        lost: Mapping[str, bool] | None = None,
        slow: int = 0,
    ) -> None:
        self.resources = resources or {"CPU": 4.0}
        self.dying = dict(dying or {})
        self.lost = dict(lost or {})
        self.dead: set[str] = set()
        self.head_is_there = True
        self.slow = slow
        self.most = 0
        self.options: dict[str, Any] = {}
        self.initialised: dict[str, Any] = {}
        self.reports_use = True
        self.jobs: list[Job] = []
        self.ended = False
        self._tasks: dict[int, Any] = {}
        self._hanging: set[int] = set()

    def init(self, **options: Any) -> None:
        if options["address"] == "nowhere:1":
            raise ConnectionError("Could not reach it.\nSecond line")
        self.initialised = options
        self.reports_use = os.environ.get("RAY_USAGE_STATS_ENABLED") != "0"

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
                    ray._tasks[number] = function, pickle.dumps(arguments)
                    ray.most = max(ray.most, sum(value is not None for value in ray._tasks.values()))
                    return number

            return Task

        return wrap

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": name, "Alive": name not in self.dead} for name in ("here", "there")]

    def wait(self, tasks: list[int], num_returns: int, timeout: float) -> tuple[list[int], list[int]]:
        if self.slow:
            self.slow -= 1
            return [], tasks
        alive = [task for task in tasks if not self._is_lost(task)]
        return alive[:1], [task for task in tasks if task not in alive[:1]]

    def _is_lost(self, task: int) -> bool:
        if task not in self._hanging:
            job = self._job(task)
            if job.name not in self.lost:
                return False
            self._hanging.add(task)
            self.dead.add("there")
            if self.lost.pop(job.name):
                assert job.workspace is not None
                node_file(job.workspace).write_text("there", encoding="ascii")
                (job.workspace / "a.csv").touch()
        return True

    def _job(self, task: int) -> Job:
        job: Job = pickle.loads(pickle.loads(self._tasks[task][1])[2])[1]
        return job

    def get(self, task: int) -> Any:
        job = self._job(task)
        (function, data), self._tasks[task] = self._tasks[task], None
        self.jobs.append(job)
        worker = ModuleType("ray")  # as it is imported in a worker
        worker.get_runtime_context = lambda: SimpleNamespace(get_node_id=lambda: "here")  # type: ignore[attr-defined]
        with patch.dict(sys.modules, {"ray": worker}):
            found = pickle.loads(pickle.dumps(function(*pickle.loads(data))))
        if self.dying.get(job.name, 0):
            self.dying[job.name] -= 1
            raise RuntimeError("The worker died unexpectedly.\nLong story")
        return found

    def get_runtime_context(self) -> Any:
        return SimpleNamespace(gcs_address=HEAD)

    def reached(self, address: str) -> bool:
        assert address == HEAD
        return self.head_is_there

    def shutdown(self) -> None:
        self.ended = True
