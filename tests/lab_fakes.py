"""Clips and figures for the laboratory's tests."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.lab.accuracy.wflw_v import find_videos
from app.lab.flicker.clips import ClipFiles, EncodedClip
from app.lab.flicker.experiment import Experiment, MethodResult
from app.lab.flicker.figures import POINTS, ClipFigures, RegionFigures, SpeedSums, summarise
from app.lab.flicker.methods import COLD
from model.geometry import Crop
from model.metrics.lag import DELAYS, Speed
from tests.fakes import face_image, face_points
from tests.sources_fakes import write_video

SIDE = 100.0


def list_line(points: NDArray[np.floating], flags: str | None, path: str) -> str:
    """Return a line of a WFLW list for points (98, 2); without the six attributes it has no box, either."""
    (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
    middle = [] if flags is None else [f"{x1:.0f} {y1:.0f} {x2:.0f} {y2:.0f}", " ".join(flags)]
    return " ".join([*(f"{value:.4f}" for value in points.ravel()), *middle, path])


def write_pts(path: Path, points: NDArray[np.floating]) -> None:
    """Write points (n, 2) as 300W does."""
    lines = "\n".join(f"{x + 1:.4f} {y + 1:.4f}" for x, y in points)
    path.write_text(f"version: 1\nn_points: {len(points)}\n{{\n{lines}\n}}\n")


def square_clip(
    root: Path,
    name: str,
    shown: Iterable[float],
    labelled: Iterable[float],
    boxed: Iterable[float],
) -> ClipFiles:
    """Write a clip of a square at ``shown``, with labels and boxes that may say otherwise (horizontal centres)."""
    for folder in ("videos", "landmarks", "bboxes"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    write_video(root / "videos" / f"{name}.mp4", [face_image(320, 240, x, 120, SIDE) for x in shown])
    truth, boxes = (np.stack([face_points(x, 120, SIDE) for x in centres]) for centres in (labelled, boxed))
    np.save(root / "landmarks" / f"{name}.npy", truth)
    corners = [boxes.min(axis=1), boxes.max(axis=1), np.ones((len(boxes), 1))]  # WFLW-V has a fifth column
    np.save(root / "bboxes" / f"{name}.npy", np.hstack(corners))
    files = next(files for files in find_videos(root) if files.name == name)
    return ClipFiles(files, "g")


def add_video(root: Path, name: str, frames: int = 6) -> NDArray[np.float32]:
    """Write a clip of a square that drifts, see :func:`square_clip`, and return its landmarks (frames, 98, 2)."""
    centres = [150 + 3 * t for t in range(frames)]
    square_clip(root, name, centres, centres, centres)
    return np.stack([face_points(x, 120, SIDE) for x in centres])


def clip_of(truth: NDArray[np.floating], group: str = "g") -> EncodedClip:
    """A clip without pictures, for figures only."""
    frames = len(truth)
    return EncodedClip(
        name=f"clip of {frames}",
        group=group,
        times=tuple(t / 30 for t in range(frames)),
        crops=tuple(Crop(0, 0, 100) for _ in range(frames)),
        images=(np.zeros((1, 1, 3), np.uint8),) * frames,
        u=tuple(None for _ in range(frames)),
        cold=truth.astype(np.float32),
        cold_evaluations=np.full(frames, 3),
        truth=truth.astype(np.float32),
    )


def swinging(frames: int = 60, late: float = 0.0, size: float = 10.0) -> NDArray[np.float64]:
    t = np.arange(frames) - late
    return face_points(0, 0, 200) + (size * np.stack([np.sin(t / 3), np.cos(t / 4)], axis=-1))[:, None]


def clip_figures(name: str, group: str, **changed: Any) -> ClipFigures:
    regions = {region: RegionFigures(4.0, 80.0) for region in POINTS}
    speeds = {region: {speed: SpeedSums(5, 20.0, tuple(DELAYS**2)) for speed in Speed} for region in ("eyes", "mouth")}
    speeds["brows"] = speeds["eyes"]
    plain: dict[str, Any] = {
        **{"frames": 10, "nme": 5.0, "nme_eyes_mouth": 4.0, "nmf": 100.0, "evaluations": 3.0},
        **{"lag": 0.1, "lag_expressions": 0.2, "speed": 1.0, "speed_expressions": 1.0},
        **{"regions": regions, "nad": {1: 70.0, 2: 50.0, 4: 30.0}, "speeds": speeds},
    }
    return ClipFigures(clip=name, group=group, **{**plain, **changed})


def result(family: str, name: str, late: int = 0, settings: Any = None, **changed: Any) -> MethodResult:
    """A method with the same figures on two real clips and an animated one."""
    places = (("a", "real"), ("b", "real"), ("c", "animated"))
    clips = tuple(clip_figures(clip, group, **changed) for clip, group in places)
    cold = tuple(clip_figures(clip, group) for clip, group in places)
    return MethodResult(family, name, settings or {}, late, clips, summarise(clips, cold, late))


def experiment(*results: MethodResult) -> Experiment:
    return Experiment((result(COLD, COLD), *results), ())


RWR: dict[str, Any] = {"nmf": 42.0, "nme": 5.05, "nme_eyes_mouth": 4.0, "evaluations": 1.5, "lag": 0.6}
