"""Opens the engine that settings describe, and the one that takes its place if it fails."""

from __future__ import annotations

from app.core.settings import EngineSettings
from model.engine.base import Engine
from model.engine.fallback import open_plainest
from model.engine.open import open_engine
from model.engine.symmetric import symmetric_engine


def engine_of(settings: EngineSettings) -> Engine:
    """Open the engine that ``settings`` describe.

    Raises:
        ModelError: for unusable weights, or an engine or device that does not work.
    """
    return _as_wanted(open_engine(settings.weights, settings.engine, settings.device, settings.threads), settings)


def spare_engine_of(settings: EngineSettings) -> Engine:
    """Open what takes the place of that engine if it fails: on the CPU, which is always there.

    Raises:
        ModelError: for unusable weights.
    """
    return _as_wanted(open_plainest(settings.weights, settings.engine, settings.threads), settings)


def _as_wanted(engine: Engine, settings: EngineSettings) -> Engine:
    return symmetric_engine(engine) if settings.symmetric else engine
