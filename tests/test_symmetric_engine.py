"""The engine that sees crops mirrored as well: it gives a mirrored crop the mirrored answer."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.events import EngineReplaced
from app.core.frame import Frame
from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import EngineSettings, TrackingSettings
from app.tracking.engine import engine_of, spare_engine_of
from app.tracking.pipeline import build_pipeline
from model.config import LdeqConfig
from model.engine.base import Asynchronous, Engine
from model.engine.names import Device, EngineName
from model.engine.open import open_engine
from model.engine.symmetric import one_sided, symmetric_engine
from model.errors import ModelError
from model.geometry import Crop
from model.heatmap import mirrored
from model.rwr.batch import solve_batch
from model.rwr.cold import cold_solutions
from model.rwr.recurrence import Recurrence
from model.topology import MIRROR, flipped
from tests.fakes import SquareEngine, portrait

FACE = Crop.around_box(184, 70, 268, 185, 1.3)
UNIT = Crop(0.5, 0.5, 1.0)
"""Landmarks of this crop are in crop units."""


@cache
def plain(name: EngineName = EngineName.ONNX) -> Engine:
    return open_engine(DEFAULT_WEIGHTS, name, Device.CPU, 1)


@cache
def crops() -> NDArray[np.uint8]:
    """Return the portrait in three crops that differ."""
    boxes = (FACE, replace(FACE, centre_x=FACE.centre_x + 9), replace(FACE, side=1.2 * FACE.side))
    return np.stack([box.extract(portrait(), 192) for box in boxes])


def solved(engine: Engine, pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return landmarks (n, 98, 2) in crop units of cold solves."""
    solutions = cold_solutions(engine, engine.encode(pictures), [UNIT] * len(pictures))
    return np.stack([solution.landmarks for solution in solutions])


def test_mirrored_heatmaps_are_those_of_the_other_side() -> None:
    z = np.random.default_rng(0).random((2, 98, 48, 48)).astype(np.float32)
    there = mirrored(z)
    np.testing.assert_array_equal(there[1, 0, 5], z[1, MIRROR[0], 5, ::-1])
    np.testing.assert_array_equal(mirrored(there), z)


@pytest.mark.parametrize("name", [EngineName.ONNX, EngineName.TORCH])
def test_a_mirrored_crop_has_the_mirrored_answer(name: EngineName) -> None:
    def asymmetry(engine: Engine) -> float:
        (there,) = solved(engine, np.ascontiguousarray(crops()[:1, :, ::-1]))
        return float(np.abs(flipped(there) - solved(engine, crops()[:1])[0]).max())

    assert asymmetry(symmetric_engine(plain(name))) < 5e-4  # rounding, after three evaluations
    assert asymmetry(plain(name)) > 5e-3


def test_its_answer_lies_between_those_of_both_sides() -> None:
    z, u = plain().zero_state(1), plain().encode(crops()[:1])
    both = symmetric_engine(plain())
    other = plain().evaluate(z, plain().encode(np.ascontiguousarray(crops()[:1, :, ::-1])))
    expected = (plain().evaluate(z, u) + other[:, MIRROR, :, ::-1]) / 2
    np.testing.assert_allclose(both.evaluate(z, both.encode(crops()[:1])), expected, atol=1e-6)


def test_faces_together_are_solved_as_alone() -> None:
    engine = symmetric_engine(plain())
    together = solved(engine, crops())
    for i in range(len(crops())):
        np.testing.assert_allclose(together[i], solved(engine, crops()[i : i + 1])[0], atol=5e-4)


def test_rwr_runs_with_it() -> None:
    engine, boxes = symmetric_engine(plain()), [FACE, replace(FACE, centre_x=FACE.centre_x + 9)]
    faces = [Recurrence(engine) for _ in boxes]
    cold, warm = (solve_batch(engine, faces, engine.encode(crops()[:2]), boxes, portrait()) for _ in range(2))
    for first, second in zip(cold, warm, strict=True):
        assert second.report.warm
        np.testing.assert_allclose(first.landmarks, second.landmarks, atol=1.5)


def test_what_the_network_sees_at_a_landmark_comes_first() -> None:
    u = plain().encode(crops())
    np.testing.assert_allclose(symmetric_engine(plain()).encode(crops())[:, : u.shape[1]], u, atol=1e-5)


def test_it_is_as_asynchronous_as_the_engine_inside() -> None:
    assert isinstance(symmetric_engine(plain(EngineName.TORCH)), Asynchronous)
    assert not isinstance(symmetric_engine(plain()), Asynchronous)


def test_the_engine_inside_can_be_had() -> None:
    engine = symmetric_engine(plain())
    assert engine.name == "onnxruntime, CPU, symmetric"
    assert one_sided(engine) is one_sided(plain()) is plain()


def test_heatmaps_that_do_not_mirror_onto_cells_are_refused() -> None:
    with pytest.raises(ModelError, match="published"):
        symmetric_engine(SquareEngine(LdeqConfig(half_pixel=False)))


@pytest.mark.parametrize("symmetric", [True, False])
def test_settings_say_which(symmetric: bool) -> None:
    engine = engine_of(EngineSettings(DEFAULT_WEIGHTS, EngineName.ONNX, Device.CPU, 1, symmetric))
    assert (one_sided(engine) is engine) != symmetric


@pytest.mark.parametrize("symmetric", [True, False])
def test_an_engine_that_fails_is_replaced_by_one_of_its_kind(symmetric: bool) -> None:
    settings = EngineSettings(DEFAULT_WEIGHTS, EngineName.ONNX, Device.CPU, 1, symmetric)
    engine = spare_engine_of(settings)
    assert (one_sided(engine) is engine) != symmetric
    pipeline = build_pipeline(settings, TrackingSettings())
    one_sided(pipeline._solver.engine).evaluate = None  # type: ignore[assignment]  # it can do nothing any more
    (replaced,) = (
        event for event in pipeline.process(Frame(0, 0.0, portrait(), 0.0)).events if isinstance(event, EngineReplaced)
    )
    pipeline.close()
    assert replaced.replacement.endswith("symmetric") == symmetric
