"""The motion of the reference: what is measured, what was foretold, and how long a frame took."""

from __future__ import annotations

import numpy as np
import pytest

from model.errors import ModelError
from model.geometry import Crop
from model.rwr.reference import FRAME_SECONDS, LONGEST_SECONDS, MotionGains, ReferenceMotion
from tests.motion_fakes import Measured

CROP = Crop(50, 50, 80)
POINTS = np.zeros((98, 2))
GAINS = MotionGains(head=0.6, local=0.8)


def play(steps: list[tuple[float | None, float | None]]) -> tuple[list[float], list[float]]:
    """Play frames (seconds, measured motion) after one at 0; return the head's motions and those expected."""
    motion, flow = ReferenceMotion(GAINS), Measured()
    motion._flow = flow  # type: ignore[assignment]
    image = np.zeros((100, 100, 3), np.uint8)
    motion.note(image, 0.0)
    found, expected = [], []
    for seconds, flow.motion in steps:
        moved = motion.to(image, CROP, POINTS, seconds)
        found.append(float("nan") if moved is None else float(moved.motion[0, 0]))
        expected.append(float(flow.expected[0, 0]))
    return found, expected


def test_a_motion_is_blended_with_the_one_before() -> None:
    assert play([(None, 2.0), (None, 4.0)])[0] == pytest.approx([2.0, 0.6 * 4 + 0.4 * 2])


def test_head_and_landmarks_have_gains_of_their_own() -> None:
    motion, flow = ReferenceMotion(GAINS), Measured()
    motion._flow = flow  # type: ignore[assignment]
    image = np.zeros((100, 100, 3), np.uint8)
    motion.note(image)
    for flow.motion in (2.0, 4.0):
        moved = motion.to(image, CROP, POINTS)
    assert moved is not None
    np.testing.assert_allclose(moved.motion, np.tile([0.6 * 4 + 0.4 * 2, 0.8 * 40 + 0.2 * 20], (98, 1)))
    motion.note(image)
    moved = motion.to(image, CROP, POINTS)
    assert moved is not None
    np.testing.assert_allclose(moved.motion, np.tile([4.0, 40.0], (98, 1)), err_msg="nothing is known before")


def test_a_motion_that_was_not_measured_or_is_long_past_foretells_nothing() -> None:
    dt = FRAME_SECONDS
    found, expected = play([(dt, 2.0), (2 * dt, None), (3 * dt, 4.0)])
    assert found == pytest.approx([2.0, np.nan, 4.0], nan_ok=True)
    assert expected == [0.0, 2.0, 0.0]
    found, expected = play([(dt, 2.0), (2 * dt + LONGEST_SECONDS, 4.0)])
    assert found == [2.0, 4.0]
    assert expected == [0.0, 0.0]


def test_frames_of_the_gains_own_rate_and_faster_ones_take_the_gain_as_it_is() -> None:
    for step in (FRAME_SECONDS, FRAME_SECONDS / 2):
        assert play([(step, 2.0), (2 * step, 4.0)])[0] == pytest.approx([2.0, 0.6 * 4 + 0.4 * 2])


def test_an_even_motion_stays_even_where_frames_are_skipped() -> None:
    dt = FRAME_SECONDS
    found, expected = play([(dt, 2.0), (4 * dt, 6.0), (5 * dt, 2.0), (7 * dt, 4.0)])
    assert found == pytest.approx([2.0, 6.0, 2.0, 4.0])
    assert expected == pytest.approx([0.0, 6.0, 2.0, 4.0])


def test_after_a_gap_the_picture_is_believed_more() -> None:
    dt = FRAME_SECONDS
    found, _ = play([(dt, 0.0), (4 * dt, 1.0)])
    gain = 0.6 * 27 / (0.4 + 0.6 * 27)
    assert found[1] == pytest.approx(gain)


def test_a_clock_that_runs_back_or_stands_is_not_believed() -> None:
    assert play([(1.0, 2.0), (0.0, 4.0)])[0][1] == pytest.approx(0.6 * 4 + 0.4 * 2)
    assert np.isfinite(play([(0.0, 2.0), (0.0, 4.0)])[0]).all()


@pytest.mark.parametrize("gains", [(0.0, 0.5), (0.5, 0.0), (1.1, 0.5), (0.5, float("nan"))])
def test_impossible_gains_are_refused(gains: tuple[float, float]) -> None:
    with pytest.raises(ModelError, match="above 0 and at most 1"):
        MotionGains(*gains)
