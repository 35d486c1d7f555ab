"""Samples that a hold-still test collects, small enough to cost the tracker nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FaceResult, FrameResult
from app.tracking.conditions import Conditions, face_conditions
from model.geometry import to_complex
from model.metrics.flicker_meter import FlickerReading
from model.topology import POINTS, inter_ocular

TEST_SECONDS = 10.0
JUDGE_EVERY = 5
"""Light, blur and noise do not change from frame to frame; every fifth frame tells enough."""
RESTLESS_SECONDS = 0.5
RESTLESS_SPEED = 10.0
"""Advice is given when the head's centre goes this fast, % of the inter-ocular distance a second, over half a second.

Twice the speed that rules a frame out: what is seen so far knows less than the whole test will."""

Judge = Callable[[FrameResult, FaceResult], Conditions]


def judge_face(result: FrameResult, face: FaceResult) -> Conditions:
    """Return the conditions of a followed face, about 0.2 ms of work."""
    return face_conditions(result.frame.image, face.estimate.landmarks)


@dataclass(frozen=True, slots=True, eq=False)
class ModeSample:
    """What one mode found in one frame."""

    landmarks: NDArray[np.float32]
    flicker: FlickerReading | None
    evaluations: int


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """One frame in which a face was followed.

    Attributes:
        face: identity.
        index: of the frame in its source.
        time: seconds on the source's clock.
        captured: ``time.perf_counter()`` when the frame left the source.
        seconds: from capture to result.
        modes: by name.
    """

    face: int
    index: int
    time: float
    captured: float
    seconds: float
    modes: dict[str, ModeSample]


@dataclass(frozen=True, slots=True, eq=False)
class Sitting:
    """All samples of one test.

    Attributes:
        samples: frames with a face, in order.
        frames: frames looked at, with a face or without.
        conditions: of some of them.
    """

    samples: tuple[Sample, ...]
    frames: int
    conditions: tuple[Conditions, ...]


class Sampler:
    """Collects the frames of one test; fed by the tracker's thread, asked by others.

    Args:
        seconds: how long to collect, from the first frame on.
        judge: looks at light, blur and noise.
        face: identity of the one to follow; the largest if not given, or not there.
    """

    def __init__(self, seconds: float = TEST_SECONDS, judge: Judge = judge_face, face: int | None = None) -> None:
        self._face = face
        self._judge = judge
        self._seconds = seconds
        self._lock = threading.Lock()
        self._samples: list[Sample] = []
        self._conditions: list[Conditions] = []
        self._frames = 0
        self._first: float | None = None
        self._newest: float | None = None

    def add(self, result: FrameResult, now: float) -> None:
        """Take a frame; ``now`` is ``time.perf_counter()``. Frames after the test's end are ignored."""
        captured = result.frame.captured
        with self._lock:
            if self._first is not None and captured - self._first > self._seconds:
                self._newest = captured
                return
            last = self._samples[-1].face if self._samples else self._face
            number, judged = self._frames, bool(self._conditions)
        face = _followed(result, last)
        sample = None if face is None else _sample(result, face, now)
        seen = None
        if sample is not None and face is not None and (number % JUDGE_EVERY == 0 or not judged):
            seen = self._judge(result, face)
        with self._lock:
            self._first = captured if self._first is None else self._first
            self._newest = captured
            self._frames += 1
            if sample is not None:
                self._samples.append(sample)
            if seen is not None:
                self._conditions.append(seen)

    @property
    def progress(self) -> float:
        """Share of the time that has passed, by the frames' own clock, 0 to 1."""
        with self._lock:
            if self._first is None or self._newest is None:
                return 0.0
            return min(1.0, (self._newest - self._first) / self._seconds)

    @property
    def face_in_view(self) -> bool:
        """Whether the newest frame had a face."""
        with self._lock:
            return bool(self._samples) and self._samples[-1].captured == self._newest

    @property
    def restless(self) -> bool:
        """Whether the head has just moved so much that the person should be asked to keep still."""
        with self._lock:
            recent = [s for s in self._samples[-240:] if s.captured > (self._newest or 0.0) - RESTLESS_SECONDS]
        if len(recent) < 3:
            return False
        half = len(recent) // 2
        centres = np.array([next(iter(s.modes.values())).landmarks.mean(axis=0) for s in recent])
        times = np.array([s.captured for s in recent])
        went = np.linalg.norm(centres[half:].mean(axis=0) - centres[:half].mean(axis=0))
        span = times[half:].mean() - times[:half].mean()
        scale = float(inter_ocular(next(iter(recent[-1].modes.values())).landmarks))
        return bool(span > 0 and scale > 0 and 100 * went / scale / span > RESTLESS_SPEED)

    def sitting(self) -> Sitting:
        """Return what was collected."""
        with self._lock:
            return Sitting(tuple(self._samples), self._frames, tuple(self._conditions))


def landmarks_of(samples: tuple[Sample, ...], mode: str) -> NDArray[np.complex128]:
    """Return one mode's landmarks (n, 98) as complex numbers; NaN if the mode was not solved."""
    missing = np.full((POINTS, 2), np.nan, np.float32)
    return to_complex(np.array([s.modes[mode].landmarks if mode in s.modes else missing for s in samples]))


def _followed(result: FrameResult, last: int | None) -> FaceResult | None:
    """Return the face that was followed so far, otherwise the largest."""
    return next((face for face in result.faces if face.face == last), result.faces[0] if result.faces else None)


def _sample(result: FrameResult, face: FaceResult, now: float) -> Sample | None:
    estimates = [estimate for estimate in (face.estimate, face.other) if estimate is not None]
    modes = {
        estimate.mode: ModeSample(estimate.landmarks, estimate.flicker, estimate.report.evaluations)
        for estimate in estimates
        if np.isfinite(estimate.landmarks).all()
    }
    if face.estimate.mode not in modes:
        return None
    frame = result.frame
    return Sample(face.face, frame.index, frame.timestamp, frame.captured, now - frame.captured, modes)
