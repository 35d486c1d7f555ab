"""Accuracy by group of faces: by size, light and sharpness, and with photos shrunk until the face is small.

A measure splits the faces into three groups of equally many. Faces of all sizes cannot be compared fairly this way,
because large ones are other photos than small ones; so every photo is also shrunk until its face has a given size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.lab.accuracy.predict import Predictor
from app.lab.accuracy.wflw import WflwFace, read_image, summary_of
from app.tracking.conditions import face_conditions
from model.metrics.accuracy import nme
from model.metrics.confidence import AccuracyFigures

SIDES = (120, 60, 45, 30, 24)
"""Sides to which faces are shrunk: the larger one of the box of the landmarks, in pixels of the photo."""
PARTS = 3

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Faces that have something in common.

    Attributes:
        measure: "size", "light", "sharpness" or "shrunk to".
        values: which faces, such as "80 to 120 px".
        figures: how well they are found.
    """

    measure: str
    values: str
    figures: AccuracyFigures


def evaluate_groups(predictor: Predictor, faces: Sequence[WflwFace], folder: Path, errors: Array) -> list[Group]:
    """Split faces by what their photos are like, and solve them again in shrunk photos.

    Args:
        predictor: what is measured.
        faces: the list.
        folder: where its pictures are.
        errors: (n,) NME of the faces as they are, in percent; NaN where a face was missed.

    Raises:
        UserError: for pictures that cannot be read.
    """
    measures = np.empty((3, len(faces)))
    small = np.full((len(SIDES), len(faces)), np.nan)
    taken = np.zeros(small.shape, bool)
    for index, face in enumerate(tqdm(faces, unit="face", disable=None)):
        image, size = read_image(folder, face), _size(face)
        conditions = face_conditions(image, face.landmarks)
        measures[:, index] = size, conditions.light, conditions.sharpness
        for row, side in enumerate(SIDES):
            if side < size:
                taken[row, index] = True
                small[row, index] = _error_shrunk(predictor, face, image, side / size)
    groups = [
        group
        for (name, unit, decimals), values in zip(
            (("size", " px", 0), ("light", "", 0), ("sharpness", "", 1)), measures, strict=True
        )
        for group in _thirds(name, unit, decimals, values, errors)
    ]
    shrunk = zip(SIDES, small, taken, strict=True)
    shrunk_groups = [
        Group("shrunk to", f"{side} px", summary_of(row[which])) for side, row, which in shrunk if which.any()
    ]
    return groups + shrunk_groups


def _thirds(name: str, unit: str, decimals: int, values: Array, errors: Array) -> list[Group]:
    order = np.argsort(values, kind="stable")
    groups = []
    for part in np.array_split(order, PARTS):
        if len(part):
            low, high = values[part[[0, -1]]]
            text = f"{low:.{decimals}f} to {high:.{decimals}f}{unit}"
            groups.append(Group(name, text, summary_of(errors[part])))
    return groups


def _size(face: WflwFace) -> float:
    return float(np.ptp(face.landmarks, axis=0).max())


def _error_shrunk(predictor: Predictor, face: WflwFace, image: NDArray[np.uint8], factor: float) -> float:
    """Return the NME in percent in a photo whose sides are ``factor`` times as long; NaN where the face is missed."""
    height, width = image.shape[:2]
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    shrunk = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    scale = np.array([size[0] / width, size[1] / height])
    # Pixel centres are at integers.
    truth = (face.landmarks + 0.5) * scale - 0.5
    x1, y1, x2, y2 = ((np.reshape(face.box, (2, 2)) + 0.5) * scale - 0.5).ravel().tolist()
    predictor.start()
    found = predictor.predict(shrunk, 0.0, (x1, y1, x2, y2))
    if found is None or not np.isfinite(found.landmarks).all():
        return np.nan
    return float(nme(found.landmarks[None], truth[None])[0]) * 100
