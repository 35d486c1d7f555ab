"""Head pose, eyes, mouth, brows, gaze, blinks and PERCLOS against faces whose values are known."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from model.signals.eyes import CLOSED_EAR, LEAST_RANGE, EyeTracker
from model.signals.face import eye_aspect_ratios, face_signals
from model.signals.head import head_pose
from model.signals.track import NAMES, SignalTracker, signal_values, signals_from
from model.topology import MIRROR, POINTS
from tests.signals_fakes import SIZE, centre, face, turned_face


def signals(points: Any, size: Any = SIZE) -> Any:
    found = face_signals(points, size)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "angles",
    [(0, 0, 0), (25, 0, 0), (-40, 10, 0), (0, 20, 0), (0, -20, 30), (15, 12, -100), (30, -15, 170), (70, 30, 5)],
)
@pytest.mark.parametrize(
    ("place", "size"), [((0, 0, 60), SIZE), ((12, -8, 40), SIZE), ((-30, 20, 200), SIZE), ((-6, 20, 60), (720, 1280))]
)
def test_head_pose_comes_back(angles: tuple[int, int, int], place: tuple[int, int, int], size: tuple[int, int]) -> None:
    pose = head_pose(turned_face(angles, place, size), size)
    assert pose is not None
    np.testing.assert_allclose((pose.yaw, pose.pitch, pose.roll), angles, atol=0.05)
    np.testing.assert_allclose((pose.x, pose.y, pose.z), place, rtol=2e-3, atol=0.02)


def test_signs_of_the_head_angles_are_those_of_the_picture() -> None:
    ahead, right, up, tilted = (turned_face(a) for a in ((0, 0, 0), (20, 0, 0), (0, 20, 0), (0, 0, 20)))
    nose = 54
    assert right[nose, 0] > ahead[nose, 0]
    assert up[nose, 1] < ahead[nose, 1]
    assert tilted[72, 1] > tilted[60, 1]  # the right eye sinks: clockwise


def test_a_little_noise_turns_the_head_only_a_little() -> None:
    random = np.random.default_rng(0)
    clean = turned_face((10, -5, 3))
    poses = [head_pose(clean + random.normal(0, 0.5, clean.shape), SIZE) for _ in range(50)]
    spread = np.std([(pose.yaw, pose.pitch, pose.roll) for pose in poses if pose is not None], axis=0)
    assert len(poses) == 50
    assert spread.max() < 1.0


@pytest.mark.parametrize("scale", [80.0, 400.0])
def test_lengths_are_in_eye_distances(scale: float) -> None:
    found = signals(face(scale))
    gaps = (found.mouth, found.eye_left, found.eye_right, found.brow_left, found.brow_right, found.mouth_width)
    np.testing.assert_allclose(gaps, (0.2, 0.1, 0.1, 0.3, 0.3, 0.6), atol=1e-3)
    np.testing.assert_allclose((found.gaze_left, found.gaze_right), ((0.1, 0.05), (-0.1, 0.05)), atol=1e-3)


def test_the_eye_aspect_ratio_is_the_published_one() -> None:
    points = face()
    points[[60, 64]] = (100, 200), (200, 200)
    points[[61, 67]] = (130, 185), (130, 205)  # 20 apart
    points[[63, 65]] = (170, 190), (170, 220)  # 30 apart
    points[[62, 66]] = (150, 0), (150, 400)  # not in the formula
    assert signals(points).ear_left == pytest.approx((20 + 30) / (2 * 100))


def test_signals_do_not_depend_on_the_tilt() -> None:
    upright, angle = face(), math.radians(35)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    tilted, level = signals((upright - centre()) @ turn.T + centre()), signals(upright)
    assert (tilted.brow_left, tilted.mouth) == pytest.approx((level.brow_left, level.mouth), abs=1e-4)
    assert tilted.gaze_left == pytest.approx(level.gaze_left, abs=1e-4)
    assert tilted.head.roll - level.head.roll == pytest.approx(35, abs=0.01)


def test_a_mirrored_face_has_mirrored_signals() -> None:
    points = face()
    points[61:64, 1] += 10  # the left upper lid sinks
    points[33:42, 1] -= 8
    points[54, 0] += 6
    plain, mirrored = signals(points), signals((points * (-1, 1) + (SIZE[0] - 1, 0))[MIRROR])
    assert plain.eye_left < plain.eye_right
    assert (mirrored.eye_right, mirrored.ear_right) == pytest.approx((plain.eye_left, plain.ear_left), abs=1e-5)
    assert mirrored.brow_right == pytest.approx(plain.brow_left, abs=1e-5)
    assert mirrored.gaze_right == pytest.approx((-plain.gaze_left[0], plain.gaze_left[1]), abs=1e-5)
    assert mirrored.head.yaw == pytest.approx(-plain.head.yaw, abs=1e-3)
    assert abs(plain.head.yaw) > 1


def test_impossible_faces_have_no_signals() -> None:
    assert head_pose(np.full((POINTS, 2), 5.0), SIZE) is None
    assert face_signals(np.full((POINTS, 2), 5.0), SIZE) is None
    points = face()
    points[72] = points[60]
    assert face_signals(points, SIZE) is None
    points[54] = np.nan
    assert head_pose(points, SIZE) is None
    assert face_signals(points, SIZE) is None


def watch(ears: Any, rate: Any = 30.0, tracker: Any = None) -> Any:
    tracker = tracker or EyeTracker()
    return [tracker.update(ear, index / rate) for index, ear in enumerate(ears)][-1]


OPEN = [0.30] * 60


@pytest.mark.parametrize("rate", [15.0, 30.0, 60.0])
def test_blinks_are_counted_once(rate: float) -> None:
    second = [0.30] * int(rate)
    blink = [0.2, 0.1, 0.06, 0.12, 0.25]
    state = watch((second * 2 + blink) * 3 + second, rate)
    assert state.blinks == 3
    assert state.closure == pytest.approx(0)


def test_a_closure_that_wavers_is_one_blink() -> None:
    state = watch([*OPEN, 0.17, 0.22, 0.16, 0.24, 0.17, 0.3, 0.3])
    assert state.blinks == 1


def test_narrowed_and_long_closed_eyes_are_no_blinks() -> None:
    assert watch([*OPEN, *[0.22] * 5, *OPEN]).blinks == 0
    assert watch([*OPEN, *[0.05] * 30, *OPEN]).blinks == 0


def test_times_of_closed_eyes_are_told_when_they_end() -> None:
    tracker = EyeTracker()
    blink, long = [0.2, 0.14, 0.12, 0.22, 0.28], [0.12] * 30
    ears = [*OPEN, *blink, *OPEN, *long, *OPEN]
    ended = {index: state.ended for index, ear in enumerate(ears) if (state := tracker.update(ear, index / 30)).ended}
    opened, opened_again = 64, 65 + 60 + 30
    assert sorted(ended) == [opened, opened_again]
    assert ended[opened].seconds == pytest.approx(4 / 30, abs=1e-9)
    assert ended[opened].is_blink
    assert ended[opened].deepest == pytest.approx(1)
    assert ended[opened_again].seconds == pytest.approx(1.0)
    assert not ended[opened_again].is_blink


def test_narrow_eyes_have_their_own_open_state() -> None:
    narrow = [0.15] * 60
    assert watch([*narrow, 0.08, 0.06, 0.1, *narrow]).blinks == 1
    assert watch([*narrow, 0.14]).closure == pytest.approx(0.01 / LEAST_RANGE)


def test_perclos_is_the_share_of_a_minute() -> None:
    cycle = [0.30] * 24 + [CLOSED_EAR] * 6
    state = watch(cycle * 60)
    assert state.perclos == pytest.approx(0.2, abs=0.01)
    assert watch(cycle * 9).perclos is None  # 9 s
    assert watch(cycle * 120).perclos == pytest.approx(0.2, abs=0.01)
    tracker = EyeTracker()
    watch(cycle * 60, tracker=tracker)
    later = [tracker.update(0.30, 60 + index / 30) for index in range(30 * 61)][-1]
    assert later.perclos == 0.0


def test_closed_by_four_fifths_counts() -> None:
    limit = CLOSED_EAR + 0.2 * (0.30 - CLOSED_EAR)
    assert watch(([0.30] * 24 + [limit - 0.001] * 6) * 20).perclos == pytest.approx(0.2, abs=0.02)
    assert watch(([0.30] * 24 + [limit + 0.001] * 6) * 20).perclos == 0.0


def test_time_that_runs_back_starts_again() -> None:
    tracker = EyeTracker()
    watch([*OPEN, 0.06, *OPEN] * 6, tracker=tracker)
    state = tracker.update(0.3, 0.0)
    assert (state.blinks, state.closure, state.perclos) == (6, None, None)
    assert watch([0.15] * 60, tracker=tracker).closure == pytest.approx(0), "another person's open state"


def test_eyes_that_were_closed_before_time_ran_back_do_not_end_a_blink() -> None:
    tracker = EyeTracker()
    watch([*OPEN, 0.06], tracker=tracker)
    assert watch(OPEN, tracker=tracker).blinks == 0


def test_a_long_gap_is_not_seen() -> None:
    tracker = EyeTracker()
    assert [tracker.update(0.3, seconds).closure for seconds in (0.0, 0.5, 20.0, 20.4)] == [None] * 4
    assert tracker.update(0.3, 20.6).closure == 0


def test_the_open_state_is_that_of_a_tenth_of_the_time() -> None:
    state = watch(([0.2] * 8 + [0.3] * 2) * 20 + [0.21])
    assert state.closure == pytest.approx((0.3 - 0.21) / (0.3 - CLOSED_EAR))


def test_a_frame_without_a_time_costs_nothing() -> None:
    with_gap, without = EyeTracker(), EyeTracker()
    for index in range(100 * 30):
        seconds, ear = index / 30, 0.1 if index % 40 < 4 else 0.3
        if index % 300 == 0:
            with_gap.update(0.3, math.nan)
        found, expected = with_gap.update(ear, seconds), without.update(ear, seconds)
    assert found.blinks == expected.blinks > 50
    assert found.perclos == pytest.approx(expected.perclos)


def test_values_come_back() -> None:
    tracker = SignalTracker()
    found = [tracker.update(face(), SIZE, index / 30) for index in range(90)][-1]()
    assert found is not None
    values = [math.nan if value is None else value for value in signal_values(found)]
    assert len(values) == len(NAMES)
    assert dict(zip(NAMES, values, strict=True))["gaze_right_x"] == found.face.gaze_right[0]
    assert signals_from(values) == found
    assert signals_from([math.nan] * len(NAMES)) is None
    values[NAMES.index("blinks")] = math.nan
    assert signals_from(values).eyes.blinks == 0


def test_only_the_eyes_are_measured_before_signals_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = []
    monkeypatch.setattr("model.signals.track.face_signals", lambda *args: measured.append(args) or face_signals(*args))
    read = [SignalTracker().update(face(), SIZE, index / 30) for index in range(3)]
    assert not measured
    first, again = read[1](), read[1]()
    assert first is not None
    assert first is again
    assert len(measured) == 1
    assert eye_aspect_ratios(face()) == (first.face.ear_left, first.face.ear_right)
    assert SignalTracker().update(np.full((98, 2), np.nan), SIZE, 0.0)() is None
