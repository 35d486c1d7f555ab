"""How near to the fixed point the last seconds' solves came, evaluation by evaluation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.gui.live.presenters.rings import TraceRing
from model.solvers import SolveReport

WINDOW_SECONDS = 5.0
WINDOW_CAPACITY = 1024
MOST_EVALUATIONS = 12
"""Further evaluations of one frame are counted but not drawn."""

QUANTILES = (0.1, 0.5, 0.9)


@dataclass(frozen=True, slots=True, eq=False)
class Residuals:
    """The residuals of one way to solve.

    Attributes:
        mode: "rwr" or "cold".
        newest: relative residuals of the newest frame, in order.
        spread: (k, 3) float, the 10 %, 50 % and 90 % quantiles of each evaluation over the last 5 seconds.
        share: (k,) float, in which share of those frames that evaluation was made.
        per_frame: mean evaluations per frame.
    """

    mode: str
    newest: tuple[float, ...]
    spread: NDArray[np.float64]
    share: NDArray[np.float64]
    per_frame: float


class ResidualWindow:
    """The last seconds' reports of one way to solve, in memory that does not grow."""

    def __init__(self) -> None:
        self._ring = TraceRing(1 + MOST_EVALUATIONS, WINDOW_CAPACITY)
        self._row = np.zeros(1 + MOST_EVALUATIONS, np.float32)
        self._newest: SolveReport | None = None

    def clear(self) -> None:
        """Forget all reports."""
        self._ring.clear()
        self._newest = None

    def add(self, time: float, report: SolveReport) -> None:
        """Note the report of a frame captured at ``time``."""
        self._newest = report
        seen = report.residuals[:MOST_EVALUATIONS]
        self._row.fill(np.nan)
        self._row[0] = report.evaluations
        self._row[1 : 1 + len(seen)] = seen
        self._ring.add(time, self._row)

    def latest(self, now: float) -> tuple[SolveReport | None, NDArray[np.float32]]:
        """Return the newest report and the window's evaluations and residuals (1 + 12, n); None and none when stale."""
        _, rows = self._ring.since(now - WINDOW_SECONDS)
        return (self._newest if rows.shape[1] else None), rows


def summarise(mode: str, newest: SolveReport, rows: NDArray[np.float32]) -> Residuals:
    """Return what a panel shows of :meth:`ResidualWindow.latest`."""
    steps = rows[1:]
    finite = np.isfinite(steps)
    reached = int(finite.any(axis=1).sum())
    spread = [_quantiles(steps[i][finite[i]]) for i in range(reached)]
    return Residuals(
        mode,
        newest.residuals[:MOST_EVALUATIONS],
        np.array(spread, np.float64).reshape(-1, len(QUANTILES)),
        finite[:reached].mean(axis=1),
        float(rows[0].mean()),
    )


def _quantiles(values: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the quantiles of values (n,), n >= 1; numpy's own take eight times as long for so few."""
    ordered = np.sort(values)
    return np.interp(np.array(QUANTILES) * (len(ordered) - 1), np.arange(len(ordered)), ordered)
