"""Every text and figure of the session viewer, from what is open and shown."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from app.gui.presenters.playback import clock_text
from app.gui.presenters.readouts import NOTHING
from app.gui.viewer.presenters.jobs import JobView, Outcome
from app.gui.viewer.presenters.takes import PartFigures, ShownTake, replay_title
from app.gui.viewer.presenters.timeline import Timeline
from app.sessions.compare import OTHER_METER, Comparison
from app.sessions.form import RECORDED, SessionState
from app.sessions.session import Session

SAME_WITHIN = 0.01


@dataclass(frozen=True, slots=True)
class TakeRow:
    """One line of the list of takes.

    Attributes:
        name: of the take.
        title: for people.
        first: its landmarks are drawn as points.
        second: it is the one compared with, drawn as rings.
    """

    name: str
    title: str
    first: bool
    second: bool


@dataclass(frozen=True, slots=True)
class TableRow:
    """One line of figures: of the shown take and, where there is one, of the one compared with."""

    name: str
    first: str
    second: str
    tooltip: str


@dataclass(frozen=True, slots=True)
class RegionSeries:
    """One take's flicker by region, for the bars; NaN where not measured."""

    title: str
    mode: str
    second: bool
    regions: tuple[float, ...]


def take_rows(names: Sequence[str], first: str, second: str, known: dict[str, ShownTake]) -> tuple[TakeRow, ...]:
    """Return the list of takes; those that were not read yet go by their names alone."""
    return tuple(
        TakeRow(name, known[name].title if name in known else _plain(name), name == first, name == second)
        for name in names
    )


def subtitle(session: Session, *, running: bool = False) -> str:
    """Return one line about a session: when, from what, how long, and what is special about it.

    Args:
        session: that is open.
        running: it is being recorded.
    """
    facts = session.metadata
    parts = [*_when(facts.started), facts.source.name, clock_text(session.seconds)]
    if running:
        parts.append("being recorded; everything up to its opening is here")
    elif session.state != SessionState.COMPLETE:
        parts.append("cut off while recording; everything up to then is here")
    if facts.exact:
        parts.append("exact: a replay gives the same landmarks bit for bit")
    if facts.privacy:
        parts.append("privacy mode: landmarks only")
    return "  \u00b7  ".join(parts)


def bars(shown: Sequence[ShownTake], figures: Sequence[PartFigures]) -> tuple[RegionSeries, ...]:
    """Return the bars by region of the shown takes; takes without flicker have none."""
    return tuple(
        RegionSeries(take.title, take.mode, place > 0, part.regions)
        for place, (take, part) in enumerate(zip(shown, figures, strict=True))
        if part.flicker is not None
    )


def part_text(part: tuple[float, float] | None, duration: float) -> str:
    """Say which part the figures are of."""
    if part is None:
        return f"Whole session, {duration:.1f} s"
    return f"{part[0]:.2f} to {part[1]:.2f} s"


def table(shown: Sequence[ShownTake], figures: Sequence[PartFigures]) -> tuple[TableRow, ...]:
    """Return the figures of one or two takes over a part as lines."""
    if not figures:
        return ()
    first, second = figures[0], figures[1] if len(figures) > 1 else None
    return (
        TableRow("Flicker", _flicker(first), _flicker(second), "Root mean square, % of the eye distance"),
        TableRow("Evaluations", _number(first.evaluations, 2), _evaluations(second), "Of the network, mean per frame"),
        TableRow(
            "Cold starts", str(first.resets), "" if second is None else str(second.resets), "Of RwR, in this part"
        ),
        TableRow("Speed", _speed(shown[0]), "" if second is None else _speed(shown[1]), "What tracking alone could do"),
    )


def verdict(shown: Sequence[ShownTake], figures: Sequence[PartFigures], comparison: Comparison | None) -> str:
    """Say in words how the second take differs from the first; "" where there is only one.

    ``comparison`` is of the whole takes; None while it is not known.
    """
    if len(figures) < 2 or len(shown) < 2:
        return ""
    sentences = []
    first, second = figures[0].flicker, figures[1].flicker
    if first and second is not None:
        change = second / first - 1
        if abs(change) < SAME_WITHIN:
            sentences.append("Both flicker alike in this part.")
        else:
            more = "less" if change < 0 else "more"
            sentences.append(f"{shown[1].title} flickers {abs(change):.0%} {more} in this part.")
    if comparison is not None and not comparison.same_meter:
        sentences.append(OTHER_METER)
    if comparison is not None and comparison.identical:
        sentences.append("Their landmarks are the same, bit for bit.")
    elif comparison is not None and comparison.distance is not None:
        percent = comparison.distance_percent
        share = "" if percent is None else f" ({percent:.2f} % of the eye distance)"
        sentences.append(f"Their landmarks are {comparison.distance:.2f} px apart on average{share}.")
    return " ".join(sentences)


def other_session_rows(comparison: Comparison) -> tuple[TableRow, ...]:
    """Return the figures of two whole sessions side by side."""
    a, b = comparison.a, comparison.b
    return (
        TableRow("Flicker", _number(a.flicker, 3, " %"), _number(b.flicker, 3, " %"), "Over the whole sessions"),
        TableRow("Evaluations", _number(a.evaluations, 2), _number(b.evaluations, 2), "Of the network, mean per frame"),
        TableRow("Cold starts", str(a.resets), str(b.resets), "Of RwR"),
        TableRow("Speed", _number(a.fps, 1, " fps"), _number(b.fps, 1, " fps"), "What tracking alone could do"),
        TableRow("Frames", str(a.frames), str(b.frames), "With a face"),
    )


def _when(started: str) -> list[str]:
    try:
        return [f"{datetime.fromisoformat(started).astimezone():%d %B %Y, %H:%M}"]
    except ValueError:
        return []


def _plain(name: str) -> str:
    return "Recorded" if name == RECORDED else replay_title(name)


def _flicker(figures: PartFigures | None) -> str:
    return "" if figures is None else _number(figures.flicker, 3, " %")


def _evaluations(figures: PartFigures | None) -> str:
    return "" if figures is None else _number(figures.evaluations, 2)


def _speed(shown: ShownTake) -> str:
    return _number(shown.take.fps, 1, " fps")


def _number(value: float | None, decimals: int, unit: str = "") -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{value:.{decimals}f}{unit}"


class ViewerStage(StrEnum):
    """Where the session viewer stands."""

    EMPTY = "empty"
    OPENING = "opening"
    OPEN = "open"
    FAILED = "failed"


NO_FRAMES = "Nothing was recorded: it ended before the first frame."

Part = tuple[float, float]


@dataclass(frozen=True, slots=True)
class ViewerFacts:
    """What the viewer shows besides the picture.

    Attributes:
        stage: where the viewer stands.
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

    stage: ViewerStage = ViewerStage.EMPTY
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
    rows = table(shown, opened.figures) if measured else ()
    columns = tuple(take.title for take in shown)
    words = verdict(shown, opened.figures, opened.comparison)
    if other is not None:
        rows, columns = other_session_rows(other), (other.a.name, other.b.name)
        words = "" if other.same_meter else OTHER_METER
    return ViewerFacts(
        stage=ViewerStage.OPEN,
        title=name,
        subtitle=opened.subtitle,
        problem=problem if len(opened.session.frames) else NO_FRAMES,
        takes=take_rows(opened.names, opened.first, opened.second, opened.known),
        timeline=opened.timeline,
        part=part,
        part_text=part_text(None if other is not None else part, opened.session.seconds),
        table=rows,
        columns=columns,
        verdict=words,
        bars=bars(shown, opened.figures) if measured else (),
        job=job,
        message=message,
        can_replay=job is None and opened.has_pictures,
    )
