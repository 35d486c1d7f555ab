"""The cold solve: from z = 0, without memory, as the model was trained."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from model.engine.base import Engine, State
from model.geometry import Crop
from model.rwr.solution import Solution, decode_each, solution_of
from model.solvers import SOLVER_FUNCTIONS, ColdReason, SolveReport, sample_reports


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


def cold_solve(engine: Engine, u: State, crop: Crop) -> Solution:
    """Solve one face (u of batch 1) without memory."""
    return cold_solutions(engine, u, [crop])[0]


def cold_solutions(engine: Engine, u: State, crops: Sequence[Crop]) -> list[Solution]:
    """Solve the faces of one frame, one batch u (n, C, h, h), without memory."""
    z, report = cold_state(engine, u)
    return [
        solution_of(decoded, crop, replace(own, reason=ColdReason.RWR_OFF))
        for decoded, crop, own in zip(decode_each(engine, z), crops, sample_reports(report, len(crops)), strict=True)
    ]
