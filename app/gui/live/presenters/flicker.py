"""The flicker of the last seconds of one face, by mode, from every processed frame."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.gui.live.presenters.rings import PointWindow, TraceRing
from app.gui.presenters.colour_scale import RECENT_SECONDS
from app.gui.presenters.faces import FaceChoice
from model.metrics.flicker_meter import FlickerReading, FlickerWindow

TRACE_SECONDS = 10.0
NOW_SECONDS = 0.5
"""One frame's reading is too restless to read; "now" is the last half second."""

STALL_SECONDS = 2.0
"""A source that stands still so long leaves a gap in the traces instead of a straight line."""

TRACE_CAPACITY = 2048
"""Frames in a trace: ten seconds at up to 200 frames per second."""

GAP = math.nan

_NO_TIMES: NDArray[np.float32] = np.zeros(0, np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class ModeFlicker:
    """One mode's flicker in % of the inter-ocular distance; None where nothing was measured.

    Attributes:
        now: root mean square over the last half second.
        recent: root mean square over the last 5 seconds.
        regions: the same 5 seconds per region, in the order of ``model.topology.REGIONS``.
        points: the same 5 seconds per landmark, (98,) float32.
        trace: one reading per frame of the last 10 seconds, float32, NaN where there was none.
    """

    now: float | None = None
    recent: float | None = None
    regions: tuple[float, ...] | None = None
    points: NDArray[np.float32] | None = None
    trace: NDArray[np.float32] = field(default_factory=lambda: _NO_TIMES)


@dataclass(frozen=True, slots=True, eq=False)
class FlickerView:
    """What the flicker card shows.

    Attributes:
        times: seconds before now (negative), one per frame, for every mode's trace; float32.
        modes: by mode; every :class:`Mode` is always there.
        pair: the two modes shown side by side, always in the order of :class:`Mode`, so that a switch moves nothing.
        face: whose flicker it is, None before the first face.
        now: the moment of this view, seconds of ``time.perf_counter``.
    """

    times: NDArray[np.float32] = field(default_factory=lambda: _NO_TIMES)
    modes: dict[str, ModeFlicker] = field(default_factory=lambda: {mode: ModeFlicker() for mode in Mode})
    pair: tuple[str, str] = (Mode.RWR, Mode.COLD)
    face: int | None = None
    now: float = 0.0

    @property
    def change(self) -> float | None:
        """How much the pair's first mode changes the flicker of its second over 5 seconds; -0.4 is 40 % less."""
        first, second = (self.modes[mode].recent for mode in self.pair)
        return None if first is None or not second else first / second - 1


class _ModeHistory:
    """One mode's windows."""

    def __init__(self) -> None:
        self._latest = FlickerWindow(NOW_SECONDS)
        self._recent = FlickerWindow(RECENT_SECONDS)
        self._points = PointWindow(RECENT_SECONDS)

    def add(self, time: float, reading: FlickerReading | None) -> None:
        self._latest.add(time, reading)
        self._recent.add(time, reading)
        self._points.add(time, None if reading is None else reading.points)

    def clear(self) -> None:
        for window in (self._latest, self._recent, self._points):
            window.clear()

    def view(self, trace: NDArray[np.float32]) -> ModeFlicker:
        latest, recent = self._latest.reading(), self._recent.reading()
        return ModeFlicker(
            now=None if latest is None else latest.overall,
            recent=None if recent is None else recent.overall,
            regions=None if recent is None else recent.regions,
            points=self._points.reading(),
            trace=trace,
        )


class FlickerHistory:
    """Keeps one face's readings of the last seconds, in memory that does not grow.

    ``add`` is called by the pipeline's worker for every frame, ``view`` by the window.

    Args:
        choice: which face; others that show the same face share it.
    """

    def __init__(self, choice: FaceChoice | None = None) -> None:
        self._choice = choice or FaceChoice()
        self._lock = threading.Lock()
        self._trace = TraceRing(len(Mode), TRACE_CAPACITY)
        self._modes = {mode: _ModeHistory() for mode in Mode}
        self._gaps = np.full(len(Mode), GAP, np.float32)
        self._pair: tuple[str, str] = (Mode.RWR, Mode.COLD)
        self._face: int | None = None
        self._settings: TrackingSettings | None = None

    def clear(self) -> None:
        """Drop everything."""
        with self._lock:
            self._forget()

    def add(self, result: FrameResult) -> None:
        """Take the readings of one frame; a frame without a face leaves a gap in the traces."""
        face = self._choice.pick(result)
        estimates = () if face is None else (face.estimate, face.other)
        readings = {estimate.mode: estimate.flicker for estimate in estimates if estimate is not None}
        row = np.array([reading.overall if (reading := readings.get(mode)) else GAP for mode in Mode], np.float32)
        time = result.frame.captured
        with self._lock:
            if face is not None and face.face != self._face:
                self._forget()
                self._face = face.face
            self._see_settings(result.settings)
            if face is not None:
                baseline = face.other.mode if face.other is not None else None
                self._pair = _pair(face.estimate.mode, baseline, self._pair)
            newest = self._trace.newest
            if newest is not None and time - newest > STALL_SECONDS:
                self._trace.add(time, self._gaps)
            self._trace.add(time, row)
            for mode, history in self._modes.items():
                history.add(time, readings.get(mode))

    def view(self, now: float) -> FlickerView:
        """Return what there is to show at ``now`` (seconds of ``time.perf_counter``)."""
        with self._lock:
            newest = self._trace.newest
            if newest is None or now - newest > RECENT_SECONDS:
                return FlickerView(pair=self._pair, face=self._face, now=now)
            times, values = self._trace.since(now - TRACE_SECONDS)
            modes: dict[str, ModeFlicker] = {mode: self._modes[mode].view(values[row]) for row, mode in enumerate(Mode)}
            return FlickerView((times - now).astype(np.float32), modes, self._pair, self._face, now)

    def _forget(self) -> None:
        self._trace.clear()
        for history in self._modes.values():
            history.clear()
        self._pair = (Mode.RWR, Mode.COLD)
        self._face = self._settings = None

    def _see_settings(self, settings: TrackingSettings) -> None:
        """Drop averages that new settings would mix with the old; the traces keep showing what was.

        Modes that begin to be compared begin together, so that they are judged on the same frames.
        """
        before, self._settings = self._settings, settings
        if before is None or before == settings:
            return
        all_anew = before.ghcu != settings.ghcu or (settings.compare and set(before.modes) != set(settings.modes))
        for mode, history in self._modes.items():
            if all_anew or (mode == Mode.RWR and before.recurrence != settings.recurrence):
                history.clear()


def _pair(chosen: str, baseline: str | None, before: tuple[str, str]) -> tuple[str, str]:
    """Return the modes to show: the chosen one, and its baseline or the last other one there was."""
    if baseline is None:
        baseline = (
            before[1 - before.index(chosen)] if chosen in before else (Mode.COLD if chosen == Mode.RWR else Mode.RWR)
        )
    first, second = sorted((chosen, baseline), key=tuple(Mode).index)
    return first, second
