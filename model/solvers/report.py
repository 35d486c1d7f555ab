"""How a solve went: one report for the batch, and inside it one for each sample."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum


class StopReason(StrEnum):
    """Why a solve ended."""

    CONVERGED = "converged"
    BUDGET = "budget spent"
    NOT_FINITE = "not finite"


class ColdReason(StrEnum):
    """Why a solve started without memory; callers may give others of their own."""

    FIRST_FRAME = "first frame"
    RWR_OFF = "RwR off"
    STATE_NOT_FINITE = "state not finite"


Choice = Callable[[Sequence[float]], int]
"""Which step's state a solver returns when its budget is spent: :func:`lowest` or :func:`latest`."""


@dataclass(frozen=True, slots=True)
class SolveReport:
    """How a solve went.

    Attributes:
        evaluations: how often the cell was evaluated.
        residuals: relative residual of each evaluation that had one, in order. Of several samples the mean;
            one that has stopped counts with its last, one that became not finite is left out.
        best_step: index into ``residuals`` of the state that was returned; 0 where the start was returned.
        stopped: why it ended; None if a recorded report does not say. Several samples have converged when each
            has, and are not finite when one is.
        warm: started from the last frame's fixed point.
        reason: why it started cold, such as a :class:`ColdReason`; "" when warm.
        age: frames since the last cold start, 0 in a cold frame.
        per_sample: each sample's own report, in the batch's order; empty in such a report.
    """

    evaluations: int
    residuals: tuple[float, ...]
    best_step: int
    stopped: StopReason | None
    warm: bool = False
    reason: str = ""
    age: int = 0
    per_sample: tuple[SolveReport, ...] = ()

    @property
    def residual(self) -> float:
        """Residual of the returned state, of several samples the mean; infinite if none was measured."""
        if len(self.per_sample) > 1:
            return math.fsum(sample.residual for sample in self.per_sample) / len(self.per_sample)
        value = self.residuals[self.best_step] if self.residuals else math.inf
        return value if math.isfinite(value) else math.inf

    @property
    def not_finite(self) -> tuple[int, ...]:
        """Which samples became not finite; they were given their best finite state, or the start."""
        return tuple(index for index, sample in enumerate(self.per_sample) if sample.stopped == StopReason.NOT_FINITE)


def lowest(residuals: Sequence[float]) -> int:
    """Return the index of the lowest finite residual, 0 where none is."""
    finite = [index for index, value in enumerate(residuals) if math.isfinite(value)]
    return min(finite, key=residuals.__getitem__, default=0)


def latest(residuals: Sequence[float]) -> int:
    """Return the index of the last residual."""
    return max(0, len(residuals) - 1)


def batch_report(
    table: Sequence[Sequence[float]], samples: int, tolerance: float, started: int, choice: Choice
) -> SolveReport:
    """Tell from all residuals what happened to each sample and to the batch.

    Args:
        table: residuals (steps, samples) as they were measured, also of samples that had stopped.
        samples: size of the batch.
        tolerance: residual below which a sample stops.
        started: evaluations before the first residual.
        choice: which state is returned when the budget is spent.
    """
    each = tuple(_sample_report([row[i] for row in table], tolerance, started, choice) for i in range(samples))
    if samples == 1:
        return replace(each[0], evaluations=started + len(table), per_sample=each)
    counted = [sample for sample in each if sample.stopped != StopReason.NOT_FINITE] or each
    steps = max((len(sample.residuals) for sample in counted), default=0)
    means = [
        math.fsum(sample.residuals[min(step, len(sample.residuals) - 1)] for sample in counted) / len(counted)
        for step in range(steps)
    ]
    endings = {sample.stopped for sample in each}
    worst_first = (StopReason.NOT_FINITE, StopReason.BUDGET)
    stopped = next((reason for reason in worst_first if reason in endings), StopReason.CONVERGED)
    return SolveReport(started + len(table), tuple(means), choice(means), stopped, per_sample=each)


def _sample_report(residuals: Sequence[float], tolerance: float, started: int, choice: Choice) -> SolveReport:
    stopped, steps = StopReason.BUDGET, len(residuals)
    for step, residual in enumerate(residuals):
        if residual < tolerance or not math.isfinite(residual):
            stopped, steps = StopReason.CONVERGED if residual < tolerance else StopReason.NOT_FINITE, step + 1
            break
    seen = tuple(residuals[:steps])
    best = choice(seen) if stopped == StopReason.BUDGET else lowest(seen)
    return SolveReport(started + steps, seen, best, stopped)


def sample_reports(report: SolveReport, samples: int) -> list[SolveReport]:
    """Return each sample's own report; steps that a model adds for all count for each."""
    if samples == 1:
        return [report]
    extra = report.evaluations - max(sample.evaluations for sample in report.per_sample)
    return [replace(sample, evaluations=sample.evaluations + extra) for sample in report.per_sample]
