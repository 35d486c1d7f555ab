"""The three solvers: plain iteration, Anderson, Broyden. All have one signature.

Args, for each:
    f: maps states (n, ...) to states of the same shape, every sample by itself.
    z0: where to start (n, ...), numpy or torch on any device.
    max_steps: most steps; see each solver for evaluations that come before the first.
    tolerance: on the relative residual of each sample.

Returns, for each: the state (n, ...) and a :class:`~model.solvers.report.SolveReport`. A sample that
has converged, or is not finite any more, stops and keeps its best finite state (the start where there
is none); the others go on as if it were not there. ``docs/method/solvers.md`` has the derivations.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from array_api_compat import array_namespace, device, is_torch_array

from model.solvers.progress import Progress, follow, follow_by_reading
from model.solvers.report import SolveReport, latest, lowest

Array = Any
Function = Callable[[Array], Array]
Solver = Callable[[Function, Array, int, float], tuple[Array, SolveReport]]

RESIDUAL_FLOOR = 1e-5
ANDERSON_MEMORY = 6
ANDERSON_RIDGE = 1e-4

# States that overflow are caught and reported; numpy need not warn about them as well.
_quiet = np.errstate(over="ignore", invalid="ignore", divide="ignore")


def relative_residual(new: Array, old: Array) -> Array:
    """Return the residual of each sample (n,) for states (n, ...), on the states' own device.

    As in the LDEQ release: r = |f(z) - z| / (1e-5 + |f(z)|), norms over the flattened state.
    """
    new, old = _flat(new), _flat(old)
    if isinstance(new, np.ndarray):  # without an array for the change, which costs as much as the sums
        return np.array([cv2.norm(a, b) / (RESIDUAL_FLOOR + cv2.norm(a)) for a, b in zip(new, old, strict=True)])
    xp = array_namespace(new)
    change = new - old
    return xp.sqrt(xp.vecdot(change, change)) / (RESIDUAL_FLOOR + xp.sqrt(xp.vecdot(new, new)))


def _flat(z: Array) -> Array:
    xp = array_namespace(z)
    return xp.reshape(z, (z.shape[0], -1))


@_quiet
def fixed_point_iteration(f: Function, z0: Array, max_steps: int, tolerance: float) -> tuple[Array, SolveReport]:
    """Iterate z <- f(z), at most ``max_steps`` evaluations. Returns the last state, not the best, and the report."""
    return _iterate(f, z0, max_steps, follow(z0, tolerance))


@_quiet
def settling_iteration(f: Function, z0: Array, max_steps: int, tolerance: float) -> tuple[Array, SolveReport]:
    """Iterate as :func:`fixed_point_iteration`, but stop on a GPU, too, as soon as all samples have converged.

    For warm solves: nearly all of them end after one evaluation, and waiting for its residual costs less than another.
    """
    return _iterate(f, z0, max_steps, follow_by_reading(z0, tolerance))


def _iterate(f: Function, z0: Array, max_steps: int, progress: Progress) -> tuple[Array, SolveReport]:
    z = z0
    for _ in range(max_steps):
        new = f(z)
        progress.offer(new, relative_residual(new, z))
        z = progress.hold(new)
        if progress.done:
            break
    return z, progress.report(0, latest)


@_quiet
def anderson(f: Function, z0: Array, max_steps: int, tolerance: float) -> tuple[Array, SolveReport]:
    """Anderson acceleration with memory 6, ridge 1e-4 and mixing 1 (Walker and Ni, 2011).

    Two plain evaluations start it; then each step takes the combination of past evaluations whose
    coefficients sum to 1 and whose residual is least. Returns the iterate of lowest residual and the report.
    """
    xp = array_namespace(z0)
    progress = follow(_flat(z0), tolerance)
    inputs, outputs = [_flat(z0)], [_flat(f(z0))]
    inputs.append(outputs[0])
    outputs.append(_flat(f(xp.reshape(outputs[0], z0.shape))))
    for step in range(max_steps):
        evaluated, iterates = xp.stack(outputs, axis=1), xp.stack(inputs, axis=1)
        weights = _anderson_weights(evaluated - iterates)
        mixed = progress.hold(xp.matmul(weights[:, None, :], evaluated)[:, 0])
        new = _flat(f(xp.reshape(mixed, z0.shape)))
        slot = (step + 2) % ANDERSON_MEMORY  # beyond the last one until there are so many
        inputs[slot : slot + 1], outputs[slot : slot + 1] = [mixed], [new]
        progress.offer(mixed, relative_residual(new, mixed))
        if progress.done:
            break
    return xp.reshape(progress.best, z0.shape), progress.report(2, lowest)


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
    return _solve_each(system, right)[:, 1:, 0]


def _solve_each(systems: Array, right: Array) -> Array:
    """Solve linear systems (n, k, k) x = (n, k, 1); NaN for a singular one, which must not fail the others.

    Those of samples that have stopped may be singular, since their states repeat themselves.
    """
    xp = array_namespace(systems)
    if is_torch_array(systems):
        # solve() reads on the processor whether a system was singular; solve_ex() leaves that on the device.
        solution, failed = xp.linalg.solve_ex(systems, right)
        return xp.where((failed != 0)[:, None, None], xp.full_like(solution, xp.nan), solution)
    try:
        return xp.linalg.solve(systems, right)
    except np.linalg.LinAlgError:
        if len(systems) == 1:
            return xp.full_like(right, xp.nan)
    return xp.concat([_solve_each(systems[i : i + 1], right[i : i + 1]) for i in range(len(systems))])


@_quiet
def broyden(f: Function, z0: Array, max_steps: int, tolerance: float) -> tuple[Array, SolveReport]:
    """Broyden's good method on g(z) = f(z) - z, the inverse Jacobian starting at -I (Broyden, 1965).

    Rank-one updates B <- B + (dz - B dg) (dz^T B) / (dz^T B dg) are kept as pairs of vectors.
    ``max_steps`` does not count the first evaluation. Returns the iterate of lowest residual and the report.
    """
    xp = array_namespace(z0)
    state = _flat(z0)
    progress = follow(state, tolerance)

    def g(flat: Array) -> Array:
        return _flat(f(xp.reshape(flat, z0.shape))) - flat

    def dot(a: Array, b: Array) -> Array:
        return xp.sum(a * b, axis=-1, keepdims=True)

    pairs: list[tuple[Array, Array]] = []  # B = -I + sum of u v^T
    value = g(state)
    step = value
    for _ in range(max_steps):
        previous = value
        state = progress.hold(state + step)
        value = g(state)
        progress.offer(state, relative_residual(value + state, state))
        if progress.done:
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
    return xp.reshape(progress.best, z0.shape), progress.report(1, lowest)
