"""Which engine "auto" stands for, settled once for all workers: each would measure for itself, beside the others."""

from __future__ import annotations

from dataclasses import replace

from app.core.errors import UserError
from app.core.settings import EngineSettings
from model.engine.names import EngineName
from model.engine.open import automatic_engine
from model.errors import ModelError


def settled(settings: EngineSettings) -> EngineSettings:
    """Return settings for the CPU with the engine that ``track`` would take, which workers with fewer threads keep to.

    It is named even if there is no choice, since outputs are known by it. If nothing is remembered yet the engines are
    measured now.

    Raises:
        UserError: the model cannot be used.
    """
    if settings.engine != EngineName.AUTO:
        return settings
    try:
        return replace(settings, engine=automatic_engine(settings.weights, settings.threads))
    except ModelError as error:
        raise UserError(f"The model cannot be used: {error}.") from error
