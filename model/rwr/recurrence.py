"""Recurrence without recurrence: each frame's solve starts at, and stays near, the last frame's fixed point.

The cold solve starts at z = 0 with the solver the model was trained with. The warm solve minimises

    |f(z, u_t) - z|^2 + sum_l w_l |z_l - ref_l|^2          (Micaelli et al., CVPR 2023, section 4)

where ref is the last frame's fixed point z*_{t-1}, moved as the picture has moved, and w_l is the weight of
landmark l. Around an iterate z_k, with f taken as constant, the minimum is (f(z_k) + w ref) / (1 + w): a
fixed-point iteration pulled towards the last frame. With w = 0 and the state carried raw it is the released
RwR exactly (:data:`RELEASED`). ``docs/rwr.md`` has the derivation and what each part is worth.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from model.engine.base import Engine, State
from model.errors import ModelError
from model.geometry import Crop
from model.rwr.motion import FlowMotion
from model.rwr.reference import MotionGains, ReferenceMotion
from model.rwr.resample import move_state
from model.rwr.warm_start import Memory, Pull, WarmStart, pulled
from model.rwr.weight import Adaptation, AdaptiveWeight
from model.solvers import NOT_FINITE, SOLVER_FUNCTIONS, SolveReport, settling_iteration

FIRST_FRAME = "first frame"
RWR_OFF = "RwR off"
NON_FINITE_STATE = "state not finite"


@dataclass(frozen=True, slots=True)
class RwrSettings:
    """How a warm solve goes.

    Attributes:
        evaluations: most evaluations of the cell in a warm frame.
        settled: relative residual below which no further evaluation is spent; one frame in a hundred has more
            than 0.5, those in which something happened at once.
        recurrence_weight: base weight w, how strongly the solution is pulled towards the last frame's; 0 leaves
            only the warm start.
        adaptation: how the weight of each landmark departs from it, see :class:`AdaptiveWeight`; None keeps it
            the same for all.
        follow_crop: resample the old state into the new crop; off carries it raw, as the release does.
        follow_picture: move the old state as the picture has moved, where the pictures are given.
        gains: how much of a newly measured motion is believed.
    """

    evaluations: int = 2
    settled: float = 0.5
    recurrence_weight: float = 2.0
    adaptation: Adaptation | None = field(default_factory=Adaptation)
    follow_crop: bool = True
    follow_picture: bool = True
    gains: MotionGains = field(default_factory=MotionGains)

    def __post_init__(self) -> None:
        if self.evaluations < 1:
            raise ModelError(f"a warm solve needs at least 1 evaluation, not {self.evaluations}")
        if not self.settled >= 0:
            raise ModelError(f"the residual of a settled solve must not be negative, but is {self.settled}")
        if not 0 <= self.recurrence_weight < float("inf"):
            raise ModelError(f"the recurrence weight must not be negative, and finite, not {self.recurrence_weight}")
        if not self.follow_crop and (self.recurrence_weight or self.follow_picture):
            raise ModelError(
                "a state carried raw is no reference: a recurrence weight and following the picture need follow_crop"
            )


RELEASED = RwrSettings(evaluations=2, settled=0.0, recurrence_weight=0.0, follow_crop=False, follow_picture=False)
"""RwR as the authors' released code does it: two evaluations from the raw state."""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """A solved face.

    Attributes:
        landmarks: (98, 2) float32, frame pixels.
        uncertainty: (98,) float32, frame pixels.
        report: how the solve went.
        state: the heatmaps (1, 98, h, h) that the landmarks were read from, of the engine's kind.
    """

    landmarks: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    report: SolveReport
    state: State


def cold_state(engine: Engine, u: State) -> tuple[State, SolveReport]:
    """Solve from z = 0 with the model's own solver, cap and tolerance; u (n, C, h, h)."""
    config = engine.config

    def cell(z: State) -> State:
        return engine.evaluate(z, u)

    solve = SOLVER_FUNCTIONS[config.solver]
    z, report = solve(cell, engine.zero_state(u.shape[0]), config.max_steps, config.tolerance)
    if config.extra_step:
        z, report = cell(z), replace(report, evaluations=report.evaluations + 1)
    return z, report


def cold_solve(engine: Engine, u: State, crop: Crop, reason: str = RWR_OFF) -> Solution:
    """Solve one face (u of batch 1) without memory."""
    return cold_solutions(engine, u, [crop], reason)[0]


def cold_solutions(engine: Engine, u: State, crops: Sequence[Crop], reason: str = RWR_OFF) -> list[Solution]:
    """Solve the faces of one frame, one batch u (n, C, h, h), without memory."""
    z, report = cold_state(engine, u)
    return [
        _solution(decoded, crop, replace(own, reason=reason))
        for decoded, crop, own in zip(decode_each(engine, z), crops, reports_of(report, len(crops)), strict=True)
    ]


def calculated(u: State) -> State:
    """Return an injection, asking for it where it is still to come."""
    return u() if callable(u) else u


def split(batch: State) -> list[State]:
    """Return the samples of a batch (n, ...), each as a batch of one."""
    return [batch[i : i + 1] for i in range(batch.shape[0])]


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """One sample's state (1, n, h, h), and its landmarks (n, 2) and spread (n,) in crop units."""

    state: State
    landmarks: NDArray[np.float32]
    spread: NDArray[np.float32]


def decode_each(engine: Engine, batch: State) -> list[Decoded]:
    """Decode the samples of a batch (n, ...), all at once: on a GPU that is where the processor waits."""
    return [Decoded(*each) for each in zip(split(batch), *engine.decode(batch), strict=True)]


def reports_of(report: SolveReport, samples: int) -> list[SolveReport]:
    """Return each sample's own report; steps that a model adds for all count for each."""
    if samples == 1:
        return [report]
    extra = report.evaluations - max(sample.evaluations for sample in report.per_sample)
    return [replace(sample, evaluations=sample.evaluations + extra) for sample in report.per_sample]


class Recurrence:
    """What one face carries from frame to frame."""

    def __init__(self, engine: Engine, settings: RwrSettings | None = None, flow: FlowMotion | None = None) -> None:
        """Begin without memory.

        Args:
            engine: runs the model.
            settings: None: the defaults.
            flow: measures the picture's motion; one that others use for the same face saves their work or this one's.
        """
        self._engine = engine
        self._flow = flow or FlowMotion()
        self._memory: Memory | None = None
        self._reason = FIRST_FRAME
        self._age = 0
        self.configure(settings)

    def configure(self, settings: RwrSettings | None) -> None:
        """Use ``settings`` (None: the defaults) from the next frame on; the state is kept."""
        self._settings = settings or RwrSettings()
        self._motion = ReferenceMotion(self._settings.gains, self._flow)
        self._weight: AdaptiveWeight | None = None
        if self._settings.adaptation is not None:
            landmarks = self._engine.config.landmarks
            self._weight = AdaptiveWeight(self._settings.recurrence_weight, self._settings.adaptation, landmarks)

    def reset(self, reason: str) -> None:
        """Forget the last frame; the next solve is cold and reports ``reason``."""
        self._memory, self._reason = None, reason

    def solve(
        self, u: State, crop: Crop, image: NDArray[np.uint8] | None = None, seconds: float | None = None
    ) -> Solution:
        """Solve one face in one frame.

        Args:
            u: injection of the crop, batch 1; or what returns it, asked once the picture's motion is known, so that it
                may be calculated meanwhile.
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
            return pulled(self._engine, [warm], self._engine.evaluate(z, u))

        z, report = settling_iteration(step, warm.start, self._settings.evaluations, self._settings.settled)
        if report.stopped == NOT_FINITE:
            return self.start_over(u, crop, report.evaluations)
        return self._finish_one(crop, z, replace(report, warm=True))

    @property
    def settings(self) -> RwrSettings:
        """The settings in force."""
        return self._settings

    def prepare(self, crop: Crop, image: NDArray[np.uint8] | None, seconds: float | None) -> WarmStart | None:
        """Look at the frame and return where its solve starts, None for a cold one; arguments as of :meth:`solve`.

        :meth:`finish` or :meth:`start_over` must follow; several faces are solved together this way, see
        :mod:`model.rwr.several`.
        """
        settings, memory = self._settings, self._memory
        picture = image if settings.follow_picture else None
        if memory is None:
            self._motion.note(picture, seconds)
            if self._weight is not None:
                self._weight.reset()
            return None
        motion = None
        if picture is not None:
            motion = self._motion.to(picture, crop, memory.landmarks.astype(np.float64), seconds)
        start, half_pixel = memory.state, self._engine.config.half_pixel
        if motion is not None:
            start = memory.moved(crop, half_pixel, motion)
        elif settings.follow_crop:
            start = move_state(start, memory.crop, crop, half_pixel)
        if settings.recurrence_weight == 0:
            return WarmStart(start, None)
        weight = settings.recurrence_weight
        return WarmStart(start, Pull(self._engine, crop, memory, weight, self._weight, motion, start))

    def finish(self, crop: Crop, decoded: Decoded, report: SolveReport) -> Solution:
        """Remember the frame's state and return it as a solution."""
        self._age = self._age + 1 if report.warm else 0
        report = replace(report, age=self._age, reason="" if report.warm else self._reason)
        solution = _solution(decoded, crop, report)
        self._memory = None if report.stopped == NOT_FINITE else Memory(decoded.state, crop, solution.landmarks)
        self._reason = NON_FINITE_STATE
        return solution

    def start_over(self, u: State, crop: Crop, spent: int) -> Solution:
        """Solve cold, after a warm solve that took ``spent`` evaluations and was not finite in the end."""
        self.reset(NON_FINITE_STATE)
        self._motion.forget_speed()
        if self._weight is not None:
            self._weight.reset()
        z, report = cold_state(self._engine, u)
        return self._finish_one(crop, z, replace(report, evaluations=report.evaluations + spent))

    def _finish_one(self, crop: Crop, z: State, report: SolveReport) -> Solution:
        (decoded,) = decode_each(self._engine, z)
        return self.finish(crop, decoded, report)


def _solution(decoded: Decoded, crop: Crop, report: SolveReport) -> Solution:
    landmarks = decoded.landmarks
    if not math.isfinite(report.residual):
        landmarks = np.full_like(landmarks, np.nan)
    return Solution(crop.to_frame(landmarks), (decoded.spread * crop.side).astype(np.float32), report, decoded.state)
