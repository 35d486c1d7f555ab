"""Learns the conversion from a model's 98 points to 300W's 68 from faces that people labelled with the 68.

How 300W's annotators and those of WFLW differ depends on the pose and the expression, and so do the errors of the
model. A constant offset per point misses that; a linear function of the main modes of the shape follows it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from model.conventions import ShapeConversion, face_frame, to_300w
from model.engine.base import Engine
from model.geometry import to_complex
from model.rwr.cold import cold_state
from model.topology import flipped, inter_ocular
from model.training.data import Faces
from model.training.frozen import as_pictures, plain_crops

RIDGE = 0.05
"""How strongly the dependence on each mode is held back, against a mode's variance of 1."""
MODES = (0, 2, 4, 6, 8, 10, 12, 16, 20, 28)
"""Numbers of modes that are tried."""
FOLDS = 5
BATCH = 16

Array = NDArray[np.float64]


def solve_faces(
    engine: Engine, faces: Faces, report: Callable[[int], None] = lambda done: None
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Solve the faces of :meth:`model.training.data.Faces.of_300w` cold, as ``evaluate 300w`` does.

    Returns:
        the points found (n, 98, 2) and the labels (n, 68, 2), both in crop units.
    """
    config = engine.config
    points, labels = [], []
    for part in torch.split(torch.arange(len(faces)), BATCH):
        crops, own = plain_crops(faces[part], config.input_size, config.crop_scale)
        for picture in as_pictures(crops):  # one by one: a solve of a batch stops for all faces at once
            points.append(engine.decode(cold_state(engine, engine.encode(picture[None]))[0])[0])
        labels.append(own.numpy())
        report(int(part[-1]) + 1)
    return np.concatenate(points).astype(np.float32), np.concatenate(labels)


def fit_conversion(points: NDArray[np.floating], labels: NDArray[np.floating], modes: int) -> ShapeConversion:
    """Fit offsets to faces and their mirror images by ridge regression.

    Args:
        points: (n, 98, 2) as a model finds them.
        labels: (n, 68, 2) of the same faces in the same units, where their mirror images agree.
        modes: how many modes of the shape the offsets depend on; 0 gives constant ones.
    """
    points, labels = (np.concatenate([each, flipped(each)]) for each in (points, labels))
    shapes, eyes = face_frame(points)
    missing = to_complex(labels - to_300w(points)) / eyes[:, None]
    mean = shapes.mean(axis=0)
    _, deviations, directions = np.linalg.svd(shapes - mean, full_matrices=False)
    deviations = deviations[:modes, None] / np.sqrt(len(shapes))
    conversion = ShapeConversion(mean, directions[:modes] / deviations.clip(1e-9), np.zeros((modes + 1, 136)))
    inputs = np.column_stack([np.ones(len(shapes)), conversion.scores(shapes)])
    held = RIDGE * len(shapes) * np.diag([0.0, *np.ones(modes)])
    wanted = np.ascontiguousarray(missing).view(np.float64)
    offsets = np.asarray(np.linalg.solve(inputs.T @ inputs + held, inputs.T @ wanted), np.float64)
    return ShapeConversion(mean, conversion.modes, offsets)


def try_modes(
    points: NDArray[np.floating], labels: NDArray[np.floating], modes: Sequence[int] = MODES
) -> dict[int, float]:
    """Return, by number of modes, the mean error on faces that the conversion was not fitted to.

    Arguments as for :func:`fit_conversion`; errors in percent of the inter-ocular distance.
    """
    fold = np.arange(len(points)) % FOLDS
    errors: dict[int, float] = {}
    for count in modes:
        found = np.empty(labels.shape)
        for own in range(FOLDS):
            found[fold == own] = fit_conversion(points[fold != own], labels[fold != own], count)(points[fold == own])
        errors[count] = (
            float((np.linalg.norm(found - labels, axis=-1).mean(axis=1) / inter_ocular(labels)).mean()) * 100
        )
    return errors
