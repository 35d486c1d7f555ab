"""Compares two takes, of one session or of two: flicker, distance, evaluations, cold starts, speed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.modes import MODE_NAMES
from app.core.settings import TrackingSettings
from app.core.text_table import table
from app.sessions.estimates import Estimates
from app.sessions.events import EventKind
from app.sessions.metadata import EngineFacts, meter_of
from app.sessions.take import Take
from model.topology import REGIONS, inter_ocular

CLOSE = 0.5
"""Largest mean distance of two takes' faces that count as the same, in inter-ocular distances."""

OTHER_METER = "Another flicker meter measured one of them: replay it and compare the replay."
"""Said of takes whose flicker cannot be compared."""

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TakeFigures:
    """Figures of one take; None where nothing was measured.

    Attributes:
        name: of the take.
        engine: what computed it.
        tracking: its settings in the first frame.
        modes: labels of the modes in question.
        frames: with at least one of the compared faces.
        solves: faces times frames.
        flicker: root mean square, percent of the inter-ocular distance; for two takes of one session, over the
            frames that both measured.
        regions: the same by region, in the order of ``model.topology.REGIONS``.
        evaluations: of the network, per face and frame.
        resets: cold starts of RwR.
        fps: frames a second at the median frame's tracking time.
        meter: which flicker meter measured them.
    """

    name: str
    engine: EngineFacts
    tracking: TrackingSettings
    modes: str
    frames: int
    solves: int
    flicker: float | None
    regions: tuple[float | None, ...]
    evaluations: float | None
    resets: int
    fps: float | None
    meter: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two takes side by side.

    Attributes:
        a: the first.
        b: the second.
        same_session: they are of the same pictures, so their landmarks can be compared one by one.
        common: solves that both have; 0 for two sessions.
        distance: mean distance of their landmarks in frame pixels; None for two sessions.
        distance_percent: the same in percent of the inter-ocular distance.
        identical: their common landmarks are equal bit for bit; None for two sessions.
        common_frames: frames that these solves are of.
    """

    a: TakeFigures
    b: TakeFigures
    same_session: bool
    common: int = 0
    distance: float | None = None
    distance_percent: float | None = None
    identical: bool | None = None
    common_frames: int = 0

    @property
    def same_meter(self) -> bool:
        """Whether their flicker can be compared: both or neither are from before the meter was changed."""
        return self.a.meter == self.b.meter

    def lines(self) -> list[str]:
        """Return the comparison as lines for people."""
        a, b = self.a, self.b
        models = (a.engine.title_beside(b.engine), b.engine.title_beside(a.engine))
        rows = [("model", *models), ("mode", a.modes, b.modes)]
        rows.append(("frames with a face", str(a.frames), str(b.frames)))
        rows.append(("flicker, % of eye distance", _number(a.flicker, 3), _number(b.flicker, 3)))
        for place, region in enumerate(REGIONS):
            rows.append((f"  {region.name}", _number(a.regions[place], 3), _number(b.regions[place], 3)))
        rows.append(("evaluations per face and frame", _number(a.evaluations, 2), _number(b.evaluations, 2)))
        if not self.same_session or a.name != b.name:  # they are of a whole take, with all of its modes
            rows.append(("cold starts of RwR", str(a.resets), str(b.resets)))
            rows.append(("frames a second", _number(a.fps, 1), _number(b.fps, 1)))
        lines = table(("", a.name, b.name), rows).splitlines()
        if not self.same_meter:
            lines.append(OTHER_METER)
        if self.identical:
            lines.append(f"The landmarks are the same, bit for bit, in all {self.common_frames} common frames.")
        elif self.distance is not None:
            lines.append(
                f"The landmarks are {self.distance:.3f} pixels apart on average "
                f"({_number(self.distance_percent, 2)} % of the eye distance) in {self.common_frames} common frames."
            )
        elif self.same_session:
            lines.append("The takes have no face in common.")
        return lines


def compare_takes(a: Take, b: Take, *, mode_a: str | None = None, mode_b: str | None = None) -> Comparison:
    """Compare two takes.

    In one session only solves of the same face in the same frame count, so both takes are judged on the same
    pictures; faces are matched by position. Takes of two sessions are judged each on its own.

    Args:
        a: the first take.
        b: the second take.
        mode_a: mode to compare in the first; None for the one chosen in each frame.
        mode_b: the same for the second.
    """
    first, second = _looked_at(a, mode_a), _looked_at(b, mode_b)
    if a.session != b.session:
        return Comparison(figures_of(a, mode_a), figures_of(b, mode_b), False)
    left, right = _common(first, second)
    one, two = first.select(left), second.select(right)
    measured = np.isfinite(one.flicker) & np.isfinite(two.flicker)
    figures = (_figures(a, one, mode_a, measured), _figures(b, two, mode_b, measured))
    if not len(left):
        return Comparison(*figures, True)
    apart = np.linalg.norm(one.landmarks.astype(np.float64) - two.landmarks, axis=-1).mean(axis=-1)
    scale = inter_ocular(one.landmarks)
    percent = 100 * apart[scale > 0] / scale[scale > 0]
    return Comparison(
        *figures,
        True,
        len(left),
        float(apart.mean()),
        float(percent.mean()) if len(percent) else None,
        bool(np.array_equal(one.landmarks, two.landmarks)),
        len(np.unique(one.row)),
    )


def figures_of(take: Take, mode: str | None = None) -> TakeFigures:
    """Return the figures of one take, in one mode or, if None, in the one chosen in each frame."""
    return _figures(take, _looked_at(take, mode), mode)


def _looked_at(take: Take, mode: str | None) -> Estimates:
    found = take.estimates
    wanted = found.chosen if mode is None else found.mode == mode
    return found.select(wanted & np.isfinite(found.landmarks).all(axis=(1, 2)))


def _common(first: Estimates, second: Estimates) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of solves of the same face in the same frame, in the first and in the second."""
    pairs = []
    for face in np.unique(first.face):
        for other in np.unique(second.face):
            left, right = _shared(first, int(face), second, int(other))
            if len(left):
                pairs.append((_apart(first.select(left), second.select(right)), int(face), int(other), left, right))
    kept: list[tuple[NDArray[np.intp], NDArray[np.intp]]] = []
    used = np.zeros(len(first), bool), np.zeros(len(second), bool)
    # Most frames first: a face that was lost and found again under another number matches in both parts.
    for distance, _, _, left, right in sorted(pairs, key=lambda pair: (-len(pair[3]), pair[0])):
        if distance > CLOSE or used[0][left].any() or used[1][right].any():
            continue
        used[0][left], used[1][right] = True, True
        kept.append((left, right))
    if not kept:
        none = np.zeros(0, np.intp)
        return none, none
    left, right = (np.concatenate(side) for side in zip(*kept, strict=True))
    order = np.argsort(first.row[left], kind="stable")
    return left[order], right[order]


def _shared(first: Estimates, face: int, second: Estimates, other: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    left, right = np.flatnonzero(first.face == face), np.flatnonzero(second.face == other)
    _, at_left, at_right = np.intersect1d(first.row[left], second.row[right], return_indices=True)
    return left[at_left], right[at_right]


def _apart(one: Estimates, two: Estimates) -> float:
    """Return the mean distance of two faces' centres in inter-ocular distances."""
    centres = one.landmarks.mean(axis=1, dtype=np.float64) - two.landmarks.mean(axis=1, dtype=np.float64)
    scale = np.maximum(inter_ocular(one.landmarks), 1.0)
    return float((np.linalg.norm(centres, axis=-1) / scale).mean())


def _figures(take: Take, found: Estimates, mode: str | None, measured: NDArray[np.bool_] | None = None) -> TakeFigures:
    """Return the figures of ``found``, solves of a take; flicker over the ``measured`` ones, None: all that have it."""
    if measured is None:
        measured = np.isfinite(found.flicker)
    names = dict.fromkeys(found.mode.tolist()) if mode is None else [mode]
    return TakeFigures(
        take.name,
        take.engine,
        take.tracking,
        ", ".join(MODE_NAMES.get(name, name) for name in names),
        len(np.unique(found.row)),
        len(found),
        _rms(found.flicker[measured]),
        tuple(_rms(found.regions[measured, place]) for place in range(len(REGIONS))),
        float(found.evaluations.mean()) if len(found) else None,
        sum(event.kind == EventKind.RESET for event in take.events),
        take.fps if np.isfinite(take.fps) else None,
        meter_of(take.versions),
    )


def _rms(values: Array) -> float | None:
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if len(values) else None


def _number(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
