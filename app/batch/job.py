"""What is done with one of many inputs, and what became of it. Light to import and to send to other processes."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from app.core.errors import UserError
from app.core.settings import EngineSettings, TrackingSettings
from app.sessions.plan import VideoCopy
from model.weights import sha256

UNFINISHED = "unfinished"
"""Folder below the outputs in which an input's outputs grow; they are moved out of it when they are complete."""


SHARE = 200
"""Most pictures of a folder in one job: a minute or two of one core, against a second in which a worker opens the
model."""


class OutputKind(StrEnum):
    """What can be written for an input."""

    SESSION = "session"
    VIDEO = "video"
    """An annotated copy of a video."""
    PICTURES = "pictures"
    """A folder with annotated copies of pictures."""
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def ending(self) -> str:
        """What follows the job's name in the name of the output."""
        others = {
            OutputKind.SESSION: "",
            OutputKind.VIDEO: "_landmarks.mp4",
            OutputKind.PICTURES: "_landmarks",
        }
        return others.get(self, f".{self}")


VIDEO_KINDS = (OutputKind.SESSION, OutputKind.VIDEO, OutputKind.CSV, OutputKind.PARQUET)
"""What can be written for a video."""
PICTURE_KINDS = (OutputKind.PICTURES, OutputKind.CSV, OutputKind.PARQUET)
"""What can be written for the pictures of a folder."""


class JobState(StrEnum):
    """What became of an input; a job that has run is done, stopped or failed."""

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
    """What is the same for all inputs.

    Attributes:
        kinds: what is written for a video.
        picture_kinds: what is written for the pictures of a folder.
        tracking: how faces are tracked.
        engine: which model runs; None for its threads lets the worker decide.
        copy: as in :class:`app.batch.track.TrackRequest`.
        audio: as in :class:`app.batch.track.TrackRequest`.
    """

    kinds: tuple[OutputKind, ...] = (OutputKind.SESSION,)
    picture_kinds: tuple[OutputKind, ...] = (OutputKind.CSV,)
    tracking: TrackingSettings = TrackingSettings()  # noqa: RUF009  (frozen)
    engine: EngineSettings = EngineSettings()  # noqa: RUF009
    copy: VideoCopy | None = None
    audio: bool = True


@dataclass(frozen=True, slots=True)
class Job:
    """One input's part of a run.

    Attributes:
        input: absolute path of the video, or of the folder that the pictures lie in.
        name: of its outputs, below ``folder``, with / between folders.
        kinds: outputs to make.
        folder: where all outputs go.
        settings: of the run.
        pictures: to be tracked, each on its own; none for a video.
        workspace: folder in which the outputs grow; None for the one of all jobs, which :data:`UNFINISHED` names.
        part: "2 of 5" for a part of the pictures; see :mod:`app.batch.parts`.
    """

    input: Path
    name: str
    kinds: tuple[OutputKind, ...]
    folder: Path
    settings: BatchSettings
    pictures: tuple[Path, ...] = ()
    workspace: Path | None = None
    part: str = ""

    @property
    def title(self) -> str:
        """For display."""
        return f"{self.input.name} ({self.part})" if self.part else self.name

    @property
    def files(self) -> tuple[Path, ...]:
        """What is read: the video, or the pictures."""
        return self.pictures or (self.input,)

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
    """What tells whether a video, or the pictures of a folder, are still the same.

    Attributes:
        size: in bytes, of all files.
        modified: time of the last change, nanoseconds.
        sha256: of the content; None if it was not read. See :func:`content_checksum`.
        names: of pictures the SHA-256 of their names; "" for a video.
    """

    size: int
    modified: int
    sha256: str | None = None
    names: str = ""

    @classmethod
    def of(cls, job: Job) -> SourceIdentity:
        """Ask the file system about a job's input; nothing is read.

        Raises:
            UserError: a file is not there, or its folder cannot be read.
        """
        found = []
        for path in job.files:
            try:
                found.append(path.stat())
            except OSError as error:
                raise UserError(f"{path} cannot be read: {error.strerror or error}; check the file.") from error
        names = "\0".join(path.name for path in job.pictures)
        return cls(
            sum(each.st_size for each in found),
            max(each.st_mtime_ns for each in found),
            names=hashlib.sha256(os.fsencode(names)).hexdigest() if names else "",
        )


def content_checksum(job: Job) -> str:
    """Return the SHA-256 of a job's video; for pictures, of theirs.

    Raises:
        OSError: a file cannot be read.
    """
    if not job.pictures:
        return sha256(job.input)
    shares = [joint_checksum([sha256(path) for path in share]) for share in shares_of(job.pictures)]
    return joint_checksum(shares) if len(shares) > 1 else shares[0]


def joint_checksum(checksums: Iterable[str]) -> str:
    """Return the SHA-256 of others, one a line."""
    return hashlib.sha256("".join(f"{each}\n" for each in checksums).encode("ascii")).hexdigest()


def shares_of(pictures: Sequence[Path]) -> tuple[tuple[Path, ...], ...]:
    """Divide the pictures of a folder into shares of about the same size, :data:`SHARE` at most."""
    count = -(-len(pictures) // SHARE)
    bounds = [len(pictures) * each // count for each in range(count + 1)]
    return tuple(tuple(pictures[start:end]) for start, end in itertools.pairwise(bounds))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job.

    Attributes:
        state: done, stopped or failed.
        error: one sentence if it failed.
        source: what was tracked.
        frames: frames or pictures tracked.
        with_face: those with at least one face.
        faces: number of identities seen; of pictures, of faces in all of them.
        without_face: names of pictures that show no face.
        unreadable: sentences about pictures that could not be read, by name.
        evaluations: of the model, over all frames and faces.
        seconds: time that tracking took.
        engine: library and device that ran.
        remarks: sentences about what could not be read or copied.
        fatal: every other input would fail in the same way.
        details: the traceback of an unexpected error, for the log.
    """

    state: JobState
    error: str = ""
    source: SourceIdentity | None = None
    frames: int = 0
    with_face: int = 0
    faces: int = 0
    without_face: tuple[str, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)
    evaluations: int = 0
    seconds: float = 0.0
    engine: str = ""
    remarks: tuple[str, ...] = ()
    fatal: bool = False
    details: str = ""


Stopped = Callable[[], bool]
"""Whether the person has stopped the run."""
FrameProgress = Callable[[int, int | None], None]
"""Called with the number of frames done and the number that there will be, None if unknown."""
Work = Callable[[Job, Stopped, FrameProgress], Outcome]
"""Does a job; importable by name, since other processes run it."""
