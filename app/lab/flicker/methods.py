"""Ways to track one face through a clip: the cold solve, recurrences, and filters over cold landmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.lab.flicker.clips import EncodedClip
from app.tracking.smoothing import FaceSmoother
from model.engine.base import Engine
from model.filters import LandmarkFilter, SavitzkyGolay
from model.rwr.recurrence import Recurrence
from model.rwr.settings import RwrSettings

Points = NDArray[np.float32]
Setting = float | int | bool | str | None

COLD = "cold"


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What a method makes of a clip: landmarks (n, 98, 2) in frame pixels and evaluations (n,) of the cell."""

    landmarks: Points
    evaluations: NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Method:
    """A way to track, with what tells it from others.

    Attributes:
        family: what it is called in the plot; the settings of a family are one curve.
        name: family and settings in a few words, unique in a run.
        track: follows the face through a clip, frame by frame, without looking ahead.
        settings: its settings, JSON-ready.
        picture_late: frames by which the picture has to be held back for the landmarks to be on it.
    """

    family: str
    name: str
    track: Callable[[EncodedClip], Track]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    picture_late: int = 0


def cold() -> Method:
    """Return the cold solve of every frame, which the clip holds already."""
    return Method(COLD, COLD, lambda clip: Track(clip.cold, clip.cold_evaluations))


def rwr(engine: Engine, settings: RwrSettings, name: str, family: str = "RwR") -> Method:
    """Return RwR with the given settings, exactly as the application runs it; without memory at a clip's start."""

    def track(clip: EncodedClip) -> Track:
        recurrence = Recurrence(engine, settings)
        frames = zip(clip.u, clip.crops, clip.images, clip.times, strict=True)
        solutions = [recurrence.solve(*frame) for frame in frames]
        return Track(
            np.stack([solution.landmarks for solution in solutions]),
            np.array([solution.report.evaluations for solution in solutions], np.intp),
        )

    return Method(family, name, track, asdict(settings))


def filtered(family: str, name: str, make: Callable[[], LandmarkFilter], settings: Mapping[str, Setting]) -> Method:
    """Return a filter over the cold landmarks as the application runs it; the evaluations are the cold solve's.

    Args:
        family: see :class:`Method`.
        name: likewise.
        make: returns a filter without memory, one for each clip.
        settings: see :class:`Method`.
    """
    return Method(family, name, lambda clip: Track(_filtered(make(), clip), clip.cold_evaluations), settings)


def held_back(family: str, name: str, window: int, degree: int, latency: int) -> Method:
    """Return a Savitzky-Golay filter whose picture waits for it: every frame is shown with its own smoothed landmarks.

    That is what the filter can do at best, at the price of seeing everything ``latency`` frames later. The last
    frames of a clip, whose future never comes, are read nearer to the end of the fit.
    """

    def track(clip: EncodedClip) -> Track:
        late = min(latency, len(clip.times) - 1)
        outputs = [_filtered(SavitzkyGolay(window, degree, age), clip) for age in range(late + 1)]
        ends = [outputs[age][-1:] for age in range(late - 1, -1, -1)]
        return Track(np.concatenate([outputs[late][late:], *ends]), clip.cold_evaluations)

    return Method(family, name, track, {"window": window, "degree": degree, "latency": latency}, latency)


def _filtered(smoothing: LandmarkFilter, clip: EncodedClip) -> Points:
    smoother = FaceSmoother(smoothing)
    return np.stack([smoother.update(points, seconds) for points, seconds in zip(clip.cold, clip.times, strict=True)])
