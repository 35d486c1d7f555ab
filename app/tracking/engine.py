"""Opens the engine that settings describe."""

from __future__ import annotations

from app.core.settings import EngineSettings
from model.engine.base import Engine
from model.engine.open import open_engine
from model.engine.symmetric import symmetric_engine


def engine_of(settings: EngineSettings) -> Engine:
    """Open the engine that ``settings`` describe.

    Raises:
        ModelError: for unusable weights, or an engine or device that does not work.
    """
    engine = open_engine(settings.weights, settings.engine, settings.device, settings.threads)
    return symmetric_engine(engine) if settings.symmetric else engine
