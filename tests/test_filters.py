"""Causal filters: closed forms, published behaviour, and how they forget."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
from numpy.typing import NDArray

from model.errors import ModelError
from model.filters import ConstantVelocity, Ema, LandmarkFilter, OneEuro, SavitzkyGolay

FILTERS = [Ema(0.3), OneEuro(1.0, 0.1), SavitzkyGolay(5, 2), SavitzkyGolay(5, 2, 2), ConstantVelocity()]


@pytest.fixture(params=FILTERS, ids=lambda smoothing: type(smoothing).__name__)
def smoothing(request: pytest.FixtureRequest) -> LandmarkFilter:
    """Return each kind of filter in turn, one that has seen nothing."""
    fresh: LandmarkFilter = copy.deepcopy(request.param)
    return fresh


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


def test_reset_forgets(smoothing: LandmarkFilter) -> None:
    feed(smoothing, np.full(5, 100.0))
    smoothing.reset()
    assert feed(smoothing, np.array([1.0]))[0] == 1.0


def test_landmarks_that_are_not_finite_leave_no_trace(smoothing: LandmarkFilter) -> None:
    points = np.ones((98, 2), np.float32)
    smoothing.update(points, 0.0)
    bad = points.copy()
    bad[3] = np.nan
    assert np.isnan(smoothing.update(bad, 0.1)[3]).all()
    np.testing.assert_allclose(smoothing.update(points, 0.2), points)


@pytest.mark.parametrize("smoothing", [OneEuro(1.0), ConstantVelocity()])
def test_a_frame_without_time_is_ignored(smoothing: LandmarkFilter) -> None:
    smoothing.reset()
    zero, one = np.zeros((2, 2), np.float32), np.ones((2, 2), np.float32)
    smoothing.update(zero, 1.0)
    np.testing.assert_array_equal(smoothing.update(one, 1.0), zero)


@pytest.mark.parametrize(("window", "degree", "latency"), [(5, 2, 2), (5, 2, 0), (9, 3, 4), (7, 1, 2), (6, 0, 5)])
@pytest.mark.slow
def test_savitzky_golay_weights_are_scipys(window: int, degree: int, latency: int) -> None:
    from scipy.signal import savgol_coeffs

    expected = savgol_coeffs(window, degree, pos=window - 1 - latency, use="dot")
    values = np.random.default_rng(3).normal(size=window)
    assert feed(SavitzkyGolay(window, degree, latency), values)[-1] == pytest.approx(expected @ values, abs=1e-6)


@pytest.mark.parametrize("latency", [0, 3])
def test_savitzky_golay_keeps_polynomials_of_its_degree(latency: int) -> None:
    t = np.arange(30.0)
    values = 2 + 0.5 * t - 0.03 * t**2
    out = feed(SavitzkyGolay(7, 2, latency), values)
    assert out[6:] == pytest.approx(values[6 - latency : 30 - latency], abs=1e-5)
    # While the window fills, the oldest frame stands in for frames before the first.
    assert out[: latency + 1] == pytest.approx([values[0]] * (latency + 1), abs=1e-5)


def test_savitzky_golay_is_steadier_in_the_middle_of_its_window_than_at_the_end() -> None:
    noise = np.random.default_rng(4).normal(size=500)
    end, middle = (feed(SavitzkyGolay(9, 2, latency), noise)[20:] for latency in (0, 4))
    assert np.std(np.diff(middle)) < 0.4 * np.std(np.diff(end)) < 0.4 * np.std(np.diff(noise))


def test_constant_velocity_follows_a_ramp_without_lag() -> None:
    ramp = np.arange(100.0) * 0.02
    assert feed(ConstantVelocity(0.005, 2.0), ramp)[-1] == pytest.approx(ramp[-1], abs=1e-5)
    assert ramp[-1] - feed(Ema(0.2), ramp)[-1] == pytest.approx(0.08, abs=1e-3)


def test_constant_velocity_begins_with_what_a_face_may_do() -> None:
    jitter, acceleration, step = 0.1, 5.0, 0.2
    smoothing = ConstantVelocity(jitter, acceleration)
    variance = jitter**2 + step**2 + (acceleration * step**2 / 2) ** 2
    for _ in range(2):
        assert feed(smoothing, np.array([0.0, 1.0]), 1 / step)[1] == pytest.approx(variance / (variance + jitter**2))
        feed(smoothing, np.random.default_rng(6).normal(size=30))
        smoothing.reset()


def test_constant_velocity_settles_to_the_known_gain() -> None:
    """The alpha of the alpha-beta filter for the index acceleration T^2 / jitter (Bar-Shalom et al., 6.5.3)."""
    jitter, acceleration, fps = 0.01, 5.0, 30.0
    index = acceleration / fps**2 / jitter
    alpha = -(index**2 + 8 * index - (index + 4) * math.sqrt(index**2 + 8 * index)) / 8
    smoothing = ConstantVelocity(jitter, acceleration)
    feed(smoothing, np.zeros(400), fps)
    after = smoothing.update(np.array([[1.0, 0.0]] * 3), 400 / fps)
    assert after[:, 0] == pytest.approx([alpha] * 3, rel=1e-4)


def test_constant_velocity_is_the_best_estimate_of_its_own_model() -> None:
    """With the true noise it has a smaller error than with half or twice the trust, and than no filter."""
    rng = np.random.default_rng(5)
    fps, jitter, acceleration = 30.0, 0.01, 4.0
    kicks = rng.normal(size=4000) * acceleration
    speed = np.concatenate([[0], np.cumsum(kicks / fps)])[:-1]
    truth = np.cumsum(speed / fps + kicks / fps**2 / 2)
    seen = truth + rng.normal(size=4000) * jitter
    error = {
        trust: np.std(feed(ConstantVelocity(jitter, acceleration * trust), seen, fps) - truth)
        for trust in (0.25, 1.0, 4.0)
    }
    assert error[1.0] < min(error[0.25], error[4.0])
    assert error[1.0] < 0.8 * np.std(seen - truth)


@pytest.mark.parametrize("settings", [(3, 3, 0), (0, 0, 0), (5, -1, 0), (5, 2, 5), (5, 2, -1)])
def test_savitzky_golay_refuses_impossible_settings(settings: tuple[int, int, int]) -> None:
    with pytest.raises(ModelError, match="Savitzky-Golay"):
        SavitzkyGolay(*settings)


@pytest.mark.parametrize("settings", [(0, 1), (1, 0), (math.nan, 1), (1, math.inf)])
def test_constant_velocity_refuses_impossible_settings(settings: tuple[float, float]) -> None:
    with pytest.raises(ModelError, match="constant-velocity"):
        ConstantVelocity(*settings)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.1, math.nan])
def test_ema_refuses_weights_that_make_no_average(alpha: float) -> None:
    with pytest.raises(ModelError, match="above 0 and at most 1"):
        Ema(alpha)


@pytest.mark.parametrize("settings", [(0, 0, 1), (1, -1, 1), (1, 0, 0), (math.nan, 0, 1), (1, math.inf, 1)])
def test_one_euro_refuses_impossible_settings(settings: tuple[float, float, float]) -> None:
    with pytest.raises(ModelError, match="1 euro filter"):
        OneEuro(*settings)
