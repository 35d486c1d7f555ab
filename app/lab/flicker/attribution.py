"""Who is to blame for flicker: the crop that moves about, or what the model sees in the picture?

Each is frozen in turn. With a crop that follows the face steadily what is left comes from the picture; with one
picture of the clip under crops that move against the face as they did in the clip, all of it comes from the crop.
``docs/method/metrics.md`` discusses what the shares mean.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.lab.accuracy.wflw_v import read_frames, read_labels
from app.lab.flicker.clips import ClipFiles
from app.lab.flicker.methods import COLD, FaceSolver
from app.tracking.tracker import Policy, next_crop
from model.engine.base import Engine, State
from model.geometry import Crop
from model.metrics.flicker import nmf
from model.rwr.cold import cold_solve
from model.rwr.recurrence import Recurrence
from model.rwr.settings import RwrSettings
from model.rwr.solution import Solution

Image = NDArray[np.uint8]
Points = NDArray[np.float32]
Array = NDArray[np.float64]

GIVEN = "given boxes"
TRACKED = "tracker's crops"
PICTURE_STANDS = 0.15
"""A frame that differs from the last by less than this share of the clip's median difference repeats it."""


class ColdSolver:
    """Solves every frame on its own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def solve(self, u: State, crop: Crop, image: Image) -> Solution:
        """Solve one frame."""
        return cold_solve(self._engine, u, crop)


SOLVERS: dict[str, Callable[[Engine], FaceSolver]] = {
    COLD: ColdSolver,
    "RwR": lambda engine: Recurrence(engine, RwrSettings()),
}


@dataclass(frozen=True, slots=True)
class ClipBlame:
    """NMF of one clip under one source of crops and one way to solve.

    Attributes:
        clip: its ID.
        group: its group.
        crops: where the crops come from: :data:`GIVEN` or :data:`TRACKED`.
        solver: "cold" or "RwR".
        nmf: as it is.
        steady_crop: with the labels' box around the face, which follows without jitter.
        frozen_picture: with the clip's middle frame under crops that move against the face as they do in the clip.
        repeated_frames: share of the frames that repeat the frame before.
        repeated_labels: what a perfect tracker would show for the labels that move on in repeated frames.
    """

    clip: str
    group: str
    crops: str
    solver: str
    nmf: float
    steady_crop: float
    frozen_picture: float
    repeated_frames: float
    repeated_labels: float

    @property
    def crop_share(self) -> float:
        """Share of the squared NMF that is the moving crop's: the mean of what it makes alone, on a frozen picture,
        and what goes with it where the crop is steady (Shapley's value for two causes). The picture has the rest."""
        whole = self.nmf**2
        return (self.frozen_picture**2 + whole - self.steady_crop**2) / (2 * whole) if whole > 0 else float("nan")


def blame_clip(
    engine: Engine, clip: ClipFiles, frames: int | None = None, scale: float | None = None
) -> list[ClipBlame]:
    """Measure a clip with crops and picture frozen in turn, for both sources of crops and each of the solvers.

    Args:
        engine: the model.
        clip: the clip.
        frames: only the first so many frames.
        scale: crop side over the larger side of the box; None takes the model's own.

    Raises:
        UserError: for unusable files.
    """
    scale = engine.config.crop_scale if scale is None else scale
    truth, boxes = (labels[:frames] for labels in read_labels(clip.files))
    given = [Crop.around_box(x1, y1, x2, y2, scale) for x1, y1, x2, y2 in boxes.tolist()]
    steady = steady_crops(truth, given, scale)
    walk = _Walk(engine, given, steady, Policy(crop_scale=scale))
    middle = len(truth) // 2
    frozen, differences, last = None, [], None
    for index, (_, image) in zip(range(len(truth)), read_frames(clip.files.video), strict=False):
        walk.step(index, image)
        if last is not None:
            differences.append(cv2.norm(last, image, cv2.NORM_L1))
        if index == middle:
            frozen = image
        last = image
    assert frozen is not None, "encode_clip has checked the number of frames"
    repeats = repeated(np.array(differences))
    labels = nmf(stuttering(truth, repeats), truth)
    still = np.repeat(truth[middle : middle + 1], len(truth), axis=0)
    rows = []
    for name, make in SOLVERS.items():
        for source, crops in ((GIVEN, given), (TRACKED, walk.own_crops[name])):
            moved = carried_over(crops, steady, steady[middle])
            seen = _landmarks(engine, make(engine), frozen, moved)
            rows.append(
                ClipBlame(
                    clip=clip.files.name,
                    group=clip.group,
                    crops=source,
                    solver=name,
                    nmf=nmf(walk.found(source, name), truth),
                    steady_crop=nmf(walk.found(STEADY, name), truth),
                    frozen_picture=nmf(seen, still),
                    repeated_frames=float(repeats.mean()),
                    repeated_labels=labels,
                )
            )
    return rows


def repeated(differences: Array) -> NDArray[np.bool_]:
    """Return which frames repeat the one before, given how much each differs from it, (n - 1,)."""
    return np.asarray(differences < PICTURE_STANDS * np.median(differences))


STEADY = "steady crops"


class _Walk:
    """One pass over a clip's frames: every solver with given, steady and its own crops."""

    def __init__(self, engine: Engine, given: Sequence[Crop], steady: Sequence[Crop], policy: Policy) -> None:
        self._engine, self._policy = engine, policy
        self._shared = {GIVEN: given, STEADY: steady}
        self._solvers = {
            (source, name): make(engine) for source in (GIVEN, STEADY, TRACKED) for name, make in SOLVERS.items()
        }
        self._landmarks: dict[tuple[str, str], list[Points]] = {key: [] for key in self._solvers}
        self._next = dict.fromkeys(SOLVERS, steady[0])
        self.own_crops: dict[str, list[Crop]] = {name: [] for name in SOLVERS}

    def step(self, index: int, image: Image) -> None:
        for source, crops in self._shared.items():
            u = _encode(self._engine, image, crops[index])
            for name in SOLVERS:
                solution = self._solvers[source, name].solve(u, crops[index], image)
                self._landmarks[source, name].append(solution.landmarks)
        for name in SOLVERS:
            crop = self._next[name]
            solution = self._solvers[TRACKED, name].solve(_encode(self._engine, image, crop), crop, image)
            self._landmarks[TRACKED, name].append(solution.landmarks)
            self.own_crops[name].append(crop)
            self._next[name] = next_crop(crop, solution.landmarks, self._policy)

    def found(self, source: str, name: str) -> Points:
        return np.stack(self._landmarks[source, name])


def _encode(engine: Engine, image: Image, crop: Crop) -> State:
    return engine.encode(crop.extract(image, engine.config.input_size)[None])


def _landmarks(engine: Engine, solver: FaceSolver, image: Image, crops: Sequence[Crop]) -> Points:
    """Return the landmarks (n, 98, 2) of one picture under n crops, one after another."""
    return np.stack([solver.solve(_encode(engine, image, crop), crop, image).landmarks for crop in crops])


def steady_crops(truth: NDArray[np.floating], given: Sequence[Crop], scale: float) -> list[Crop]:
    """Return crops that follow the labels' box, placed and sized against it as the given ones are on average.

    Args:
        truth: (n, 98, 2) labels.
        given: n crops.
        scale: crop side over the larger side of the labels' box, before the mean offset is added.
    """
    labelled = [Crop.around_points(points, scale) for points in truth]
    offset = np.mean([_offset(crop, base) for crop, base in zip(given, labelled, strict=True)], axis=0)
    return [_placed(base, offset) for base in labelled]


def carried_over(crops: Sequence[Crop], steady: Sequence[Crop], place: Crop) -> list[Crop]:
    """Return crops that move against ``place`` as ``crops`` move against the steady ones."""
    return [_placed(place, _offset(crop, base)) for crop, base in zip(crops, steady, strict=True)]


def _offset(crop: Crop, base: Crop) -> Array:
    """Return shift in sides of ``base`` and the logarithm of the ratio of sides, (3,)."""
    shift = ((crop.centre_x - base.centre_x) / base.side, (crop.centre_y - base.centre_y) / base.side)
    return np.array([*shift, np.log(crop.side / base.side)])


def _placed(base: Crop, offset: Array) -> Crop:
    x, y, growth = offset.tolist()
    return Crop(base.centre_x + x * base.side, base.centre_y + y * base.side, base.side * float(np.exp(growth)))


def stuttering(truth: NDArray[np.floating], repeats: NDArray[np.bool_]) -> Array:
    """Return landmarks that are the labels but for standing still, against the last frame, in repeated frames.

    Args:
        truth: (n, 98, 2) labels.
        repeats: (n - 1,) whether the frame after each repeats it.
    """
    stopped = np.where(repeats[:, None, None], -np.diff(truth.astype(np.float64), axis=0), 0.0)
    return np.asarray(truth + np.concatenate([np.zeros_like(stopped[:1]), np.cumsum(stopped, axis=0)]))


@dataclass(frozen=True, slots=True)
class GroupBlame:
    """Plain means over the clips of a group, of the crop's shares too; the picture's share is what is left of 1."""

    group: str
    crops: str
    solver: str
    clips: int
    nmf: float
    steady_crop: float
    frozen_picture: float
    crop_share: float
    picture_share: float
    repeated_frames: float
    repeated_labels: float


def summarise_blame(rows: Sequence[ClipBlame]) -> list[GroupBlame]:
    """Return the means by group, source of crops and solver."""
    keys = dict.fromkeys((row.group, row.crops, row.solver) for row in rows)
    summaries = []
    for group, crops, solver in keys:
        own = [row for row in rows if (row.group, row.crops, row.solver) == (group, crops, solver)]
        names = ("nmf", "steady_crop", "frozen_picture", "crop_share", "repeated_frames", "repeated_labels")
        mean = {name: float(np.nanmean([getattr(row, name) for row in own])) for name in names}
        share = 1 - mean["crop_share"]
        summaries.append(
            GroupBlame(group=group, crops=crops, solver=solver, clips=len(own), picture_share=share, **mean)
        )
    return summaries
