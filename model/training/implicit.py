"""Gradients at a fixed point with the memory of one evaluation: implicit differentiation and JFB.

At z* = f(z*, u), with J = df/dz there, the chain rule through the fixed point itself gives

    dL/d(theta, u) = y^T df/d(theta, u),   y = J^T y + g,   g = dL/dz*        (Bai et al., 2019)

The state is found without a graph. One tracked evaluation z' = f(z*, u) follows; on the way back the gradient g that
arrives at z' is replaced by y, itself a fixed point that the solver finds with products J^T y through the
same graph. JFB (Fung et al., 2022) takes y = g. ``docs/method/solvers.md`` has the derivation.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import torch
from torch import Tensor

from model.config import SolverName
from model.errors import ModelError
from model.network import Ldeq
from model.solvers import SOLVER_FUNCTIONS, SolveReport, StopReason
from model.solvers.progress import column

Function = Callable[[Tensor], Tensor]
Listener = Callable[[SolveReport], None]


@dataclass(frozen=True, slots=True)
class Solve:
    """How one fixed point is looked for.

    Attributes:
        solver: which one.
        max_steps: most steps of the solver; with plain iteration 0 leaves the start as it is.
        tolerance: relative residual at which a sample stops.
    """

    solver: SolverName
    max_steps: int
    tolerance: float

    def __post_init__(self) -> None:
        if self.solver not in tuple(SolverName):
            raise ModelError(f"solver must be one of {', '.join(SolverName)}, not {self.solver!r}")
        if self.max_steps < 0 or self.tolerance < 0:
            raise ModelError("max_steps and tolerance of a solve must not be negative")

    @classmethod
    def of(cls, model: Ldeq) -> Solve:
        """Return the solve that a model's configuration asks for."""
        return cls(model.config.solver, model.config.max_steps, model.config.tolerance)

    def __call__(self, f: Function, start: Tensor) -> tuple[Tensor, SolveReport]:
        """Return the fixed point (n, ...) of ``f`` and the report; no graph is kept.

        Under autocast only ``f`` runs in low precision, not the solver's own sums and products.
        """
        amp = _Autocast(start.device.type)
        with torch.no_grad(), amp.off():
            return SOLVER_FUNCTIONS[self.solver](amp.inside(f), start, self.max_steps, self.tolerance)


def implicit_state(
    model: Ldeq,
    u: Tensor,
    start: Tensor | None = None,
    *,
    forward: Solve | None = None,
    backward: Solve | None = None,
    on_adjoint: Listener | None = None,
) -> tuple[Tensor, SolveReport]:
    """Return a model's state with the gradient of its fixed point, and the forward solve's report.

    Args:
        model: its cell is solved; parameters get gradients.
        u: injection (n, C, h, h); gets a gradient where it asks for one.
        start: state (n, 98, h, h) to start from; z = 0 where None.
        forward: how z* is looked for; as the model's configuration says where None.
        backward: the same for the adjoint y, from y = 0.
        on_adjoint: called with the adjoint solve's report at every backward pass.

    Returns:
        z' = f(z*, u), (n, 98, h, h): the forward solve and one evaluation more.
    """
    z, report = _solved(model, u, start, forward)
    state = implicit_gradient(lambda z: _evaluated(model, z, u), z, backward or Solve.of(model), on_adjoint)
    return state, report


def jacobian_free_state(model: Ldeq, u: Tensor, *, forward: Solve | None = None) -> tuple[Tensor, SolveReport]:
    """Return the same state as :func:`implicit_state`, whose gradient passes the last evaluation only (JFB)."""
    z, report = _solved(model, u, None, forward)
    return _evaluated(model, z, u), report


def _solved(model: Ldeq, u: Tensor, start: Tensor | None, forward: Solve | None) -> tuple[Tensor, SolveReport]:
    begin = model.zero_state(u) if start is None else start.detach()
    fixed = u.detach()
    return (forward or Solve.of(model))(lambda z: _evaluated(model, z, fixed), begin)


def _evaluated(model: Ldeq, z: Tensor, u: Tensor) -> Tensor:
    # Solvers that work on flattened states lose the memory format in which convolutions are fast.
    channels_last = u.is_contiguous(memory_format=torch.channels_last)
    new: Tensor = model.cell(z.contiguous(memory_format=torch.channels_last) if channels_last else z, u)
    return new


def implicit_gradient(f: Function, z: Tensor, adjoint: Solve, on_adjoint: Listener | None = None) -> Tensor:
    """Evaluate ``f`` once at its fixed point so that the result carries the fixed point's own gradient.

    Gradients reach whatever ``f`` closes over (parameters, injection), not ``z``. First derivatives only.
    A sample whose adjoint solve becomes not finite, or runs away, takes JFB's gradient, y = g.

    Args:
        f: maps (n, ...) to the same shape, every sample by itself, its fixed point near ``z``.
        z: the fixed point (n, ...).
        adjoint: how y = J^T y + g is solved.
        on_adjoint: called with that solve's report at every backward pass.

    Returns:
        f(z), (n, ...).
    """
    # Grad mode on the state alone gives the graph of J^T; z itself must not receive a gradient from outside.
    point = z.detach().requires_grad_()
    evaluated = f(point)
    if not evaluated.requires_grad:
        return evaluated

    def solve_adjoint(gradient: Tensor) -> Tensor:
        # The equation is linear. Solved at the state's own size, the residual's floor and Anderson's ridge
        # mean what they mean in the forward solve, however small the loss makes its gradient.
        unit = _size(gradient) / _size(point)
        scaled = gradient / unit
        zero = torch.zeros_like(scaled)

        def pulled_back(y: Tensor) -> Tensor:
            if y.data_ptr() == zero.data_ptr():  # J^T 0 = 0 costs nothing
                return scaled
            (product,) = torch.autograd.grad(evaluated, point, y, retain_graph=True)
            return product + scaled

        y, report = adjoint(pulled_back, zero)
        if on_adjoint is not None:
            on_adjoint(report)
        return torch.where(_solved_better_than_zero(y, scaled, report), y * unit, gradient)

    # The hook sits on a view: through the evaluation itself J^T y must pass unchanged.
    state = evaluated.view_as(evaluated)
    state.register_hook(solve_adjoint)  # type: ignore[no-untyped-call]
    return state


def _solved_better_than_zero(y: Tensor, gradient: Tensor, report: SolveReport) -> Tensor:
    """Tell, shaped to choose samples of (n, ...), where y = J^T y + g is closer to holding than for y = 0.

    The error |J^T y + g - y| of y = 0 is |g|. A larger one means that the solve ran away, which it does where the
    fixed point does not attract.
    """
    relative = [
        math.inf if sample.stopped == StopReason.NOT_FINITE else sample.residual for sample in report.per_sample
    ]
    error = torch.tensor(relative, dtype=y.dtype, device=y.device) * _norm(y)
    better: Tensor = column(error <= _norm(gradient), y)
    return better


def _size(values: Tensor) -> Tensor:
    """Return each sample's norm, shaped to divide (n, ...); 1 where it is 0 or not finite."""
    norm = _norm(values)
    size: Tensor = column(torch.where((norm > 0) & norm.isfinite(), norm, 1.0), values)
    return size


def _norm(values: Tensor) -> Tensor:
    norm: Tensor = torch.linalg.vector_norm(values.detach().flatten(1), dim=1)
    return norm


class _Autocast:
    """The autocast in force where it was made: switched off around the solver, on again inside ``f``."""

    def __init__(self, device_type: str) -> None:
        self._device_type = device_type
        self._enabled = torch.is_autocast_enabled(device_type)
        self._dtype = torch.get_autocast_dtype(device_type)

    def off(self) -> AbstractContextManager[object]:
        return torch.autocast(self._device_type, enabled=False)

    def inside(self, f: Function) -> Function:
        """Return ``f`` running under the autocast that was in force."""

        def autocast_f(z: Tensor) -> Tensor:
            with torch.autocast(self._device_type, self._dtype, enabled=self._enabled):
                return f(z)

        return autocast_f
