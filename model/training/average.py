"""One model of several runs: the mean of their weights (Wortsman et al., "Model soups", ICML 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from model.errors import ModelError
from model.network import Ldeq
from model.weights import load_weights


def averaged(paths: Sequence[Path]) -> Ldeq:
    """Return the model whose every weight is the mean of those in several files.

    The runs must have begun with the same weights: only then do they end near enough to each other that their mean errs
    less than each of them.

    Args:
        paths: at least two safetensors files of models of the same shape.

    Raises:
        ModelError: for files that cannot be used, fewer than two, or models of several shapes.
    """
    if len(paths) < 2:
        raise ModelError("an average needs the weights of at least two runs")
    models = [load_weights(path) for path in paths]
    for path, model in zip(paths, models, strict=True):
        if model.config != models[0].config:
            raise ModelError(f"{path} is a model of another shape than {paths[0]}; only runs of one model are averaged")
    states = [model.state_dict() for model in models]
    mean = {
        name: torch.stack([state[name] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for name, value in states[0].items()
    }
    models[0].load_state_dict(mean)
    return models[0]
