"""A solved face: its state, decoded, and where its landmarks lie in the frame."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.engine.base import Engine, State
from model.geometry import Crop
from model.solvers import SolveReport
from model.uncertainty import Calibration, seen_at


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A solved face.

    Attributes:
        landmarks: (98, 2) float32, frame pixels.
        uncertainty: (98,) float32, frame pixels: the spread of ``state``.
        report: how the solve went.
        state: the heatmaps (1, 98, h, h) that the landmarks were read from, of the engine's kind.
        fresh_spread: (98,) float32, frame pixels: the spread of the last evaluation f(z), before RwR pulled it to the
            last frame, whose moved heatmaps are wider; that of ``state`` after a cold solve.
        radius80: (98,) float32, frame pixels, see :mod:`model.uncertainty`; None where it was not computed.
    """

    landmarks: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    report: SolveReport
    state: State
    fresh_spread: NDArray[np.float32]
    radius80: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One sample's state (1, n, h, h), and its landmarks (n, 2) and spread (n,) in crop units."""

    state: State
    landmarks: NDArray[np.float32]
    spread: NDArray[np.float32]


def decode_each(engine: Engine, batch: State) -> list[Decoded]:
    """Decode the samples of a batch (n, ...), all at once: on a GPU that is where the processor waits."""
    return [Decoded(*each) for each in zip(split(batch), *engine.decode(batch), strict=True)]


def split(batch: State) -> list[State]:
    """Return the samples of a batch (n, ...), each as a batch of one."""
    return [batch[i : i + 1] for i in range(batch.shape[0])]


def solution_of(
    decoded: Decoded, crop: Crop, report: SolveReport, fresh_spread: NDArray[np.float32] | None = None
) -> Solution:
    """Return a decoded state as the solution of the face in ``crop``; its landmarks are NaN if the solve failed.

    Args:
        decoded: the state.
        crop: where it lies in the frame.
        report: how the solve went.
        fresh_spread: (98,) in crop units, see :class:`Solution`; None for that of the state.
    """
    landmarks = decoded.landmarks
    if not math.isfinite(report.residual):
        landmarks = np.full_like(landmarks, np.nan)
    uncertainty = (decoded.spread * crop.side).astype(np.float32)
    fresh = uncertainty if fresh_spread is None else (fresh_spread * crop.side).astype(np.float32)
    return Solution(crop.to_frame(landmarks), uncertainty, report, decoded.state, fresh)


def disc_radii(calibration: Calibration, solution: Solution, crop: Crop, u: State, percent: int) -> NDArray[np.float32]:
    """Return the radii (98,) in frame pixels of the discs that hold the landmarks with a probability.

    Args:
        calibration: of the weights.
        solution: of the face.
        crop: that was solved.
        u: its injection (C, h, h).
        percent: the probability, one of :data:`model.uncertainty.PERCENTS`.
    """
    seen = seen_at(u, crop.to_crop(solution.landmarks), calibration.channels)
    return (calibration.radii(solution.fresh_spread / crop.side, seen, percent) * crop.side).astype(np.float32)
