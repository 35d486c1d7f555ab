"""What is done with one of many videos, and what became of it. Light to import and to send to other processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from app.core.errors import UserError
from app.core.settings import EngineSettings, TrackingSettings
from app.sessions.plan import VideoCopy

UNFINISHED = "unfinished"
"""Folder below the outputs in which a video's outputs grow; they are moved out of it when they are complete."""


class OutputKind(StrEnum):
    """What can be written for a video."""

    SESSION = "session"
    VIDEO = "video"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def ending(self) -> str:
        """What follows the job's name in the name of the output."""
        return {OutputKind.SESSION: "", OutputKind.VIDEO: "_landmarks.mp4"}.get(self, f".{self}")


class JobState(StrEnum):
    """What became of a video; a job that has run is done, stopped or failed."""

    DONE = "done"
    """Everything is written."""
    SKIPPED = "skipped"
    """Its outputs were there already."""
    STOPPED = "stopped"
    """The person stopped the run while it was being tracked."""
    WAITING = "waiting"
    """The person stopped the run before it was begun."""
    FAILED = "failed"
    """An error ended it."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What is the same for all videos.

    Attributes:
        kinds: what is written.
        tracking: how faces are tracked.
        engine: which model runs; None for its threads lets the worker decide.
        copy: as in :class:`app.batch.track.TrackRequest`.
        audio: as in :class:`app.batch.track.TrackRequest`.
    """

    kinds: tuple[OutputKind, ...] = (OutputKind.SESSION,)
    tracking: TrackingSettings = TrackingSettings()  # noqa: RUF009  (frozen)
    engine: EngineSettings = EngineSettings()  # noqa: RUF009
    copy: VideoCopy | None = None
    audio: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """One input's part of a run.

    Attributes:
        input: absolute path of the video.
        name: of its outputs, below ``folder``, with / between folders.
        kinds: outputs to make.
        folder: where all outputs go.
        settings: of the run.
        workspace: folder in which the outputs grow; None for the one of all jobs, which :data:`UNFINISHED` names.
    """

    input: Path
    name: str
    kinds: tuple[OutputKind, ...]
    folder: Path
    settings: BatchSettings
    workspace: Path | None = None

    def output(self, kind: OutputKind) -> Path:
        """Return where a finished output is."""
        return self.folder / f"{self.name}{kind.ending}"

    def unfinished(self, kind: OutputKind) -> Path:
        """Return where an output grows."""
        return (self.workspace or self.folder / UNFINISHED) / f"{self.name}{kind.ending}"

    def with_threads(self, threads: int) -> Job:
        """Return the same job for an engine with that many threads, unless the person chose a number."""
        engine = self.settings.engine
        if engine.threads is not None:
            return self
        return replace(self, settings=replace(self.settings, engine=replace(engine, threads=threads)))


@dataclass(frozen=True, slots=True)
class SourceIdentity:
    """What tells whether a file is still the same.

    Attributes:
        size: in bytes.
        modified: time of the last change, nanoseconds.
        sha256: None if the file was not read.
    """

    size: int
    modified: int
    sha256: str | None = None

    @classmethod
    def of(cls, path: Path) -> SourceIdentity:
        """Ask the file system; the file is not read.

        Raises:
            UserError: it is not there, or cannot be read.
        """
        try:
            found = path.stat()
        except OSError as error:
            raise UserError(f"{path} cannot be read: {error.strerror or error}; check the file.") from error
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Attributes:
        state: done, stopped or failed.
        error: one sentence if it failed.
        source: the file that was tracked.
        frames: frames tracked.
        with_face: those with at least one face.
        faces: number of identities seen.
        evaluations: of the model, over all frames and faces.
        seconds: time that tracking took.
        engine: library and device that ran.
        remarks: sentences about what could not be read or copied.
        fatal: every other video would fail in the same way.
        details: the traceback of an unexpected error, for the log.
    """

    state: JobState
    error: str = ""
    source: SourceIdentity | None = None
    frames: int = 0
    with_face: int = 0
    faces: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    engine: str = ""
    remarks: tuple[str, ...] = ()
    fatal: bool = False
    details: str = ""


Stopped = Callable[[], bool]
"""Whether the person has stopped the run."""
JobProgress = Callable[[int, int | None], None]
"""Called with the number of frames done and the number that there will be, None if unknown."""
Work = Callable[[Job, Stopped, JobProgress], Outcome]
"""Does a job; importable by name, since other processes run it."""
