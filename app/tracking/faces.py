"""The faces that are followed, and their solves in the modes that are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from app.core.frame import Frame
from app.core.modes import COLD, FILTERS, RWR
from app.core.settings import TrackingSettings
from app.tracking.background_worker import Aside
from app.tracking.smoothing import FaceSmoother, make_filter
from app.tracking.stages import StageTimes
from app.tracking.tracker import Track
from model.engine.base import Asynchronous, Engine, State
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerMeter
from model.motion import FlowMotion
from model.repair.ghcu import Ghcu
from model.rwr.batch import solve_batch
from model.rwr.cold import cold_solutions
from model.rwr.recurrence import Recurrence, calculated
from model.rwr.solution import Solution

RWR_ON = "RwR turned on"

Solutions = dict[str, Solution]
"""One face's answers by mode."""


@dataclass(slots=True)
class FollowedFace:
    """Everything remembered of one face.

    Attributes:
        track: where it is.
        recurrence: its last fixed point.
        meter: its last landmarks, for the flicker.
        smoothers: its filters by mode, those in use.
    """

    track: Track
    recurrence: Recurrence
    meter: FlickerMeter
    smoothers: dict[str, FaceSmoother] = field(default_factory=dict)

    @classmethod
    def begin(cls, track: Track, engine: Engine, settings: TrackingSettings) -> FollowedFace:
        """Return a face without memory; recurrence and meter share one measured motion."""
        flow = FlowMotion()
        return cls(track, Recurrence(engine, settings.recurrence, flow), FlickerMeter(flow))

    def configure(self, old: TrackingSettings, new: TrackingSettings) -> None:
        """Go on under other settings; a mode that was not followed until now starts anew."""
        if RWR in new.modes and RWR not in old.modes:
            self.recurrence.reset(RWR_ON)
        self.recurrence.configure(new.recurrence)
        self.smoothers = {mode: smoother for mode, smoother in self.smoothers.items() if mode in new.modes}

    def smoothed(self, mode: str, cold: Solution, seconds: float) -> Solution:
        """Return the answer of the filter ``mode`` over a cold solve."""
        if mode not in self.smoothers:
            smoothing = make_filter(mode)
            assert smoothing is not None, mode
            self.smoothers[mode] = FaceSmoother(smoothing)
        return replace(cold, landmarks=self.smoothers[mode].update(cold.landmarks, seconds))


class FaceSolver:
    """Crops, encodes and solves the faces of a frame, all in one batch.

    RwR measures how the picture moved before it needs the network, which encodes the crops meanwhile: an asynchronous
    engine by itself, another on a thread beside. No two threads ever use the engine at once.

    Args:
        engine: runs the model.
        open_ghcu: opens what repairs covered landmarks, the first time the settings want it.
    """

    def __init__(self, engine: Engine, open_ghcu: Callable[[], Ghcu] | None = None) -> None:
        self._engine = engine
        self._open_ghcu = open_ghcu
        self._ghcu: Ghcu | None = None
        self._aside = Aside("encoding")

    def close(self) -> None:
        """End the thread beside."""
        self._aside.close()

    def open_ghcu(self) -> Ghcu | None:
        """Return what repairs covered landmarks, opened if it was not yet; None where there is none."""
        if self._ghcu is None and self._open_ghcu is not None:
            self._ghcu = self._open_ghcu()
        return self._ghcu

    def solve(
        self, frame: Frame, faces: Sequence[FollowedFace], settings: TrackingSettings, times: StageTimes
    ) -> list[tuple[Crop, Solutions]]:
        """Return each face's crop and answers."""
        if not faces:
            return []
        crops = [face.track.crop for face in faces]
        beside = RWR in settings.modes and not isinstance(self._engine, Asynchronous)
        u = (self._encode_beside if beside else self._encode)(self._pictures(frame.image, crops, times), times)
        by_mode: dict[str, list[Solution]] = {}
        with times.timed("solve"):
            if RWR in settings.modes:
                recurrences = [face.recurrence for face in faces]
                by_mode[RWR] = solve_batch(self._engine, recurrences, u, crops, frame.image, frame.timestamp)
            if settings.modes != (RWR,):
                by_mode[COLD] = cold_solutions(self._engine, calculated(u), crops)
        if settings.ghcu:
            self._repair(by_mode, crops, times)
        for mode in settings.modes:
            if mode in FILTERS:
                pairs = zip(faces, by_mode[COLD], strict=True)
                by_mode[mode] = [face.smoothed(mode, cold, frame.timestamp) for face, cold in pairs]
        return [(crop, {mode: by_mode[mode][i] for mode in settings.modes}) for i, crop in enumerate(crops)]

    def solve_roughly(self, frame: Frame, crop: Crop, times: StageTimes) -> Solution:
        """Return a cold solve that no face remembers."""
        u = self._encode(self._pictures(frame.image, [crop], times), times)
        with times.timed("solve"):
            return cold_solutions(self._engine, u, [crop])[0]

    def _pictures(self, image: NDArray[np.uint8], crops: Sequence[Crop], times: StageTimes) -> NDArray[np.uint8]:
        with times.timed("crop"):
            return np.stack([crop.extract(image, self._engine.config.input_size) for crop in crops])

    def _encode(self, pictures: NDArray[np.uint8], times: StageTimes) -> State:
        with times.timed("encode"):
            return self._engine.encode(pictures)

    def _encode_beside(self, pictures: NDArray[np.uint8], times: StageTimes) -> Callable[[], State]:
        with times.timed("encode"):  # handing over; waiting counts as solving
            return self._aside.begin(lambda: self._engine.encode(pictures))

    def _repair(self, by_mode: dict[str, list[Solution]], crops: Sequence[Crop], times: StageTimes) -> None:
        """Let the GHCU repair what is reported; the state that the next frame starts from is not touched."""
        ghcu = self.open_ghcu()
        if ghcu is None:
            return
        with times.timed("repair"):
            for mode, solutions in by_mode.items():
                by_mode[mode] = [
                    ghcu.repair_solution(solution, crop) for solution, crop in zip(solutions, crops, strict=True)
                ]
