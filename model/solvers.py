"""Fixed-point solvers for z = f(z), on numpy arrays and torch tensors alike.

Each solver has the same signature and returns the state and a :class:`SolveReport`. They know
nothing of engines or faces. Residual of one evaluation, as in the LDEQ release:

    r = mean over the batch of |f(z) - z| / (1e-5 + |f(z)|),  norms over the flattened state.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace

from model.config import LdeqConfig
from model.errors import ModelError

Array = Any
Function = Callable[[Array], Array]

RESIDUAL_FLOOR = 1e-5
ANDERSON_MEMORY = 6
ANDERSON_RIDGE = 1e-4

CONVERGED = "converged"
BUDGET = "budget spent"
NOT_FINITE = "not finite"


@dataclass(frozen=True, slots=True)
class SolveReport:
    """How a solve went.

    Attributes:
        evaluations: how often the cell was evaluated.
        residuals: relative residual of each evaluation that had one, in order.
        best_step: index into ``residuals`` of the state that was returned.
        stopped: "converged", "budget spent" or "not finite".
        warm: started from the last frame's fixed point.
        reason: why it started cold, "" when warm.
    """

    evaluations: int
    residuals: tuple[float, ...]
    best_step: int
    stopped: str
    warm: bool = False
    reason: str = ""

    @property
    def residual(self) -> float:
        """Residual of the returned state; infinite if none was measured."""
        return self.residuals[self.best_step] if self.residuals else float("inf")


def relative_residual(new: Array, old: Array) -> Array:
    """Return the residual of each sample (n,) for states (n, ...), on the states' own device."""
    xp = array_namespace(new)
    new, old = _flat(new), _flat(old)
    change = new - old
    size = xp.sqrt(xp.sum(new * new, axis=-1))
    return xp.sqrt(xp.sum(change * change, axis=-1)) / (RESIDUAL_FLOOR + size)


def _flat(z: Array) -> Array:
    xp = array_namespace(z)
    return xp.reshape(z, (z.shape[0], -1))


def fixed_point_iteration(f: Function, z0: Array, max_steps: int, tolerance: float) -> tuple[Array, SolveReport]:
    """Iterate z <- f(z), at most ``max_steps`` times, until the residual is below ``tolerance``.

    Args:
        f: maps a state (n, ...) to a state of the same shape.
        z0: where to start.
        max_steps: most evaluations.
        tolerance: on the batch mean of the relative residual.

    Returns:
        The last state and the report.
    """
    z, residuals = z0, []
    stopped = BUDGET
    for _ in range(max_steps):
        new = f(z)
        residuals.append(_mean(relative_residual(new, z)))
        z = new
        if residuals[-1] < tolerance:
            stopped = CONVERGED
            break
        if residuals[-1] != residuals[-1]:
            stopped = NOT_FINITE
            break
    return z, SolveReport(len(residuals), tuple(residuals), len(residuals) - 1, stopped)


def _mean(values: Array) -> float:
    return float(array_namespace(values).mean(values))
