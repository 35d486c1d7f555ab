"""Solvers on maps whose fixed point is known, for numpy and torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from model.config import SolverName
from model.solvers import (
    SOLVER_FUNCTIONS,
    StopReason,
    fixed_point_iteration,
    progress,
    relative_residual,
)
from model.solvers.report import latest

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
def test_finds_the_fixed_point(name: SolverName, backend: str) -> None:
    f, solution, z0 = linear_problem(backend)
    z, report = SOLVER_FUNCTIONS[name](f, z0, 200, 1e-6)
    assert report.stopped == StopReason.CONVERGED
    assert report.residual < 1e-6
    np.testing.assert_allclose(np.asarray(z), solution, atol=1e-4)


def test_accelerated_solvers_need_fewer_evaluations() -> None:
    f, _, z0 = linear_problem("numpy")
    plain = fixed_point_iteration(f, z0, 500, 1e-5)[1].evaluations
    for name in ("anderson", "broyden"):
        assert SOLVER_FUNCTIONS[name](f, z0, 500, 1e-5)[1].evaluations < plain  # type: ignore[index]


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_counts_every_evaluation(name: SolverName) -> None:
    f, _, z0 = linear_problem("numpy")
    calls = 0

    def counted(z: Any) -> Any:
        nonlocal calls
        calls += 1
        return f(z)

    _, report = SOLVER_FUNCTIONS[name](counted, z0, 4, 0.0)
    assert report.evaluations == calls
    assert report.stopped == StopReason.BUDGET


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_stops_on_a_state_that_is_not_finite(name: SolverName) -> None:
    _, report = SOLVER_FUNCTIONS[name](lambda z: z * np.nan, np.ones((1, 4)), 10, 1e-6)
    assert report.stopped == StopReason.NOT_FINITE
    assert report.evaluations < 5


@pytest.mark.parametrize("name", ["anderson", "broyden"])
def test_returns_the_state_of_lowest_residual(name: SolverName) -> None:
    """On a map that does not converge the last iterate is not the best one."""
    generator = np.random.default_rng(0)
    matrix = generator.normal(size=(6, 6))

    def f(z: Any) -> Any:
        return np.tanh(z @ matrix.T * 3) + 0.3

    z, report = SOLVER_FUNCTIONS[name](f, np.zeros((1, 6)), 8, 1e-12)
    assert report.residual == min(report.residuals)
    assert float(relative_residual(f(z), z).mean()) == pytest.approx(report.residual, rel=1e-6)


Map = Callable[[NDArray[np.float64]], NDArray[np.float64]]


def curved_map() -> Map:
    """Return a contraction of (6,) whose Jacobian is another one everywhere."""
    matrix = np.random.default_rng(1).normal(size=(6, 6)) * 0.3
    return lambda z: np.tanh(z @ matrix.T) + 0.3


def residual_of(f: Map, z: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(f(z) - z) / (1e-5 + np.linalg.norm(f(z))))


def dense_broyden(f: Map, steps: int) -> list[float]:
    """Return the residuals of Broyden's good method with the inverse Jacobian as a matrix."""
    z, inverse, residuals = np.zeros(6), -np.eye(6), []
    g = f(z) - z
    for _ in range(steps):
        moved = -inverse @ g
        z = z + moved
        changed, g = f(z) - z - g, f(z) - z
        row = moved @ inverse
        inverse = inverse + np.outer(moved - inverse @ changed, row) / (row @ changed)
        residuals.append(residual_of(f, z))
    return residuals


def dense_anderson(f: Map, steps: int) -> list[float]:
    """Return the residuals of Anderson's method: the weights of sum 1 are those of (R R^T + ridge) w = 1, scaled."""
    inputs, residuals = [np.zeros(6), f(np.zeros(6))], []
    for _ in range(steps):
        inputs = inputs[-6:]
        rows = np.array([f(z) - z for z in inputs])
        weights = np.linalg.solve(rows @ rows.T + 1e-4 * np.eye(len(rows)), np.ones(len(rows)))
        z = weights / weights.sum() @ np.array([f(z) for z in inputs])
        inputs.append(z)
        residuals.append(residual_of(f, z))
    return residuals


@pytest.mark.parametrize(("name", "dense"), [("anderson", dense_anderson), ("broyden", dense_broyden)])
def test_every_step_is_that_of_dense_matrices(name: SolverName, dense: Callable[[Map, int], list[float]]) -> None:
    f = curved_map()
    _, report = SOLVER_FUNCTIONS[name](lambda z: f(z[0])[None], np.zeros((1, 6)), 10, 0.0)
    assert report.residuals == pytest.approx(dense(f, 10), rel=1e-4)


def test_broyden_goes_on_plainly_where_nothing_tells_the_jacobian() -> None:
    """f(z) - z is the same everywhere, so that there is nothing to divide by."""
    step = torch.ones(1, dtype=torch.float64, requires_grad=True)
    z, report = SOLVER_FUNCTIONS[SolverName.BROYDEN](lambda z: z + step, torch.zeros(1, 1, dtype=torch.float64), 4, 0.0)
    assert (z.item(), report.stopped) == (4.0, StopReason.BUDGET)
    z.backward()
    assert step.grad is not None
    assert step.grad.item() == 4.0


@pytest.mark.parametrize("array", [np.array, torch.tensor])
def test_the_residual_is_the_relative_change_of_each_sample(array: Any) -> None:
    old, new = array([[3.0, 0, 0], [0, 0, 1]]), array([[3.0, 0, 4], [0, 0, 2]])
    np.testing.assert_allclose(relative_residual(new, old), [4 / (5 + 1e-5), 1 / (2 + 1e-5)], rtol=1e-6)


def test_plain_iteration_returns_its_last_state_and_says_so() -> None:
    z, report = fixed_point_iteration(lambda z: z * -2 + 3, np.zeros((1, 1)), 4, 0.0)
    assert z == -15
    assert (report.best_step, report.residual) == (3, report.residuals[3])
    assert report.residual > min(report.residuals)


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_a_gradient_can_pass_the_whole_solve(name: SolverName) -> None:
    """Unrolling: with a graph in force nothing is cut off. d/dc of the fixed point c / (1 - 0.5) is 2."""
    c = torch.tensor([[1.0], [3.0]], dtype=torch.float64, requires_grad=True)
    z, report = SOLVER_FUNCTIONS[name](lambda z: 0.5 * z + c, torch.zeros_like(c), 60, 1e-9)
    assert report.stopped == StopReason.CONVERGED
    z.sum().backward()
    assert c.grad is not None
    np.testing.assert_allclose(c.grad, 2.0, rtol=1e-4)


def batch_problem(backend: str, rates: list[float], dtype: Any = np.float64) -> tuple[Any, Any, Any]:
    """Return f(z) = A_i z + b_i with another contraction rate for each sample, z0, and f of one sample alone."""
    generator = np.random.default_rng(5)
    matrices = np.stack([rate * np.linalg.qr(generator.normal(size=(SIZE, SIZE)))[0] for rate in rates]).astype(dtype)
    offsets = generator.normal(size=(len(rates), SIZE, 1)).astype(dtype)
    if backend != "numpy":
        where = "cuda" if backend == "cuda" else "cpu"
        matrices, offsets = torch.from_numpy(matrices).to(where), torch.from_numpy(offsets).to(where)  # type: ignore[assignment]

    def f(z: Any) -> Any:
        return matrices @ z + offsets

    def alone(index: int) -> Any:
        return lambda z: matrices[index : index + 1] @ z + offsets[index : index + 1]

    return f, offsets * 0, alone


RATES = [0.05, 0.6, 0.0, 0.95]


@pytest.fixture(params=["numpy", "torch", "on device"])
def backend(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where states live. "on device" is torch, treated as if reading a value made the processor wait."""
    if request.param == "on device":
        monkeypatch.setattr(progress, "reading_waits", lambda state: True)
        return "torch"
    return str(request.param)


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_every_sample_of_a_batch_is_solved_as_if_alone(name: SolverName, backend: str) -> None:
    f, z0, alone = batch_problem(backend, RATES)
    z, report = SOLVER_FUNCTIONS[name](f, z0, 25, 1e-5)
    for index, sample in enumerate(report.per_sample):
        own, expected = SOLVER_FUNCTIONS[name](alone(index), z0[:1], 25, 1e-5)
        np.testing.assert_allclose(np.asarray(z[index]), np.asarray(own[0]), rtol=1e-9, atol=1e-12)
        (single,) = expected.per_sample
        assert (sample.evaluations, sample.best_step, sample.stopped) == (
            single.evaluations,
            single.best_step,
            single.stopped,
        )
        # Near 1e-10 a residual is rounding.
        np.testing.assert_allclose(sample.residuals, single.residuals, rtol=1e-6, atol=1e-10)
    evaluations = [sample.evaluations for sample in report.per_sample]
    assert min(evaluations) < max(evaluations) <= report.evaluations


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_a_sample_that_has_converged_no_longer_changes(name: SolverName, backend: str) -> None:
    f, z0, _ = batch_problem(backend, RATES)
    seen: list[Any] = []

    def recorded(z: Any) -> Any:
        seen.append(np.asarray(z).copy())
        return f(z)

    z, report = SOLVER_FUNCTIONS[name](recorded, z0, 25, 1e-5)
    first = report.per_sample[0]
    assert first.stopped == StopReason.CONVERGED
    assert first.evaluations < len(seen) - 2
    for state in seen[first.evaluations :]:
        np.testing.assert_array_equal(state[0], np.asarray(z[0]))


def test_the_batch_report_sums_up_its_samples() -> None:
    f, z0, _ = batch_problem("numpy", RATES)
    _, report = fixed_point_iteration(f, z0, 25, 1e-5)
    assert report.stopped == StopReason.BUDGET
    assert [sample.stopped for sample in report.per_sample] == [*[StopReason.CONVERGED] * 3, StopReason.BUDGET]
    assert report.residuals[0] == pytest.approx(np.mean([sample.residuals[0] for sample in report.per_sample]))
    last = [sample.residuals[-1] for sample in report.per_sample]
    assert report.residuals[-1] == pytest.approx(np.mean(last))
    assert report.residual == pytest.approx(np.mean(last))
    assert report.best_step == len(report.residuals) - 1


def test_a_residual_below_the_tolerance_by_rounding_alone_stops_a_sample(backend: str) -> None:
    """0.7 in single precision is below 0.7, which the report, made of Python's numbers, notices too."""
    array = np.array if backend == "numpy" else torch.tensor
    start, found, next_one = (array([[value]]) for value in (0.0, 1.0, 2.0))
    following = progress.follow(start, 0.7)
    following.offer(found, array(np.array([0.7], np.float32)))
    assert following.hold(next_one) == found
    assert following.report(0, latest).stopped == StopReason.CONVERGED


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_a_sample_that_is_lost_does_not_disturb_the_others(name: SolverName, backend: str) -> None:
    f, z0, alone = batch_problem(backend, [0.5, 0.5, 0.6])
    calls = 0

    def broken(z: Any) -> Any:
        nonlocal calls
        calls += 1
        new = f(z) + 0  # a copy
        if calls > 4:
            new[1, 0] = float("nan")
        return new

    z, report = SOLVER_FUNCTIONS[name](broken, z0, 25, 1e-6)
    assert report.not_finite == (1,)
    assert report.stopped == StopReason.NOT_FINITE
    assert np.isfinite(np.asarray(z)).all()
    assert np.isfinite(report.residuals).all()
    for index in (0, 2):
        own, _ = SOLVER_FUNCTIONS[name](alone(index), z0[:1], 25, 1e-6)
        np.testing.assert_allclose(np.asarray(z[index]), np.asarray(own[0]), rtol=1e-9)
    lost = report.per_sample[1]
    assert lost.evaluations == 5
    # What is kept is what the solver would have returned one evaluation earlier.
    steps = {"fpi": 4, "anderson": 2, "broyden": 3}[name]
    before, _ = SOLVER_FUNCTIONS[name](alone(1), z0[:1], steps, 1e-6)
    np.testing.assert_allclose(np.asarray(z[1]), np.asarray(before[0]), rtol=1e-9)
    assert lost.residual == min(lost.residuals[:-1])


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_without_any_finite_state_the_start_is_returned(name: SolverName, backend: str) -> None:
    f, z0, _ = batch_problem(backend, [0.5, 0.5])
    start = z0 + 1

    def broken(z: Any) -> Any:
        new = f(z) + 0
        new[0] = float("inf")
        return new

    z, report = SOLVER_FUNCTIONS[name](broken, start, 25, 1e-3)
    np.testing.assert_array_equal(np.asarray(z[0]), np.asarray(start[0]))
    assert report.not_finite == (0,)
    assert report.per_sample[0].residual == float("inf")
    assert report.per_sample[1].stopped == StopReason.CONVERGED


@pytest.mark.parametrize("backend", ["numpy", "torch"])
def test_anderson_survives_a_singular_system(backend: str) -> None:
    """Residuals so large and alike that the ridge is rounded away leave one sample's system singular."""
    f, z0, alone = batch_problem(backend, [0.5, 0.5], np.float32)

    def stuck(z: Any) -> Any:
        new = f(z) + 0
        new[0] = z[0] + 2.0**20
        return new

    z, report = SOLVER_FUNCTIONS[SolverName.ANDERSON](stuck, z0, 10, 1e-3)
    assert report.not_finite == (0,)
    assert np.isfinite(np.asarray(z)).all()
    own, _ = SOLVER_FUNCTIONS[SolverName.ANDERSON](alone(1), z0[:1], 10, 1e-3)
    assert report.per_sample[1].stopped == StopReason.CONVERGED
    np.testing.assert_allclose(np.asarray(z[1]), np.asarray(own[0]), rtol=1e-4, atol=1e-5)


class _NoReading(TorchFunctionMode):
    """Fails on everything that takes a value from a tensor to Python."""

    FORBIDDEN = ("item", "tolist", "numpy", "__bool__", "__float__", "__int__", "__index__", "cpu", "nonzero")

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        assert getattr(func, "__name__", "") not in self.FORBIDDEN, f"{func.__name__} reads a value inside the loop"
        return func(*args, **(kwargs or {}))


class _NoReadingOperators(TorchDispatchMode):
    """The same one level lower, for what operators read themselves."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = str(func)
        assert not any(word in name for word in ("_local_scalar_dense", "nonzero", "is_nonzero", "equal.")), name
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("rates", [RATES, RATES[:1]], ids=["batch", "one"])
@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_on_device_nothing_is_read_before_the_report(
    name: SolverName, rates: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    f, z0, _ = batch_problem("torch", rates)
    monkeypatch.setattr(progress, "reading_waits", lambda state: True)
    evaluations, reads = 0, []

    def counted(z: Any) -> Any:
        nonlocal evaluations
        evaluations += 1
        return f(z)

    def read(values: Any) -> Any:
        with torch._C.DisableTorchFunction():
            reads.append(evaluations)
            return values.numpy().tolist()

    monkeypatch.setattr(progress, "read", read)
    with _NoReading(), _NoReadingOperators():
        _, report = SOLVER_FUNCTIONS[name](counted, z0, 8, 1e-5)
    assert reads == [evaluations] == [report.evaluations]


def test_the_guards_against_reading_work(monkeypatch: pytest.MonkeyPatch) -> None:
    f, z0, _ = batch_problem("torch", RATES)
    with _NoReading(), pytest.raises(AssertionError, match="tolist reads a value"):
        fixed_point_iteration(f, z0, 8, 1e-5)
    with _NoReadingOperators(), pytest.raises(AssertionError, match="_local_scalar_dense"):
        float(z0.sum())


@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_on_device_no_step_depends_on_a_value(name: SolverName, monkeypatch: pytest.MonkeyPatch) -> None:
    """Meta tensors have no values at all: whatever asks for one fails."""
    monkeypatch.setattr(progress, "reading_waits", lambda state: True)
    monkeypatch.setattr(progress, "read", lambda values: [[0.5] * values.shape[1]] * values.shape[0])
    start = torch.zeros(3, 5, 4, 4, device="meta")
    z, report = SOLVER_FUNCTIONS[name](lambda z: z * 0.5 + 1, start, 8, 1e-3)
    assert z.shape == start.shape
    assert len(report.residuals) == 8


@pytest.mark.cuda
@pytest.mark.parametrize("name", SOLVER_FUNCTIONS)
def test_on_cuda_the_processor_never_waits_inside_the_loop(name: SolverName, monkeypatch: pytest.MonkeyPatch) -> None:
    f, z0, _ = batch_problem("torch", RATES)
    expected, expected_report = SOLVER_FUNCTIONS[name](f, z0, 25, 1e-5)
    f, z0, _ = batch_problem("cuda", RATES)
    SOLVER_FUNCTIONS[name](f, z0, 2, 1e-5)  # libraries may wait while they start
    read = progress.read

    def allowed(values: Any) -> Any:
        torch.cuda.set_sync_debug_mode("default")
        return read(values)

    monkeypatch.setattr(progress, "read", allowed)
    torch.cuda.set_sync_debug_mode("error")
    try:
        z, report = SOLVER_FUNCTIONS[name](f, z0, 25, 1e-5)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    np.testing.assert_allclose(z.cpu().numpy(), expected.numpy(), rtol=1e-6, atol=1e-9)
    assert [s.stopped for s in report.per_sample] == [s.stopped for s in expected_report.per_sample]
