"""What the solver did in the last seconds: residuals, evaluations spent and saved, warm starts and why they ended."""

from __future__ import annotations

import threading
from collections import Counter, deque
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.core.event_texts import event_text
from app.core.events import SceneCut
from app.core.frame import Estimate, FaceResult, FrameResult
from app.core.modes import Mode
from app.gui.live.presenters.rings import TraceRing
from app.gui.presenters.faces import FaceChoice
from model.rwr.settings import RwrSettings
from model.solvers import ColdReason, SolveReport

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
        """Drop all reports."""
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


RESETS_KEPT = 50

IN_THESE_FRAMES = "measured on the same frames"
IN_COLD_STARTS = "measured in cold starts"
UNKNOWN = "not known yet"


@dataclass(frozen=True, slots=True)
class Reset:
    """A solve that had to start cold while RwR was on.

    Attributes:
        seconds: the frame's time on the source's clock.
        face: whose.
        reason: as the pipeline gave it.
    """

    seconds: float
    face: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class SolverView:
    """What the solver panel shows.

    Attributes:
        residuals: one entry per way to solve that was seen lately, RwR first.
        settings: of RwR, in force.
        rwr: RwR runs, chosen or as the baseline.
        newest: RwR's report of the newest frame, None without one.
        warm_seconds: since the last cold start of the face shown; None while RwR is off.
        per_frame: mean evaluations of RwR per frame over the last 5 seconds.
        cold_cost: mean evaluations of a cold solve.
        cold_source: where ``cold_cost`` is from.
        frames: solved by RwR since the start.
        spent: evaluations on them.
        saved: against solving all of them cold; None while that cost is not known.
        resets: newest first, at most 50.
        reasons: how many resets there were in all, by reason, the most frequent first.
    """

    residuals: tuple[Residuals, ...] = ()
    settings: RwrSettings = field(default_factory=RwrSettings)
    rwr: bool = False
    newest: SolveReport | None = None
    warm_seconds: float | None = None
    per_frame: float | None = None
    cold_cost: float | None = None
    cold_source: str = UNKNOWN
    frames: int = 0
    spent: int = 0
    saved: int | None = None
    resets: tuple[Reset, ...] = ()
    reasons: tuple[tuple[str, int], ...] = ()


class SolverHistory:
    """Follows the solver on every frame, in memory that does not grow.

    ``add`` is called by the pipeline's worker for every frame, ``view`` by the window.

    Args:
        choice: which face; others that show the same face share it.
    """

    def __init__(self, choice: FaceChoice | None = None) -> None:
        self._choice = choice or FaceChoice()
        self._lock = threading.Lock()
        self._windows: dict[str, ResidualWindow] = {mode: ResidualWindow() for mode in (Mode.RWR, Mode.COLD)}
        self._settings = RwrSettings()
        self._face: int | None = None
        self._forget()

    def clear(self) -> None:
        """Forget everything: another source begins."""
        with self._lock:
            self._forget()

    def add(self, result: FrameResult) -> None:
        """Take the reports of one frame."""
        shown = self._choice.pick(result)
        time = result.frame.captured
        with self._lock:
            settings = result.settings.recurrence or RwrSettings()
            if settings != self._settings:
                self._settings = settings
                self._windows[Mode.RWR].clear()
            self._rwr = Mode.RWR in result.settings.modes
            for face in result.faces:
                self._note_reset(face, result)
            if shown is None:
                return
            if shown.face != self._face:
                self._face, self._warm_since = shown.face, time
                for window in self._windows.values():
                    window.clear()
            reports = _reports(shown)
            for mode, report in reports.items():
                self._windows[mode].add(time, report)
            self._count(reports, time)

    def view(self, now: float) -> SolverView:
        """Return what there is to show at ``now`` (seconds of ``time.perf_counter``)."""
        with self._lock:
            seen = {mode: window.latest(now) for mode, window in self._windows.items()}
            newest = seen[Mode.RWR][0] if self._rwr else None
            cost, source = self._cold_cost()
            view = SolverView(
                settings=self._settings,
                rwr=self._rwr,
                newest=newest,
                warm_seconds=max(0.0, now - self._warm_since) if newest is not None else None,
                cold_cost=cost,
                cold_source=source,
                frames=self._frames,
                spent=self._spent,
                saved=None if cost is None else round(self._would + self._unpriced * cost) - self._spent,
                resets=tuple(reversed(self._resets)),
                reasons=tuple(self._reasons.most_common()),
            )
        # Quantiles take a while; the pipeline's worker need not wait for them.
        residuals = tuple(summarise(mode, report, rows) for mode, (report, rows) in seen.items() if report is not None)
        per_frame = next((own.per_frame for own in residuals if own.mode == Mode.RWR), None)
        return replace(view, residuals=residuals, per_frame=per_frame)

    def _forget(self) -> None:
        for window in self._windows.values():
            window.clear()
        self._settings = RwrSettings()
        self._rwr = False
        self._face = None
        self._warm_since = 0.0
        self._frames = self._spent = self._unpriced = 0
        self._would = 0.0
        self._beside = _Mean()
        self._starts = _Mean()
        self._resets: deque[Reset] = deque(maxlen=RESETS_KEPT)
        self._reasons: Counter[str] = Counter()

    def _note_reset(self, face: FaceResult, result: FrameResult) -> None:
        report = _reports(face).get(Mode.RWR)
        if report is None or report.warm:
            return
        reason = report.reason
        if reason == ColdReason.FIRST_FRAME:
            reason = next((event_text(event) for event in result.events if isinstance(event, SceneCut)), reason)
        self._resets.append(Reset(result.frame.timestamp, face.face, reason))
        self._reasons[reason] += 1

    def _count(self, reports: dict[str, SolveReport], time: float) -> None:
        cold, rwr = reports.get(Mode.COLD), reports.get(Mode.RWR)
        if cold is not None:
            self._beside.add(_cold_evaluations(cold))
        if rwr is None:
            return
        if not rwr.warm:
            self._warm_since = time
            self._starts.add(_cold_evaluations(rwr))
        self._frames += 1
        self._spent += rwr.evaluations
        if cold is not None:
            self._would += cold.evaluations
        elif not rwr.warm:
            self._would += rwr.evaluations
        else:
            self._unpriced += 1

    def _cold_cost(self) -> tuple[float | None, str]:
        """Return the mean evaluations of a cold solve, and where that is known from."""
        if self._beside.value is not None:
            return self._beside.value, IN_THESE_FRAMES
        if self._starts.value is not None:
            return self._starts.value, IN_COLD_STARTS
        return None, UNKNOWN


class _Mean:
    """A running mean."""

    def __init__(self) -> None:
        self._sum = 0.0
        self._count = 0

    def add(self, value: float) -> None:
        self._sum += value
        self._count += 1

    @property
    def value(self) -> float | None:
        return self._sum / self._count if self._count else None


def _reports(face: FaceResult) -> dict[str, SolveReport]:
    """Return the reports by way to solve; a filter's report is that of the cold solve below it."""
    estimates: tuple[Estimate | None, ...] = (face.estimate, face.other)
    return {Mode.RWR if own.mode == Mode.RWR else Mode.COLD: own.report for own in estimates if own is not None}


def _cold_evaluations(report: SolveReport) -> int:
    """Return what one cold solve took; a new face's report also counts the solve that found its box."""
    return len(report.residuals) or report.evaluations
