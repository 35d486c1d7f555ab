"""The timeline of a session without its widget: curves thinned to the available pixels, and markers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from app.gui.presenters.scale import round_up
from app.gui.viewer.presenters.takes import ShownTake
from app.sessions.events import Event, EventKind

Array = NDArray[np.float64]

LOWEST_TOP = 0.5
"""The flicker axis never ends below this, in %."""
HIGH_PERCENTILE = 99.0
"""A single spike may exceed the axis, so that it does not flatten everything else."""
REACH_PIXELS = 5.0
"""A pointer this close to a marker selects it."""
LABELS = 8
STEPS = (0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


class MarkerKind(StrEnum):
    """A change of settings, a cold start of RwR, a face that came or went, or something that is missing."""

    TOGGLE = "toggle"
    COLD = "cold"
    FACE = "face"
    TROUBLE = "trouble"


_KINDS: dict[str, MarkerKind] = {
    EventKind.SETTINGS: MarkerKind.TOGGLE,
    EventKind.RESET: MarkerKind.COLD,
    EventKind.FOUND: MarkerKind.FACE,
    EventKind.LOST: MarkerKind.FACE,
    EventKind.CUT: MarkerKind.FACE,
    EventKind.RESTART: MarkerKind.COLD,
    EventKind.SOURCE: MarkerKind.TROUBLE,
    EventKind.DROPPED: MarkerKind.TROUBLE,
    EventKind.ANNOTATED: MarkerKind.TROUBLE,
    EventKind.INEXACT: MarkerKind.TROUBLE,
    EventKind.FAULT: MarkerKind.TROUBLE,
    EventKind.ERROR: MarkerKind.TROUBLE,
}
KIND_NAMES = {
    MarkerKind.TOGGLE: "changes",
    MarkerKind.COLD: "cold starts",
    MarkerKind.FACE: "faces",
    MarkerKind.TROUBLE: "troubles",
}


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened at ``time`` seconds."""

    time: float
    kind: MarkerKind
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One take's flicker.

    Attributes:
        title: of the take.
        mode: whose colour it has.
        second: it is the take that is compared with.
        times: (n,) seconds.
        values: (n,) percent, NaN where not measured.
    """

    title: str
    mode: str
    second: bool
    times: Array
    values: Array


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Everything that does not move with the playhead.

    Attributes:
        duration: seconds.
        curves: the shown take, then the one compared with.
        markers: in order of time.
        top: end of the flicker axis, percent.
    """

    duration: float
    curves: tuple[Curve, ...] = ()
    markers: tuple[Marker, ...] = ()
    top: float = LOWEST_TOP


def timeline_of(duration: float, takes: Sequence[ShownTake], events: Sequence[Event]) -> Timeline:
    """Return the timeline of one or two takes, with the events of the session."""
    curves = tuple(
        Curve(take.title, take.mode, place > 0, take.times, take.flicker) for place, take in enumerate(takes)
    )
    values = [curve.values[np.isfinite(curve.values)] for curve in curves]
    highest = max((float(np.percentile(part, HIGH_PERCENTILE)) for part in values if len(part)), default=0.0)
    top = max(LOWEST_TOP, round_up(highest))
    markers = tuple(
        Marker(event.time, _KINDS[event.kind], event.text)
        for event in sorted(events, key=lambda event: event.time)
        if event.kind in _KINDS
    )
    return Timeline(duration, curves, markers, top)


def columns(curve: Curve, duration: float, count: int) -> tuple[Array, Array]:
    """Return a curve as at most ``count`` points: times and values (k,), NaN where it is interrupted.

    Where several frames fall into one column its value is their root mean square, as flicker adds up.
    """
    if len(curve.times) <= count or duration <= 0 or count < 1:
        return curve.times, curve.values
    column = np.clip((curve.times / duration * count).astype(np.intp), 0, count - 1)
    finite = np.isfinite(curve.values)
    number = np.bincount(column[finite], minlength=count)
    total = np.bincount(column[finite], weights=curve.values[finite] ** 2, minlength=count)
    with np.errstate(invalid="ignore", divide="ignore"):
        values = np.sqrt(total / number)
    return (np.arange(count) + 0.5) * duration / count, values


def ticks(duration: float) -> list[float]:
    """Return round times to label, at most :data:`LABELS` of them, 0 among them."""
    step = next((step for step in STEPS if duration / step <= LABELS - 1), duration or 1.0)
    return [step * place for place in range(int(duration / step + 1e-9) + 1)]


def marker_text(timeline: Timeline, time: float, seconds_per_pixel: float) -> str:
    """Return what happened around ``time``, a line each, for the tooltip; "" where nothing did."""
    reach = REACH_PIXELS * seconds_per_pixel
    near = [marker for marker in timeline.markers if abs(marker.time - time) <= reach]
    lines = [f"{marker.time:.2f} s   {marker.text}" for marker in near[:8]]
    return "\n".join(lines if len(near) <= 8 else [*lines, f"and {len(near) - 8} more"])


def nearest_marker(timeline: Timeline, time: float, seconds_per_pixel: float) -> Marker | None:
    """Return the marker at ``time``, None where there is none within reach."""
    near = min(timeline.markers, key=lambda marker: abs(marker.time - time), default=None)
    return near if near is not None and abs(near.time - time) <= REACH_PIXELS * seconds_per_pixel else None
