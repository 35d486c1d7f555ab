"""What is done with one of many videos, and what became of it. Light to import and easy to send to other processes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.settings import EngineSettings, TrackingSettings

SESSION, VIDEO, CSV, PARQUET = "session", "video", "csv", "parquet"
KINDS = (SESSION, VIDEO, CSV, PARQUET)
"""Kinds of output."""
ENDINGS = {SESSION: "", VIDEO: "_landmarks.mp4", CSV: ".csv", PARQUET: ".parquet"}
UNFINISHED = "unfinished"
"""Folder below the outputs in which a video's outputs grow; they leave it when they are whole."""

DONE, STOPPED, FAILED = "done", "stopped", "failed"
"""States of an outcome: everything written; ended by the person; ended by an error."""


@dataclass(frozen=True, slots=True)
class BatchSettings:
    """What is the same for all videos.

    Attributes:
        kinds: what is written, some of :data:`KINDS`.
        tracking: how faces are followed.
        engine: which model runs; None for its threads leaves them to the worker.
        copy: as in :class:`app.batch.one.TrackRequest`.
        audio: the same.
    """

    kinds: tuple[str, ...] = (SESSION,)
    tracking: TrackingSettings = TrackingSettings()  # noqa: RUF009  (frozen)
    engine: EngineSettings = EngineSettings()  # noqa: RUF009
    copy: str | None = None
    audio: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """One video's part of a run.

    Attributes:
        video: absolute path.
        name: of its outputs, below ``folder``, with / between folders.
        kinds: outputs to make.
        folder: where all outputs go.
        settings: of the run.
    """

    video: Path
    name: str
    kinds: tuple[str, ...]
    folder: Path
    settings: BatchSettings

    def output(self, kind: str) -> Path:
        """Where an output ends up."""
        return self.folder / f"{self.name}{ENDINGS[kind]}"

    def unfinished(self, kind: str) -> Path:
        """Where it grows."""
        return self.folder / UNFINISHED / f"{self.name}{ENDINGS[kind]}"

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
        sha256: None where it was not read.
    """

    size: int
    modified: int
    sha256: str | None = None

    @classmethod
    def of(cls, path: Path) -> SourceIdentity:
        """Ask the file system; the file is not read.

        Raises:
            OSError: it is not there.
        """
        found = path.stat()
        return cls(found.st_size, found.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Attributes:
        state: :data:`DONE`, :data:`STOPPED` or :data:`FAILED`.
        error: one sentence where it failed.
        source: the file that was tracked.
        frames: frames tracked.
        with_face: of them with at least one face.
        faces: identities seen.
        evaluations: of the model, over all frames and faces.
        seconds: time that tracking took.
        engine: library and device that ran.
        remarks: sentences about what could not be read or copied.
        hopeless: the error would meet every other video, too.
        details: the traceback of an unexpected error, for the log.
    """

    state: str
    error: str = ""
    source: SourceIdentity | None = None
    frames: int = 0
    with_face: int = 0
    faces: int = 0
    evaluations: int = 0
    seconds: float = 0.0
    engine: str = ""
    remarks: tuple[str, ...] = ()
    hopeless: bool = False
    details: str = ""


Stopped = Callable[[], bool]
Tell = Callable[[int, int | None], None]
"""Told how many frames are done and how many there will be, if that is known."""
Work = Callable[[Job, Stopped, Tell], Outcome]
"""Does a job; importable by name, since other processes run it."""
