"""What became of every input of a run: lines for the terminal, and a JSON file for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from app.batch.job import JobState
from app.core.files import write_json
from app.core.text_table import counted, listed
from app.core.version import VERSION
from app.sessions.metadata import now

REPORT = "batch.json"
FORMAT = "ldeq-live batch"
FORM = 1


@dataclass(slots=True)
class FileReport:
    """What became of one input.

    Attributes:
        video: path of the video or of the folder of pictures, or the word that led to none.
        state: what became of it.
        outputs: paths of what is there now; of an input that was stopped or failed, what was begun.
        error: one sentence if it failed.
        tries: how often it was begun in this run.
        pictures: how many of the folder were to be tracked; 0 for a video.

    The others are those of :class:`app.batch.job.Outcome`.
    """

    video: str
    state: JobState
    outputs: list[str] = field(default_factory=list)
    error: str = ""
    frames: int = 0
    with_face: int = 0
    faces: int = 0
    without_face: tuple[str, ...] = ()
    unreadable: dict[str, str] = field(default_factory=dict)
    evaluations: int = 0
    seconds: float = 0.0
    engine: str = ""
    remarks: list[str] = field(default_factory=list)
    tries: int = 0
    pictures: int = 0

    @property
    def line(self) -> str:
        """One line for the terminal."""
        if self.state == JobState.FAILED:
            return self.error
        speed = f", {frame_rate(self.frames / self.seconds, self.pictures > 0)}" if self.seconds > 0 else ""
        again = f", after {self.tries} tries" if self.tries > 1 else ""
        share = f"a face in {self.with_face} of them" if self.with_face else "no face"
        if self.with_face and self.without_face:
            share += f" (none in {listed(self.without_face)})"
        faces = f", {share}" if self.with_face < self.frames else ""
        faces += f", {self.faces} {'faces' if self.pictures else 'identities'}" if self.faces > 1 else ""
        remarks = "".join(f"; {remark}" for remark in self.remarks)
        frames = counted(self.frames, "picture") if self.pictures else f"{self.frames} frames"
        return f"{self.video}: {self.state}, {frames}{speed}{again}{faces}{remarks}"


@dataclass(slots=True)
class BatchReport:
    """What became of all of them.

    Attributes:
        folder: of the outputs.
        workers: how many inputs were tracked at once; 0 if there was nothing to do.
        settings: of the run, as plain JSON.
        model: its name.
        frames: frames and pictures tracked in this run.
        started: UTC, ISO 8601.
        seconds: that tracking took, from the start of the first worker.
    """

    folder: Path
    settings: dict[str, Any]
    model: str
    workers: int = 0
    files: list[FileReport] = field(default_factory=list)
    frames: int = 0
    started: str = field(default_factory=now)
    seconds: float = 0.0

    @property
    def counts(self) -> Counter[JobState]:
        """How many inputs are in which state."""
        return Counter(file.state for file in self.files)

    @property
    def failed(self) -> list[FileReport]:
        """Inputs that failed."""
        return [file for file in self.files if file.state == JobState.FAILED]

    def lines(self) -> list[str]:
        """Return the summary, a line each."""
        counts = self.counts
        parts = [f"{counts[state]} {state}" for state in JobState if counts[state]]
        what = noun(file.pictures > 0 for file in self.files)
        lines = [f"{counted(len(self.files), what)}: {', '.join(parts)}"] if parts else []
        if self.frames:
            pictures = what == "folder"
            speed = f" ({frame_rate(self.frames / self.seconds, pictures)})" if self.seconds > 0 else ""
            engines = ", ".join(
                sorted({file.engine for file in self.files if file.engine and file.state != JobState.SKIPPED})
            )
            ran = f"{counted(self.workers, 'worker')}, {self.model} on {engines}"
            frames = counted(self.frames, "picture") if pictures else f"{self.frames} frames"
            lines.append(f"{frames} in {self.seconds:.1f} s{speed}, {ran}")
        if counts[JobState.STOPPED] or counts[JobState.WAITING]:
            lines.append("Run the same command again to continue; what was stopped starts from the beginning.")
        return lines

    def write(self) -> Path:
        """Write the report beside the outputs and return its path.

        Raises:
            RecordingError: it cannot be written.
        """
        path = self.folder / REPORT
        values = {
            "format": FORMAT,
            "version": FORM,
            "application": VERSION,
            "started": self.started,
            "ended": now(),
            "seconds": round(self.seconds, 3),
            "workers": self.workers,
            "settings": self.settings,
            "counts": dict(self.counts),
            "frames": self.frames,
            "files": [asdict(file) for file in self.files],
        }
        write_json(path, values)
        return path


def noun(of_pictures: Iterable[bool]) -> str:
    """Return what inputs are called that are videos, or folders of pictures."""
    kinds = set(of_pictures)
    return "input" if len(kinds) > 1 else "folder" if True in kinds else "video"


def frame_rate(rate: float, pictures: bool) -> str:
    """Return a speed in words: frames of videos, or pictures, per second."""
    return f"{rate:.1f} {'per second' if pictures else 'fps'}"
