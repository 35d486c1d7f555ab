"""Large folders of pictures in parts: all workers share one folder, and an interruption costs a part at most.

A part is a job whose outputs lie in a hidden folder. When all parts of a folder are done, theirs become those of the
whole: the same rows as one job would have written, and in CSV the same bytes.
"""

from __future__ import annotations

import csv
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from app.batch.job import Job, JobState, Outcome, OutputKind, SourceIdentity, joint_checksum, shares_of
from app.batch.records import PARTS
from app.core.errors import UserError
from app.core.files import writing
from app.media.tables import parquet_writer
from app.sources.images import PHOTO_SECONDS


@dataclass(slots=True)
class PartedJob:
    """A job that is done in parts.

    Attributes:
        whole: the job.
        parts: jobs with a share of the pictures each, in their order.
        outcomes: of the parts that have ended, by name.
        tries: the most that a part took.
    """

    whole: Job
    parts: tuple[Job, ...]
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    tries: int = 0

    @classmethod
    def of(cls, job: Job) -> PartedJob | None:
        """Divide a job; return None if it is small enough."""
        shares = shares_of(job.pictures) if job.pictures else ()
        if len(shares) < 2:
            return None
        parts = tuple(
            replace(job, name=f"{PARTS}/{job.name}/{number}", pictures=share, part=f"{number} of {len(shares)}")
            for number, share in enumerate(shares, 1)
        )
        return cls(job, parts)

    @property
    def ended(self) -> bool:
        """Whether all parts have."""
        return len(self.outcomes) == len(self.parts)

    def outcome(self) -> Outcome:
        """Return what became of the whole, so far as parts have ended; the first that failed says why."""
        found = [self.outcomes[part.name] for part in self.parts if part.name in self.outcomes]
        failed = [each for each in found if each.state == JobState.FAILED]
        done = self.ended and all(each.state == JobState.DONE for each in found)
        return Outcome(
            JobState.FAILED if failed else JobState.DONE if done else JobState.STOPPED if found else JobState.WAITING,
            failed[0].error if failed else "",
            None,
            sum(each.frames for each in found),
            sum(each.with_face for each in found),
            sum(each.faces for each in found),
            tuple(name for each in found for name in each.without_face),
            {name: why for each in found for name, why in each.unreadable.items()},
            sum(each.evaluations for each in found),
            sum(each.seconds for each in found) if all(each.seconds for each in found) else 0.0,  # not of this run
            next((each.engine for each in reversed(found) if each.engine), ""),
            tuple(dict.fromkeys(remark for each in found for remark in each.remarks)),
        )

    def join(self) -> SourceIdentity:
        """Write the unfinished outputs of the whole from those of its parts, and return what they were made from.

        Raises:
            UserError: a picture was changed since its part was tracked.
            RecordingError: an output cannot be written.
        """
        sources = [self.outcomes[part.name].source for part in self.parts]
        for part, source in zip(self.parts, sources, strict=True):
            if source is None or SourceIdentity.of(part) != replace(source, sha256=None):
                raise UserError(f"{part.input} was changed while it was tracked; start again.")
        for kind in self.whole.kinds:
            path = self.whole.unfinished(kind)
            with writing(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                _JOIN[kind]([(part.output(kind), len(part.pictures)) for part in self.parts], path)
        checksums = [source.sha256 for source in sources if source is not None and source.sha256 is not None]
        known = len(checksums) == len(self.parts)
        return replace(SourceIdentity.of(self.whole), sha256=joint_checksum(checksums) if known else None)


Share = tuple[Path, int]
"""An output of a part, and the number of its pictures."""


def _join_csv(parts: Sequence[Share], path: Path) -> None:
    start, first = 0, None
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        for table, count in parts:
            with table.open(encoding="utf-8", newline="") as lines:
                rows = csv.reader(lines)
                header = next(rows)
                if start == 0:
                    writer.writerow(header)
                for number, _, *rest in rows:
                    frame = start + int(number)
                    first = frame if first is None else first
                    writer.writerow([frame, f"{(frame - first) * PHOTO_SECONDS:.6f}", *rest])
            start += count


def _join_parquet(parts: Sequence[Share], path: Path) -> None:
    import pyarrow
    import pyarrow.parquet

    start, first, writer = 0, None, None
    with ExitStack() as stack:
        target = stack.enter_context(path.open("wb"))
        for table, count in parts:
            with table.open("rb") as file:  # pyarrow takes no path that is not text
                rows = pyarrow.parquet.read_table(file)
            frames = rows["frame"].to_numpy() + start
            if first is None and len(frames):
                first = frames[0]
            times = (frames - (first or 0)) * PHOTO_SECONDS
            for place, values in enumerate((frames, times)):
                rows = rows.set_column(place, rows.schema.field(place), pyarrow.array(values))
            writer = writer or stack.enter_context(parquet_writer(target, rows.schema))
            writer.write_table(rows)
            start += count


def _join_pictures(parts: Sequence[Share], path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    for folder, _ in parts:
        for picture in folder.iterdir():
            picture.replace(path / picture.name)


_JOIN = {OutputKind.CSV: _join_csv, OutputKind.PARQUET: _join_parquet, OutputKind.PICTURES: _join_pictures}
