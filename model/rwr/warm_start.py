"""The warm start: the last frame's fixed point, warped into this frame's crop."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import cv2
import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from model.engine.base import State
from model.geometry import Crop
from model.solvers.progress import reading_waits

SAME_CROP = 1e-6
AT_ONCE = 14
"""Heatmaps that are moved together."""


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

    Both crops are upright squares, and resampling is bilinear. Outside the old crop the state is 0, as at a cold start.

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
    count, size = state.shape[1], state.shape[-1]
    shift = np.zeros((count, 2)) if motion is None else motion
    # Of a new cell at (column, row), place = first + step (column, row) among the old ones.
    step, offset = new.side / old.side, 0.5 if half_pixel else 0.0
    corner = np.array([new.left - old.left, new.top - old.top]) - shift * new.side
    first = (corner + offset / size * new.side) / old.side * size - offset
    beyond = (1 + step) * size  # as far away as any; what is not finite is there, too
    first = np.fmin(np.fmax(first, -beyond), beyond)
    move = _move_on_device if reading_waits(state) else _move
    return move(state, first, step)


def _move(state: State, first: NDArray[np.float64], step: float) -> State:
    """Return ``state`` with its cells at ``first`` (landmarks, 2) + ``step`` (column, row) of the old ones."""
    size = state.shape[-1]
    heatmaps = np.ascontiguousarray(state).reshape(-1, size, size)
    moved = np.empty_like(heatmaps)
    if step == 1:
        # Three times as fast as the general way, and true of most frames; the zeros keep it from repeating the edges.
        # Some at a time, so that the processor's cache holds them.
        padded = np.zeros((AT_ONCE, size + 2, size + 2), np.float32)
        centres = itertools.cycle((first + (size + 1) / 2).tolist())
        for start in range(0, len(heatmaps), AT_ONCE):
            some, results = heatmaps[start : start + AT_ONCE], moved[start : start + AT_ONCE]
            padded[: len(some), 1:-1, 1:-1] = some
            for heatmap, result, centre in zip(padded, results, centres, strict=False):
                cv2.getRectSubPix(heatmap, (size, size), centre, result)
    else:
        matrices = np.dstack([np.broadcast_to(step * np.eye(2), (len(first), 2, 2)), first])
        for heatmap, matrix, result in zip(heatmaps, itertools.cycle(matrices), moved, strict=False):
            cv2.warpAffine(heatmap, matrix, (size, size), result, cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP)
    return alike(moved.reshape(state.shape), state)


def alike(values: NDArray[np.float32], state: State) -> State:
    """Return values as an array of the kind and on the device of a state; asking what numpy's is takes a while."""
    return values if isinstance(state, np.ndarray) else array_namespace(state).asarray(values, device=device(state))


def _move_on_device(state: State, first: NDArray[np.float64], step: float) -> State:
    """Do as :func:`_move` by a matrix on each axis, made where the state is: the processor waits for nothing."""
    xp, where = array_namespace(state), device(state)
    cells = xp.arange(state.shape[-1], dtype=xp.float64, device=where)
    places = xp.asarray(first.T, device=where)[:, :, None] + step * cells
    away = xp.abs(places[..., None] - cells)
    columns, rows = xp.astype(xp.where(away < 1, 1 - away, xp.zeros_like(away)), xp.float32)
    return xp.matmul(xp.matmul(rows, state), xp.matrix_transpose(columns))
