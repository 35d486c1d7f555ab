"""Fixed-point solvers for z = f(z), on numpy arrays and torch tensors alike.

Each solver has the same signature and returns the state and a :class:`SolveReport`. They know
nothing of engines or faces. Residual of one evaluation, as in the LDEQ release:

    r = mean over the batch of |f(z) - z| / (1e-5 + |f(z)|),  norms over the flattened state.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from array_api_compat import array_namespace, device

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


class _Best:
    """Keeps the state of lowest residual and the history that the report needs."""

    def __init__(self, tolerance: float) -> None:
        self.tolerance = tolerance
        self.residuals: list[float] = []
        self.best_step = 0
        self.state: Array = None
        self.stopped = BUDGET

    def offer(self, state: Array, residual: float) -> bool:
        """Note one residual; return whether the solver should stop."""
        self.residuals.append(residual)
        if not math.isfinite(residual):
            self.stopped = NOT_FINITE
            return True
        if self.state is None or residual < self.residuals[self.best_step]:
            self.best_step, self.state = len(self.residuals) - 1, state
        if residual < self.tolerance:
            self.stopped = CONVERGED
            return True
        return False

    def result(self, fallback: Array, evaluations: int) -> tuple[Array, SolveReport]:
        """Return the best state (``fallback`` where there is none) and the report."""
        state = fallback if self.state is None else self.state
        return state, SolveReport(evaluations, tuple(self.residuals), self.best_step, self.stopped)


def fixed_point_iteration(f: Function, z0: Array, max_steps: int, tolerance: float) -> tuple[Array, SolveReport]:
    """Iterate z <- f(z), at most ``max_steps`` evaluations, until the residual is below ``tolerance``.

    Args:
        f: maps a state (n, ...) to a state of the same shape.
        z0: where to start.
        max_steps: most iterations, at least 1.
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
        if not math.isfinite(residuals[-1]):
            stopped = NOT_FINITE
            break
        if residuals[-1] < tolerance:
            stopped = CONVERGED
            break
    return z, SolveReport(len(residuals), tuple(residuals), len(residuals) - 1, stopped)


def anderson(f: Function, z0: Array, max_steps: int, tolerance: float) -> tuple[Array, SolveReport]:
    """Anderson acceleration with memory 6, ridge 1e-4 and mixing 1 (Walker and Ni, 2011).

    Two plain evaluations start it; then each step takes the combination of past evaluations whose
    coefficients sum to 1 and whose residual is least. Arguments as for :func:`fixed_point_iteration`,
    ``max_steps`` not counting the two start-up evaluations.

    Returns:
        The iterate of lowest residual, not the last, and the report.
    """
    xp = array_namespace(z0)
    inputs, outputs = [_flat(z0)], [_flat(f(z0))]
    inputs.append(outputs[0])
    outputs.append(_flat(f(xp.reshape(outputs[0], z0.shape))))
    best = _Best(tolerance)
    for step in range(max_steps):
        count = min(step + 2, ANDERSON_MEMORY)
        evaluated, iterates = xp.stack(outputs[:count], axis=1), xp.stack(inputs[:count], axis=1)
        weights = _anderson_weights(evaluated - iterates)
        mixed = xp.matmul(weights[:, None, :], evaluated)[:, 0]
        state = xp.reshape(mixed, z0.shape)
        new = f(state)
        slot = (step + 2) % ANDERSON_MEMORY
        inputs[slot : slot + 1], outputs[slot : slot + 1] = [mixed], [_flat(new)]
        if best.offer(state, _mean(relative_residual(new, state))):
            break
    return best.result(xp.reshape(outputs[1], z0.shape), 2 + len(best.residuals))


def _anderson_weights(residuals: Array) -> Array:
    """Solve min |w . residuals|^2 + ridge |w|^2 with sum w = 1, for residuals (n, count, size); (n, count)."""
    xp = array_namespace(residuals)
    samples, count = residuals.shape[:2]
    where = device(residuals)
    gram = xp.matmul(residuals, xp.matrix_transpose(residuals))
    gram = gram + ANDERSON_RIDGE * xp.eye(count, dtype=residuals.dtype, device=where)
    border = xp.ones((samples, count, 1), dtype=residuals.dtype, device=where)
    corner = xp.zeros((samples, 1, 1), dtype=residuals.dtype, device=where)
    # The Lagrange system [[0, 1], [1, gram]] [multiplier, w] = [1, 0].
    system = xp.concat(
        [xp.concat([corner, xp.matrix_transpose(border)], axis=2), xp.concat([border, gram], axis=2)], axis=1
    )
    right = xp.concat([corner + 1, xp.zeros_like(border)], axis=1)
    return xp.linalg.solve(system, right)[:, 1:, 0]


def broyden(f: Function, z0: Array, max_steps: int, tolerance: float) -> tuple[Array, SolveReport]:
    """Broyden's good method on g(z) = f(z) - z, the inverse Jacobian starting at -I (Broyden, 1965).

    Rank-one updates B <- B + (dz - B dg) (dz^T B) / (dz^T B dg) are kept as pairs of vectors.
    Arguments as for :func:`fixed_point_iteration`, ``max_steps`` not counting the first evaluation.

    Returns:
        The iterate of lowest residual and the report.
    """
    xp = array_namespace(z0)
    state = _flat(z0)

    def g(flat: Array) -> Array:
        return _flat(f(xp.reshape(flat, z0.shape))) - flat

    def dot(a: Array, b: Array) -> Array:
        return xp.sum(a * b, axis=-1, keepdims=True)

    pairs: list[tuple[Array, Array]] = []  # B = -I + sum of u v^T
    value = g(state)
    step = value
    best = _Best(tolerance)
    for _ in range(max_steps):
        previous = value
        state = state + step
        value = g(state)
        if best.offer(xp.reshape(state, z0.shape), _mean(relative_residual(value + state, state))):
            break
        change = value - previous
        image, coimage = -change, -step
        for u, v in pairs:
            image = image + u * dot(v, change)
            coimage = coimage + v * dot(u, step)
        scale = dot(coimage, change)
        safe = xp.where(scale == 0, xp.ones_like(scale), scale)
        pairs.append((xp.where(scale == 0, xp.zeros_like(step), (step - image) / safe), coimage))
        step = value
        for u, v in pairs:
            step = step - u * dot(v, value)
    return best.result(z0, 1 + len(best.residuals))


SOLVER_FUNCTIONS: dict[str, Callable[[Function, Array, int, float], tuple[Array, SolveReport]]] = {
    "fpi": fixed_point_iteration,
    "anderson": anderson,
    "broyden": broyden,
}


def _mean(values: Array) -> float:
    return float(array_namespace(values).mean(values))
