"""Filters over a followed face: its size and the source's clock do not matter."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import UserError
from app.core.modes import Mode
from app.tracking.smoothing import FRAME_SECONDS, LONGEST_SECONDS, FaceSmoother, SmoothingSettings, make_filter
from tests.fakes import face_points


def smoothed(times: list[float], scale: float = 1.0, smoother: FaceSmoother | None = None) -> NDArray[np.float32]:
    """Return what the 1 euro filter makes of a face that jitters and moves to the right."""
    if smoother is None:
        filtering = make_filter(Mode.ONE_EURO)
        assert filtering is not None
        smoother = FaceSmoother(filtering)
    random = np.random.default_rng(0)
    frames = [face_points(200 + 3 * t, 150, 100) + random.normal(size=(98, 2)) for t in range(len(times))]
    return np.stack([smoother.update((scale * f).astype(np.float32), t) for f, t in zip(frames, times, strict=True)])


EVEN = [FRAME_SECONDS * t for t in range(6)]


def test_faces_of_any_size_are_smoothed_alike() -> None:
    np.testing.assert_allclose(smoothed(EVEN, 4.0), 4 * smoothed(EVEN), rtol=1e-4)


@pytest.mark.parametrize(
    "broken",
    [
        [*EVEN[:3], *(t + LONGEST_SECONDS for t in EVEN[3:])],
        [*EVEN[:3], *(t - 50 for t in EVEN[3:])],
        [0.0] * 6,
        [math.nan] * 6,
        [*EVEN[:3], math.nan, *EVEN[4:]],
    ],
    ids=["jumps", "runs back", "stands", "gives no numbers", "gives one no number"],
)
def test_a_clock_that_is_broken_counts_a_frame(broken: list[float]) -> None:
    np.testing.assert_allclose(smoothed(broken), smoothed(EVEN), rtol=1e-4)


@pytest.mark.parametrize("jump", [1000.0, -50.0])
def test_after_a_jump_the_clock_is_believed_again(jump: float) -> None:
    slower = [EVEN[2] + FRAME_SECONDS * t for t in (1, 3, 5)]
    np.testing.assert_allclose(
        smoothed([*EVEN[:3], *(t + jump for t in slower)]), smoothed(EVEN[:3] + slower), rtol=1e-4
    )


def test_time_that_passes_counts() -> None:
    slow = smoothed([3 * t for t in EVEN])
    assert np.abs(slow - smoothed(EVEN)).max() > 1


def test_a_smoother_that_is_reset_begins_with_the_next_face() -> None:
    filtering = make_filter(Mode.ONE_EURO)
    assert filtering is not None
    smoother = FaceSmoother(filtering)
    smoothed([7.0, 8.0], 0.2, smoother)
    smoother.reset()
    np.testing.assert_array_equal(smoothed(EVEN, 1.0, smoother), smoothed(EVEN))


def test_landmarks_without_numbers_do_not_begin_a_face() -> None:
    filtering = make_filter(Mode.EMA)
    assert filtering is not None
    smoother = FaceSmoother(filtering)
    lost = np.full((98, 2), np.nan, np.float32)
    assert smoother.update(lost, 0.0) is lost
    points = face_points(200, 150, 100)
    np.testing.assert_allclose(smoother.update(points, 0.1), points, rtol=1e-6)


def test_only_the_filters_have_one_and_impossible_settings_are_refused() -> None:
    assert [mode for mode in Mode if make_filter(mode) is not None] == [Mode.EMA, Mode.ONE_EURO]
    with pytest.raises(UserError, match="The filter cannot be used"):
        SmoothingSettings(alpha=0.0)
