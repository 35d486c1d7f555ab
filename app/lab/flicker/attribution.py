"""Where flicker comes from: the crop that moves, or what the model sees in the picture.

Each is frozen in turn. With a crop that follows the face steadily what is left comes from the picture; with one
picture of the clip under crops that move against the face as they did in the clip, all of it comes from the crop.
``docs/method/metrics.md`` discusses what the shares mean.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from app.lab.flicker.clips import EncodedClip
from app.lab.flicker.methods import COLD, rwr
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

PICTURE_STANDS = 0.15
"""A frame that differs from the last by less than this share of the clip's median difference repeats it."""


class CropSource(StrEnum):
    """Where the crops of a measurement come from."""

    GIVEN = "given boxes"
    TRACKED = "tracker's crops"


class Solver(StrEnum):
    """How the frames of a measurement are solved."""

    COLD = COLD
    RWR = "RwR"


Solve = Callable[[State, Crop, Image, float], Solution]
"""Solves a face in the next frame, given its injection, its crop, the whole frame and when it was taken, in seconds."""

SOLVERS: dict[Solver, Callable[[Engine], Solve]] = {
    Solver.COLD: lambda engine: lambda u, crop, image, seconds: cold_solve(engine, u, crop),
    Solver.RWR: lambda engine: Recurrence(engine).solve,
}
"""Makes what follows one face, without memory."""


@dataclass(frozen=True, slots=True)
class ClipAttribution:
    """NMF of one clip under one source of crops and one way to solve.

    Attributes:
        clip: its ID.
        group: its group.
        crops: where the crops come from.
        solver: how the frames were solved.
        nmf: as it is.
        steady_crop: with the labels' box around the face, which follows without jitter.
        frozen_picture: with the clip's middle frame under crops that move against the face as they do in the clip.
        repeated_frames: share of the frames that repeat the frame before.
        repeated_labels: what a perfect tracker would show for the labels that move on in repeated frames.
    """

    clip: str
    group: str
    crops: CropSource
    solver: Solver
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


def attribute_clip(
    engine: Engine, clip: EncodedClip, scale: float | None = None, rwr_points: Points | None = None
) -> list[ClipAttribution]:
    """Measure a clip with crop and picture frozen in turn, for both sources of crops and each of the solvers.

    Args:
        engine: the model.
        clip: the clip, as encoded by ``engine``; its cold landmarks are used as they are.
        scale: crop side over the larger side of the box; None takes the model's own.
        rwr_points: (n, 98, 2) landmarks of RwR with the given boxes, if they are known already.
    """
    scale = engine.config.crop_scale if scale is None else scale
    steady = steady_crops(clip.truth, clip.crops, scale)
    if rwr_points is None:
        rwr_points = rwr(engine, RwrSettings(), Solver.RWR).track(clip).landmarks
    with_given = {Solver.COLD: clip.cold, Solver.RWR: rwr_points}
    with_steady = _solved(engine, {name: make(engine) for name, make in SOLVERS.items()}, clip, clip.images, steady)
    middle = len(clip.images) // 2
    still = np.repeat(clip.truth[middle : middle + 1], len(clip.truth), axis=0)
    repeats = repeated(np.array([cv2.norm(*pair, cv2.NORM_L1) for pair in pairwise(clip.images)]))
    labels = nmf(stuttering(clip.truth, repeats), clip.truth)
    rows = []
    for name, make in SOLVERS.items():
        tracked, own_crops = _tracked(engine, make(engine), clip, steady[0], Policy(crop_scale=scale))
        for source, landmarks, crops in (
            (CropSource.GIVEN, with_given[name], clip.crops),
            (CropSource.TRACKED, tracked, own_crops),
        ):
            moved = carried_over(crops, steady, steady[middle])
            frozen = _solved(engine, {name: make(engine)}, clip, [clip.images[middle]] * len(moved), moved)
            rows.append(
                ClipAttribution(
                    clip=clip.name,
                    group=clip.group,
                    crops=source,
                    solver=name,
                    nmf=nmf(landmarks, clip.truth),
                    steady_crop=nmf(with_steady[name], clip.truth),
                    frozen_picture=nmf(frozen[name], still),
                    repeated_frames=float(repeats.mean()),
                    repeated_labels=labels,
                )
            )
    return rows


def repeated(differences: Array) -> NDArray[np.bool_]:
    """Return which frames repeat the one before, given how much each differs from it, (n - 1,)."""
    return np.asarray(differences < PICTURE_STANDS * np.median(differences))


def _solved(
    engine: Engine, solvers: Mapping[Solver, Solve], clip: EncodedClip, images: Sequence[Image], crops: Sequence[Crop]
) -> dict[Solver, Points]:
    """Return the landmarks (n, 98, 2) of each solver for n images under n crops, at the times of the clip."""
    found: dict[Solver, list[Points]] = {name: [] for name in solvers}
    for image, crop, seconds in zip(images, crops, clip.times, strict=True):
        u = _encode(engine, image, crop)
        for name, solve in solvers.items():
            found[name].append(solve(u, crop, image, seconds).landmarks)
    return {name: np.stack(landmarks) for name, landmarks in found.items()}


def _tracked(engine: Engine, solve: Solve, clip: EncodedClip, start: Crop, policy: Policy) -> tuple[Points, list[Crop]]:
    """Return the landmarks (n, 98, 2) of a solver whose crops follow its own landmarks, and those crops."""
    crop, crops, found = start, [], []
    for image, seconds in zip(clip.images, clip.times, strict=True):
        solution = solve(_encode(engine, image, crop), crop, image, seconds)
        crops.append(crop)
        found.append(solution.landmarks)
        crop = next_crop(crop, solution.landmarks, policy)
    return np.stack(found), crops


def _encode(engine: Engine, image: Image, crop: Crop) -> State:
    return engine.encode(crop.extract(image, engine.config.input_size)[None])


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
    """Return shift in sides of ``base``, the logarithm of the ratio of sides, and how far it is turned, (4,)."""
    shift = ((crop.centre_x - base.centre_x) / base.side, (crop.centre_y - base.centre_y) / base.side)
    return np.array([*shift, np.log(crop.side / base.side), crop.angle - base.angle])


def _placed(base: Crop, offset: Array) -> Crop:
    x, y, growth, turn = offset.tolist()
    side = base.side * float(np.exp(growth))
    return Crop(base.centre_x + x * base.side, base.centre_y + y * base.side, side, base.angle + turn)


def stuttering(truth: NDArray[np.floating], repeats: NDArray[np.bool_]) -> Array:
    """Return landmarks that are the labels but for standing still, against the last frame, in repeated frames.

    Args:
        truth: (n, 98, 2) labels.
        repeats: (n - 1,) whether the frame after each repeats it.
    """
    stopped = np.where(repeats[:, None, None], -np.diff(truth.astype(np.float64), axis=0), 0.0)
    return np.asarray(truth + np.concatenate([np.zeros_like(stopped[:1]), np.cumsum(stopped, axis=0)]))


@dataclass(frozen=True, slots=True)
class GroupAttribution:
    """Plain means over the clips of a group, of the crop's shares too; the picture's share is what is left of 1."""

    group: str
    crops: CropSource
    solver: Solver
    clips: int
    nmf: float
    steady_crop: float
    frozen_picture: float
    crop_share: float
    picture_share: float
    repeated_frames: float
    repeated_labels: float


def summarise_attribution(rows: Sequence[ClipAttribution]) -> list[GroupAttribution]:
    """Return the means by group, source of crops and solver."""
    keys = dict.fromkeys((row.group, row.crops, row.solver) for row in rows)
    summaries = []
    for group, crops, solver in keys:
        own = [row for row in rows if (row.group, row.crops, row.solver) == (group, crops, solver)]
        names = ("nmf", "steady_crop", "frozen_picture", "crop_share", "repeated_frames", "repeated_labels")
        mean = {name: float(np.nanmean([getattr(row, name) for row in own])) for name in names}
        share = 1 - mean["crop_share"]
        summaries.append(
            GroupAttribution(group=group, crops=crops, solver=solver, clips=len(own), picture_share=share, **mean)
        )
    return summaries
