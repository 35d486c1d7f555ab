"""Heatmaps of one crop, seen in another: where a state from the last frame belongs in this one."""

from __future__ import annotations

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from model.engine.base import State
from model.geometry import Crop

SAME_CROP = 1e-6


def move_state(
    state: State, old: Crop, new: Crop, half_pixel: bool, motion: NDArray[np.floating] | None = None
) -> State:
    """Resample heatmaps of one crop into another: what stood still in the frame stays where it was.

    Both crops are upright squares, so bilinear resampling is a matrix on each axis. Outside the old crop
    the state is 0, as at a cold start.

    Args:
        state: (n, landmarks, h, h).
        old: crop the state belongs to.
        new: crop it is wanted for.
        half_pixel: where the heatmap's columns sit, see :func:`model.heatmap.decode`.
        motion: (landmarks, 2), how far each landmark's heatmap is to move besides, in units of the new crop.
    """
    change = max(abs(old.left - new.left), abs(old.top - new.top), abs(old.side - new.side))
    if change <= SAME_CROP * old.side and motion is None:
        return state
    shift = np.zeros((1, 2)) if motion is None else motion
    xp = array_namespace(state)
    size = state.shape[-1]
    where = device(state)
    matrices = []
    for old_start, new_start, along in ((old.left, new.left, shift[:, 0]), (old.top, new.top, shift[:, 1])):
        start = new_start - along * new.side
        matrix = _resampling(old_start, old.side, start, new.side, size, half_pixel)
        matrices.append(xp.asarray(matrix, device=where))
    columns, rows = matrices
    return xp.matmul(xp.matmul(rows, state), xp.matrix_transpose(columns))


def _resampling(
    old_start: float, old_side: float, new_start: NDArray[np.floating], new_side: float, size: int, half_pixel: bool
) -> NDArray[np.float32]:
    """Return (k, size, size) matrices of linear interpolation along one axis, rows for new cells.

    Args:
        old_start: frame coordinate at which the old crop begins.
        old_side: side of the old crop.
        new_start: (k,) where the new crop begins, for each matrix.
        new_side: side of the new crop.
        size: cells along the axis.
        half_pixel: cells sit at (j + 0.5) / size instead of j / size.
    """
    offset = 0.5 if half_pixel else 0.0
    cells = np.arange(size)
    frame = new_start[:, None] + (cells + offset) / size * new_side
    position = (frame - old_start) / old_side * size - offset
    # A cell's share falls linearly with its distance: every other cell's is 0, and those beyond the edges have none.
    weights = (position[:, :, None] - cells).astype(np.float32)
    np.abs(weights, out=weights)
    np.subtract(1, weights, out=weights)
    return np.maximum(weights, 0, out=weights)
