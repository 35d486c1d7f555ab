"""Tracks one of many inputs, in whatever process it is called. It raises no exceptions."""

from __future__ import annotations

import logging
import shutil
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import cv2

from app.batch.job import (
    FrameProgress,
    Job,
    JobState,
    Outcome,
    OutputKind,
    SourceIdentity,
    Stopped,
    content_checksum,
)
from app.batch.track import BuildPipeline, TrackRequest, UnusableModel, refuse_session, track_input
from app.core.errors import UserError
from app.core.files import writing
from app.media.outputs import OutputPlan
from app.sessions.metadata import read_metadata
from app.sources.base import Source
from app.sources.images import open_photos
from app.sources.open import open_source
from app.sources.spec import PathSpec, SourceSpec
from app.tracking.pipeline import build_pipeline

PROGRESS_SECONDS = 0.25
"""Shortest time between two calls of ``progress``."""


def track_job(
    job: Job, stopped: Stopped, progress: FrameProgress, build_pipeline: BuildPipeline = build_pipeline
) -> Outcome:
    """Track a job's input into its unfinished outputs, as ``track`` would; pictures as photos.

    Args:
        job: what to do.
        stopped: True ends the job, with every output closed properly.
        progress: called a few times a second.
        build_pipeline: as in :func:`app.batch.track.track_input`.
    """
    threads = job.settings.engine.threads
    if threads is not None:
        cv2.setNumThreads(threads)  # the workers share the cores
    with _warnings() as warnings:
        outcome = _outcome(job, stopped, progress, build_pipeline)
    return replace(outcome, remarks=(*outcome.remarks, *dict.fromkeys(warnings)))


def _outcome(job: Job, stopped: Stopped, progress: FrameProgress, build_pipeline: BuildPipeline) -> Outcome:
    try:
        return _track(job, stopped, progress, build_pipeline)
    except UserError as error:
        return Outcome(JobState.FAILED, str(error), fatal=isinstance(error, UnusableModel))
    except MemoryError:
        return Outcome(JobState.FAILED, f"There is not enough memory for {job.input}; use fewer --workers.")
    except Exception as error:  # one input must not stop the others
        reason = (str(error).splitlines() or [""])[0]
        what = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
        sentence = f"{job.input} could not be tracked because of an unexpected error ({what})."
        return Outcome(JobState.FAILED, sentence, details=traceback.format_exc())


def _track(job: Job, stopped: Stopped, progress: FrameProgress, build_pipeline: BuildPipeline) -> Outcome:
    refuse_session(PathSpec(str(job.input)))
    source = SourceIdentity.of(job)
    request = _request(job)
    _clear(job)
    request.plan.check(job.files)

    def open_input(spec: SourceSpec) -> Source:
        return open_photos(job.pictures, job.input.name) if job.pictures else open_source(spec)

    tracked = track_input(
        request,
        stopped=stopped,
        progress=_throttled(progress),
        open_source=open_input,
        build_pipeline=build_pipeline,
    )
    report = tracked.report
    outcome = Outcome(
        JobState.STOPPED,
        frames=report.frames,
        with_face=report.with_face,
        faces=len(report.faces),
        without_face=tuple(job.pictures[index].name for index in report.photos_without) if job.pictures else (),
        unreadable={path.name: why for path, why in tracked.unreadable.items()},
        evaluations=report.evaluations,
        seconds=tracked.seconds,
        engine=tracked.engine,
        remarks=tuple(tracked.remarks),
    )
    if tracked.problem is not None:
        return replace(outcome, state=JobState.FAILED, error=str(tracked.problem))
    if not tracked.complete:
        return outcome
    if not (report.frames or job.part):  # other parts may hold some
        return replace(outcome, state=JobState.FAILED, error=f"{job.input} holds no pictures that can be read.")
    whole = replace(source, sha256=_checksum(job))
    if SourceIdentity.of(job) != source:
        return replace(
            outcome, state=JobState.FAILED, error=f"{job.input} was changed while it was tracked; start again."
        )
    return replace(outcome, state=JobState.DONE, source=whole)


def _request(job: Job) -> TrackRequest:
    settings = job.settings
    paths = {kind: job.unfinished(kind) for kind in job.kinds}
    tables = tuple(paths[kind] for kind in (OutputKind.CSV, OutputKind.PARQUET) if kind in paths)
    source = PathSpec(str(job.input))
    view = paths.get(OutputKind.PICTURES if job.pictures else OutputKind.VIDEO)
    plan = OutputPlan(view, tables, False, job.pictures, paths.get(OutputKind.SESSION))
    return TrackRequest(source, plan, settings.tracking, settings.engine, settings.copy, settings.audio)


def _clear(job: Job) -> None:
    """Remove what an earlier run has begun."""
    for kind in job.kinds:
        path = job.unfinished(kind)
        with writing(path):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            (path if kind == OutputKind.PICTURES else path.parent).mkdir(parents=True, exist_ok=True)


def _checksum(job: Job) -> str | None:
    """Return the input's checksum, which a session that refers to its video has computed already."""
    if OutputKind.SESSION in job.kinds:
        video = read_metadata(job.unfinished(OutputKind.SESSION)).video
        if video is not None and not video.inside:
            return video.sha256
    try:
        return content_checksum(job)
    except OSError:
        return None


def _throttled(progress: FrameProgress) -> FrameProgress:
    """Return ``progress``, but called a few times a second at most."""
    last = -PROGRESS_SECONDS

    def throttled(frames: int, total: int | None) -> None:
        nonlocal last
        now = time.monotonic()
        if frames == 0 or now - last >= PROGRESS_SECONDS:
            last = now
            progress(frames, total)

    return throttled


class _Warnings(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage().splitlines()[0])


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """Collect messages logged as warnings or errors, since a worker has no terminal."""
    handler = _Warnings()
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler.texts
    finally:
        root.removeHandler(handler)
