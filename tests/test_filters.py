"""Causal filters: closed forms, published behaviour, and how they forget."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import ModelError
from model.filters import Ema, LandmarkFilter, OneEuro


def feed(smoothing: LandmarkFilter, values: NDArray[np.floating], fps: float = 30.0) -> NDArray[np.float32]:
    """Filter a sequence (t,) as the x of three points."""
    frames = np.repeat(values[:, None, None], 3, axis=1) * np.array([1.0, 0.0])
    return np.stack([smoothing.update(frame, t / fps) for t, frame in enumerate(frames)])[:, 0, 0]


def test_ema_step_response() -> None:
    out = feed(Ema(0.25), np.array([0.0, 1.0, 1.0, 1.0]))
    assert out == pytest.approx([0, 0.25, 0.4375, 0.578125])


def test_ema_of_a_ramp_lags_by_its_delay() -> None:
    out = feed(Ema(0.2), np.arange(200.0))
    assert 199 - out[-1] == pytest.approx(0.8 / 0.2, abs=1e-3)


def test_ema_with_weight_one_changes_nothing() -> None:
    values = np.random.default_rng(0).normal(size=20)
    assert feed(Ema(1.0), values) == pytest.approx(values, abs=1e-6)


def test_one_euro_follows_its_published_recursion() -> None:
    # Casiez et al. by hand for two steps: T = 0.1 s, min_cutoff 1 Hz, beta 0.5, d_cutoff 2 Hz.
    def weight(cutoff: float) -> float:
        return 1 / (1 + (1 / (2 * math.pi * cutoff)) / 0.1)

    speed = weight(2) * (10 / 0.1)
    first = weight(1 + 0.5 * speed) * 10
    speed = speed + weight(2) * ((4 - first) / 0.1 - speed)
    second = first + weight(1 + 0.5 * abs(speed)) * (4 - first)
    out = feed(OneEuro(1.0, 0.5, 2.0), np.array([0.0, 10.0, 4.0]), fps=10)
    assert out == pytest.approx([0, first, second], rel=1e-6)


def test_one_euro_without_beta_is_a_plain_low_pass() -> None:
    alpha = 1 / (1 + (1 / (2 * math.pi * 1.5)) * 30)
    values = np.random.default_rng(1).normal(size=30)
    assert feed(OneEuro(1.5, 0.0), values) == pytest.approx(feed(Ema(alpha), values), abs=1e-5)


def test_one_euro_steadies_at_rest_and_keeps_up_in_motion() -> None:
    rng = np.random.default_rng(2)
    still = rng.normal(size=300) * 0.01
    moving = np.arange(300.0) * 0.2
    slow, quick = OneEuro(1.0, 0.0), OneEuro(1.0, 5.0)
    assert np.std(feed(quick, still)[50:]) < 0.6 * np.std(still[50:])
    quick.reset()
    assert moving[-1] - feed(quick, moving)[-1] < 0.3 * (moving[-1] - feed(slow, moving)[-1])


def test_one_euro_depends_on_time_not_on_frames() -> None:
    step = np.ones(61)
    step[0] = 0
    slow, fast = feed(OneEuro(1.0), step, fps=30), feed(OneEuro(1.0), step, fps=60)
    assert fast[1] < 0.6 * slow[1]
    assert fast[2::2] == pytest.approx(slow[1:31], abs=0.03)


@pytest.mark.parametrize("smoothing", [Ema(0.3), OneEuro(1.0, 0.1)])
def test_reset_forgets(smoothing: LandmarkFilter) -> None:
    feed(smoothing, np.full(5, 100.0))
    smoothing.reset()
    assert feed(smoothing, np.array([1.0]))[0] == 1.0


@pytest.mark.parametrize("smoothing", [Ema(0.3), OneEuro(1.0, 0.1)])
def test_landmarks_that_are_not_finite_leave_no_trace(smoothing: LandmarkFilter) -> None:
    points = np.ones((98, 2), np.float32)
    smoothing.update(points, 0.0)
    bad = points.copy()
    bad[3] = np.nan
    assert np.isnan(smoothing.update(bad, 0.1)[3]).all()
    np.testing.assert_allclose(smoothing.update(points, 0.2), points)


def test_one_euro_ignores_a_frame_without_time() -> None:
    smoothing = OneEuro(1.0)
    zero, one = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)
    smoothing.update(zero, 1.0)
    np.testing.assert_array_equal(smoothing.update(one, 1.0), zero)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1, math.nan])
def test_ema_refuses_weights_that_make_no_average(alpha: float) -> None:
    with pytest.raises(ModelError, match="above 0 and at most 1"):
        Ema(alpha)


@pytest.mark.parametrize("settings", [(0, 0, 1), (1, -1, 1), (1, 0, 0), (math.nan, 0, 1)])
def test_one_euro_refuses_impossible_settings(settings: tuple[float, float, float]) -> None:
    with pytest.raises(ModelError, match="1 euro filter"):
        OneEuro(*settings)
