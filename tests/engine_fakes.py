"""A tiny model, and short runs of a pipeline whose engine may be replaced."""

from __future__ import annotations

from app.core.events import EngineReplaced
from app.core.frame import Frame, FrameResult
from app.tracking.pipeline import Pipeline
from model.config import LdeqConfig
from tests.fakes import face_image

CONFIG = LdeqConfig(name="tiny", input_size=64, injection=16, width=16, increment=8)


def frames(count: int) -> list[Frame]:
    return [Frame(i, i / 30, face_image(320, 240, 120 + 2 * i, 120, 80), 100 + i / 30) for i in range(count)]


def play(pipeline: Pipeline, count: int = 12) -> list[FrameResult]:
    return [pipeline.process(frame) for frame in frames(count)]


def replacements(results: list[FrameResult]) -> list[EngineReplaced]:
    return [event for result in results for event in result.events if isinstance(event, EngineReplaced)]
