"""The torch engine around a model that is in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from model.engine.torch_engine import TorchEngine
from model.network import Ldeq
from model.rwr.cold import cold_state
from model.weights import load_weights, save_weights
from tests.engine_fakes import CONFIG


def test_a_model_in_memory_runs_as_its_file_does(tmp_path: Path) -> None:
    torch.manual_seed(0)
    path = tmp_path / "tiny.safetensors"
    save_weights(path, Ldeq(CONFIG).eval(), {})
    crops = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3), np.uint8)
    answers = []
    # The same layout, so that convolutions add up in the same order.
    held_model = load_weights(path).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    for engine in (TorchEngine(path), TorchEngine.from_model(held_model)):
        z, _ = cold_state(engine, engine.encode(crops))
        answers.append(engine.decode(z))
        assert engine.config == CONFIG
        assert engine.name == "torch, CPU"
    for loaded, held in zip(*answers, strict=True):
        np.testing.assert_allclose(loaded, held, atol=1e-5)


def test_the_engine_follows_the_model_it_holds() -> None:
    torch.manual_seed(0)
    model = Ldeq(CONFIG).eval()
    engine = TorchEngine.from_model(model)
    crops = np.full((1, 64, 64, 3), 90, np.uint8)
    z, u = engine.zero_state(1), engine.encode(crops)
    before = engine.evaluate(z, u).clone()
    with torch.no_grad():
        model.cell.head.weight.mul_(2)
    assert (engine.evaluate(z, u) - before).abs().max() > 1e-3
