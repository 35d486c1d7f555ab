"""Recurrence without recurrence: each frame's solve starts at the last frame's fixed point.

The cold solve starts at z = 0 with the solver the model was trained with. The warm solve starts at
z*_{t-1} and stops after a few fixed-point iterations (Micaelli et al., CVPR 2023, section 4). The crop
follows the face, so the old state is first resampled into the new crop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from model.engine.base import Engine, State
from model.errors import ModelError
from model.geometry import Crop
from model.solvers import NOT_FINITE, SOLVER_FUNCTIONS, SolveReport, fixed_point_iteration

FIRST_FRAME = "first frame"
RWR_OFF = "RwR off"
NON_FINITE_STATE = "state not finite"

SAME_CROP = 1e-6


@dataclass(frozen=True, slots=True)
class RwrSettings:
    """How a warm solve goes.

    Attributes:
        evaluations: cell evaluations of a warm frame; the release uses 2.
        follow_crop: resample the old state into the new crop; off carries it raw, as the release does.
    """

    evaluations: int = 2
    follow_crop: bool = True

    def __post_init__(self) -> None:
        if self.evaluations < 1:
            raise ModelError(f"a warm solve needs at least 1 evaluation, not {self.evaluations}")


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A solved face.

    Attributes:
        landmarks: (98, 2) float32, frame pixels.
        uncertainty: (98,) float32, frame pixels.
        report: how the solve went.
    """

    landmarks: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    report: SolveReport


def cold_state(engine: Engine, u: State) -> tuple[State, SolveReport]:
    """Solve from z = 0 with the model's own solver, cap and tolerance; u (n, C, h, h)."""
    config = engine.config

    def cell(z: State) -> State:
        return engine.evaluate(z, u)

    solve = SOLVER_FUNCTIONS[config.solver]
    z, report = solve(cell, engine.zero_state(u.shape[0]), config.max_steps, config.tolerance)
    if config.extra_step:
        z, report = cell(z), replace(report, evaluations=report.evaluations + 1)
    return z, report


def cold_solve(engine: Engine, u: State, crop: Crop, reason: str = RWR_OFF) -> Solution:
    """Solve one face (u of batch 1) without memory."""
    z, report = cold_state(engine, u)
    return _solution(engine, z, crop, replace(report, reason=reason))


class Recurrence:
    """What one face carries from frame to frame."""

    def __init__(self, engine: Engine, settings: RwrSettings | None = None) -> None:
        self._engine = engine
        self._settings = settings or RwrSettings()
        self._state: State | None = None
        self._crop: Crop | None = None
        self._reason = FIRST_FRAME

    def reset(self, reason: str) -> None:
        """Forget the last frame; the next solve is cold and reports ``reason``."""
        self._state, self._crop, self._reason = None, None, reason

    def solve(self, u: State, crop: Crop) -> Solution:
        """Solve one face in one frame.

        Args:
            u: injection of the crop, batch 1.
            crop: where the crop lies in the frame.
        """
        if self._state is None or self._crop is None:
            z, report = self._cold(u)
        else:
            z, report = self._warm(u, self._state, self._crop, crop)
            if report.stopped == NOT_FINITE:
                self.reset(NON_FINITE_STATE)
                warm_evaluations = report.evaluations
                z, report = self._cold(u)
                report = replace(report, evaluations=report.evaluations + warm_evaluations)
        self._state, self._crop = (None, None) if report.stopped == NOT_FINITE else (z, crop)
        self._reason = NON_FINITE_STATE
        return _solution(self._engine, z, crop, report)

    def _cold(self, u: State) -> tuple[State, SolveReport]:
        z, report = cold_state(self._engine, u)
        return z, replace(report, reason=self._reason)

    def _warm(self, u: State, state: State, old: Crop, new: Crop) -> tuple[State, SolveReport]:
        if self._settings.follow_crop:
            state = move_state(state, old, new, self._engine.config.half_pixel)
        z, report = fixed_point_iteration(
            lambda z: self._engine.evaluate(z, u), state, self._settings.evaluations, tolerance=0.0
        )
        return z, replace(report, warm=True)


def _solution(engine: Engine, z: State, crop: Crop, report: SolveReport) -> Solution:
    landmarks, spread = engine.decode(z)
    return Solution(crop.to_frame(landmarks[0]), (spread[0] * crop.side).astype(np.float32), report)


def move_state(state: State, old: Crop, new: Crop, half_pixel: bool) -> State:
    """Resample heatmaps of one crop into another: what stood still in the frame stays where it was.

    Both crops are upright squares, so bilinear resampling is a matrix on each axis. Outside the old crop
    the state is 0, as at a cold start.

    Args:
        state: (n, 98, h, h).
        old: crop the state belongs to.
        new: crop it is wanted for.
        half_pixel: where the heatmap's columns sit, see :func:`model.heatmap.decode`.
    """
    change = max(abs(old.left - new.left), abs(old.top - new.top), abs(old.side - new.side))
    if change <= SAME_CROP * old.side:
        return state
    xp = array_namespace(state)
    size = state.shape[-1]
    where = device(state)
    columns = xp.asarray(_resampling(old.left, old.side, new.left, new.side, size, half_pixel), device=where)
    rows = xp.asarray(_resampling(old.top, old.side, new.top, new.side, size, half_pixel), device=where)
    return xp.matmul(xp.matmul(rows, state), xp.matrix_transpose(columns))


def _resampling(
    old_start: float, old_side: float, new_start: float, new_side: float, size: int, half_pixel: bool
) -> NDArray[np.float32]:
    """Return the (size, size) matrix of linear interpolation along one axis, rows for new cells."""
    offset = 0.5 if half_pixel else 0.0
    frame = new_start + (np.arange(size) + offset) / size * new_side
    position = (frame - old_start) / old_side * size - offset
    low = np.floor(position)
    matrix = np.zeros((size, size), np.float32)
    for column, share in ((low, 1 - (position - low)), (low + 1, position - low)):
        inside = (column >= 0) & (column < size)
        matrix[np.arange(size)[inside], column[inside].astype(int)] += share[inside].astype(np.float32)
    return matrix
