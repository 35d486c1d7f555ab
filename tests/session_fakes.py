"""Sessions with known content: results, a recorder fed with them, and the tracker of bright squares."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from app.core.events import TrackingEvent
from app.core.frame import Frame, FrameResult
from app.core.settings import EngineSettings, TrackingSettings
from app.sessions.metadata import EngineFacts, SourceFacts
from app.sessions.plan import RecordingChoices, SessionPlan
from app.sessions.recorder import SessionRecorder
from app.sessions.replay import replay
from app.sessions.session import Session, open_session
from app.tracking.pipeline import Pipeline
from tests.fakes import SquareDetector, SquareEngine, face_image
from tests.recording_fakes import estimate, result
from tests.waiting import PATIENCE_SECONDS

SIZE = (160, 120)
EXACT = RecordingChoices(exact=True)


def plan(
    choices: RecordingChoices | None = None, *, live: bool = True, size: tuple[int, int] = (64, 48)
) -> SessionPlan:
    source = SourceFacts("camera:0", "Camera", *size, 30.0, None, live)
    return SessionPlan(source, EngineFacts.of("fake, CPU", EngineSettings()), choices or RecordingChoices())


def told(index: int, *events: TrackingEvent, **settings: object) -> FrameResult:
    """Return the result of frame ``index`` with one face, events and settings."""
    found = result(index, faces=[estimate()])
    tracking = TrackingSettings(**settings)  # type: ignore[arg-type]
    return replace(found, events=events, settings=tracking, seconds={"total": 0.02})


def record(folder: Path, results: list[FrameResult], choices: RecordingChoices | None = None) -> Session:
    """Record ``results`` and open what was written."""
    height, width = results[0].frame.image.shape[:2]
    recorder = SessionRecorder(folder, plan(choices, size=(width, height)))
    with patch("app.sessions.recorder.PICTURE_SECONDS", PATIENCE_SECONDS):  # a busy machine drops nothing
        for item in results:
            recorder.offer(item)
    summary = recorder.stop(PATIENCE_SECONDS)
    assert summary.error is None
    return open_session(folder)


def scene(index: int) -> NDArray[np.uint8]:
    """Return a picture in which the face of :class:`SquareEngine` walks to the right, with noise of its own."""
    image = face_image(*SIZE, 60 + 1.5 * index, 60 + 3 * np.sin(index), 50)
    noise = np.random.default_rng(index).integers(-3, 4, image.shape)
    return np.clip(image.astype(int) + noise, 0, 255).astype(np.uint8)


def square_pipeline(engine: EngineSettings, tracking: TrackingSettings) -> Pipeline:
    """Build a real pipeline over the fake engine."""
    return Pipeline(SquareEngine(), SquareDetector(), tracking)


def tracked(
    count: int, changes: dict[int, TrackingSettings] | None = None, restarts: tuple[int, ...] = ()
) -> list[FrameResult]:
    """Track :func:`scene` with settings that change and memory that is lost at given frames.

    One more frame comes before the first, in which the tracker has a memory.
    """
    tracker = square_pipeline(EngineSettings(), TrackingSettings())
    results = []
    for index in range(-2, count):
        if index == 0 or index in restarts:
            tracker.forget()
        if changes and index in changes:
            tracker.configure(changes[index])
        results.append(tracker.process(Frame(index + 2, 5 + index / 30, scene(index + 2), 5 + index / 30)))
    return results[1:]


def again(session: Session, tracking: TrackingSettings | None = None, **options: Any) -> Any:
    """Track a session of bright squares again; options as of :func:`app.sessions.replay.replay`."""
    return replay(session, tracking or TrackingSettings(), EngineSettings(), build=square_pipeline, **options)
