"""The flicker of the last seconds, both modes side by side, from every processed frame."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from app.pipeline.frame import COLD, RWR, FrameResult
from model.flicker import FlickerReading

TRACE_SECONDS = 10.0
RECENT_SECONDS = 5.0
NOW_SECONDS = 0.5
"""One frame's reading is too restless to read; "now" is the last half second."""

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


@dataclass(frozen=True, slots=True)
class _Sample:
    time: float
    face: int
    readings: dict[str, FlickerReading]


class FlickerHistory:
    """Keeps the largest face's readings of the last seconds.

    ``add`` is called by the pipeline's worker for every frame, ``view`` by the window.
    """

    def __init__(self) -> None:
        self._samples: deque[_Sample] = deque()
        self._lock = threading.Lock()

    def add(self, result: FrameResult) -> None:
        """Take the readings of one frame; a frame without a face leaves a gap in the traces."""
        readings: dict[str, FlickerReading] = {}
        face = -1
        if result.faces:
            first = result.faces[0]
            face = first.face
            for estimate in (first.estimate, first.other):
                if estimate is not None and estimate.flicker is not None:
                    readings[estimate.mode] = estimate.flicker
        now = result.frame.captured
        with self._lock:
            self._samples.append(_Sample(now, face, readings))
            while self._samples and now - self._samples[0].time > TRACE_SECONDS:
                self._samples.popleft()

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._samples.clear()

    def view(self, now: float) -> FlickerView:
        """Return what there is to show at ``now`` (seconds of ``time.perf_counter``)."""
        with self._lock:
            samples = [sample for sample in self._samples if now - sample.time <= TRACE_SECONDS]
        recent = [sample for sample in samples if now - sample.time <= RECENT_SECONDS]
        latest = [sample for sample in samples if now - sample.time <= NOW_SECONDS]
        times = tuple(sample.time - now for sample in samples)
        return FlickerView(times, {mode: _mode_flicker(mode, samples, recent, latest) for mode in MODES})


def _mode_flicker(
    mode: str, samples: Sequence[_Sample], recent: Sequence[_Sample], latest: Sequence[_Sample]
) -> ModeFlicker:
    readings = _readings(mode, recent)
    regions = None
    if readings:
        regions = tuple(
            _root_mean_square([reading.regions[i] for reading in readings]) for i in range(len(readings[0].regions))
        )
    return ModeFlicker(
        now=_overall(_readings(mode, latest)),
        recent=_overall(readings),
        regions=regions,
        trace=tuple(sample.readings[mode].overall if mode in sample.readings else GAP for sample in samples),
    )


def _readings(mode: str, samples: Sequence[_Sample]) -> list[FlickerReading]:
    return [sample.readings[mode] for sample in samples if mode in sample.readings]


def _overall(readings: Sequence[FlickerReading]) -> float | None:
    return _root_mean_square([reading.overall for reading in readings]) if readings else None


def _root_mean_square(values: Sequence[float]) -> float:
    return math.sqrt(math.fsum(value * value for value in values) / len(values))
