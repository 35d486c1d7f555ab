"""Labelled clips, encoded and solved cold once, so that many methods can be tried on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.lab.accuracy.wflw_v import VideoFiles, find_videos, read_frames, read_labels
from model.engine.base import Engine, State
from model.geometry import Crop
from model.metrics.lag import expression_steps, face_shapes, speeds
from model.rwr.cold import cold_solve
from model.topology import EXPRESSIVE, inter_ocular

Points = NDArray[np.float32]
Array = NDArray[np.float64]

IDS_ENDING = "_ids.txt"
ONLY_GROUP = "all"
FEWEST_FRAMES = 3
"""Frames a clip needs to have two velocities, the least that have a variation."""


@dataclass(frozen=True, slots=True)
class ClipFiles:
    """A clip's files and the group it is reported in."""

    files: VideoFiles
    group: str


@dataclass(frozen=True, eq=False)
class EncodedClip:
    """What methods are given of a clip of n frames, and the truth they are compared with.

    Attributes:
        name: its ID.
        group: the group it is reported in.
        times: n times in seconds.
        crops: n crops, around the given boxes as in ``evaluate wflw-v``.
        images: n whole frames (h, w, 3) uint8, RGB.
        u: n injections, each of batch 1, where the engine keeps its states.
        cold: (n, 98, 2) landmarks of the cold solve, frame pixels.
        cold_evaluations: (n,) evaluations those took.
        truth: (n, 98, 2) labels, frame pixels.
    """

    name: str
    group: str
    times: tuple[float, ...]
    crops: tuple[Crop, ...]
    images: tuple[NDArray[np.uint8], ...]
    u: tuple[State, ...]
    cold: Points
    cold_evaluations: NDArray[np.intp]
    truth: Points

    @cached_property
    def true_steps(self) -> Array:
        """How the true points move between frames, in inter-ocular distances, (n - 1, 98, 2)."""
        return self.steps_of(self.truth)

    @cached_property
    def true_expressions(self) -> Array:
        """How the true points of eyes and mouth move against the head, likewise, (n - 1, 36, 2)."""
        return expression_steps(self.truth)

    @cached_property
    def true_shapes(self) -> NDArray[np.complex128]:
        """The true points without the head's motion, (n, 98), see :func:`model.metrics.lag.face_shapes`."""
        return face_shapes(self.truth)

    @cached_property
    def true_speeds(self) -> dict[str, NDArray[np.str_]]:
        """How fast eyes, brows and mouth move in each frame, (n,) by region."""
        return {region.name: speeds(self.true_shapes[:, list(region.points)]) for region in EXPRESSIVE}

    def steps_of(self, landmarks: NDArray[np.floating]) -> Array:
        """Return how landmarks (n, 98, 2) move between frames, in true inter-ocular distances, (n - 1, 98, 2)."""
        return np.asarray(np.diff(landmarks.astype(np.float64), axis=0) / inter_ocular(self.truth)[1:, None, None])


def find_clips(root: Path, ids: Sequence[Path] = ()) -> list[ClipFiles]:
    """List the clips of a WFLW-V folder with their groups.

    Each ID file is a group, called after the file ("real" for real_ids.txt). Without ``ids`` the folder's own
    ``*_ids.txt`` are taken; where there are none, all videos are one group.

    Raises:
        UserError: for missing files, and for a clip named twice.
    """
    lists = list(ids) or sorted(root.glob(f"[!.]*{IDS_ENDING}"))
    if not lists:
        return [ClipFiles(files, ONLY_GROUP) for files in find_videos(root)]
    found: dict[str, ClipFiles] = {}
    for path in lists:
        group = path.name.removesuffix(IDS_ENDING).removesuffix(".txt")
        for files in find_videos(root, path):
            if files.name in found:
                raise UserError(f"{path} names the clip {files.name} a second time; name each clip in one ID file.")
            found[files.name] = ClipFiles(files, group)
    return list(found.values())


def encode_clip(engine: Engine, clip: ClipFiles, frames: int | None = None, scale: float | None = None) -> EncodedClip:
    """Decode a clip, encode the square around each given box and solve it cold.

    In memory a frame takes its picture and its injection: the latter 0.6 MB with ``ldeq-s``, 4.3 MB with ``ldeq-l``.

    Args:
        engine: the model.
        clip: the clip.
        frames: only the first so many frames.
        scale: side of the square over the box's larger side; None takes the model's own.

    Raises:
        UserError: for unusable files, or a frame count unlike the labels'.
    """
    labels, boxes = read_labels(clip.files)
    truth, boxes = labels[:frames], boxes[:frames]
    scale = engine.config.crop_scale if scale is None else scale
    if len(truth) < FEWEST_FRAMES:
        raise UserError(f"{clip.files.video} gives {len(truth)} frames; the lab needs at least {FEWEST_FRAMES}.")
    times, crops, images, injections, landmarks, evaluations = [], [], [], [], [], []
    source = read_frames(clip.files.video)
    for (x1, y1, x2, y2), (seconds, image) in zip(boxes.tolist(), source, strict=False):
        crop = Crop.around_box(x1, y1, x2, y2, scale)
        picture = crop.extract(image, engine.config.input_size)
        u = engine.encode(picture[None])
        solution = cold_solve(engine, u, crop)
        times.append(seconds)
        crops.append(crop)
        images.append(image)
        injections.append(u)
        landmarks.append(solution.landmarks)
        evaluations.append(solution.report.evaluations)
    count = len(times) + (sum(1 for _ in source) if len(truth) == len(labels) else 0)
    if count != len(truth):
        raise UserError(f"{clip.files.video} has {count} frames, but {clip.files.landmarks} labels {len(truth)}.")
    return EncodedClip(
        name=clip.files.name,
        group=clip.group,
        times=tuple(times),
        crops=tuple(crops),
        images=tuple(images),
        u=tuple(injections),
        cold=np.stack(landmarks),
        cold_evaluations=np.array(evaluations, np.intp),
        truth=truth,
    )
