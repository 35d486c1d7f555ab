"""Recurrence without recurrence: each frame's solve starts at, and stays near, the last frame's fixed point.

The cold solve starts at z = 0 with the solver the model was trained with. The warm solve minimises

    |f(z, u_t) - z|^2 + sum_l w_l |z_l - ref_l|^2          (Micaelli et al., CVPR 2023, section 4)

where ref is the last frame's fixed point z*_{t-1}, moved as the picture has moved, and w_l is the weight of
landmark l. Around an iterate z_k, with f taken as constant, the minimum is (f(z_k) + w ref) / (1 + w): a
fixed-point iteration pulled towards the last frame. With w = 0 and the state carried raw it is the released
RwR exactly (:data:`model.rwr.settings.RELEASED`). ``docs/method/rwr.md`` has the derivation.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from model.engine.base import Engine, State
from model.geometry import Crop
from model.motion import FlowMotion
from model.rwr.cold import cold_state
from model.rwr.objective import RecurrenceTerm, WarmProblem, weighted_step
from model.rwr.reference import ReferenceMotion
from model.rwr.settings import RwrSettings
from model.rwr.solution import Decoded, Solution, decode_each, solution_of
from model.rwr.warm_start import Memory
from model.rwr.weight import AdaptiveWeight
from model.solvers import ColdReason, SolveReport, StopReason, settling_iteration


def calculated(u: State) -> State:
    """Return an injection, calling for it if it was given as a function."""
    return u() if callable(u) else u


class Recurrence:
    """The memory of one face: its last fixed point, and the weights and motion that go with it."""

    def __init__(self, engine: Engine, settings: RwrSettings | None = None, flow: FlowMotion | None = None) -> None:
        """Start without memory.

        Args:
            engine: runs the model.
            settings: None: the defaults.
            flow: measures the motion of the picture; sharing one with the flicker meter of the same face saves work.
        """
        self._engine = engine
        self._flow = flow or FlowMotion()
        self._memory: Memory | None = None
        self._reason: str = ColdReason.FIRST_FRAME
        self._age = 0
        self._settings = settings or RwrSettings()
        self._motion = ReferenceMotion(self._settings.gains, self._flow)
        self._weight = self._new_weight()

    def configure(self, settings: RwrSettings | None) -> None:
        """Use ``settings`` (None: the defaults) from the next frame on; the state and what they do not change stay."""
        old, new = self._settings, settings or RwrSettings()
        self._settings = new
        if (new.gains, new.follow_picture) != (old.gains, old.follow_picture):
            self._motion = ReferenceMotion(new.gains, self._flow)
        if (new.recurrence_weight, new.adaptation) != (old.recurrence_weight, old.adaptation):
            self._weight = self._new_weight()

    def _new_weight(self) -> AdaptiveWeight | None:
        if self._settings.adaptation is None:
            return None
        landmarks = self._engine.config.landmarks
        return AdaptiveWeight(self._settings.recurrence_weight, self._settings.adaptation, landmarks)

    def reset(self, reason: str) -> None:
        """Forget the last frame; the next solve is cold and reports ``reason``."""
        self._memory, self._reason = None, reason

    def solve(
        self, u: State, crop: Crop, image: NDArray[np.uint8] | None = None, seconds: float | None = None
    ) -> Solution:
        """Solve one face in one frame.

        Args:
            u: injection of the crop, batch 1; or a function that returns it, called once the motion of the picture is
                known, so that the two can be computed at the same time.
            crop: where the crop lies in the frame.
            image: the whole frame, RGB (h, w, 3), kept until the next one and so not to be written to. Without
                it the head's motion is read off the landmarks, which is less exact and knows no expressions.
            seconds: when the frame was taken, on any clock; without it all frames are taken as equally far apart.
        """
        warm = self.prepare(crop, image, seconds)
        u = calculated(u)
        if warm is None:
            return self._finish_one(crop, *cold_state(self._engine, u))

        def step(z: State) -> State:
            return weighted_step(self._engine, [warm], self._engine.evaluate(z, u))

        z, report = settling_iteration(step, warm.start, self._settings.evaluations, self._settings.settled)
        if report.stopped == StopReason.NOT_FINITE:
            return self.start_over(u, crop, report.evaluations)
        return self._finish_one(crop, z, replace(report, warm=True), warm.fresh_spread(report.evaluations))

    @property
    def settings(self) -> RwrSettings:
        """The settings in force."""
        return self._settings

    def prepare(self, crop: Crop, image: NDArray[np.uint8] | None, seconds: float | None) -> WarmProblem | None:
        """Prepare the frame's warm solve, or return None for a cold one; arguments as of :meth:`solve`.

        :meth:`finish` or :meth:`start_over` must follow; several faces are solved together this way, see
        :mod:`model.rwr.batch`.
        """
        settings, memory = self._settings, self._memory
        picture = image if settings.follow_picture else None
        if memory is None:
            self._motion.note(picture, seconds)
            if self._weight is not None:
                self._weight.reset()
            return None
        moved = None
        if picture is not None:
            moved = self._motion.to(picture, crop, memory.landmarks.astype(np.float64), seconds)
        start, half_pixel = memory.state, self._engine.config.half_pixel
        if moved is not None:
            start = memory.warped(crop, half_pixel, moved.motion)
        elif settings.follow_crop:
            start = memory.warped(crop, half_pixel)
        if settings.recurrence_weight == 0:
            return WarmProblem(start, None)
        weight = settings.recurrence_weight
        return WarmProblem(start, RecurrenceTerm(self._engine, crop, memory, weight, self._weight, moved, start))

    def finish(
        self, crop: Crop, decoded: Decoded, report: SolveReport, fresh_spread: NDArray[np.float32] | None = None
    ) -> Solution:
        """Remember the frame's state and return it as a solution; arguments as of :func:`solution_of`."""
        self._age = self._age + 1 if report.warm else 0
        report = replace(report, age=self._age, reason="" if report.warm else self._reason)
        solution = solution_of(decoded, crop, report, fresh_spread)
        finite = report.stopped != StopReason.NOT_FINITE
        self._memory = Memory(decoded.state, crop, solution.landmarks) if finite else None
        self._reason = ColdReason.STATE_NOT_FINITE
        return solution

    def start_over(self, u: State, crop: Crop, spent: int) -> Solution:
        """Solve cold, after a warm solve that took ``spent`` evaluations and was not finite in the end."""
        self.reset(ColdReason.STATE_NOT_FINITE)
        self._motion.forget_speed()
        if self._weight is not None:
            self._weight.reset()
        z, report = cold_state(self._engine, u)
        return self._finish_one(crop, z, replace(report, evaluations=report.evaluations + spent))

    def _finish_one(
        self, crop: Crop, z: State, report: SolveReport, fresh_spread: NDArray[np.float32] | None = None
    ) -> Solution:
        (decoded,) = decode_each(self._engine, z)
        return self.finish(crop, decoded, report, fresh_spread)
