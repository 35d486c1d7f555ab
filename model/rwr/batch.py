"""Several faces of one frame in one batch: the network runs once for all of them, and each keeps its own memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from model.engine.base import Engine, State
from model.geometry import Crop
from model.rwr.cold import cold_state
from model.rwr.objective import WarmProblem, weighted_step
from model.rwr.recurrence import Recurrence, calculated
from model.rwr.solution import Solution, decode_each, split
from model.solvers import SolveReport, StopReason, sample_reports, settling_iteration


def solve_batch(
    engine: Engine,
    recurrences: Sequence[Recurrence],
    u: State,
    crops: Sequence[Crop],
    image: NDArray[np.uint8] | None = None,
    seconds: float | None = None,
) -> list[Solution]:
    """Solve the faces of one frame; equal to ``recurrence.solve`` for each, up to rounding.

    Warm faces make one batch and cold ones another. One face alone is solved without any copying.

    Args:
        engine: runs the model; the one of every recurrence.
        recurrences: what each face carries; with the same settings.
        u: injections (n, C, h, h), in the same order; or what returns them, see ``recurrence.solve``.
        crops: where each face's crop lies in the frame.
        image: the whole frame, RGB (h, w, 3).
        seconds: when it was taken.
    """
    if len(recurrences) == 1:
        return [recurrences[0].solve(u, crops[0], image, seconds)]
    starts = [recurrence.prepare(crop, image, seconds) for recurrence, crop in zip(recurrences, crops, strict=True)]
    u = calculated(u)
    injections = split(u)
    warm = [(i, start) for i, start in enumerate(starts) if start is not None]
    cold = [i for i, start in enumerate(starts) if start is None]
    solutions: dict[int, Solution] = {}
    if warm:
        indices = [i for i, _ in warm]
        z, reports = _warm(engine, [start for _, start in warm], _some(u, indices), recurrences[indices[0]])
        for (i, problem), decoded, report in zip(warm, decode_each(engine, z), reports, strict=True):
            if report.stopped == StopReason.NOT_FINITE:
                solutions[i] = recurrences[i].start_over(injections[i], crops[i], report.evaluations)
            else:
                spread = problem.fresh_spread(report.evaluations)
                solutions[i] = recurrences[i].finish(crops[i], decoded, replace(report, warm=True), spread)
    if cold:
        z, whole = cold_state(engine, _some(u, cold))
        for i, decoded, report in zip(cold, decode_each(engine, z), sample_reports(whole, len(cold)), strict=True):
            solutions[i] = recurrences[i].finish(crops[i], decoded, report)
    return [solutions[i] for i in range(len(recurrences))]


def _warm(engine: Engine, starts: Sequence[WarmProblem], u: State, like: Recurrence) -> tuple[State, list[SolveReport]]:
    """Solve warm faces with the settings of one of them; return their states, a batch, and reports."""

    def step(z: State) -> State:
        return weighted_step(engine, starts, engine.evaluate(z, u))

    start = array_namespace(u).concat([start.start for start in starts])
    z, report = settling_iteration(step, start, like.settings.evaluations, like.settings.settled)
    return z, sample_reports(report, len(starts))


def _some(u: State, indices: Sequence[int]) -> State:
    """Return these samples of a batch, without a copy if they are all of it."""
    if len(indices) == u.shape[0]:
        return u
    return array_namespace(u).concat([u[i : i + 1] for i in indices])
