"""The motion of the reference: what is measured, what was foretold, and how long a frame took."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.geometry import Crop
from model.motion import Motion
from model.rwr.reference import FRAME_SECONDS, MotionGains, ReferenceMotion

CROP = Crop(50, 50, 80)
POINTS = np.zeros((98, 2))
GAINS = MotionGains(head=0.6, local=0.8)


class Measured:
    """Stands in for the optical flow: reports a given motion to the right, and nothing local."""

    def __init__(self) -> None:
        self.motion = 0.0
        self.expected = POINTS

    def parts(
        self,
        old: NDArray[np.uint8],
        new: NDArray[np.uint8],
        crop: Crop,
        before: NDArray[np.float64],
        after: NDArray[np.float64],
    ) -> Motion:
        self.expected = after
        return Motion(np.tile([self.motion, 0.0], (98, 1)), np.zeros((98, 2)), np.zeros(98))


def play(steps: list[tuple[float | None, float]]) -> tuple[list[float], list[float]]:
    """Play frames (seconds, measured motion) after one at 0; return motions to the right and those expected."""
    motion, flow = ReferenceMotion(GAINS), Measured()
    motion._flow = flow  # type: ignore[assignment]
    image = np.zeros((100, 100, 3), np.uint8)
    motion.note(image, 0.0)
    found, expected = [], []
    for seconds, flow.motion in steps:
        moved = motion.to(image, CROP, POINTS, seconds)
        assert moved is not None
        found.append(float(moved.whole[0, 0]))
        expected.append(float(flow.expected[0, 0]))
    return found, expected


def test_a_motion_is_blended_with_the_one_before() -> None:
    assert play([(None, 2.0), (None, 4.0)])[0] == pytest.approx([2.0, 0.6 * 4 + 0.4 * 2])


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
