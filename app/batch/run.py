"""A run over many inputs: existing outputs are skipped, new ones are moved into place, and everything is reported."""

from __future__ import annotations

import itertools
import logging
import os
import shutil
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from filelock import FileLock, Timeout

from app.batch.inputs import Inputs
from app.batch.job import UNFINISHED, BatchSettings, Job, JobState, Outcome, OutputKind, SourceIdentity, Stopped
from app.batch.names import output_names
from app.batch.parts import PartedJob
from app.batch.pool import FinishedJob, RunProgress
from app.batch.records import FOLDER, PARTS, RECORDS, WORKSPACES, OutputState, Records, make_of
from app.batch.report import BatchReport, FileReport
from app.core.errors import RecordingError, UserError
from app.core.files import identity, writing
from app.sessions.form import is_session
from app.sessions.plain import to_plain
from model.files import is_file, move_whole
from model.weights import sha256

LOCK = "lock"
REPLACED = "replaced"
"""Folder of outputs that new ones are about to replace."""

log = logging.getLogger(__name__)


class JobRunner(Protocol):
    """Does jobs: processes on this computer, or a cluster."""

    @property
    def workers(self) -> int: ...

    def run(self, jobs: Sequence[Job], stopped: Stopped, progress: RunProgress) -> Iterator[FinishedJob]: ...


class Listener(Protocol):
    """Receives the progress of a run."""

    def begin(self, jobs: Sequence[Job]) -> None:
        """These inputs are going to be tracked."""
        ...

    def progress(self, job: Job, frames: int, total: int | None) -> None:
        """Frames of an input are done, out of ``total`` if that is known."""
        ...

    def end(self, job: Job | None, report: FileReport) -> None:
        """An input is finished; ``job`` is None if it was not to be tracked."""
        ...


OpenRunner = Callable[[Sequence[Job]], JobRunner]


@dataclass(frozen=True, slots=True)
class BatchPlan:
    """What a run is to do.

    Attributes:
        inputs: what is tracked, and words that named nothing.
        folder: for all outputs.
        settings: for all inputs.
        overwrite: replace outputs of other settings or inputs, once the new ones are complete.
    """

    inputs: Inputs
    folder: Path
    settings: BatchSettings
    overwrite: bool = False


def run_batch(plan: BatchPlan, open_runner: OpenRunner, listener: Listener, stopped: Stopped) -> BatchReport:
    """Track the inputs that are not tracked yet, and write the report.

    Args:
        plan: what to do.
        open_runner: returns what does the jobs.
        listener: called on this thread.
        stopped: True ends the run early.

    Raises:
        UserError: for a folder that cannot be used or is used by another run, and for a model that cannot be used.
    """
    weights = _weights_checksum(plan.settings.engine.weights)
    settings = {**to_plain(plan.settings), "weights_sha256": weights}
    report = BatchReport(plan.folder, settings, plan.settings.engine.weights.stem)
    with _exclusive_folder(plan.folder):
        # Left by a run that was killed. A computer of its cluster that still tracks stops when its workspace is gone.
        for left in (WORKSPACES, REPLACED):
            shutil.rmtree(plan.folder / FOLDER / left, ignore_errors=True)
        batch = _Batch(plan, weights, listener, report)
        try:
            batch.do(open_runner, stopped)
        finally:
            _remove_empty(plan.folder / UNFINISHED)
            _remove_empty(plan.folder / PARTS)
            for folder in (RECORDS, REPLACED):
                _remove_empty(plan.folder / FOLDER / folder)
            report.write()
    return report


class _Batch:
    def __init__(self, plan: BatchPlan, weights: str, listener: Listener, report: BatchReport) -> None:
        self._plan = plan
        self._records = Records(plan.folder)
        self._makes = {kind: make_of(plan.settings, kind, weights) for kind in OutputKind}
        self._listener = listener
        self._report = report
        self._parted: dict[Path, PartedJob] = {}

    def do(self, open_runner: OpenRunner, stopped: Stopped) -> None:
        for word, sentence in self._plan.inputs.missing.items():
            self._report_file(None, FileReport(word, JobState.FAILED, error=sentence))
        jobs = self._jobs()
        if not jobs:
            return
        runner = open_runner(jobs)
        self._report.workers = runner.workers
        self._listener.begin(jobs)
        left = {job.name: job for job in jobs}
        started = time.monotonic()
        running = runner.run(jobs, stopped, self._listener.progress)
        try:
            for job, outcome, tries in running:
                del left[job.name]
                self._finish(job, outcome, tries)
                if outcome.fatal:
                    raise UserError(outcome.error)
        finally:
            running.close()  # type: ignore[attr-defined]  # ends the workers at once
            self._report.seconds = time.monotonic() - started
            for job in left.values():
                if not job.part:
                    self._report.files.append(_file_report(job, JobState.WAITING))
            for parted in self._parted.values():  # what is left of it was not begun
                self._report.files.append(_file_report(parted.whole, **_facts(parted.outcome())))

    def _jobs(self) -> list[Job]:
        """Return what is to be tracked; everything else is reported at once."""
        inputs = self._plan.inputs.inputs
        names = output_names(inputs, self._records.names)
        settings = self._plan.settings
        wanted = [
            Job(
                each.path,
                names[each.path],
                settings.picture_kinds if each.pictures else settings.kinds,
                self._plan.folder,
                settings,
                each.pictures,
            )
            for each in inputs
        ]
        known = {identity(path) for job in wanted for path in job.files}
        jobs = []
        for job in wanted:
            try:
                kinds = self._kinds_to_make(job, known)
            except UserError as error:
                self._report_file(None, _file_report(job, JobState.FAILED, error=str(error)))
                continue
            if kinds:
                jobs += self._in_parts(replace(job, kinds=kinds))
            else:
                paths = [str(job.output(kind)) for kind in job.kinds]
                facts = self._records.facts(job)
                self._report_file(None, _file_report(job, JobState.SKIPPED, outputs=paths, **facts))
        return jobs

    def _in_parts(self, job: Job) -> list[Job]:
        """Return what is still to be done of a job: itself, or if it is large, the parts that no run has finished."""
        parted = PartedJob.of(job)
        if parted is None:
            return [job]
        self._parted[job.input] = parted
        left = []
        for part in parted.parts:
            source = SourceIdentity.of(part)
            kinds = [
                kind
                for kind in part.kinds
                if self._records.state(part, kind, source, self._makes[kind]) != OutputState.SAME
            ]
            if kinds:
                left.append(replace(part, kinds=tuple(kinds)))
            else:
                parted.outcomes[part.name] = self._records.outcome(part)
        if parted.ended:
            self._join(parted)
        return left

    def _kinds_to_make(self, job: Job, inputs: set[Hashable]) -> tuple[OutputKind, ...]:
        """Return which of a job's outputs do not exist yet.

        Raises:
            UserError: there is something else where an output is to go, or the input cannot be read.
        """
        source = SourceIdentity.of(job)
        kinds = []
        for kind in job.kinds:
            path = job.output(kind)
            if identity(path) in inputs:
                raise UserError(f"{path} is an input, which stays untouched; choose another output folder.")
            state = self._records.state(job, kind, source, self._makes[kind])
            made = {
                OutputState.OTHER_SETTINGS: "with another model or other settings",
                OutputState.OTHER_VIDEO: f"from {'other pictures' if job.pictures else 'another version'} of "
                f"{job.input.name}",
            }
            if state in made and not self._plan.overwrite:
                raise UserError(f"{path} was made {made[state]}; choose another output folder, or give --overwrite.")
            replaceable = is_session(path) if kind == OutputKind.SESSION else is_file(path)
            if state == OutputState.FOREIGN and not (self._plan.overwrite and replaceable):
                advice = ", or give --overwrite" if replaceable else ""
                raise UserError(
                    f"{path} was not written by a run, or was changed since; choose another folder{advice}."
                )
            if state != OutputState.SAME:
                kinds.append(kind)
        return tuple(kinds)

    def _finish(self, job: Job, outcome: Outcome, tries: int) -> None:
        """Move the outputs of a finished job into place, and report it."""
        if outcome.details:
            log.info("%s", outcome.details)
        self._report.frames += outcome.frames
        outcome = self._published(job, outcome)
        file = self._outputs_report(job, outcome, tries)
        if not job.part:
            self._report_file(job, file)
            return
        self._listener.end(job, replace(file, video=f"{job.input} ({job.part})"))
        parted = self._parted[job.input]
        parted.outcomes[job.name] = outcome
        parted.tries = max(tries, parted.tries)
        if parted.ended:
            self._join(parted)

    def _join(self, parted: PartedJob) -> None:
        """Put the outputs of a job whose parts have all ended together, and report it."""
        job, outcome = self._parted.pop(parted.whole.input).whole, parted.outcome()
        if outcome.state == JobState.DONE and not outcome.frames:
            outcome = replace(outcome, state=JobState.FAILED, error=f"{job.input} holds no pictures that can be read.")
        if outcome.state == JobState.DONE:
            try:
                outcome = self._published(job, replace(outcome, source=parted.join()))
            except UserError as error:
                outcome = replace(outcome, state=JobState.FAILED, error=str(error))
        if outcome.state == JobState.DONE:
            for part, kind in itertools.product(parted.parts, job.kinds):
                self._records.forget(part, kind)
                _remove(part.output(kind))
        file = self._outputs_report(job, outcome, parted.tries)
        self._report.files.append(file)
        self._listener.end(None, replace(file, remarks=[]))  # the parts' lines have them

    def _published(self, job: Job, outcome: Outcome) -> Outcome:
        """Move the outputs of a job into place if it is done; return what became of it then."""
        if outcome.state == JobState.DONE:
            try:
                for kind in job.kinds:
                    self._publish(job, kind, outcome)
            except RecordingError as error:
                return replace(outcome, state=JobState.FAILED, error=str(error))
        return outcome

    @staticmethod
    def _outputs_report(job: Job, outcome: Outcome, tries: int) -> FileReport:
        kept = [job.output(kind) if outcome.state == JobState.DONE else job.unfinished(kind) for kind in job.kinds]
        outputs = [str(path) for path in kept if path.exists()]
        return _file_report(job, outputs=outputs, tries=tries, **_facts(outcome))

    def _publish(self, job: Job, kind: OutputKind, outcome: Outcome) -> None:
        """Move an output into place; at no time does a record describe another output than the one that is there."""
        path = job.output(kind)
        with writing(path):
            aside = self._put_aside(path)
            self._records.forget(job, kind)
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                self._records.keep(job, kind, outcome, self._makes[kind])
                move_whole(job.unfinished(kind), path)
            except BaseException:
                self._records.forget(job, kind)
                if aside is not None:
                    aside.replace(path)
                raise
        if aside is not None:
            _remove(aside)

    def _put_aside(self, path: Path) -> Path | None:
        """Move what is at ``path``, and return where to; None if there is nothing.

        A folder is moved as a whole or not at all. Removed in its place it would lose files, where Windows lets nobody
        remove one that another program has open.
        """
        if not os.path.lexists(path):
            return None
        aside = self._plan.folder / FOLDER / REPLACED / uuid4().hex
        aside.parent.mkdir(parents=True, exist_ok=True)
        path.replace(aside)
        return aside

    def _report_file(self, job: Job | None, file: FileReport) -> None:
        self._report.files.append(file)
        self._listener.end(job, file)


@contextmanager
def _exclusive_folder(folder: Path) -> Iterator[None]:
    """Create the folder, and lock other runs out of it."""
    if is_session(folder):
        raise UserError(f"{folder} is a session; choose another folder for the outputs.")
    with ExitStack() as stack:
        with writing(folder):
            (folder / FOLDER).mkdir(parents=True, exist_ok=True)
            try:
                stack.enter_context(FileLock(folder / FOLDER / LOCK, blocking=False))
            except Timeout as error:
                raise UserError(
                    f"Another run writes into {folder}; wait until it has ended, or choose another output folder."
                ) from error
        yield


def _file_report(job: Job, state: JobState, **facts: Any) -> FileReport:
    return FileReport(str(job.input), state, pictures=len(job.pictures), **facts)


def _facts(outcome: Outcome) -> dict[str, Any]:
    """Return what a report says of an outcome."""
    facts = {name: value for name, value in asdict(outcome).items() if name in FileReport.__dataclass_fields__}
    return facts | {"remarks": list(outcome.remarks)}


def _weights_checksum(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(
            f"The weights {path} cannot be read: {error.strerror or error}; give a .safetensors file."
        ) from error


def _remove(path: Path) -> None:
    """Remove a file or a folder as far as the system lets that be done."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


def _remove_empty(folder: Path) -> None:
    """Remove a folder and the folders in it as far as they are empty."""
    for path, _, _ in os.walk(folder, topdown=False):
        with suppress(OSError):
            os.rmdir(path)
