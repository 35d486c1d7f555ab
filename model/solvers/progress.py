"""Bookkeeping of a batched solve: which samples are still active, and the best state of each.

Samples stop one by one: a sample whose residual is below the tolerance has converged, one whose residual is
not finite is lost. From then on it keeps its best state, whatever the solver does with the others. On a CPU
the residuals are read at every step, which is free, and the loop ends when no sample is active. On CUDA reading
a residual would make the processor wait for the GPU at every step, so there the decisions stay on the
device as masks, the loop runs to its budget, and the residuals are read once, at the end. A solve that is expected
to end early (:func:`follow_by_reading`) reads them there, too: that costs less than an unnecessary evaluation.
"""

from __future__ import annotations

import math
from typing import Any, Protocol

from array_api_compat import array_namespace, device, is_torch_array, to_device

from model.solvers.report import Choice, SolveReport, batch_report

Array = Any


class Progress(Protocol):
    """State of the samples of a solve; states are (n, ...)."""

    @property
    def done(self) -> bool:
        """Whether no sample is active; always False on CUDA, where it is not read."""
        ...

    def offer(self, state: Array, residual: Array) -> None:
        """Record the residual (n,) of a state; samples that have converged or are not finite stop."""
        ...

    def hold(self, proposed: Array) -> Array:
        """Return the proposed state of active samples, and the best state of the others."""
        ...

    @property
    def best(self) -> Array:
        """Each sample's best state; the start where none has had a finite residual."""
        ...

    def report(self, started: int, choice: Choice) -> SolveReport:
        """Return the report; ``started`` evaluations came before the first residual."""
        ...


def follow(start: Array, tolerance: float) -> Progress:
    """Return the bookkeeping of a solve from ``start`` (n, ...), suited to the device it is on."""
    return _OnDevice(start, tolerance) if reading_waits(start) else _OnHost(start, tolerance)


def follow_by_reading(start: Array, tolerance: float) -> Progress:
    """Return bookkeeping that reads every residual on any device, and so knows when all samples are done."""
    return _OnHost(start, tolerance)


def reading_waits(state: Array) -> bool:
    """Whether reading a value makes the processor wait for the device: torch on CUDA."""
    return is_torch_array(state) and bool(state.is_cuda)


def read(values: Array) -> Any:
    """Return an array's values as nested lists: the one read of a solve on the device."""
    return to_device(values, "cpu").tolist()


class _OnHost:
    """Decides with Python numbers, and masks only when some samples have stopped and others not."""

    def __init__(self, start: Array, tolerance: float) -> None:
        self._tolerance = tolerance
        self._table: list[list[float]] = []
        self.best = start
        self._lowest = [math.inf] * len(start)
        self._stopped = [False] * len(start)

    @property
    def done(self) -> bool:
        return all(self._stopped)

    def offer(self, state: Array, residual: Array) -> None:
        values: list[float] = residual.tolist()
        self._table.append(values)
        better = [False] * len(values)
        for index, value in enumerate(values):
            if self._stopped[index]:
                continue
            if value < self._lowest[index]:
                self._lowest[index], better[index] = value, True
            self._stopped[index] = value < self._tolerance or not math.isfinite(value)
        self.best = _choose(better, state, self.best)

    def hold(self, proposed: Array) -> Array:
        return _choose(self._stopped, self.best, proposed)

    def report(self, started: int, choice: Choice) -> SolveReport:
        return batch_report(self._table, len(self._lowest), self._tolerance, started, choice)


class _OnDevice:
    """Decides with masks on the device; nothing is read before the report."""

    def __init__(self, start: Array, tolerance: float) -> None:
        xp, where = array_namespace(start), device(start)
        self._tolerance = tolerance
        self._rows: list[Array] = []
        self.best = start
        # float64, so that the report, made of Python numbers, judges every residual as the masks did.
        self._lowest = xp.full((start.shape[0],), math.inf, dtype=xp.float64, device=where)
        self._active = xp.ones((start.shape[0],), dtype=xp.bool, device=where)

    @property
    def done(self) -> bool:
        return False

    def offer(self, state: Array, residual: Array) -> None:
        xp = array_namespace(residual)
        residual = xp.astype(residual, xp.float64)
        self._rows.append(residual)
        better = self._active & (residual < self._lowest)
        self._lowest = xp.where(better, residual, self._lowest)
        self.best = xp.where(column(better, state), state, self.best)
        self._active = self._active & xp.isfinite(residual) & (residual >= self._tolerance)

    def hold(self, proposed: Array) -> Array:
        xp = array_namespace(proposed)
        return xp.where(column(self._active, proposed), proposed, self.best)

    def report(self, started: int, choice: Choice) -> SolveReport:
        xp = array_namespace(self._lowest)
        table = read(xp.stack(self._rows)) if self._rows else []
        return batch_report(table, self._lowest.shape[0], self._tolerance, started, choice)


def _choose(chosen: list[bool], first: Array, second: Array) -> Array:
    """Return ``first`` for the chosen samples and ``second`` for the others, without a copy where all agree."""
    if all(chosen):
        return first
    if not any(chosen):
        return second
    xp = array_namespace(first)
    return xp.where(column(xp.asarray(chosen, device=device(first)), first), first, second)


def column(each: Array, like: Array) -> Array:
    """Give a value for each sample (n,) the dimensions of ``like`` (n, ...)."""
    return array_namespace(each).reshape(each, (each.shape[0], *[1] * (like.ndim - 1)))
