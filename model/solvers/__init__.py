"""Fixed-point solvers for z = f(z), on numpy arrays and torch tensors alike.

Each solver has the same signature and returns the state and a :class:`SolveReport`. They know
nothing of engines or faces.
"""

from __future__ import annotations

from model.config import SolverName
from model.solvers.methods import (
    Solver,
    anderson,
    broyden,
    fixed_point_iteration,
    relative_residual,
    settling_iteration,
)
from model.solvers.report import ColdReason, SolveReport, StopReason, sample_reports

__all__ = [
    "SOLVER_FUNCTIONS",
    "ColdReason",
    "SolveReport",
    "Solver",
    "StopReason",
    "anderson",
    "broyden",
    "fixed_point_iteration",
    "relative_residual",
    "sample_reports",
    "settling_iteration",
]

SOLVER_FUNCTIONS: dict[SolverName, Solver] = {
    SolverName.FPI: fixed_point_iteration,
    SolverName.ANDERSON: anderson,
    SolverName.BROYDEN: broyden,
}
