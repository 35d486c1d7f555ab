"""Solvers on maps whose fixed point is known, for numpy and torch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from model.solvers import BUDGET, CONVERGED, NOT_FINITE, SOLVER_FUNCTIONS, fixed_point_iteration, relative_residual

SIZE = 12


def linear_problem(backend: str) -> tuple[Any, Any, Any]:
    """Return f(z) = A z + b for two samples, its fixed point and z0."""
    generator = np.random.default_rng(3)
    matrix = generator.normal(size=(SIZE, SIZE))
    matrix *= 0.9 / np.abs(np.linalg.eigvals(matrix)).max()
    offset = generator.normal(size=(2, SIZE))
    solution = np.linalg.solve(np.eye(SIZE) - matrix, offset.T).T
    if backend == "torch":
        a, b = torch.from_numpy(matrix), torch.from_numpy(offset)
        return (lambda z: z @ a.T + b), solution, torch.zeros(2, SIZE, dtype=torch.float64)
    return (lambda z: z @ matrix.T + offset), solution, np.zeros((2, SIZE))


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_finds_the_fixed_point(name: str, backend: str) -> None:
    f, solution, z0 = linear_problem(backend)
    z, report = SOLVER_FUNCTIONS[name](f, z0, 200, 1e-6)
    assert report.stopped == CONVERGED
    assert report.residual < 1e-6
    np.testing.assert_allclose(np.asarray(z), solution, atol=1e-4)


def test_accelerated_solvers_need_fewer_evaluations() -> None:
    f, _, z0 = linear_problem("numpy")
    plain = fixed_point_iteration(f, z0, 500, 1e-5)[1].evaluations
    for name in ("anderson", "broyden"):
        assert SOLVER_FUNCTIONS[name](f, z0, 500, 1e-5)[1].evaluations < plain


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_counts_every_evaluation(name: str) -> None:
    f, _, z0 = linear_problem("numpy")
    calls = 0

    def counted(z: Any) -> Any:
        nonlocal calls
        calls += 1
        return f(z)

    _, report = SOLVER_FUNCTIONS[name](counted, z0, 4, 0.0)
    assert report.evaluations == calls
    assert report.stopped == BUDGET


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_stops_on_a_state_that_is_not_finite(name: str) -> None:
    _, report = SOLVER_FUNCTIONS[name](lambda z: z * np.nan, np.ones((1, 4)), 10, 1e-6)
    assert report.stopped == NOT_FINITE
    assert report.evaluations < 5


@pytest.mark.parametrize("name", ["anderson", "broyden"])
def test_returns_the_state_of_lowest_residual(name: str) -> None:
    """On a map that does not converge the last iterate is not the best one."""
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(6, 6))

    def f(z: Any) -> Any:
        return np.tanh(z @ matrix.T * 3) + 0.3

    z, report = SOLVER_FUNCTIONS[name](f, np.zeros((1, 6)), 8, 1e-12)
    assert report.residual == min(report.residuals)
    assert float(relative_residual(f(z), z).mean()) == pytest.approx(report.residual, rel=1e-6)


def test_residual_is_the_mean_over_samples_of_the_relative_change() -> None:
    old, new = np.zeros((2, 3)), np.array([[3.0, 0, 4], [0, 0, 1]])
    np.testing.assert_allclose(relative_residual(new, old), [5 / (5 + 1e-5), 1 / (1 + 1e-5)])
