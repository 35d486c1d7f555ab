"""Work for batches that needs no model: what a "video" holds says what becomes of it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from app.batch.inputs import Inputs, find_inputs
from app.batch.job import BatchSettings, FrameProgress, Job, JobState, Outcome, OutputKind, SourceIdentity, Stopped
from app.batch.pool import FinishedJob, RunProgress
from app.batch.report import FileReport
from app.batch.run import BatchPlan
from app.core.settings import EngineSettings
from tests.waiting import PROCESS_SECONDS

FRAMES = 8
TABLE = BatchSettings((OutputKind.CSV,))


def follow_orders(job: Job, stopped: Stopped, tell: FrameProgress) -> Outcome:
    """Do what the video's text says, and write what this process is into the job's table."""
    order = job.input.read_text(encoding="utf-8").split()
    table = job.unfinished(OutputKind.CSV)
    table.parent.mkdir(parents=True, exist_ok=True)
    place = [str(os.getpid()), os.environ.get("CUDA_VISIBLE_DEVICES", "-"), str(job.settings.engine.threads)]
    table.write_text(f"{' '.join(order)};{','.join(place)}", encoding="utf-8")
    tell(0, FRAMES)
    match order:
        case ["fail"]:
            return Outcome(JobState.FAILED, f"{job.input} cannot be read.", frames=3)
        case ["raise"]:
            raise ZeroDivisionError("oh")
        case ["hopeless"]:
            return Outcome(JobState.FAILED, "The model cannot be used: it is broken.", fatal=True)
        case ["die"]:
            os.kill(os.getpid(), signal.SIGKILL)
        case ["die-once"]:
            marker = job.input.with_suffix(".died")
            if not marker.exists():
                marker.touch()
                os.kill(os.getpid(), signal.SIGKILL)
        case ["hang-up"]:
            tell.__self__._pipe.close()  # type: ignore[attr-defined]
            time.sleep(PROCESS_SECONDS)
        case ["wait"]:
            end = time.monotonic() + PROCESS_SECONDS
            while not stopped():
                assert time.monotonic() < end, "nobody told this job to stop"
                time.sleep(0.01)
            return Outcome(JobState.STOPPED, frames=5)
    tell(FRAMES, FRAMES)
    source = SourceIdentity.of(job)
    return Outcome(
        JobState.DONE, source=source, frames=FRAMES, with_face=FRAMES, faces=1, seconds=0.5, engine="fake, CPU"
    )


def videos(folder: Path, **orders: str) -> dict[str, Path]:
    """Write "videos" with orders for :func:`follow_orders`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.mp4" for name in orders}
    for name, order in orders.items():
        paths[name].write_text(order, encoding="utf-8")
    return paths


def jobs(folder: Path, paths: dict[str, Path], settings: BatchSettings = TABLE) -> list[Job]:
    """Return a job for each, with outputs in ``folder``."""
    return [Job(path, name, settings.kinds, folder, settings) for name, path in paths.items()]


def weights(folder: Path, content: str = "numbers") -> EngineSettings:
    """Return settings whose weights are a small file of that content."""
    path = folder / "weights.safetensors"
    path.write_text(content, encoding="utf-8")
    return EngineSettings(path)


def plan(words: Sequence[str | Path], folder: Path, settings: BatchSettings, *, overwrite: bool = False) -> BatchPlan:
    inputs: Inputs = find_inputs([str(word) for word in words], folder)
    return BatchPlan(inputs, folder, settings, overwrite)


class InlineRunner:
    """Does jobs one after the other in this process; remembers which."""

    workers = 1

    def __init__(self, work: Callable[..., Outcome] = follow_orders) -> None:
        self.done: list[str] = []
        self._work = work

    def open(self, jobs: Sequence[Job]) -> InlineRunner:
        return self

    def run(self, jobs: Sequence[Job], stopped: Stopped, progress: RunProgress) -> Iterator[FinishedJob]:
        for job in jobs:
            if stopped():
                return
            self.done.append(job.name)

            def tell(frames: int, total: int | None, job: Job = job) -> None:
                progress(job, frames, total)

            yield job, self._work(job, stopped, tell), 1


class Diary:
    """A listener that remembers."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self.told: list[tuple[str, int, int | None]] = []
        self.ended: list[FileReport] = []

    def begin(self, jobs: Sequence[Job]) -> None:
        self.begun += [job.name for job in jobs]

    def progress(self, job: Job, frames: int, total: int | None) -> None:
        self.told.append((job.name, frames, total))

    def end(self, job: Job | None, report: FileReport) -> None:
        self.ended.append(report)


def never() -> bool:
    return False
