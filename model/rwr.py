"""Recurrence without recurrence: each frame's solve starts at, and stays near, the last frame's fixed point.

The cold solve starts at z = 0 with the solver the model was trained with. The warm solve minimises

    |f(z, u_t) - z|^2 + w |z - z_ref|^2                     (Micaelli et al., CVPR 2023, section 4)

where z_ref is the last frame's fixed point z*_{t-1}, moved with the crop and with the head. Around an
iterate z_k, with f taken as constant, the minimum is (f(z_k) + w z_ref) / (1 + w): a fixed-point iteration
pulled towards the last frame. With w = 0 and the state carried raw it is the released RwR exactly
(:data:`RELEASED`). ``docs/rwr.md`` has the derivation and what each part is worth.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from model.config import LANDMARKS
from model.engine.base import Engine, State
from model.errors import ModelError
from model.geometry import Crop
from model.motion import fit_similarity
from model.solvers import NOT_FINITE, SOLVER_FUNCTIONS, SolveReport, fixed_point_iteration

FIRST_FRAME = "first frame"
RWR_OFF = "RwR off"
NON_FINITE_STATE = "state not finite"

SAME_CROP = 1e-6


@dataclass(frozen=True, slots=True)
class RwrSettings:
    """How a warm solve goes.

    Attributes:
        evaluations: cell evaluations of a warm frame.
        recurrence_weight: w, how strongly the solution is pulled towards the last frame's; 0 leaves only
            the warm start.
        follow_crop: resample the old state into the new crop; off carries it raw, as the release does.
    """

    evaluations: int = 1
    recurrence_weight: float = 1.0
    follow_crop: bool = True

    def __post_init__(self) -> None:
        if self.evaluations < 1:
            raise ModelError(f"a warm solve needs at least 1 evaluation, not {self.evaluations}")
        if not 0 <= self.recurrence_weight < float("inf"):
            raise ModelError(f"the recurrence weight must not be negative, and finite, not {self.recurrence_weight}")
        if self.recurrence_weight and not self.follow_crop:
            raise ModelError("a recurrence weight needs follow_crop: a state carried raw is no reference")


RELEASED = RwrSettings(evaluations=2, recurrence_weight=0.0, follow_crop=False)
"""RwR as the authors' released code does it: two evaluations from the raw state."""


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


@dataclass(frozen=True, slots=True, eq=False)
class _Memory:
    """The last frame's fixed point, where its crop was, and its landmarks (98, 2) in frame pixels."""

    state: State
    crop: Crop
    landmarks: NDArray[np.float32]


class Recurrence:
    """What one face carries from frame to frame."""

    def __init__(self, engine: Engine, settings: RwrSettings | None = None) -> None:
        self._engine = engine
        self._settings = settings or RwrSettings()
        self._memory: _Memory | None = None
        self._reason = FIRST_FRAME

    def configure(self, settings: RwrSettings | None) -> None:
        """Use ``settings`` (None: the defaults) from the next frame on; the state is kept."""
        self._settings = settings or RwrSettings()

    def reset(self, reason: str) -> None:
        """Forget the last frame; the next solve is cold and reports ``reason``."""
        self._memory, self._reason = None, reason

    def solve(self, u: State, crop: Crop) -> Solution:
        """Solve one face in one frame.

        Args:
            u: injection of the crop, batch 1.
            crop: where the crop lies in the frame.
        """
        memory = self._memory
        if memory is None:
            z, report = self._cold(u)
        else:
            z, report = self._warm(u, crop, memory)
            if report.stopped == NOT_FINITE:
                self.reset(NON_FINITE_STATE)
                spent = report.evaluations
                z, report = self._cold(u)
                report = replace(report, evaluations=report.evaluations + spent)
        solution = _solution(self._engine, z, crop, report)
        self._memory = None if report.stopped == NOT_FINITE else _Memory(z, crop, solution.landmarks)
        self._reason = NON_FINITE_STATE
        return solution

    def _cold(self, u: State) -> tuple[State, SolveReport]:
        z, report = cold_state(self._engine, u)
        return z, replace(report, reason=self._reason)

    def _warm(self, u: State, crop: Crop, memory: _Memory) -> tuple[State, SolveReport]:
        settings = self._settings
        start = memory.state
        if settings.follow_crop:
            start = move_state(start, memory.crop, crop, self._engine.config.half_pixel)
        weight = settings.recurrence_weight

        def pulled(z: State) -> State:
            new = self._engine.evaluate(z, u)
            if weight == 0:
                return new
            return (new + weight * self._reference(new, crop, memory)) / (1 + weight)

        z, report = fixed_point_iteration(pulled, start, settings.evaluations, tolerance=0.0)
        return z, replace(report, warm=True)

    def _reference(self, z: State, crop: Crop, memory: _Memory) -> State:
        """Return the last fixed point, moved as the head has moved since: rigid motion must not lag.

        The motion is the similarity that most landmarks of ``z`` follow from those of the last frame.
        """
        config = self._engine.config
        pixels = crop.side / config.input_size
        now = crop.to_frame(self._engine.decode(z)[0][0]).astype(np.float64) / pixels
        before = memory.landmarks.astype(np.float64) / pixels
        if not np.isfinite(now).all():
            return memory.state
        motion = fit_similarity(before, now - before, np.ones(LANDMARKS))
        return move_state(memory.state, memory.crop, crop, config.half_pixel, motion / config.input_size)


def _solution(engine: Engine, z: State, crop: Crop, report: SolveReport) -> Solution:
    landmarks, spread = engine.decode(z)
    return Solution(crop.to_frame(landmarks[0]), (spread[0] * crop.side).astype(np.float32), report)


def move_state(
    state: State, old: Crop, new: Crop, half_pixel: bool, motion: NDArray[np.floating] | None = None
) -> State:
    """Resample heatmaps of one crop into another: what stood still in the frame stays where it was.

    Both crops are upright squares, so bilinear resampling is a matrix on each axis. Outside the old crop
    the state is 0, as at a cold start.

    Args:
        state: (n, 98, h, h).
        old: crop the state belongs to.
        new: crop it is wanted for.
        half_pixel: where the heatmap's columns sit, see :func:`model.heatmap.decode`.
        motion: (98, 2), how far each landmark's heatmap is to move besides, in units of the new crop.
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
    frame = new_start[:, None] + (np.arange(size) + offset) / size * new_side
    position = (frame - old_start) / old_side * size - offset
    low = np.floor(position)
    matrices = np.zeros((len(new_start), size, size), np.float32)
    which, row = np.meshgrid(np.arange(len(new_start)), np.arange(size), indexing="ij")
    for column, share in ((low, 1 - (position - low)), (low + 1, position - low)):
        inside = (column >= 0) & (column < size)
        matrices[which[inside], row[inside], column[inside].astype(int)] += share[inside].astype(np.float32)
    return matrices
