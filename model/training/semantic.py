"""The label search of semantic alignment over training faces; between two searches the network is trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.array_files import read_arrays
from model.errors import ModelError
from model.files import open_whole
from model.heatmap import mirrored_mean
from model.network import Ldeq
from model.topology import REGIONS, eye_corners, inter_ocular, region_points
from model.training.alignment import AlignmentSettings, Noise, align, fit_noise, read_points
from model.training.data import Faces
from model.training.frozen import cold_heatmaps, from_crop, plain_crops

ALIGNED = "aligned.npz"
NOISE_FACES = 768
"""Faces from which the noise is estimated before the search; medians need no more."""


@dataclass(frozen=True, slots=True)
class Movement:
    """How far the labels of one region and source moved, in percent of the inter-ocular distance.

    Attributes:
        source: where the faces come from.
        region: see :data:`model.topology.REGIONS`.
        labels: how many counted (weight above 0).
        median: of the distance moved.
        high: its 90th percentile.
        bias: length of the mean displacement, along and across the eyes' line: what all faces have in common.
        apart: median distance between the given labels and the network's points.
    """

    source: str
    region: str
    labels: int
    median: float
    high: float
    bias: float
    apart: float


def search_labels(
    model: Ldeq,
    faces: Faces,
    settings: AlignmentSettings | None = None,
    input_size: int | None = None,
    batch: int = 32,
    report: Callable[[int], None] = lambda done: None,
) -> tuple[Faces, list[Movement]]:
    """Move every label to its most likely place, given a network that stays as it is.

    The network sees each face plain and mirrored, and the mean of both heatmaps counts.

    Args:
        model: in evaluation mode, on the faces' device.
        faces: with the given labels, never with ones found before: those are no second opinion.
        settings: of the search.
        input_size: side of the crops, the model's own if not given.
        batch: faces at a time.
        report: called with the number of faces done.

    Returns:
        the faces with the labels found, less what they have in common (:func:`without_common`), and how far the
        search moved them.

    Raises:
        ModelError: for a model that finds other points than the faces have, or whose heatmaps cannot be mirrored.
    """
    settings = settings or AlignmentSettings()
    config = model.config
    size = input_size or config.input_size
    if not config.half_pixel:
        raise ModelError("labels are searched with models whose heatmaps have half-pixel centres; this one has none")
    if config.landmarks != faces.landmarks.shape[1]:
        raise ModelError(f"the model finds {config.landmarks} points, the faces have {faces.landmarks.shape[1]}")
    some = torch.linspace(0, len(faces) - 1, min(NOISE_FACES, len(faces))).long()
    seen = (mirrored_heatmaps(model, faces[part], size) for part in torch.split(some, batch))
    read = [(*read_points(heatmaps), labels) for heatmaps, labels in seen]  # heatmaps of all would take a gigabyte
    points, spread, labels = (torch.cat(parts) for parts in zip(*read, strict=True))
    noise = fit_noise(points, spread, labels, faces.weights[some], settings.label_share)
    found, network = [], []
    for part in torch.split(torch.arange(len(faces)), batch):
        landmarks, points = _search(model, faces[part], size, noise, settings)
        found.append(landmarks)
        network.append(points)
        report(int(part[-1]) + 1)
    moved = torch.cat(found)
    aligned = replace(faces, landmarks=without_common(faces, moved))
    return aligned, movements(faces, moved, torch.cat(network))


def mirrored_heatmaps(model: Ldeq, faces: Faces, size: int) -> tuple[Tensor, Tensor]:
    """Return the heatmaps of faces, the mean of those of the plain and the mirrored picture, and their labels.

    Args:
        model: in evaluation mode, on the faces' device.
        faces: with their labels, whose boxes the crops are cut by.
        size: side of the crops in pixels.

    Returns:
        heatmaps (n, k, h, h) and labels (n, k, 2) in crop units.
    """
    config = model.config
    crops, labels = plain_crops(faces, size, config.crop_scale)
    return mirrored_mean(cold_heatmaps(model, crops), cold_heatmaps(model, crops.flip(3))), labels


def mirrored_points(model: Ldeq, faces: Faces, size: int) -> Tensor:
    """Return a model's points (n, k, 2) of faces in crop units, from the plain and the mirrored picture."""
    points: Tensor = read_points(mirrored_heatmaps(model, faces, size)[0])[0]
    return points


def _search(model: Ldeq, faces: Faces, size: int, noise: Noise, settings: AlignmentSettings) -> tuple[Tensor, Tensor]:
    """Return the labels found and the network's own points, in picture pixels."""
    heatmaps, labels = mirrored_heatmaps(model, faces, size)
    found = align(heatmaps, labels, faces.weights, noise, settings)
    given = faces.landmarks
    moved = from_crop(found, given, model.config.crop_scale)
    stayed = (found == labels).all(dim=-1, keepdim=True)
    return torch.where(stayed, given, moved), from_crop(read_points(heatmaps)[0], given, model.config.crop_scale)


def without_common(faces: Faces, found: Tensor) -> Tensor:
    """Take off what the steps from the given to the found labels have in common.

    Noise differs from face to face. Where a landmark is moved alike on all faces of a source, the people who labelled
    them and the network have different ideas of the landmark, and the people's is what accuracy is measured by.

    Args:
        faces: with the given labels.
        found: (n, k, 2) in picture pixels.

    Returns:
        the labels (n, k, 2): found less the mean step of each landmark and source, along and across the eyes' line
        in parts of its length. Labels that did not move stay.
    """
    left, right = eye_corners(found.shape[1])
    along = (faces.landmarks[:, right] - faces.landmarks[:, left])[:, None]
    across = torch.stack([-along[..., 1], along[..., 0]], dim=-1)
    step = found - faces.landmarks
    moved = ((step != 0).any(dim=-1) & (faces.weights > 0))[..., None]
    length = (along**2).sum(dim=-1, keepdim=True).clamp_min(1e-6)
    turned = torch.cat([(step * axis).sum(dim=-1, keepdim=True) for axis in (along, across)], dim=-1) / length * moved
    for source in np.unique(faces.sources).tolist():
        own = torch.from_numpy(faces.sources == source).to(found.device)
        turned[own] -= turned[own].sum(dim=0) / moved[own].sum(dim=0).clamp_min(1) * moved[own]
    return torch.where(moved, faces.landmarks + turned[..., :1] * along + turned[..., 1:] * across, faces.landmarks)


def movements(faces: Faces, found: Tensor, network: Tensor) -> list[Movement]:
    """Describe how far labels moved, for every source and region.

    Args:
        faces: with the given labels.
        found: the labels found, (n, k, 2) in picture pixels.
        network: the network's points, likewise.
    """
    given, weights = faces.landmarks.cpu().numpy(), faces.weights.cpu().numpy()
    count = given.shape[1]
    unit = inter_ocular(given)
    along = _eye_line(given, count)
    step = (found.cpu().numpy() - given) / unit[:, None, None] * 100
    turned = np.stack([(step * along).sum(-1), step[..., 1] * along[..., 0] - step[..., 0] * along[..., 1]], axis=-1)
    apart = np.linalg.norm(network.cpu().numpy() - given, axis=-1) / unit[:, None] * 100
    rows = []
    for source in np.unique(faces.sources).tolist():
        for region in REGIONS:
            points = region_points(region, count)
            own = np.ix_(faces.sources == source, points)
            counted = weights[own] > 0
            if not counted.any():
                continue
            length = np.linalg.norm(step[own], axis=-1)[counted]
            each = [
                np.linalg.norm(turned[own][:, i][counted[:, i]].mean(axis=0))
                for i in range(len(points))
                if counted[:, i].any()
            ]
            median, high = np.percentile(length, (50, 90))
            rows.append(
                Movement(
                    source,
                    region.name,
                    int(counted.sum()),
                    float(median),
                    float(high),
                    float(np.mean(each)),
                    float(np.median(apart[own][counted])),
                )
            )
    return rows


def _eye_line(landmarks: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Return the unit vector from the left to the right eye's outer corner, (n, 1, 2)."""
    left, right = eye_corners(count)
    line = landmarks[:, right] - landmarks[:, left]
    return np.asarray(line / np.linalg.norm(line, axis=-1, keepdims=True).clip(1e-6))[:, None]


class LabelSearch:
    """Semantic alignment within a training run: which labels are in force, and when they are searched anew.

    What was found lies in the run's folder, so that a resumed run goes on with it.
    """

    def __init__(self, given: Faces, shares: Sequence[float], folder: Path, resume: bool) -> None:
        """Begin with the given labels.

        Args:
            given: the faces; every search starts at their labels.
            shares: of the run's budget, rising; at each the labels are searched. May be empty.
            folder: of the run.
            resume: begin with what the run has found before; what another run has left there is removed otherwise.
        """
        self._given = self._faces = given
        self._shares = tuple(shares)
        self._file = folder / ALIGNED
        self._done = 0
        if not resume:
            self._file.unlink(missing_ok=True)
        elif self._shares and self._file.is_file():
            found = read_arrays(self._file, "a labels file", "searches", "landmarks")
            self._done = int(found["searches"])
            self._faces = given.labelled(found["landmarks"], self._file)

    def labels_at(self, progress: float, model: Ldeq, input_size: int, report: Callable[[str], None]) -> Faces:
        """Return the faces with the labels in force at ``progress`` of the budget; a search may come first."""
        due = sum(progress >= share for share in self._shares)
        if due > self._done:
            self._faces, table = search_labels(model, self._given, input_size=input_size)
            self._done = due
            landmarks = self._faces.landmarks.cpu().numpy()
            with open_whole(self._file) as file:
                np.savez(file, landmarks=landmarks, searches=np.array(due))
            moved = ", ".join(f"{row.source} {row.region} {row.median:.2f}" for row in table)
            report(f"         labels searched; median move in % of the inter-ocular distance: {moved}")
        return self._faces


def write_labels(given: Path, out: Path, landmarks: Tensor, sources: Sequence[str] | None = None) -> None:
    """Write other landmarks in the form of the labels file ``given``, which keeps its names, weights and sources.

    Args:
        given: labels.npz, or a file of its form.
        out: where to write.
        landmarks: (n, 98, 2) in picture pixels, in the order of ``given``.
        sources: whose faces these are; the others keep their landmarks. All if not given.

    Raises:
        ModelError: where the numbers of faces differ.
    """
    values = read_arrays(given, "a labels file")
    known = values["source"]
    found = np.isin(known, known if sources is None else list(sources))
    if values["landmarks"][found].shape != tuple(landmarks.shape):
        raise ModelError(f"{given} holds landmarks {values['landmarks'][found].shape}, not {tuple(landmarks.shape)}")
    values["landmarks"] = values["landmarks"].astype(np.float32)
    values["landmarks"][found] = landmarks.cpu().numpy()
    with open_whole(out) as file:
        np.savez(file, **values)  # type: ignore[arg-type]
