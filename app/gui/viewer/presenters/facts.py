"""What the session viewer shows besides the picture, as one frozen value."""

from __future__ import annotations

from dataclasses import dataclass, field

from app.gui.viewer.presenters import readouts
from app.gui.viewer.presenters.jobs import JobView, Outcome
from app.gui.viewer.presenters.readouts import RegionSeries, TableRow, TakeRow
from app.gui.viewer.presenters.takes import PartFigures, ShownTake
from app.gui.viewer.presenters.timeline import Timeline
from app.sessions.compare import Comparison
from app.sessions.session import Session

EMPTY, OPENING, OPEN, FAILED = "empty", "opening", "open", "failed"

NO_FRAMES = "Nothing was recorded: it ended before the first frame."

Part = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ViewerFacts:
    """What the viewer shows besides the picture.

    Attributes:
        stage: "empty", "opening", "open" or "failed".
        title: the session's name.
        subtitle: when, from what, how long.
        problem: why it cannot be opened, or why there are no pictures; "" normally.
        takes: the list of takes.
        timeline: the same object as long as nothing in it changed.
        part: the chosen part in seconds, None for the whole session.
        part_text: says which part the figures are of.
        table: figures of the shown takes.
        columns: names of the table's columns.
        verdict: how the second take differs from the first, in words.
        bars: flicker by region.
        job: what is being made, None if nothing.
        message: how the last piece of work ended, None if that was seen already.
        can_replay: whether there are pictures and nothing is being made.
    """

    stage: str = EMPTY
    title: str = ""
    subtitle: str = ""
    problem: str = ""
    takes: tuple[TakeRow, ...] = ()
    timeline: Timeline = field(default_factory=lambda: Timeline(0.0))
    part: Part | None = None
    part_text: str = ""
    table: tuple[TableRow, ...] = ()
    columns: tuple[str, ...] = ()
    verdict: str = ""
    bars: tuple[RegionSeries, ...] = ()
    job: JobView | None = None
    message: Outcome | None = None
    can_replay: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """What is known of the open session; replaced as a whole."""

    session: Session
    names: tuple[str, ...]
    known: dict[str, ShownTake]
    first: str
    second: str
    timeline: Timeline
    subtitle: str
    has_pictures: bool
    figures: tuple[PartFigures, ...] = ()
    comparison: Comparison | None = None
    other: Comparison | None = None

    @property
    def shown(self) -> tuple[ShownTake, ...]:
        """The takes to show, those that were not read yet left out."""
        names = (self.first, self.second) if self.second else (self.first,)
        return tuple(self.known[name] for name in names if name in self.known)


def facts_of(
    opened: Opened, name: str, problem: str, part: Part | None, job: JobView | None, message: Outcome | None
) -> ViewerFacts:
    """Return what is seen of an open session.

    Args:
        opened: what is known of it.
        name: of the session.
        problem: why there are no pictures, "" where there are.
        part: that was chosen, None for all of it.
        job: what is being made.
        message: how the last piece of work ended.
    """
    shown, other = opened.shown, opened.other
    measured = len(shown) == len(opened.figures)
    rows = readouts.table(shown, opened.figures) if measured else ()
    columns = tuple(take.title for take in shown)
    words = readouts.verdict(shown, opened.figures, opened.comparison)
    if other is not None:
        rows, columns, words = readouts.other_session_rows(other), (other.a.name, other.b.name), ""
    return ViewerFacts(
        stage=OPEN,
        title=name,
        subtitle=opened.subtitle,
        problem=problem if len(opened.session.frames) else NO_FRAMES,
        takes=readouts.take_rows(opened.names, opened.first, opened.second, opened.known),
        timeline=opened.timeline,
        part=part,
        part_text=readouts.part_text(None if other is not None else part, opened.session.seconds),
        table=rows,
        columns=columns,
        verdict=words,
        bars=readouts.bars(shown, opened.figures) if measured else (),
        job=job,
        message=message,
        can_replay=job is None and opened.has_pictures,
    )
