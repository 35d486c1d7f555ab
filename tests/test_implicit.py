"""Implicit gradients against unrolled ones in float64, on an analytic map and on a real LDEQ cell."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from app.lab.speed import training_memory
from model.config import LANDMARKS, LdeqConfig, SolverName
from model.errors import ModelError
from model.network import Ldeq
from model.solvers import SOLVER_FUNCTIONS, SolveReport, StopReason
from model.training.implicit import Solve, implicit_gradient, implicit_state, jacobian_free_state

pytestmark = pytest.mark.slow

EXACT = 1e-6
UNROLLED = 45
TINY = LdeqConfig(name="tiny", input_size=64, injection=8, width=8, increment=8, max_steps=3)


def exactly(solver: SolverName) -> Solve:
    return Solve(solver, 300, 1e-12)


class Map(torch.nn.Module):
    """f(z, u) = tanh(A z + B u + c), a contraction; two samples of 7 numbers."""

    u: Tensor
    start: Tensor

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(2)
        a = torch.randn(7, 7, generator=generator, dtype=torch.float64)
        self.a = torch.nn.Parameter(0.6 * a / torch.linalg.matrix_norm(a, 2))
        self.b = torch.nn.Parameter(torch.randn(7, 4, generator=generator, dtype=torch.float64))
        self.c = torch.nn.Parameter(torch.randn(7, generator=generator, dtype=torch.float64))
        u = torch.randn(2, 4, generator=generator, dtype=torch.float64)
        self.register_buffer("u", u)
        self.register_buffer("start", torch.zeros(2, 7, dtype=torch.float64))

    def cell(self, z: Tensor, u: Tensor) -> Tensor:
        return torch.tanh(z @ self.a.T + u @ self.b.T + self.c)


class ContractiveCell(torch.nn.Module):
    """The cell of a real, small LDEQ in float64, made a contraction: the state enters it scaled down."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(4)
        self.model = Ldeq(TINY).double().eval()
        with torch.no_grad():
            for module in self.model.modules():
                if isinstance(module, torch.nn.Conv2d):
                    module.bias.normal_(std=0.1)
            self.model.cell.tail.conv.weight[:, :LANDMARKS] *= 0.01
        self.u = torch.randn(2, TINY.injection, 16, 16, dtype=torch.float64)
        self.start = torch.zeros(2, LANDMARKS, 16, 16, dtype=torch.float64)

    def cell(self, z: Tensor, u: Tensor) -> Tensor:
        with pytest.MonkeyPatch.context() as patch:
            # The cell brings its logits to float32; here everything stays in float64.
            patch.setattr(Tensor, "float", Tensor.double)
            return self.model.cell(z, u)


Problem = Map | ContractiveCell
Gradients = dict[str, Tensor]


def loss(z: Tensor) -> Tensor:
    weights = torch.cos(torch.arange(z[0].numel(), dtype=z.dtype)).reshape(z.shape[1:])
    return ((z * weights) ** 2).mean() + (z * weights).mean()


def gradients(problem: Problem, state: Callable[[Tensor], Tensor]) -> Gradients:
    """Return the gradients that a way from the injection to the state leaves, by name, and of the injection."""
    problem.zero_grad()
    u = problem.u.clone().requires_grad_()
    loss(state(u)).backward()
    found = {name: p.grad for name, p in problem.named_parameters() if p.grad is not None}
    assert u.grad is not None
    return {**{name: grad.clone() for name, grad in found.items()}, "u": u.grad}


def unrolled(problem: Problem) -> Gradients:
    def state(u: Tensor) -> Tensor:
        z = problem.start
        for _ in range(UNROLLED):
            z = problem.cell(z, u)
        return z

    return gradients(problem, state)


def through_fixed_point(problem: Problem, adjoint: Solve) -> Gradients:
    def state(u: Tensor) -> Tensor:
        z, report = exactly(SolverName.FPI)(lambda z: problem.cell(z, u), problem.start)
        assert report.stopped == StopReason.CONVERGED
        return implicit_gradient(lambda z: problem.cell(z, u), z, adjoint)

    return gradients(problem, state)


def distance(found: Gradients, expected: Gradients) -> dict[str, float]:
    """Return |found - expected| / |expected| of each gradient that is not rounding, and of all together."""
    assert found.keys() == expected.keys()
    every = torch.cat([grad.flatten() for grad in expected.values()]).norm()
    errors = {name: (found[name] - expected[name]).norm() for name in expected}
    total = {"all": float(torch.stack(list(errors.values())).norm() / every)}
    return total | {
        name: float(errors[name] / grad.norm()) for name, grad in expected.items() if grad.norm() > 1e-7 * every
    }


@pytest.fixture(scope="module", params=[Map, ContractiveCell], ids=["map", "ldeq"])
def case(request: pytest.FixtureRequest) -> tuple[Problem, Gradients]:
    """A problem and its unrolled gradients."""
    problem = request.param()
    return problem, unrolled(problem)


@pytest.mark.parametrize("solver", SOLVER_FUNCTIONS)
def test_implicit_gradient_is_the_unrolled_one(case: tuple[Problem, Gradients], solver: SolverName) -> None:
    problem, expected = case
    found = distance(through_fixed_point(problem, exactly(solver)), expected)
    assert {"all", "u"} <= found.keys()
    assert max(found.values()) < EXACT, found


def test_jfb_is_another_gradient_that_points_the_same_way(case: tuple[Problem, Gradients]) -> None:
    """JFB is the adjoint of one step from y = 0: y = g."""
    problem, expected = case
    free = through_fixed_point(problem, Solve(SolverName.FPI, 1, 0.0))
    assert distance(free, expected)["all"] > 0.1

    def last_evaluation(u: Tensor) -> Tensor:
        z, _ = exactly(SolverName.FPI)(lambda z: problem.cell(z, u), problem.start)
        return problem.cell(z, u)

    assert distance(free, gradients(problem, last_evaluation))["all"] < 1e-12
    flat = [torch.cat([grad.flatten() for grad in each.values()]) for each in (free, expected)]
    assert torch.nn.functional.cosine_similarity(flat[0], flat[1], dim=0) > 0.5


@pytest.fixture
def model() -> Ldeq:
    """A small LDEQ whose fixed point attracts, as a trained one's does; a random one's adjoint runs away."""
    torch.manual_seed(4)
    built = Ldeq(TINY)
    with torch.no_grad():
        built.cell.tail.conv.weight[:, :LANDMARKS] *= 0.003
    return built


@pytest.fixture
def picture() -> Tensor:
    return torch.randn(2, 3, TINY.input_size, TINY.input_size, generator=torch.Generator().manual_seed(1))


def model_gradient(model: Ldeq) -> Tensor:
    missing = [name for name, p in model.named_parameters() if p.grad is None]
    assert not missing
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def test_both_ways_train_every_weight_of_a_model_and_give_the_same_state(model: Ldeq, picture: Tensor) -> None:
    found = []
    for way in (implicit_state, jacobian_free_state):
        model.zero_grad()
        state, report = way(model, model.stem(picture))
        assert report.evaluations == TINY.max_steps
        loss(state).backward()
        found.append((state.detach(), model_gradient(model)))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=0, atol=0)
    assert not torch.allclose(found[0][1], found[1][1])


def test_a_start_and_other_solves_are_used(model: Ldeq, picture: Tensor) -> None:
    u = model.stem(picture)
    start = torch.rand(2, LANDMARKS, 16, 16)
    seen: list[SolveReport] = []
    how = {"forward": Solve(SolverName.FPI, 0, 0.0), "backward": Solve(SolverName.ANDERSON, 2, 0.0)}
    state, report = implicit_state(model, u, start, **how, on_adjoint=seen.append)
    assert report.evaluations == 0
    torch.testing.assert_close(state, model.cell(start, u))
    loss(state).backward()
    assert [adjoint.evaluations for adjoint in seen] == [4]


@pytest.mark.parametrize("solver", SOLVER_FUNCTIONS)
def test_trains_under_bfloat16_autocast(model: Ldeq, picture: Tensor, solver: SolverName) -> None:
    how = Solve(solver, 3, 1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        state, report = implicit_state(model, model.stem(picture), forward=how, backward=how)
    assert state.dtype == torch.float32
    assert report.stopped != StopReason.NOT_FINITE
    loss(state).backward()
    assert model_gradient(model).isfinite().all()


def test_bfloat16_keeps_the_gradient_of_a_contraction() -> None:
    problem = Map().float()
    with torch.no_grad():
        problem.c += 0.2  # type: ignore[misc]
    found = []
    for enabled in (False, True):
        problem.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            z, _ = Solve(SolverName.FPI, 12, 1e-3)(lambda z: problem.cell(z, problem.u).float(), problem.start)
            state = implicit_gradient(
                lambda z: problem.cell(z, problem.u).float(), z, Solve(SolverName.ANDERSON, 6, 1e-3)
            )
        loss(state).backward()
        found.append(torch.cat([p.grad.flatten() for p in problem.parameters()]))
    assert not torch.equal(*found)
    assert torch.nn.functional.cosine_similarity(found[0], found[1], dim=0) > 0.99


def test_autocast_reaches_the_function_and_not_the_solver() -> None:
    """Anderson's inner products must not be rounded to bfloat16."""
    inside = []

    def f(z: Tensor) -> Tensor:
        inside.append(torch.is_autocast_enabled("cpu"))
        return torch.cos(z) * 0.7

    start = torch.linspace(0, 3, 40).reshape(2, 20)
    expected, _ = Solve(SolverName.ANDERSON, 5, 0.0)(f, start)
    with torch.autocast("cpu", torch.bfloat16):
        found, _ = Solve(SolverName.ANDERSON, 5, 0.0)(f, start)
    assert inside == [False] * 7 + [True] * 7
    torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_a_sample_whose_adjoint_is_lost_takes_the_jacobian_free_gradient() -> None:
    """f(z) = 2 sqrt(z) + c has the fixed points 4, with slope 1/2, and 0, with slope infinity."""
    c = torch.zeros(2, 1, dtype=torch.float64, requires_grad=True)
    z = torch.tensor([[4.0], [0.0]], dtype=torch.float64)
    reports: list[SolveReport] = []
    state = implicit_gradient(lambda z: 2 * z.sqrt() + c, z, Solve(SolverName.FPI, 60, 1e-12), reports.append)
    (3 * state).sum().backward()
    assert reports[0].stopped == StopReason.NOT_FINITE
    assert reports[0].not_finite == (1,)
    # dz/dc = 1 / (1 - slope) for the first; the second keeps y = g.
    torch.testing.assert_close(c.grad, torch.tensor([[6.0], [3.0]], dtype=torch.float64))


def test_a_sample_whose_adjoint_runs_away_takes_the_jacobian_free_gradient() -> None:
    """f(z) = c + s z: the first sample's series 1 + s + s^2 ... converges, the second's does not."""
    slope = torch.tensor([[0.5], [1.5]], dtype=torch.float64)
    c = torch.ones(2, 1, dtype=torch.float64, requires_grad=True)
    implicit_gradient(lambda z: c + slope * z, 1 / (1 - slope), Solve(SolverName.FPI, 60, 1e-12)).sum().backward()
    torch.testing.assert_close(c.grad, torch.tensor([[2.0], [1.0]], dtype=torch.float64))


@pytest.mark.parametrize("solver", SOLVER_FUNCTIONS)
def test_the_size_of_the_loss_does_not_matter(solver: SolverName) -> None:
    """Residual floor and ridge are absolute numbers; a loss in other units must not run into them."""
    problem = Map()
    found = []
    for factor in (1.0, 1e-9):
        u = problem.u.clone().requires_grad_()
        z, _ = exactly(SolverName.FPI)(lambda z, u=u: problem.cell(z, u), problem.start)  # type: ignore[misc]
        state = implicit_gradient(lambda z, u=u: problem.cell(z, u), z, Solve(solver, 4, 1e-3))  # type: ignore[misc]
        (factor * loss(state)).backward()
        assert u.grad is not None
        found.append(u.grad / factor)
    torch.testing.assert_close(found[0], found[1])


def test_without_a_graph_nothing_is_tracked(model: Ldeq, picture: Tensor) -> None:
    with torch.no_grad():
        state, _ = implicit_state(model, model.stem(picture))
    assert not state.requires_grad


def test_a_solve_refuses_what_it_cannot_do() -> None:
    with pytest.raises(ModelError, match="solver must be one of fpi, anderson, broyden, not 'newton'"):
        Solve("newton", 3, 0.1)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="must not be negative"):
        Solve(SolverName.FPI, -1, 0.1)


@pytest.mark.parametrize("way", training_memory.WAYS)
def test_memory_of_a_step_does_not_grow_with_iterations_unless_unrolled(
    model: Ldeq, picture: Tensor, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KINETO_LOG_LEVEL", "99")
    few, many = (training_memory.measure(model, picture, way, steps) for steps in (5, 10))
    if way == "unrolled":
        assert many.kept > 1.5 * few.kept
        assert many.peak > 1.5 * few.peak
    else:
        assert many.kept == few.kept
        # Beside its history a solver holds a few masked states once a sample has stopped, Anderson two for each
        # of its six; Broyden's history grows by two states a step.
        states = 3 + (2 * 6 if "anderson" in way else 2 * 5 if "broyden" in way else 0)
        assert many.peak <= few.peak + states * picture.shape[0] * LANDMARKS * 16 * 16 * 4
