"""How far off are landmarks that something covers, and how much of that does the GHCU repair?

Faces of a WFLW list are solved cold as they are, and again with something pasted over a part of them: a turned
rectangle or ellipse around one of the landmarks, of one colour or cut out of another face. Where the landmarks are is
known, so the error of the covered ones can be measured; on real occlusions it is a person's guess. Reported are the
points of the LDEQ, those with the GHCU's repair as ``--ghcu`` does it, and the GHCU's alone, over covered and open
landmarks and over groups of equally many covered ones by the spread of their heatmap. ``docs/reports/ghcu.md``
discusses the figures.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.text_table import table
from app.lab.accuracy.wflw import WflwFace, read_image
from model.engine.base import Engine
from model.geometry import Crop
from model.metrics.confidence import Figure, difference_figure, mean_figure
from model.repair.ghcu import Ghcu
from model.rwr.cold import cold_solve
from model.topology import inter_ocular

SIDES = (0.15, 0.6)
"""Sides of what covers a face, in crop sides."""
SEED = 0
GROUPS = (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Quantiles of the spread between which covered landmarks are a group."""
WAYS = ("LDEQ", "with GHCU", "GHCU alone")

Image = NDArray[np.uint8]
Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What was measured on n covered faces of k landmarks.

    Attributes:
        face: (n,) row of the list.
        covered: (n, k).
        spread: (n, k) of the LDEQ's heatmaps, in crop sides.
        before: (n, k) error of the LDEQ on the face as it is, in percent of the inter-ocular distance.
        errors: by :data:`WAYS`, (n, k), of the covered face.
        milliseconds: of each repair of a face that had something to repair.
    """

    face: NDArray[np.int64]
    covered: NDArray[np.bool_]
    spread: Array
    before: Array
    errors: dict[str, Array]
    milliseconds: Array


def cover(picture: Image, other: Image, points: Array, rng: np.random.Generator) -> tuple[Image, NDArray[np.bool_]]:
    """Paste something over a part of a crop.

    Args:
        picture: (s, s, 3).
        other: another face's crop of the same size, to cut from.
        points: (k, 2) landmarks in crop units.
        rng: draws what and where.

    Returns:
        the picture with it, and which landmarks it covers (k,).
    """
    size = picture.shape[0]
    centre = points[rng.integers(len(points))] + rng.normal(0, 0.03, 2)
    half = rng.uniform(*SIDES, 2) / 2
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    round_shape = rng.random() < 0.5

    def inside(places: Array) -> NDArray[np.bool_]:
        along = np.abs((places - centre) @ turn.T / half)
        return np.asarray((along**2).sum(axis=-1) < 1 if round_shape else along.max(axis=-1) < 1)

    axis = (np.arange(size) + 0.5) / size
    mask = inside(np.stack(np.meshgrid(axis, axis), axis=-1))
    if rng.random() < 0.5:
        what = np.broadcast_to(rng.integers(0, 256, 3).astype(np.uint8), picture.shape)
    else:
        what = np.roll(other, size // 2, axis=1)
    return np.where(mask[..., None], what, picture), inside(points)


def measure(engine: Engine, ghcu: Ghcu, folder: Path, faces: Sequence[WflwFace], covers: int) -> Measured:
    """Cover every face ``covers`` times and measure."""
    rng = np.random.default_rng(SEED)
    size, scale = engine.config.input_size, engine.config.crop_scale
    crops = [Crop.around_box(*face.box, scale) for face in faces]
    pictures = [crop.extract(read_image(folder, face), size) for crop, face in zip(crops, faces, strict=True)]
    rows: list[tuple[int, Any, Any, Any, dict[str, Any]]] = []
    milliseconds = []
    for number, (face, crop, picture) in enumerate(zip(faces, crops, pictures, strict=True)):
        unit = float(inter_ocular(face.landmarks)) / 100

        def error(points: NDArray[np.floating], truth: Any = face.landmarks, unit: float = unit) -> Array:
            return np.asarray(np.linalg.norm(points - truth, axis=-1) / unit, np.float64)

        before = error(cold_solve(engine, engine.encode(picture[None]), crop).landmarks)
        truth = crop.to_crop(face.landmarks).astype(np.float64)
        for _ in range(covers):
            other = pictures[rng.integers(len(pictures))]
            changed, covered = cover(picture, other, truth, rng)
            solution = cold_solve(engine, engine.encode(changed[None]), crop)
            started = time.perf_counter()
            repaired = ghcu.repair_solution(solution, crop)
            if repaired is not solution:
                milliseconds.append((time.perf_counter() - started) * 1000)
            alone = crop.to_frame(ghcu.points(solution.state)[0])
            errors = [error(points) for points in (solution.landmarks, repaired.landmarks, alone)]
            rows.append(
                (number, covered, solution.uncertainty / crop.side, before, dict(zip(WAYS, errors, strict=True)))
            )
    number_, covered_, spread, before_, errors_ = zip(*rows, strict=True)
    return Measured(
        np.array(number_),
        np.stack(covered_),
        np.stack(spread).astype(np.float64),
        np.stack(before_),
        {way: np.stack([each[way] for each in errors_]) for way in WAYS},
        np.array(milliseconds),
    )


def per_face(found: Measured, values: Array, chosen: NDArray[np.bool_]) -> Array:
    """Return the mean of the chosen values of each face of the list, NaN where it has none: faces are the units."""
    count = int(found.face.max()) + 1
    total = np.bincount(found.face, (values * chosen).sum(axis=1), count)
    number = np.bincount(found.face, chosen.sum(axis=1), count)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def figures(found: Measured) -> dict[str, dict[str, Figure]]:
    """Return mean errors by group of landmarks and way, and the difference that the repair makes."""
    groups = {"covered": found.covered, "open": ~found.covered}
    edges = np.quantile(found.spread[found.covered], GROUPS)
    for low, high, first, last in zip(edges, edges[1:], GROUPS, GROUPS[1:], strict=False):
        inside = found.covered & (found.spread > low) & (found.spread <= high)
        groups[f"covered, spread {first:.0%} to {last:.0%} (to {high:.4f})"] = inside
    result = {}
    for name, chosen in groups.items():
        values = {"not covered": found.before, **found.errors}
        means = {way: per_face(found, value, chosen) for way, value in values.items()}
        result[name] = {way: mean_figure(mean) for way, mean in means.items()}
        result[name]["repair"] = difference_figure(means["with GHCU"], means["LDEQ"])
        result[name]["alone"] = difference_figure(means["GHCU alone"], means["LDEQ"])
    return result


def report(found: Measured, by_group: dict[str, dict[str, Figure]]) -> str:
    """Return the table."""
    rows = [
        (
            name,
            *(f"{row[way].value:.2f}" for way in ("not covered", *WAYS)),
            f"{row['repair'].text(3)}",
            f"{row['alone'].text(2)}",
        )
        for name, row in by_group.items()
    ]
    header = ("landmarks", "not covered", *WAYS, "with GHCU - LDEQ", "GHCU alone - LDEQ")
    lines = [
        table(header, rows),
        "Mean error in % of the inter-ocular distance, over faces; intervals at 95 %, faces resampled",
        f"{len(found.face)} covered pictures; {len(found.milliseconds)} of them had something to repair"
        + (f", in {np.median(found.milliseconds):.2f} ms" if len(found.milliseconds) else ""),
    ]
    return "\n".join(lines)
