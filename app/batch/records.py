"""What each finished output was made from, in a small file of its own, so that the next run can skip it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.batch.job import BatchSettings, Job, JobState, Outcome, OutputKind, SourceIdentity, content_checksum
from app.core.files import make_folder, write_json, writing
from app.core.version import VERSION
from app.sessions.form import SessionError, SessionState, is_session
from app.sessions.metadata import read_metadata
from app.sessions.plain import to_plain
from model.json_files import JsonError, from_plain, read_object

FOLDER = ".batch"
RECORDS = "records"
PARTS = f"{FOLDER}/parts"
"""Folder of the outputs of parts; see :mod:`app.batch.parts`."""
WORKSPACES = "cluster"
"""Folder of a run on a cluster. Every try of a job has a workspace of its own in it: two never write the same file."""
FORMAT = "ldeq-live batch record"
FORM = 1


FACTS = ("frames", "with_face", "faces", "without_face", "unreadable", "evaluations", "engine")
"""What a record keeps of the outcome."""


class OutputState(StrEnum):
    """What is found where an output is to go."""

    NOTHING = "nothing"
    SAME = "same"
    """Exactly what this run would write."""
    OTHER_SETTINGS = "other settings"
    """An output of other settings, or of another model."""
    OTHER_VIDEO = "other video"
    """An output of another version of the video, or of other pictures."""
    FOREIGN = "foreign"
    """Something that no run has written, or that was changed since."""


@dataclass(frozen=True, slots=True)
class Record:
    """One finished output.

    Attributes:
        name: the job's.
        kind: of output.
        video: absolute path of its source: a video, or a folder of pictures.
        source: the source as it was.
        make: everything else that determines the output.
        size: of the output in bytes; None for a session.

    The others are those of :class:`app.batch.job.Outcome`.
    """

    name: str
    kind: OutputKind
    video: str
    source: SourceIdentity
    make: dict[str, Any]
    size: int | None
    frames: int = 0
    with_face: int = 0
    faces: int = 0
    without_face: tuple[str, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)
    evaluations: int = 0
    engine: str = ""


def make_of(settings: BatchSettings, kind: OutputKind, weights_sha256: str) -> dict[str, Any]:
    """Return everything but the input that determines an output of that kind, as plain JSON."""
    engine = settings.engine
    make = {
        "weights": weights_sha256,
        "tracking": to_plain(settings.tracking),
        "engine": engine.engine,
        "device": engine.device,
    }
    if engine.symmetric:  # records of before there was a choice still hold without it
        make["symmetric"] = True
    if kind == OutputKind.SESSION:
        make["copy"] = settings.copy
    elif kind == OutputKind.VIDEO:
        make["audio"] = settings.audio
    return make


class Records:
    """The records of a folder of outputs. Used by one run at a time, which holds the folder's lock."""

    def __init__(self, folder: Path) -> None:
        """Read the records; damaged ones are ignored."""
        self._folder = folder
        self._records = {(record.name, record.kind): record for record in _read_all(folder / FOLDER / RECORDS)}

    @property
    def names(self) -> dict[str, str]:
        """Names of outputs by the path of their input."""
        return {
            record.video: record.name for record in self._records.values() if not record.name.startswith(f"{PARTS}/")
        }

    def outcome(self, job: Job) -> Outcome:
        """Return what became of a job whose outputs are all recorded."""
        source = self._records[job.name, job.kinds[0]].source
        return Outcome(JobState.DONE, source=source, **self.facts(job))

    def facts(self, job: Job) -> dict[str, Any]:
        """Return what the recorded outputs of a job say about it, by the names that a report has for it."""
        found = [self._records.get((job.name, kind)) for kind in OutputKind]
        longest = max((record for record in found if record is not None), key=lambda each: each.frames, default=None)
        return {} if longest is None else {name: getattr(longest, name) for name in FACTS}

    def state(self, job: Job, kind: OutputKind, source: SourceIdentity, make: dict[str, Any]) -> OutputState:
        """Return what is found where one of a job's outputs is to go.

        Args:
            job: whose output it is.
            kind: of output.
            source: the input now.
            make: from :func:`make_of`.
        """
        path, record = job.output(kind), self._records.get((job.name, kind))
        if not os.path.lexists(path):
            return OutputState.NOTHING
        if record is None or record.video != str(job.input) or not _is_whole(path, record):
            return OutputState.FOREIGN
        if record.make != make:
            return OutputState.OTHER_SETTINGS
        return OutputState.SAME if _is_same(job, source, record.source) else OutputState.OTHER_VIDEO

    def forget(self, job: Job, kind: OutputKind) -> None:
        """Remove a record, before its output is replaced."""
        self._records.pop((job.name, kind), None)
        path = self._path(job.name, kind)
        with writing(path):
            path.unlink(missing_ok=True)

    def keep(self, job: Job, kind: OutputKind, outcome: Outcome, make: dict[str, Any]) -> None:
        """Write the record of an output that is about to take its place.

        Raises:
            RecordingError: it cannot be written.
        """
        assert outcome.source is not None
        path = job.unfinished(kind)
        size = None if kind == OutputKind.SESSION else _size(path)
        video = str(job.input)
        facts = {name: getattr(outcome, name) for name in FACTS}
        record = Record(job.name, kind, video, outcome.source, make, size, **facts)
        self._records[job.name, kind] = record
        head = {"format": FORMAT, "form": FORM, "made by": VERSION}
        path = self._path(job.name, kind)
        make_folder(path.parent)
        write_json(path, head | to_plain(record))

    def _path(self, name: str, kind: OutputKind) -> Path:
        return self._folder / FOLDER / RECORDS / f"{name}{kind.ending}.json"


def _read_all(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.rglob("*.json")):
        try:
            values = read_object(path)
            if values.get("format") != FORMAT or values.get("form") != FORM:
                continue
            yield from_plain(Record, values)
        except (OSError, JsonError):
            continue  # without a record its output counts as foreign, and is left alone


def _is_whole(path: Path, record: Record) -> bool:
    """Whether the output is complete and as it was written."""
    if record.kind != OutputKind.SESSION:
        return path.is_dir() == (record.kind == OutputKind.PICTURES) and _size(path) == record.size
    try:
        return is_session(path) and read_metadata(path).state == SessionState.COMPLETE
    except SessionError:
        return False


def _size(path: Path) -> int:
    """Return the bytes of a file, or of the files in a folder."""
    return sum(each.stat().st_size for each in (path.iterdir() if path.is_dir() else (path,)))


def _is_same(job: Job, now: SourceIdentity, before: SourceIdentity) -> bool:
    """Whether the input is the one that was tracked; it is read only if a time stamp has changed."""
    if now == replace(before, sha256=None):
        return True
    if (now.size, now.names) != (before.size, before.names) or before.sha256 is None:
        return False
    try:
        return content_checksum(job) == before.sha256
    except OSError:
        return False
