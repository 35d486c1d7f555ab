"""A run over many videos: what is there already is left out, what becomes whole takes its place, the rest is told."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

from filelock import FileLock, Timeout

from app.batch.inputs import Inputs
from app.batch.job import DONE, FAILED, SESSION, UNFINISHED, BatchSettings, Job, Outcome, SourceIdentity, Stopped
from app.batch.names import output_names
from app.batch.pool import Ended, Progress
from app.batch.records import DIFFERENT, FOLDER, FOREIGN, SAME, Records, make_of
from app.batch.report import SKIPPED, WAITING, BatchReport, FileReport
from app.core.errors import RecordingError, UserError
from app.core.files import failure
from app.sessions.form import is_session
from model.files import move_whole
from model.json_files import to_plain
from model.weights import sha256

LOCK = "lock"

log = logging.getLogger(__name__)


class Crew(Protocol):
    """Does jobs: processes on this computer, or a cluster."""

    @property
    def workers(self) -> int: ...

    def run(self, jobs: Sequence[Job], stopped: Stopped, progress: Progress) -> Iterator[Ended]: ...


class Listener(Protocol):
    """Is told how a run goes."""

    def begin(self, jobs: Sequence[Job]) -> None:
        """These videos are going to be tracked."""
        ...

    def progress(self, job: Job, frames: int, total: int | None) -> None:
        """One of them is that far."""
        ...

    def end(self, job: Job | None, report: FileReport) -> None:
        """A video is done with; ``job`` is None where it was never going to be tracked."""
        ...


OpenCrew = Callable[[Sequence[Job]], Crew]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a run is to do.

    Attributes:
        inputs: videos, and words that led to none.
        folder: for all outputs.
        settings: for all videos.
        overwrite: replace results of another make, once the new ones are whole.
    """

    inputs: Inputs
    folder: Path
    settings: BatchSettings
    overwrite: bool = False


def run_batch(plan: BatchPlan, open_crew: OpenCrew, listener: Listener, stopped: Stopped) -> BatchReport:
    """Track what is not tracked yet, and write the report.

    Args:
        plan: what to do.
        open_crew: returns who does the jobs.
        listener: told how it goes, on this thread.
        stopped: True ends the run early.

    Raises:
        UserError: for a folder that cannot be used or is used by another run, and for a model that cannot be used.
    """
    weights = _weights_checksum(plan.settings.engine.weights)
    report = BatchReport(plan.folder, {**to_plain(plan.settings), "weights_sha256": weights})
    with _folder_of_our_own(plan.folder):
        batch = _Batch(plan, weights, listener, report)
        try:
            batch.do(open_crew, stopped)
        finally:
            _remove_empty(plan.folder / UNFINISHED)
            report.write()
    return report


class _Batch:
    def __init__(self, plan: BatchPlan, weights: str, listener: Listener, report: BatchReport) -> None:
        self._plan = plan
        self._records = Records(plan.folder)
        self._makes = {kind: make_of(plan.settings, kind, weights) for kind in plan.settings.kinds}
        self._listener = listener
        self._report = report

    def do(self, open_crew: OpenCrew, stopped: Stopped) -> None:
        for word, sentence in self._plan.inputs.missing.items():
            self._tell(None, FileReport(word, FAILED, error=sentence))
        jobs = self._jobs()
        if not jobs:
            return
        crew = open_crew(jobs)
        self._report.workers = crew.workers
        self._listener.begin(jobs)
        left = {job.name: job for job in jobs}
        started = time.monotonic()
        running = crew.run(jobs, stopped, self._listener.progress)
        try:
            for job, outcome, tries in running:
                del left[job.name]
                self._take(job, outcome, tries)
                if outcome.hopeless:
                    raise UserError(outcome.error)
        finally:
            running.close()  # type: ignore[attr-defined]  # ends the workers now
            self._report.seconds = time.monotonic() - started
            for job in left.values():
                self._report.files.append(FileReport(str(job.video), WAITING))

    def _jobs(self) -> list[Job]:
        """Return what is to be tracked; the rest is told at once."""
        videos = self._plan.inputs.videos
        names = output_names(videos, self._records.names)
        known = {video.path for video in videos}
        jobs = []
        for video in videos:
            job = Job(video.path, names[video.path], (), self._plan.folder, self._plan.settings)
            try:
                kinds = self._kinds_to_make(job, known)
            except UserError as error:
                self._tell(None, FileReport(str(video.path), FAILED, error=str(error)))
                continue
            if kinds:
                jobs.append(replace(job, kinds=kinds))
            else:
                paths = [str(job.output(kind)) for kind in self._plan.settings.kinds]
                self._tell(None, FileReport(str(video.path), SKIPPED, paths, frames=self._records.frames(job)))
        return jobs

    def _kinds_to_make(self, job: Job, inputs: set[Path]) -> tuple[str, ...]:
        """Return which of a job's outputs are not there yet.

        Raises:
            UserError: something else lies where an output is to go.
        """
        try:
            source = SourceIdentity.of(job.video)
        except OSError as error:
            raise UserError(f"{job.video} cannot be read: {error.strerror or error}; check the file.") from error
        kinds = []
        for kind in self._plan.settings.kinds:
            path = job.output(kind)
            if path in inputs:
                raise UserError(f"{path} is an input, which stays untouched; choose another output folder.")
            state = self._records.state(job, kind, source, self._makes[kind])
            if state == DIFFERENT and not self._plan.overwrite:
                raise UserError(
                    f"{path} is of another version of {job.video.name}, or of other settings; choose another output "
                    "folder, or give --overwrite."
                )
            replaceable = is_session(path) if kind == SESSION else path.is_file()
            if state == FOREIGN and not (self._plan.overwrite and replaceable):
                advice = ", or give --overwrite" if replaceable else ""
                raise UserError(f"{path} is not, or no more, what a run wrote there; choose another folder{advice}.")
            if state != SAME:
                kinds.append(kind)
        return tuple(kinds)

    def _take(self, job: Job, outcome: Outcome, tries: int) -> None:
        """Put the outputs of a job that is done where they belong, and tell."""
        if outcome.details:
            log.info("%s", outcome.details)
        if outcome.state == DONE:
            try:
                for kind in job.kinds:
                    self._publish(job, kind, outcome)
            except RecordingError as error:
                outcome = replace(outcome, state=FAILED, error=str(error))
        kept = [job.output(kind) if outcome.state == DONE else job.unfinished(kind) for kind in job.kinds]
        facts = {name: value for name, value in asdict(outcome).items() if name in FileReport.__dataclass_fields__}
        outputs = [str(path) for path in kept if path.exists()]
        facts["remarks"] = list(outcome.remarks)
        self._tell(job, FileReport(str(job.video), outputs=outputs, tries=tries, **facts))

    def _publish(self, job: Job, kind: str, outcome: Outcome) -> None:
        """Move an output to its place. At no moment does a record speak of another output than the one there."""
        path = job.output(kind)
        self._records.forget(job, kind)
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            path.parent.mkdir(parents=True, exist_ok=True)
            self._records.keep(job, kind, outcome, self._makes[kind])
            move_whole(job.unfinished(kind), path)
        except OSError as error:
            raise failure(path, error) from error

    def _tell(self, job: Job | None, file: FileReport) -> None:
        self._report.files.append(file)
        self._listener.end(job, file)


@contextmanager
def _folder_of_our_own(folder: Path) -> Iterator[None]:
    """Create the folder, and keep other runs out of it."""

    if is_session(folder):
        raise UserError(f"{folder} is a session; choose another folder for the outputs.")
    with ExitStack() as stack:
        try:
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            stack.enter_context(FileLock(folder / FOLDER / LOCK, blocking=False))
        except Timeout as error:
            raise UserError(
                f"Another run writes into {folder}; wait until it has ended, or choose another output folder."
            ) from error
        except OSError as error:
            raise failure(folder, error) from error
        yield


def _weights_checksum(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(
            f"The weights {path} cannot be read: {error.strerror or error}; give a .safetensors file."
        ) from error


def _remove_empty(folder: Path) -> None:
    """Remove a folder and those in it as far as they hold nothing."""
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(path)
