"""How long the stages of a frame take, for several engines that take turns on the same frames."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.core.frame import Frame, FrameResult
from app.core.settings import TrackingSettings
from app.media.encoding import LIVE
from app.media.video import VideoWriter
from app.sources.base import Source
from app.tracking.detector import MediaPipeDetector
from app.tracking.pipeline import Pipeline
from model.config import LdeqConfig
from model.engine.base import Asynchronous, Engine, State
from model.engine.names import Precision

T = TypeVar("T")

STEM, CELL, DECODE = "stem", "cell", "decode"
READ, PAINT, WRITE = "decode video", "paint", "encode"
DETECT, CROP, MOTION, FLICKER, REST, TOTAL, CPU = "detect", "crop", "motion", "flicker", "rest", "frame", "frame, CPU"
STAGES = (READ, DETECT, CROP, STEM, CELL, DECODE, MOTION, FLICKER, REST, TOTAL, CPU, PAINT, WRITE)
"""In a frame's order. "motion" is what is left of a solve: the picture's motion, moving the state and pulling it.
"frame" is the pipeline's whole time, "frame, CPU" what all its threads calculated; "detect" counts where it ran. On a
GPU every step is waited for here, so that its time is its own, and a frame takes longer than end to end."""
WARM_UP = 10
PAUSE = 0.01
"""Seconds in which threads that read ahead or write behind come to an end, so that no stage counts their work."""


class TimedEngine:
    """Wraps an engine and waits for its device before and after each step.

    Without the wait an asynchronous step would seem to take no time. In turn, nothing overlaps.

    Attributes:
        seconds: by step, since the last :meth:`take`.
        evaluations: of the cell, since then.
    """

    def __init__(self, inner: Engine) -> None:
        self._inner = inner
        self._device = inner if isinstance(inner, Asynchronous) else None
        self.seconds: dict[str, float] = {}
        self.evaluations = 0

    @property
    def config(self) -> LdeqConfig:
        """Of the inner engine."""
        return self._inner.config

    @property
    def name(self) -> str:
        """Of the inner engine."""
        return self._inner.name

    @property
    def precision(self) -> Precision:
        """Of the inner engine."""
        return self._inner.precision

    def take(self) -> tuple[dict[str, float], int]:
        """Return seconds by step, and evaluations, and begin anew."""
        taken = self.seconds, self.evaluations
        self.seconds, self.evaluations = {}, 0
        return taken

    def encode(self, crops: NDArray[np.uint8]) -> State:
        """Do as the inner engine."""
        return self._timed(STEM, lambda: self._inner.encode(crops))

    def zero_state(self, count: int) -> State:
        """Do as the inner engine."""
        return self._inner.zero_state(count)

    def evaluate(self, z: State, u: State) -> State:
        """Do as the inner engine."""
        self.evaluations += 1
        return self._timed(CELL, lambda: self._inner.evaluate(z, u))

    def decode(self, z: State) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Do as the inner engine."""
        result: Any = self._timed(DECODE, lambda: self._inner.decode(z))
        return result  # type: ignore[no-any-return]

    def _timed(self, step: str, run: Callable[[], T]) -> T:
        self.wait()
        started = time.perf_counter()
        result = run()
        self.wait()
        self.seconds[step] = self.seconds.get(step, 0.0) + time.perf_counter() - started
        return result

    def wait(self) -> None:
        """Wait for the device. The pipeline sees this method and does not encode on a second thread."""
        if self._device is not None:
            self._device.wait()


@dataclass(slots=True)
class Times:
    """Milliseconds of each stage, one value a frame in which it ran; and evaluations of the cell by frame."""

    milliseconds: dict[str, list[float]] = field(default_factory=dict)
    evaluations: list[int] = field(default_factory=list)

    def add(self, stage: str, seconds: float) -> None:
        """Note a stage of one frame."""
        self.milliseconds.setdefault(stage, []).append(1e3 * seconds)


def run_stages(
    source: Source, engines: Mapping[str, Engine], frames: int, paint: Callable[[FrameResult], float]
) -> tuple[dict[str, Times], Times]:
    """Follow the faces of a source.

    Args:
        source: read from its beginning, at most ``frames`` frames and some to warm up; not closed.
        engines: by name.
        frames: how many are measured.
        paint: paints a result and returns the seconds that took.

    Returns:
        times by engine, and those of what no engine has a part in: reading, painting and recording.
    """
    timed = {name: TimedEngine(engine) for name, engine in engines.items()}
    pipelines = {name: Pipeline(engine, MediaPipeDetector(), TrackingSettings()) for name, engine in timed.items()}
    times, common = {name: Times() for name in engines}, Times()
    info = source.info
    try:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bench.mp4"
            with VideoWriter(path, info.width, info.height, encoding=LIVE, threads=1) as writer:
                for count in range(frames + WARM_UP):
                    started = time.perf_counter()
                    frame = source.read()
                    read = time.perf_counter() - started
                    if frame is None:
                        break
                    time.sleep(PAUSE)
                    into = times if count >= WARM_UP else {name: Times() for name in engines}
                    for name, pipeline in pipelines.items():
                        result = _one(pipeline, timed[name], frame, into[name])
                    painted, written = paint(result), _write(writer, frame)
                    if count >= WARM_UP:
                        common.add(READ, read)
                        common.add(PAINT, painted)
                        common.add(WRITE, written)
    finally:
        for pipeline in pipelines.values():
            pipeline.close()
    return times, common


def _one(pipeline: Pipeline, engine: TimedEngine, frame: Frame, times: Times) -> FrameResult:
    started = time.process_time()
    result = pipeline.process(frame)
    cpu = time.process_time() - started
    steps, evaluations = engine.take()
    seconds = result.seconds
    known = {step: steps.get(step, 0.0) for step in (STEM, CELL, DECODE)}
    motion = seconds.get("solve", 0.0) - known[CELL] - known[DECODE]
    rest = seconds["total"] - sum(seconds.get(stage, 0.0) for stage in (DETECT, CROP, "encode", "solve", FLICKER))
    if DETECT in seconds:
        times.add(DETECT, seconds[DETECT])
    if result.faces:
        for stage, value in {CROP: seconds.get(CROP, 0.0), **known, MOTION: motion}.items():
            times.add(stage, value)
        times.add(FLICKER, seconds.get(FLICKER, 0.0))
        times.evaluations.append(evaluations)
    times.add(REST, rest)
    times.add(TOTAL, seconds["total"])
    times.add(CPU, cpu)
    return result


def _write(writer: VideoWriter, frame: Frame) -> float:
    started = time.perf_counter()
    writer.write(frame.image, frame.timestamp)
    return time.perf_counter() - started
