"""One take of a session ready to be looked at: its main face's flicker over time, and figures of any part of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FaceResult, FrameResult
from app.core.modes import MODE_NAMES
from app.sessions.form import RECORDED
from app.sessions.session import Session
from app.sessions.take import Take

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ShownTake:
    """A take with what the viewer asks of it again and again.

    Attributes:
        take: as it was read.
        face: the one seen in most frames; None where there is none.
        mode: the one chosen in most frames, "" where there is none.
        times: (n,) playing time of every frame, seconds.
        flicker: (n,) of that face in its chosen mode, percent, NaN where it was not measured.
        regions: (n, 6) the same by region.
        evaluations: (n,) of the network, NaN in frames without the face.
    """

    take: Take
    face: int | None
    mode: str
    times: Array
    flicker: Array
    regions: Array
    evaluations: Array

    @classmethod
    def of(cls, take: Take) -> ShownTake:
        """Prepare a take; reads arrays only."""
        count, face, times = len(take.frames), take.main_face, take.frames.time
        if face is None:
            nothing = np.full(count, np.nan)
            return cls(take, None, "", times, nothing, np.full((count, 6), np.nan), nothing)
        found = take.estimates.of(face)
        modes, counts = np.unique(found.mode, return_counts=True)
        evaluations = found.spread(found.evaluations.astype(np.float64), count)
        mode = str(modes[counts.argmax()])
        return cls(take, face, mode, times, take.flicker(face), take.regions(face), evaluations)

    @property
    def name(self) -> str:
        """The take's name in the session."""
        return self.take.name

    @property
    def title(self) -> str:
        """The take's name for people: "Recorded, RwR" or "Replay: cold"."""
        if self.name != RECORDED:
            return replay_title(self.name)
        return f"Recorded, {MODE_NAMES.get(self.mode, self.mode)}" if self.mode else "Recorded"


@dataclass(frozen=True, slots=True)
class PartFigures:
    """A take's figures over a part of the session; None where nothing was measured there.

    Attributes:
        flicker: root mean square, percent of the inter-ocular distance.
        regions: the same by region; NaN where not measured.
        evaluations: of the network, mean per frame.
        resets: cold starts of RwR.
    """

    flicker: float | None
    regions: tuple[float, ...]
    evaluations: float | None
    resets: int


def part_figures(takes: Sequence[ShownTake], start: float, end: float) -> tuple[PartFigures, ...]:
    """Return the figures of takes of one session from ``start`` to ``end`` seconds, both included.

    Flicker counts where every take measured it, so that all are judged on the same frames; a take that measured
    nothing there rules out none.
    """
    if not takes:
        return ()
    part = (takes[0].times >= start) & (takes[0].times <= end)
    common = part.copy()
    for take in takes:
        measured = np.isfinite(take.flicker)
        if (measured & part).any():
            common &= measured
    return tuple(_figures(take, part, common, start, end) for take in takes)


def _figures(
    take: ShownTake, part: NDArray[np.bool_], common: NDArray[np.bool_], start: float, end: float
) -> PartFigures:
    flicker, spent = _rms(take.flicker[common]), take.evaluations[part]
    spent = spent[np.isfinite(spent)]
    return PartFigures(
        None if np.isnan(flicker) else flicker,
        tuple(_rms(column) for column in take.regions[common].T),
        float(spent.mean()) if len(spent) else None,
        sum(start <= event.time <= end for event in take.take.resets),
    )


def replay_title(name: str) -> str:
    """Return a replay's name for people."""
    return f"Replay: {name}"


def load_takes(session: Session, names: tuple[str, ...]) -> dict[str, ShownTake]:
    """Read takes; not for the window's thread.

    Raises:
        SessionError: where one is damaged.
    """
    return {name: ShownTake.of(session.take(name)) for name in names}


def together(first: FrameResult, second: FrameResult | None) -> FrameResult:
    """Return the first take's result with the second's landmarks as the baseline's, to be drawn in one picture.

    Faces belong together where their centres are nearest, and closer than half a crop.
    """
    if second is None or not second.faces:
        return first
    return replace(first, faces=tuple(_paired(face, second.faces) for face in first.faces))


def _paired(face: FaceResult, others: tuple[FaceResult, ...]) -> FaceResult:
    centre = face.estimate.landmarks.mean(axis=0)
    distances = [float(np.linalg.norm(other.estimate.landmarks.mean(axis=0) - centre)) for other in others]
    nearest = int(np.argmin(distances))
    if not distances[nearest] < face.crop.side / 2:
        return face
    return replace(face, other=others[nearest].estimate)


def _rms(values: Array) -> float:
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if len(values) else float("nan")
