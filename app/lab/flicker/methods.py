"""Ways to track one face through a clip: the cold solve, recurrences, and filters over cold landmarks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.lab.flicker.clips import EncodedClip
from model.engine.base import Engine, State
from model.filters import LandmarkFilter, SavitzkyGolay
from model.geometry import Crop
from model.rwr.recurrence import Recurrence
from model.rwr.settings import RwrSettings
from model.rwr.solution import Solution
from model.topology import inter_ocular

Points = NDArray[np.float32]
Setting = float | int | bool | str | None

COLD = "cold"


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What a method makes of a clip: landmarks (n, 98, 2) in frame pixels and evaluations (n,) of the cell."""

    landmarks: Points
    evaluations: NDArray[np.intp]


class Method(Protocol):
    """A way to track, with what tells it from others.

    Attributes:
        family: what it is called in the plot; the settings of a family are one curve.
        name: family and settings in a few words, unique in a run.
        settings: its settings, JSON-ready.
        picture_late: frames by which the picture has to be held back for the landmarks to be on it.
    """

    @property
    def family(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def settings(self) -> Mapping[str, Setting]: ...

    @property
    def picture_late(self) -> int: ...

    def track(self, clip: EncodedClip) -> Track:
        """Follow the face through a clip, frame by frame, without looking ahead."""
        ...


@dataclass(frozen=True, slots=True)
class Cold:
    """Every frame on its own: what the clip holds already."""

    family: str = COLD
    name: str = COLD
    settings: Mapping[str, Setting] = field(default_factory=dict)
    picture_late: int = 0

    def track(self, clip: EncodedClip) -> Track:
        """Return the clip's cold landmarks."""
        return Track(clip.cold, clip.cold_evaluations)


class FaceSolver(Protocol):
    """What follows one face from frame to frame, as :class:`model.rwr.recurrence.Recurrence` does."""

    def solve(self, u: State, crop: Crop, image: NDArray[np.uint8]) -> Solution:
        """Solve the next frame, given whole as well."""
        ...


@dataclass(frozen=True, slots=True)
class Recurrent:
    """A recurrence, made anew for each clip.

    Attributes:
        make: returns a solver without memory.
    """

    family: str
    name: str
    make: Callable[[], FaceSolver]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    picture_late: int = 0

    def track(self, clip: EncodedClip) -> Track:
        """Solve frame after frame."""
        solver = self.make()
        solutions = [
            solver.solve(u, crop, image) for u, crop, image in zip(clip.u, clip.crops, clip.images, strict=True)
        ]
        return Track(
            np.stack([solution.landmarks for solution in solutions]),
            np.array([solution.report.evaluations for solution in solutions], np.intp),
        )


def rwr(engine: Engine, settings: RwrSettings, name: str = "", family: str = "RwR") -> Recurrent:
    """Return RwR with the given settings, exactly as the application runs it."""
    values = asdict(settings)
    label = name or f"{family} " + ", ".join(f"{key} {value}" for key, value in values.items())
    return Recurrent(family, label, lambda: Recurrence(engine, settings), values)


@dataclass(frozen=True, slots=True)
class Filtered:
    """A filter over the cold landmarks, made anew for each clip.

    It sees inter-ocular distances of the clip's first frame, not pixels, as in ``evaluate wflw-v``, so that one
    setting fits faces of any size.

    Attributes:
        make: returns a filter without memory.
    """

    family: str
    name: str
    make: Callable[[], LandmarkFilter]
    settings: Mapping[str, Setting] = field(default_factory=dict)
    picture_late: int = 0

    def track(self, clip: EncodedClip) -> Track:
        """Filter frame after frame; the evaluations are the cold solve's."""
        return Track(_filtered(self.make(), clip), clip.cold_evaluations)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A Savitzky-Golay filter whose picture waits for it: every frame is shown with its own smoothed landmarks.

    That is what the filter can do at best, at the price of seeing everything ``picture_late`` frames later. The
    last frames of a clip, whose future never comes, are read nearer to the end of the fit.
    """

    family: str
    name: str
    window: int
    degree: int
    picture_late: int

    @property
    def settings(self) -> Mapping[str, Setting]:
        """The filter's settings."""
        return {"window": self.window, "degree": self.degree, "latency": self.picture_late}

    def track(self, clip: EncodedClip) -> Track:
        """Filter, and put what is said of a frame onto that frame."""
        late = min(self.picture_late, len(clip.times) - 1)
        outputs = [_filtered(SavitzkyGolay(self.window, self.degree, age), clip) for age in range(late + 1)]
        ends = [outputs[age][-1:] for age in range(late - 1, -1, -1)]
        return Track(np.concatenate([outputs[late][late:], *ends]), clip.cold_evaluations)


def _filtered(smoothing: LandmarkFilter, clip: EncodedClip) -> Points:
    unit = max(float(inter_ocular(clip.cold[0])), 1.0)
    smooth = [smoothing.update(points / unit, seconds) for points, seconds in zip(clip.cold, clip.times, strict=True)]
    return np.asarray(np.stack(smooth) * np.float32(unit), np.float32)
