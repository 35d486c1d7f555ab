"""The engines that run the exported graphs on the processor."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.places import DEFAULT_WEIGHTS
from model.engine.base import Engine
from model.engine.names import Device, EngineName
from model.engine.open import default_threads, open_engine

GRAPHS = (EngineName.ONNX, EngineName.ONNX_INT8, EngineName.OPENVINO)


@pytest.fixture(scope="module", params=GRAPHS)
def engine(request: pytest.FixtureRequest) -> Engine:
    return opened(request.param, threads=2)


def opened(name: EngineName, threads: int) -> Engine:
    if name == EngineName.OPENVINO:
        pytest.importorskip("openvino")
    return open_engine(DEFAULT_WEIGHTS, name, Device.CPU, threads)


@pytest.mark.parametrize(("processors", "threads"), [(1, 1), (2, 2), (3, 2), (4, 2), (6, 3), (8, 4), (64, 4)])
def test_half_of_the_processors_run_the_model_but_no_fewer_than_two(processors: int, threads: int) -> None:
    assert default_threads(processors) == threads


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_the_number_of_threads_changes_no_bit(name: EngineName) -> None:
    one, two = (opened(name, threads) for threads in (1, 2))
    crops = _crops(one, 1)
    u = one.encode(crops)
    assert np.array_equal(two.encode(crops), u)
    z = one.evaluate(one.zero_state(1), u)
    assert np.array_equal(two.evaluate(two.zero_state(1), u), z)


@pytest.mark.slow
def test_no_face_depends_on_who_else_is_in_the_batch(engine: Engine) -> None:
    crops = _crops(engine, 3)
    u = engine.encode(crops)
    z = engine.evaluate(engine.zero_state(3), u)
    for i in range(3):
        alone = engine.encode(crops[i : i + 1])
        assert np.array_equal(alone, u[i : i + 1])
        assert np.array_equal(engine.evaluate(engine.zero_state(1), alone), z[i : i + 1])


@pytest.mark.slow
def test_threads_that_evaluate_at_once_get_what_each_gets_alone(engine: Engine) -> None:
    injections = [engine.encode(_crops(engine, count, seed=count)) for count in (1, 2, 3)]

    def solved(u: NDArray[np.float32]) -> NDArray[np.float32]:
        z = engine.zero_state(len(u))
        for _ in range(3):
            z = engine.evaluate(z, u)
        return z

    expected = [solved(u) for u in injections]
    with ThreadPoolExecutor(len(injections)) as threads:
        for result, alone in zip(threads.map(solved, injections), expected, strict=True):
            assert np.array_equal(result, alone)


def _crops(engine: Engine, count: int, seed: int = 0) -> NDArray[np.uint8]:
    size = engine.config.input_size
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), np.uint8)
