"""Which engine "auto" stands for, settled once for all workers: each would measure for itself, beside the others."""

from __future__ import annotations

from dataclasses import replace

from app.core.errors import UserError
from app.core.settings import EngineSettings
from model.engine.choice import candidates, remembered
from model.engine.onnx_engine import has_graphs
from model.engine.open import default_threads, open_engine
from model.errors import ModelError
from model.weights import read_card


def settled(settings: EngineSettings) -> EngineSettings:
    """Return settings for the CPU with the engine that ``track`` would take, which workers with fewer threads keep to.

    It is named also where there is no choice, since outputs are known by it. Where nothing is remembered yet
    the engines are measured now.

    Raises:
        UserError: the model cannot be used.
    """
    if settings.engine != "auto":
        return settings
    if not has_graphs(settings.weights):
        return replace(settings, engine="torch")
    if len(candidates()) == 1:
        return replace(settings, engine=candidates()[0])
    threads = settings.threads or default_threads()
    try:
        card = read_card(settings.weights)
        choice = remembered(card, threads)
        if choice is None:
            open_engine(settings.weights, settings.engine, "cpu", threads)
            choice = remembered(card, threads)
    except ModelError as error:
        raise UserError(f"The model cannot be used: {error}.") from error
    return settings if choice is None else replace(settings, engine=choice.engine)
