"""Every shipped model: its files, and that every engine runs it."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import UserError
from app.core.frame import Frame
from app.core.places import WEIGHTS
from app.core.settings import SHIPPED, EngineSettings, ModelChoice, TrackingSettings
from app.tracking.pipeline import build_pipeline
from app.tracking.tracker import box_of
from model.config import preset
from model.engine.names import Device, EngineName
from model.engine.onnx_engine import graph_paths, int8_path
from model.engine.open import open_engine
from model.errors import ModelError
from model.geometry import Crop
from model.repair.ghcu import ghcu_path
from model.rwr.recurrence import Recurrence
from model.weights import read_card, verify
from tests.fakes import portrait

MODELS = [choice for choice, weights in SHIPPED.items() if weights.is_file()]
HAS_OPENVINO = importlib.util.find_spec("openvino") is not None
OTHERS = [
    "onnx-int8",
    pytest.param("openvino", marks=pytest.mark.skipif(not HAS_OPENVINO, reason="no openvino")),
    pytest.param("torch", marks=pytest.mark.slow),
]
FACE = Crop.around_box(184, 70, 268, 185, 1.3)
MOST_BYTES = 100e6


def settings_of(model: ModelChoice, engine: EngineName = EngineName.ONNX) -> EngineSettings:
    return EngineSettings(SHIPPED[model], engine, Device.CPU, 1)


def landmarks(model: ModelChoice, engine: str) -> NDArray[np.float32]:
    """Return those of the portrait's face after a few frames."""
    opened, image = open_engine(SHIPPED[model], engine, "cpu", 1), portrait()
    recurrence = Recurrence(opened)
    picture = FACE.extract(image, opened.config.input_size)[None]
    for _ in range(3):
        found = recurrence.solve(opened.encode(picture), FACE, image).landmarks
    return found


@pytest.mark.parametrize("model", MODELS)
def test_it_is_described_and_whole(model: ModelChoice) -> None:
    card = read_card(SHIPPED[model])
    assert card.config.name.startswith(model)
    shape = preset(model)
    assert (card.config.input_size, card.config.widths) == (shape.input_size, shape.widths)
    for path in (card.path, *graph_paths(card.path), int8_path(card.path)):
        verify(card, path)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("engine", OTHERS)
def test_every_engine_finds_the_same_landmarks(model: ModelChoice, engine: str) -> None:
    apart = landmarks(model, engine) - landmarks(model, "onnx")
    assert np.linalg.norm(apart, axis=1).mean() < 0.002 * FACE.side


@pytest.mark.skipif(len(MODELS) < 2, reason="only one model is shipped")
def test_the_models_agree_on_a_plain_face() -> None:
    first, second = (landmarks(model, "onnx") for model in MODELS)
    assert np.linalg.norm(first - second, axis=1).mean() < 0.03 * box_of(first).side


@pytest.mark.parametrize("model", MODELS)
def test_a_plain_face_raises_no_doubt(model: ModelChoice) -> None:
    pipeline = build_pipeline(settings_of(model), TrackingSettings())
    try:
        results = [pipeline.process(Frame(index, index / 30, portrait(), 0.0)) for index in range(20)]
    finally:
        pipeline.close()
    assert all(len(result.faces) == 1 for result in results)
    assert all(result.faces[0].estimate.report.warm for result in results[1:])


@pytest.mark.parametrize("model", MODELS)
def test_the_repair_belongs_to_one_model(model: ModelChoice) -> None:
    tracking = TrackingSettings(ghcu=True)
    if ghcu_path(SHIPPED[model]).is_file():
        build_pipeline(settings_of(model), tracking).close()
    else:
        with pytest.raises((ModelError, UserError), match=r"no GHCU for these weights .*choose another model"):
            build_pipeline(settings_of(model), tracking)


def test_all_of_it_is_small_enough_to_clone() -> None:
    assert sum(path.stat().st_size for path in WEIGHTS.iterdir()) < MOST_BYTES
