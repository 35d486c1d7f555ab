"""How much of a known corruption of labels does semantic alignment take back, and how far does it move clean ones?

Labels by people are taken as the truth. Noise of a known size is added to each of them, along the line that the
landmark lies on (a jaw, a lid) or square to it, and the label search of :mod:`model.training.semantic` begins with the
result. The noise is independent of the errors of the network and of the people, so the part of it that the search takes
back can be measured although the labels have errors of their own: it is the regression of the labels' movement on the
noise. How far labels without added noise move is what the search costs where there is nothing to take back.
``docs/reports/semantic-alignment.md`` discusses the figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.core.text_table import table
from app.lab.accuracy.wflw import WflwFace, read_image
from model.geometry import Crop
from model.metrics.confidence import Figure, mean_figure, ratio_figure
from model.network import Ldeq
from model.topology import REGIONS, inter_ocular
from model.training.alignment import AlignmentSettings, align, fit_noise, read_points
from model.training.data import CANVAS, WFLW, Faces
from model.training.semantic import mirrored_heatmaps, without_common

MARGIN = 1.7
"""Side of the pictures over the larger side of the landmarks' box, as in the training faces."""
BATCH = 16

Array = NDArray[np.float64]


class Direction(StrEnum):
    """Where noise goes: along the line that a landmark lies on, or square to it."""

    ALONG = "along"
    ACROSS = "across"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What a network sees of n faces, in the crops of their clean labels.

    Attributes:
        heatmaps: (n, k, h, h), the mean of those of the picture and its mirror image.
        labels: (n, k, 2) in crop units.
        faces: where they come from; their pictures are not looked at again.
    """

    heatmaps: Tensor
    labels: Tensor
    faces: Faces


@dataclass(frozen=True, slots=True)
class Found:
    """What the search did to one group of labels; lengths in percent of the inter-ocular distance, means.

    Attributes:
        before: distance of the labels given to the search from the clean ones.
        after: distance of the labels found from the clean ones.
        along: part of ``after`` along the landmark's line.
        across: part of it square to the line.
        taken_back: share of the noise that the search takes back; None for clean labels.
        best: share of the way from label to network at which a plain mean of both is nearest to the clean labels; None
            for clean labels, for which it is 0.
    """

    before: Figure
    after: Figure
    along: Figure
    across: Figure
    taken_back: Figure | None
    best: Figure | None


@dataclass(frozen=True, slots=True)
class Corruption:
    """Noise on labels.

    Attributes:
        percent: its standard deviation, of the inter-ocular distance.
        direction: where it goes.
    """

    percent: float
    direction: Direction


def faces_of_list(faces: Sequence[WflwFace], images: Path) -> Faces:
    """Return faces of a WFLW list in the form of training faces."""
    crops = [Crop.around_points(face.landmarks, MARGIN) for face in faces]
    pictures = [crop.extract(read_image(images, face), CANVAS) for crop, face in zip(crops, faces, strict=True)]
    pixels = [crop.to_crop(face.landmarks) * CANVAS - 0.5 for crop, face in zip(crops, faces, strict=True)]
    landmarks = torch.from_numpy(np.stack(pixels).astype(np.float32))
    sources = np.array([WFLW] * len(faces))
    return Faces(torch.from_numpy(np.stack(pictures)), landmarks, torch.ones_like(landmarks[..., 0]), sources)


def see(model: Ldeq, faces: Faces, report: Callable[[int], None] = lambda done: None) -> Seen:
    """Solve every face, plain and mirrored, in the crop of its labels."""
    heatmaps, labels = [], []
    for part in torch.split(torch.arange(len(faces)), BATCH):
        seen, own = mirrored_heatmaps(model, faces[part], model.config.input_size)
        heatmaps.append(seen)
        labels.append(own)
        report(int(part[-1]) + 1)
    return Seen(torch.cat(heatmaps), torch.cat(labels), faces)


def search(seen: Seen, labels: Tensor, settings: AlignmentSettings) -> tuple[Tensor, Tensor]:
    """Search labels as :func:`model.training.semantic.search_labels` does, but in crops that stay.

    Args:
        seen: from :func:`see`.
        labels: (n, k, 2) in the same crop units.
        settings: of the search.

    Returns:
        the labels found, and the network's points; both (n, k, 2) and less what all faces have in common.
    """
    weights = seen.faces.weights
    points, spread = read_points(seen.heatmaps)
    noise = fit_noise(points, spread, labels, weights, settings.label_share)
    parts = zip(*(values.split(BATCH) for values in (seen.heatmaps, labels, weights)), strict=True)
    found = torch.cat([align(heatmaps, own, trust, noise, settings) for heatmaps, own, trust in parts])
    given = replace(seen.faces, landmarks=labels)
    return without_common(given, found), without_common(given, points)


def directions(landmarks: Array) -> Array:
    """Return the direction (n, 98, 2) of the line that each landmark lies on, of length 1.

    It is that from its neighbour before to its neighbour after it; at the end of an open line, from or to the only one.
    Pupils lie on no line and have (0, 0).
    """
    lines = np.zeros_like(landmarks)
    for path in (path for region in REGIONS for path in region.paths):
        closed = path[0] == path[-1]
        before = (path[-2] if closed else path[0], *path[:-1])
        after = (*path[1:], path[1] if closed else path[-1])
        line = landmarks[:, after] - landmarks[:, before]
        lines[:, path] = line / np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-9)
    return lines


def groups(seen: Seen) -> dict[str, NDArray[np.bool_]]:
    """Return which labels (n, k) belong to each region, and to thirds by how wide their heatmap is for its landmark."""
    spread = read_points(seen.heatmaps)[1].numpy()
    counted = seen.faces.weights.numpy() > 0
    chosen = {}
    on_lines = np.zeros(spread.shape[1], np.bool_)
    for region in REGIONS:
        if region.paths:
            own = np.isin(np.arange(spread.shape[1]), region.points)
            on_lines |= own
            chosen[region.name] = counted & own
    relative = spread / np.median(spread, axis=0)
    low, high = np.quantile(relative[counted & on_lines], (1 / 3, 2 / 3))
    chosen["heatmaps: narrowest third"] = counted & on_lines & (relative <= low)
    chosen["heatmaps: middle third"] = counted & on_lines & (relative > low) & (relative <= high)
    chosen["heatmaps: widest third"] = counted & on_lines & (relative > high)
    return chosen


def measure(seen: Seen, corruption: Corruption | None, settings: AlignmentSettings, seed: int = 0) -> dict[str, Found]:
    """Corrupt the labels, search, and compare with the clean ones, by the groups of :func:`groups`.

    Args:
        seen: from :func:`see`.
        corruption: what is added; None for clean labels.
        settings: of the search.
        seed: of the noise.
    """
    clean = seen.labels.numpy().astype(np.float64)
    unit = inter_ocular(clean)[:, None, None] / 100
    line = directions(clean)
    square = np.stack([-line[..., 1], line[..., 0]], axis=-1)
    noise = np.zeros_like(clean)
    if corruption is not None:
        size = np.random.default_rng(seed).normal(0, corruption.percent, clean.shape[:2])[..., None]
        noise = size * (line if corruption.direction == Direction.ALONG else square)
    labels = torch.from_numpy((clean + noise * unit).astype(np.float32))
    found, network = ((points.numpy().astype(np.float64) - clean) / unit for points in search(seen, labels, settings))

    def mean(values: Array, chosen: NDArray[np.bool_]) -> Figure:
        return mean_figure(_per_face(values, chosen) / np.where(chosen.any(axis=1), chosen.sum(axis=1), np.nan))

    def share(part: Array, whole: Array, chosen: NDArray[np.bool_]) -> Figure | None:
        if corruption is None:
            return None
        return ratio_figure(_per_face((part * noise).sum(axis=-1), chosen), _per_face((whole**2).sum(axis=-1), chosen))

    return {
        name: Found(
            mean(np.linalg.norm(noise, axis=-1), chosen),
            mean(np.linalg.norm(found, axis=-1), chosen),
            mean(np.abs((found * line).sum(axis=-1)), chosen),
            mean(np.abs((found * square).sum(axis=-1)), chosen),
            share(noise - found, noise, chosen),
            share(noise - network, noise - network, chosen),
        )
        for name, chosen in groups(seen).items()
    }


def _per_face(values: Array, chosen: NDArray[np.bool_]) -> Array:
    return np.asarray((values * chosen).sum(axis=1))


def report(corruption: Corruption | None, found: dict[str, Found]) -> str:
    """Return one search as a table."""
    title = "clean labels" if corruption is None else f"{corruption.percent:g} % {corruption.direction}"
    rows = [
        (
            name,
            each.before.text(2),
            each.after.text(2),
            each.along.text(2),
            each.across.text(2),
            *("" if figure is None else figure.text(2) for figure in (each.taken_back, each.best)),
        )
        for name, each in found.items()
    ]
    return table((title, "before", "after", *Direction, "taken back", "best"), rows)
