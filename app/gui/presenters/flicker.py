"""The flicker of the last seconds, both modes side by side, from every processed frame."""

from __future__ import annotations

import math
import threading
from collections import deque
from dataclasses import dataclass, field

from app.pipeline.frame import COLD, RWR, FrameResult
from model.flicker import FlickerReading, FlickerWindow

TRACE_SECONDS = 10.0
RECENT_SECONDS = 5.0
NOW_SECONDS = 0.5
"""One frame's reading is too restless to read; "now" is the last half second."""

STALL_SECONDS = 2.0
"""A source that stands still so long leaves a gap in the traces instead of a straight line."""

MODES = (RWR, COLD)
GAP = math.nan


@dataclass(frozen=True, slots=True)
class ModeFlicker:
    """One mode's flicker in % of the inter-ocular distance; None where nothing was measured.

    Attributes:
        now: root mean square over the last half second.
        recent: root mean square over the last 5 seconds.
        regions: the same 5 seconds per region, in the order of ``model.topology.REGIONS``.
        trace: one reading per frame of the last 10 seconds, NaN where there was none.
    """

    now: float | None = None
    recent: float | None = None
    regions: tuple[float, ...] | None = None
    trace: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class FlickerView:
    """What the flicker card shows.

    Attributes:
        times: seconds before now (negative), one per frame, for every mode's trace.
        modes: by mode, "rwr" and "cold"; both are always there.
    """

    times: tuple[float, ...] = ()
    modes: dict[str, ModeFlicker] = field(default_factory=lambda: {mode: ModeFlicker() for mode in MODES})

    @property
    def change(self) -> float | None:
        """How much RwR changes the flicker of the cold solve over the last 5 seconds; -0.4 is 40 % less."""
        rwr, cold = self.modes[RWR].recent, self.modes[COLD].recent
        return None if rwr is None or not cold else rwr / cold - 1


class _ModeHistory:
    """One mode's windows and trace."""

    def __init__(self) -> None:
        self._latest = FlickerWindow(NOW_SECONDS)
        self._recent = FlickerWindow(RECENT_SECONDS)
        self._trace: deque[float] = deque()

    def add(self, time: float, reading: FlickerReading | None) -> None:
        self._latest.add(time, reading)
        self._recent.add(time, reading)
        self._trace.append(GAP if reading is None else reading.overall)

    def add_gap(self) -> None:
        self._trace.append(GAP)

    def forget_oldest(self) -> None:
        self._trace.popleft()

    def view(self) -> ModeFlicker:
        latest, recent = self._latest.reading(), self._recent.reading()
        return ModeFlicker(
            now=None if latest is None else latest.overall,
            recent=None if recent is None else recent.overall,
            regions=None if recent is None else recent.regions,
            trace=tuple(self._trace),
        )


class FlickerHistory:
    """Keeps the largest face's readings of the last seconds.

    ``add`` is called by the pipeline's worker for every frame, ``view`` by the window.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._times: deque[float] = deque()
            self._modes = {mode: _ModeHistory() for mode in MODES}

    def add(self, result: FrameResult) -> None:
        """Take the readings of one frame; a frame without a face leaves a gap in the traces."""
        estimates = (result.faces[0].estimate, result.faces[0].other) if result.faces else ()
        readings = {estimate.mode: estimate.flicker for estimate in estimates if estimate is not None}
        time = result.frame.captured
        with self._lock:
            if self._times and time - self._times[-1] > STALL_SECONDS:
                self._times.append(time)
                for history in self._modes.values():
                    history.add_gap()
            self._times.append(time)
            for mode, history in self._modes.items():
                history.add(time, readings.get(mode))
            self._forget(time)

    def view(self, now: float) -> FlickerView:
        """Return what there is to show at ``now`` (seconds of ``time.perf_counter``)."""
        with self._lock:
            self._forget(now)
            if not self._times or now - self._times[-1] > RECENT_SECONDS:
                return FlickerView()
            return FlickerView(
                tuple(time - now for time in self._times), {mode: self._modes[mode].view() for mode in MODES}
            )

    def _forget(self, now: float) -> None:
        while self._times and now - self._times[0] > TRACE_SECONDS:
            self._times.popleft()
            for history in self._modes.values():
                history.forget_oldest()
