"""Export of a trained GHCU to ONNX."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from model.engine.export import write_graph
from model.errors import ModelError
from model.repair.ghcu import GhcuCard, graph_path, write_ghcu_card
from model.repair.network import GhcuNetwork
from model.weights import sha256, verify


def export_ghcu(card: GhcuCard) -> Path:
    """Write the graph of a GHCU beside its weights and enter its checksum in its JSON.

    Raises:
        ModelError: if the weights are damaged or do not fit the card.
    """
    from safetensors.torch import load_file

    verify(card, card.path)
    network = GhcuNetwork(card.config)
    try:
        network.load_state_dict(load_file(card.path))
    except RuntimeError as error:
        raise ModelError(f"{card.path} does not fit the GHCU its JSON describes: {error}") from error
    path, size = graph_path(card.path), card.config.heatmap_size
    write_graph(network, (torch.rand(1, card.config.landmarks, size, size),), path, ["z"], "points")
    write_ghcu_card(dataclasses.replace(card, files={file.name: sha256(file) for file in (card.path, path)}))
    return path
