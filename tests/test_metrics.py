"""Metrics against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.metrics.accuracy import accuracy, nme
from model.metrics.flicker import nad, nmf
from model.metrics.lag import (
    DELAYS,
    best_delay,
    delay_errors,
    expression_steps,
    face_shapes,
    speeds,
    velocity_lag,
)
from model.topology import (
    EYES_AND_MOUTH,
    LEFT_EYE_OUTER,
    POINTS,
    RIGHT_EYE_OUTER,
    inter_ocular,
)


def face(width: float = 200.0, height: float = 200.0) -> NDArray[np.float32]:
    """98 points in a box of the given size at (0, 0), outer eye corners 100 apart."""
    points = np.full((POINTS, 2), (width / 2, height / 2), np.float32)
    points[0], points[32] = (0, 0), (width, height)
    points[LEFT_EYE_OUTER], points[RIGHT_EYE_OUTER] = (50, 60), (150, 60)
    return points


def test_inter_ocular_is_the_distance_of_points_60_and_72() -> None:
    assert inter_ocular(face()) == pytest.approx(100.0)
    assert inter_ocular(np.stack([face(), face() * 2])) == pytest.approx([100.0, 200.0])


def test_nme_of_a_constant_offset() -> None:
    truth = face()[None]
    assert nme(truth + np.array([3, 4], np.float32), truth) == pytest.approx([0.05])


def test_nme_is_normalised_by_the_truth_not_the_prediction() -> None:
    truth = face()[None]
    prediction = truth.copy()
    prediction[0, RIGHT_EYE_OUTER] += (98, 0)
    assert nme(prediction, truth) == pytest.approx([98 / 98 / 100])


def test_nme_over_chosen_points() -> None:
    truth = face()[None]
    prediction = truth.copy()
    prediction[0, 0] += (0, 49)
    prediction[0, 60] += (0, 18)
    assert nme(prediction, truth) == pytest.approx([(49 + 18) / 98 / 100])
    assert nme(prediction, truth, EYES_AND_MOUTH) == pytest.approx([18 / 36 / 100])


def test_failure_rate_counts_errors_above_ten_percent() -> None:
    summary = accuracy(np.array([0.05, 0.0999, 0.10, 0.1001]))
    assert summary.faces == 4
    assert summary.fr10 == pytest.approx(25.0)
    assert summary.nme == pytest.approx(100 * (0.05 + 0.0999 + 0.10 + 0.1001) / 4)


def test_an_error_that_is_not_known_is_a_failure() -> None:
    summary = accuracy(np.array([0.05, np.nan]))
    assert summary.fr10 == pytest.approx(50.0)
    assert summary.auc10 == pytest.approx(0.5 * accuracy(np.array([0.05])).auc10)


def test_auc_of_a_step_is_the_share_right_of_it() -> None:
    assert accuracy(np.zeros(3)).auc10 == pytest.approx(1.0)
    assert accuracy(np.array([0.04])).auc10 == pytest.approx(0.6, abs=1e-3)
    assert accuracy(np.array([0.04, 0.08])).auc10 == pytest.approx((0.6 + 0.2) / 2, abs=1e-3)
    assert accuracy(np.array([0.2])).auc10 == 0.0


def test_auc_of_a_uniform_distribution_is_one_half() -> None:
    errors = np.linspace(0, 0.1, 2001)
    assert accuracy(errors).auc10 == pytest.approx(0.5, abs=1e-3)


def test_nmf_of_one_jump() -> None:
    # One of 98 points jumps by 3 pixels once in two steps; the box is 1024 x 64, so d = 256.
    truth = np.stack([face(1024, 64)] * 3)
    prediction = truth.copy()
    prediction[1:, 40] += (3, 0)
    expected = 100 * 256 * np.sqrt((9 / 98 / 256**2 + 0) / 2)
    assert nmf(prediction, truth) == pytest.approx(expected)
    assert expected == pytest.approx(100 * np.sqrt(9 / 98 / 2))


def test_nmf_does_not_depend_on_the_unit_or_a_constant_error() -> None:
    rng = np.random.default_rng(1)
    truth = np.stack([face()] * 6) + rng.normal(size=(6, 1, 2)).astype(np.float32)
    prediction = truth + rng.normal(size=truth.shape).astype(np.float32)
    assert nmf(prediction * 3, truth * 3) == pytest.approx(nmf(prediction, truth), rel=1e-5)
    assert nmf(prediction + np.float32(7), truth) == pytest.approx(nmf(prediction, truth), rel=1e-4)
    assert nmf(truth + np.float32(7), truth) == pytest.approx(0.0, abs=1e-2)


def test_nmf_uses_the_later_frames_face_size() -> None:
    truth = np.stack([face(), face() * 2])
    prediction = truth.copy()
    prediction[1] += (8, 0)
    assert nmf(prediction, truth) == pytest.approx(100 * 256 * 8 / 400)


def test_nmf_is_a_root_mean_square_over_landmarks_and_frames() -> None:
    truth = np.stack([face()] * 3)
    prediction = truth.copy()
    prediction[1, :49] += (2, 0)  # step 1: half the points by 2, step 2: the same back and the other half by 4
    prediction[2, 49:] += (0, 4)
    squares = [49 / 98 * 4, 49 / 98 * 4 + 49 / 98 * 16]
    assert nmf(prediction, truth) == pytest.approx(100 * 256 / 200 * np.sqrt(np.mean(squares)))


def noisy_clip(frames: int = 40) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng(2)
    truth = face() + np.arange(frames, dtype=np.float32)[:, None, None]
    return truth + rng.normal(size=truth.shape).astype(np.float32), truth


def test_nad_at_lag_one_is_nmf_over_root_two() -> None:
    prediction, truth = noisy_clip()
    assert nad(prediction, truth, 1) == pytest.approx(nmf(prediction, truth) / np.sqrt(2))


def test_nad_of_two_frame_averages_by_hand() -> None:
    # Residuals 0, 2, 4, 8 on every point: averages of two frames 1, 3, 6; changes over two frames: 6 - 1.
    truth = np.stack([*[face()] * 3, face() * 2])  # the last frame's size counts
    prediction = truth.copy()
    prediction[:, :, 0] += np.array([0, 2, 4, 8], np.float32)[:, None]
    assert nad(prediction, truth, 2) == pytest.approx(100 * 256 / 400 * 5 / np.sqrt(2))


def test_nad_falls_with_the_lag_for_jitter_and_rises_for_drift() -> None:
    jitter, truth = noisy_clip()
    assert nad(jitter, truth, 4) < 0.6 * nad(jitter, truth, 1)
    drift = truth + np.linspace(0, 10, len(truth), dtype=np.float32)[:, None, None]
    assert nad(drift, truth, 4) == pytest.approx(4 * nad(drift, truth, 1), rel=1e-3)


def test_nmf_over_chosen_points_keeps_the_whole_faces_size() -> None:
    truth = np.stack([face()] * 2)
    prediction = truth.copy()
    prediction[1, 60] += (6, 0)
    prediction[1, 0] += (50, 0)
    assert nmf(prediction, truth, EYES_AND_MOUTH) == pytest.approx(100 * 256 / 200 * 6 / np.sqrt(36))


def moving_face(late: float = 0.0, frames: int = 120, expression_late: float | None = None) -> NDArray[np.float64]:
    """A head that shifts, turns and grows, and a mouth and eyes that move on their own, late by so many frames."""
    t = np.arange(frames) - late
    rest = face().astype(np.float64) + np.random.default_rng(5).uniform(-40, 40, (POINTS, 2))
    shift = np.stack([40 * np.sin(t / 9) + 8 * np.sin(t / 2.3), 20 * np.cos(t / 7)], axis=-1)
    turn = np.exp(0.1 * np.sin(t / 8) + 0.15j * np.sin(t / 6))
    centred = (rest - rest.mean(axis=0)) @ np.array([1, 1j])
    turned = turn[:, None] * centred
    points = np.stack([turned.real, turned.imag], axis=-1) + shift[:, None]
    t = np.arange(frames) - (late if expression_late is None else expression_late)
    points[:, 76:96, 1] += (3 * np.sin(t / 1.9) + 4 * np.sin(t / 3.1 + 1))[:, None]
    points[:, 60:68, 1] += (2 * np.sin(t / 2.1))[:, None]
    return points


def steps(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.diff(points, axis=0)


@pytest.mark.parametrize("late", [-1.0, 0.0, 0.3, 0.5, 1.0, 2.0, 4.75])
def test_lag_finds_a_delay_under_jitter(late: float) -> None:
    rng = np.random.default_rng(6)
    seen = moving_face(late) + rng.normal(size=(120, POINTS, 2))
    assert velocity_lag(steps(seen), steps(moving_face())) == pytest.approx(late, abs=0.1)
    drifting = velocity_lag(steps(seen) + np.float64(500), steps(moving_face()))
    assert drifting == pytest.approx(late, abs=0.1), "an even drift has no delay"


@pytest.mark.parametrize("late", [0.0, 0.5, 1.0, 2.0])
def test_lag_of_expressions_is_told_apart_from_the_heads(late: float) -> None:
    """The head comes in time, eyes and mouth do not."""
    seen = moving_face(expression_late=late) + np.random.default_rng(7).normal(size=(120, POINTS, 2)) * 0.5
    truth = moving_face()
    assert velocity_lag(expression_steps(seen), expression_steps(truth)) == pytest.approx(late, abs=0.1)


def test_lag_of_a_moving_average_is_the_published_one() -> None:
    """A two-frame mean is half a frame late, whatever the motion."""
    truth = moving_face()
    seen = truth.copy()
    seen[1:] = (truth[1:] + truth[:-1]) / 2
    assert velocity_lag(steps(seen), steps(truth)) == pytest.approx(0.5, abs=0.05)


def test_lag_of_a_stuttering_video_is_its_mean() -> None:
    """Every other frame repeats the one before: half of the motion is in time, half a frame late."""
    truth = moving_face()
    seen = truth[np.arange(len(truth)) // 2 * 2]
    assert velocity_lag(steps(seen), steps(truth)) == pytest.approx(0.5, abs=0.1)


def test_lag_needs_motion_that_is_seen() -> None:
    rng = np.random.default_rng(8)
    noise = rng.normal(size=(120, POINTS, 2))
    assert np.isnan(velocity_lag(steps(noise), steps(moving_face())))
    assert np.isnan(velocity_lag(steps(moving_face(20)), steps(moving_face()), furthest=2))
    still = np.zeros((119, POINTS, 2))
    assert np.isnan(velocity_lag(still, still))
    assert np.isnan(velocity_lag(steps(moving_face(frames=4)), steps(moving_face(frames=4))))


@pytest.mark.parametrize("late", [-0.5, 0.0, 0.4, 1.0, 2.3])
def test_delay_of_a_region_is_found_between_frames_and_apart_from_the_heads(late: float) -> None:
    """The head comes a frame late, the mouth by another delay."""
    seen = moving_face(1.0, expression_late=late) + np.random.default_rng(7).normal(size=(120, POINTS, 2)) * 0.2
    mouth = slice(76, 96)
    found, truth = face_shapes(seen)[:, mouth], face_shapes(moving_face())[:, mouth]
    errors = delay_errors(found, truth)
    assert errors.shape == (len(DELAYS), 120)
    known = np.isfinite(errors).all(axis=0)
    assert known.sum() == 120 - 8, "four frames at each end have no truth for every delay"
    assert best_delay(errors[:, known].sum(axis=1)) == pytest.approx(late, abs=0.1)


def test_a_delay_that_cannot_be_told_is_no_number() -> None:
    shapes = face_shapes(moving_face())[:, 76:96]
    assert np.isnan(best_delay(delay_errors(shapes, shapes)[:, :0].sum(axis=1))), "no frames"
    assert np.isnan(best_delay(np.nansum(delay_errors(np.roll(shapes, 20, axis=0), shapes), axis=1) * 0 + DELAYS))
    assert np.isnan(best_delay(np.full(len(DELAYS), np.nan)))


def test_shapes_lose_the_head_and_keep_the_expression() -> None:
    rest = face() + np.random.default_rng(9).normal(size=(POINTS, 2))
    shapes = face_shapes(np.stack([rest * (1 + 0.02 * t) + 3 * t for t in range(10)]))
    assert np.abs(np.diff(shapes, axis=0)).max() < 1e-9
    assert np.isfinite(face_shapes(np.zeros((4, POINTS, 2)))).all(), "points on one spot"


def test_speeds_are_told_by_the_motion_against_the_head() -> None:
    steps_of_frames = np.concatenate([np.zeros(6), np.full(6, 0.005), np.full(6, 0.02)])
    shapes = np.outer(np.cumsum(steps_of_frames), np.ones(5)).astype(np.complex128)
    assert speeds(shapes).tolist() == ["still"] * 6 + ["slow"] * 5 + ["fast"] * 7


def test_an_expression_is_in_eye_distances_of_the_earlier_frame() -> None:
    rest = face() + np.random.default_rng(5).uniform(-40, 40, (POINTS, 2))
    rest[LEFT_EYE_OUTER], rest[RIGHT_EYE_OUTER] = (50, 60), (150, 60)
    later = 1.5 * rest
    later[76:96, 1] += 10
    (found,) = expression_steps(np.stack([rest, later]))
    np.testing.assert_allclose(found[16:], np.tile([0.0, 0.1], (20, 1)), atol=2e-3)
    np.testing.assert_allclose(found[:16], 0.0, atol=2e-3)


def test_a_rigid_face_has_no_expression() -> None:
    rigid = moving_face()
    assert np.abs(expression_steps(rigid)).max() > 0.03
    rigid = np.stack([face() * (1 + 0.02 * t) + np.float32(3 * t) for t in range(10)])
    rng = np.random.default_rng(9)
    rigid += rng.normal(size=(1, POINTS, 2)).astype(np.float32)
    assert np.abs(expression_steps(rigid)).max() < 0.02
