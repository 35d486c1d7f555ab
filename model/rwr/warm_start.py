"""The warm start: the last frame's fixed point, warped into this frame's crop."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from model.engine.base import State
from model.geometry import Crop
from model.solvers.progress import reading_waits

SAME_CROP = 1e-6
MARGIN = 2
"""Cells around the matrices that take what lies outside the old crop."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """The last frame's fixed point, where its crop was, and its landmarks (n, 2) in frame pixels."""

    state: State
    crop: Crop
    landmarks: NDArray[np.float32]

    def warped(self, crop: Crop, half_pixel: bool, motion: NDArray[np.floating] | None = None) -> State:
        """Return the state in another crop, each landmark moved by ``motion`` (n, 2) in frame pixels.

        Where a crop is turned, each heatmap is moved to where its landmark lies in the new one but keeps its own
        orientation: what counts is its peak, which is nearly round.
        """
        if not (self.crop.angle or crop.angle):
            return warp_state(self.state, self.crop, crop, half_pixel, None if motion is None else motion / crop.side)
        wanted = crop.to_crop(self.landmarks if motion is None else self.landmarks + motion)
        shift = wanted - self.crop.side / crop.side * self.crop.to_crop(self.landmarks)
        return warp_state(self.state, _at_origin(self.crop), _at_origin(crop), half_pixel, shift)


def _at_origin(crop: Crop) -> Crop:
    """Return the upright square of the crop's side whose top left corner is (0, 0)."""
    return Crop(crop.side / 2, crop.side / 2, crop.side)


def warp_state(
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
    left = _places(old.left, old.side, new.left - shift[:, 0] * new.side, new.side, size, half_pixel)
    top = _places(old.top, old.side, new.top - shift[:, 1] * new.side, new.side, size, half_pixel)
    if reading_waits(state):
        # Places are 18 KB an axis, matrices 0.9 MB, which the processor would wait for.
        rows, columns = (_hats(xp.asarray(places, device=where)) for places in (top, left))
        return xp.matmul(xp.matmul(rows, state), xp.matrix_transpose(columns))
    rows, columns = xp.asarray(_rows(top), device=where), xp.asarray(_columns(left), device=where)
    return xp.matmul(xp.matmul(rows, state), columns)


def _places(
    old_start: float, old_side: float, new_start: NDArray[np.floating], new_side: float, size: int, half_pixel: bool
) -> NDArray[np.float64]:
    """Return where new cells lie among the old ones along one axis, (k, size) in cells.

    Args:
        old_start: frame coordinate at which the old crop begins.
        old_side: side of the old crop.
        new_start: (k,) where the new crop begins, for each landmark.
        new_side: side of the new crop.
        size: cells along the axis.
        half_pixel: cells sit at (j + 0.5) / size instead of j / size.
    """
    offset = 0.5 if half_pixel else 0.0
    frame = new_start[:, None] + (np.arange(size) + offset) / size * new_side
    places = (frame - old_start) / old_side * size - offset
    # Two cells beyond the edges are as far away as any; what is not finite is there, too.
    return np.asarray(np.fmin(np.fmax(places, -MARGIN), size))


def _rows(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the matrices (k, size, size) of linear interpolation at ``places`` (k, size), new cells in rows."""
    count, size = places.shape
    low = np.floor(places)
    share = (places - low).astype(np.float32)
    matrices = np.zeros((count, size, size + 2 * MARGIN), np.float32)
    first = np.arange(count * size).reshape(count, size) * (size + 2 * MARGIN) + low.astype(np.intp) + MARGIN
    flat = matrices.reshape(-1)
    flat[first], flat[first + 1] = 1 - share, share
    return matrices[:, :, MARGIN:-MARGIN]


def _hats(places: State) -> State:
    """Return the matrices of :func:`_rows`, float32, where ``places`` (k, size) float64 are; without any scattering."""
    xp = array_namespace(places)
    cells = xp.arange(places.shape[-1], dtype=places.dtype, device=device(places))
    away = xp.abs(places[:, :, None] - cells)
    return xp.astype(xp.where(away < 1, 1 - away, xp.zeros_like(away)), xp.float32)


def _columns(places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the transposed matrices of :func:`_rows`, as they lie in memory: products with them are twice as fast."""
    count, size = places.shape
    low = np.floor(places)
    share = (places - low).astype(np.float32)
    matrices = np.zeros((count, size + 2 * MARGIN, size), np.float32)
    begin = np.arange(count)[:, None] * (size + 2 * MARGIN) + MARGIN
    first = (begin + low.astype(np.intp)) * size + np.arange(size)
    flat = matrices.reshape(-1)
    flat[first], flat[first + size] = 1 - share, share
    return matrices[:, MARGIN:-MARGIN]
