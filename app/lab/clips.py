"""Labelled clips, encoded and solved cold once, so that many methods can be tried on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.errors import UserError
from app.evaluation.settings import DEFAULT_SCALE
from app.evaluation.wflw_v import VideoFiles, find_videos, read_frames, read_labels
from model.engine.base import Engine, State
from model.geometry import Crop
from model.rwr import cold_solve

Points = NDArray[np.float32]

IDS_ENDING = "_ids.txt"
ONLY_GROUP = "all"
FEWEST_FRAMES = 3
"""Frames a clip needs to have two velocities, the least that have a variation."""


@dataclass(frozen=True, slots=True)
class ClipFiles:
    """A clip's files and the group it is reported in."""

    files: VideoFiles
    group: str


@dataclass(frozen=True, slots=True, eq=False)
class EncodedClip:
    """What methods are given of a clip of n frames, and the truth they are compared with.

    Attributes:
        name: its ID.
        group: the group it is reported in.
        times: n times in seconds.
        crops: n crops, around the given boxes as in ``evaluate wflw-v``.
        pictures: (n, s, s, 3) uint8, the crops cut out, RGB.
        u: n injections, each of batch 1, where the engine keeps its states.
        cold: (n, 98, 2) landmarks of the cold solve, frame pixels.
        cold_evaluations: (n,) evaluations those took.
        truth: (n, 98, 2) labels, frame pixels.
    """

    name: str
    group: str
    times: tuple[float, ...]
    crops: tuple[Crop, ...]
    pictures: NDArray[np.uint8]
    u: tuple[State, ...]
    cold: Points
    cold_evaluations: NDArray[np.intp]
    truth: Points


def find_clips(root: Path, ids: Sequence[Path] = ()) -> list[ClipFiles]:
    """List the clips of a WFLW-V folder with their groups.

    Each ID file is a group, called after the file ("real" for real_ids.txt). Without ``ids`` the folder's own
    ``*_ids.txt`` are taken; where there are none, all videos are one group.

    Raises:
        UserError: for missing files, and for a clip named twice.
    """
    lists = list(ids) or sorted(root.glob(f"*{IDS_ENDING}"))
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


def encode_clip(
    engine: Engine, clip: ClipFiles, frames: int | None = None, scale: float = DEFAULT_SCALE
) -> EncodedClip:
    """Decode a clip, encode the square around each given box and solve it cold.

    Args:
        engine: the model.
        clip: the clip.
        frames: only the first so many frames.
        scale: side of the square over the box's larger side.

    Raises:
        UserError: for unusable files, or fewer frames than labels.
    """
    truth, boxes = read_labels(clip.files)
    truth, boxes = truth[:frames], boxes[:frames]
    if len(truth) < FEWEST_FRAMES:
        raise UserError(f"{clip.files.video} gives {len(truth)} frames; the lab needs at least {FEWEST_FRAMES}.")
    times, crops, pictures, injections, landmarks, evaluations = [], [], [], [], [], []
    for (seconds, image), (x1, y1, x2, y2) in zip(read_frames(clip.files.video), boxes.tolist(), strict=False):
        crop = Crop.around_box(x1, y1, x2, y2, scale)
        picture = crop.extract(image, engine.config.input_size)
        u = engine.encode(picture[None])
        solution = cold_solve(engine, u, crop)
        times.append(seconds)
        crops.append(crop)
        pictures.append(picture)
        injections.append(u)
        landmarks.append(solution.landmarks)
        evaluations.append(solution.report.evaluations)
    if len(times) != len(truth):
        raise UserError(f"{clip.files.video} has {len(times)} frames, but {clip.files.landmarks} labels {len(truth)}.")
    return EncodedClip(
        name=clip.files.name,
        group=clip.group,
        times=tuple(times),
        crops=tuple(crops),
        pictures=np.stack(pictures),
        u=tuple(injections),
        cold=np.stack(landmarks),
        cold_evaluations=np.array(evaluations, np.intp),
        truth=truth,
    )


def encode_clips(
    engine: Engine, clips: Iterable[ClipFiles], frames: int | None = None, scale: float = DEFAULT_SCALE
) -> Iterator[EncodedClip]:
    """Encode clips one after another with a progress bar; take them in a list to try many methods on them all.

    In memory a frame takes about 0.7 MB with ``ldeq-s`` and 4.5 MB with ``ldeq-l``.
    """
    for clip in tqdm(list(clips), unit="clip", disable=None):
        yield encode_clip(engine, clip, frames, scale)
