"""The live flicker measure on pictures whose motion is known."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from model.geometry import Crop
from model.metrics.flicker_meter import FlickerMeter, FlickerReading, FlickerWindow, explained, reading_of
from model.motion import FlowMotion, Motion, fit_similarity
from model.topology import REGIONS, TO_68
from tests.fakes import face_points
from tests.motion_fakes import texture

Points = NDArray[np.float32]
SIDE = 180.0
INTER_OCULAR = SIDE / 2
CENTRE = (200.0, 180.0)
NAMES = [region.name for region in REGIONS]


TEXTURE = texture()
FACE = face_points(*CENTRE, SIDE)


def moved(dx: float, dy: float, turn: float = 0.0, growth: float = 1.0) -> tuple[NDArray[np.uint8], Points]:
    """Return the picture and the face after a similarity about the face's centre; ``turn`` in degrees."""
    matrix = np.asarray(cv2.getRotationMatrix2D(CENTRE, turn, growth), np.float64)
    matrix[:, 2] += np.array([dx, dy])
    picture = cv2.warpAffine(TEXTURE, matrix, (400, 360), borderMode=cv2.BORDER_REFLECT)
    return np.asarray(picture, np.uint8), (FACE @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def crop_of(points: Points) -> Crop:
    return Crop.around_points(points, 1.25)


def read(
    first: tuple[NDArray[np.uint8], Points], second: tuple[NDArray[np.uint8], Points], meter: FlickerMeter | None = None
) -> FlickerReading:
    """Measure one mode over two frames."""
    meter = meter or FlickerMeter()
    meter.measure(first[0], crop_of(first[1]), {"cold": first[1]})
    reading = meter.measure(second[0], crop_of(second[1]), {"cold": second[1]})["cold"]
    assert reading is not None
    return reading


@pytest.mark.parametrize(
    ("dx", "dy", "turn", "growth"), [(0, 0, 0, 1), (3.4, -2.3, 0, 1), (0, 0, 3, 1), (1, 1, -1, 1.02), (60, 25, 0, 1)]
)
def test_landmarks_that_ride_on_the_face_hardly_flicker(dx: float, dy: float, turn: float, growth: float) -> None:
    assert read(moved(0, 0), moved(dx, dy, turn, growth)).overall < 0.5


def test_frozen_landmarks_on_a_moving_face_flicker_by_its_motion() -> None:
    picture, _ = moved(4.5, 0)
    assert read((TEXTURE, FACE), (picture, FACE)).overall == pytest.approx(100 * 4.5 / INTER_OCULAR, rel=0.1)


def test_jitter_on_a_moving_face_reads_as_its_size() -> None:
    rng = np.random.default_rng(0)
    meter = FlickerMeter()
    squares = []
    frames = [moved(2.0 * t, 1.5 * np.sin(t), 0.5 * t) for t in range(8)]
    for picture, points in frames:
        jittery = points + rng.normal(size=points.shape).astype(np.float32)
        reading = meter.measure(picture, crop_of(points), {"cold": jittery})["cold"]
        squares += [] if reading is None else [reading.overall**2]
    assert len(squares) == 7
    # Two axes, and two frames' jitter in every difference: variance 4 in pixels.
    assert np.sqrt(np.mean(squares)) == pytest.approx(100 * 2 / INTER_OCULAR, rel=0.1)


def test_a_flickering_region_is_told_from_the_others() -> None:
    points = FACE.copy()
    points[list(REGIONS[NAMES.index("mouth")].points)] += (0, 3)
    reading = read((TEXTURE, FACE), (TEXTURE, points))
    by_name = dict(zip(NAMES, reading.regions, strict=True))
    assert by_name["mouth"] == pytest.approx(100 * 3 / INTER_OCULAR, rel=0.02)
    assert max(value for name, value in by_name.items() if name != "mouth") < 0.05
    assert reading.overall == pytest.approx(by_name["mouth"] * np.sqrt(20 / 98), rel=0.02)


def test_modes_are_judged_against_the_same_motion() -> None:
    first, second = moved(0, 0), moved(3, 1)
    meter = FlickerMeter()
    meter.measure(first[0], crop_of(first[1]), {"rwr": first[1], "cold": first[1]})
    readings = meter.measure(second[0], crop_of(second[1]), {"rwr": second[1], "cold": second[1] + np.float32(2)})
    rwr, cold = readings["rwr"], readings["cold"]
    assert rwr is not None
    assert cold is not None
    assert rwr.overall < 0.5
    assert cold.overall == pytest.approx(100 * 2 * np.sqrt(2) / INTER_OCULAR, rel=0.1)


def test_brightness_and_sensor_noise_are_no_motion() -> None:
    rng = np.random.default_rng(1)
    picture, points = moved(2, 0)
    darker = picture.astype(np.float32) * 0.8 + 5 + rng.normal(size=(360, 400, 1)) * 4
    assert read((TEXTURE, FACE), (np.clip(darker, 0, 255).astype(np.uint8), points)).overall < 0.6


def test_sensor_noise_hardly_reads_on_a_still_face() -> None:
    rng = np.random.default_rng(0)
    meter, squares = FlickerMeter(), []
    for _ in range(6):
        picture = np.clip(TEXTURE + rng.normal(0, 8, TEXTURE.shape), 0, 255).astype(np.uint8)
        reading = meter.measure(picture, crop_of(FACE), {"cold": FACE})["cold"]
        squares += [] if reading is None else [reading.overall**2]
    assert np.sqrt(np.mean(squares)) < 0.05


def test_landmarks_that_make_an_expression_on_a_still_face_flicker_by_all_of_it() -> None:
    opened = FACE.copy()
    opened[list(REGIONS[NAMES.index("mouth")].points)[7:12]] += (0, 4)
    opened[12:21] += (0, 3)
    expected = reading_of(opened - FACE, np.zeros((98, 2)), INTER_OCULAR)
    reading = read((TEXTURE, FACE), (TEXTURE, opened))
    assert reading.overall == pytest.approx(expected.overall, rel=0.02)


def test_an_object_crossing_a_part_of_the_face_does_not_carry_its_landmarks_along() -> None:
    frames = []
    for shift in (0, 12):
        picture = TEXTURE.copy()
        picture[150:300, 110 + shift : 170 + shift] = np.roll(TEXTURE, 97, axis=1)[150:300, 110:170]
        frames.append((picture, FACE))
    assert read(frames[0], frames[1]).overall < 1.0


def test_reading_does_not_depend_on_the_size_of_the_picture() -> None:
    jitter = np.random.default_rng(3).normal(size=FACE.shape).astype(np.float32)
    picture, points = moved(2, 1)
    small = read((TEXTURE, FACE), (picture, points + jitter))

    def enlarge(image: NDArray[np.uint8], where: Points) -> tuple[NDArray[np.uint8], Points]:
        return cv2.resize(image, None, fx=3, fy=3), where * 3 + 1  # type: ignore[return-value]

    large = read(enlarge(TEXTURE, FACE), enlarge(picture, points + jitter))
    assert large.overall == pytest.approx(small.overall, rel=0.05)


def test_flat_picture_explains_nothing() -> None:
    flat = np.full((360, 400, 3), 90, np.uint8)
    assert read((flat, FACE), (flat, FACE)).overall == pytest.approx(0, abs=1e-3)
    assert read((flat, FACE), (flat, FACE + np.float32(3))).overall == pytest.approx(
        100 * 3 * np.sqrt(2) / INTER_OCULAR, rel=0.01
    )
    grown = (1.5 * (FACE - CENTRE) + CENTRE).astype(np.float32)
    expected = reading_of(grown - FACE, np.zeros((98, 2)), 1.5 * INTER_OCULAR)
    assert read((flat, FACE), (flat, grown)).overall == pytest.approx(expected.overall, rel=0.01)


def test_first_frame_reset_and_new_size_have_no_reading() -> None:
    meter = FlickerMeter()
    crop = crop_of(FACE)
    assert meter.measure(TEXTURE, crop, {"cold": FACE}) == {"cold": None}
    assert meter.measure(TEXTURE, crop, {"cold": FACE})["cold"] is not None
    meter.reset()
    assert meter.measure(TEXTURE, crop, {"cold": FACE}) == {"cold": None}
    assert meter.measure(TEXTURE[:300], crop, {"cold": FACE}) == {"cold": None}
    assert meter.measure(TEXTURE[:300], crop, {"cold": FACE})["cold"] is not None


def test_a_mode_is_read_from_its_second_frame_on() -> None:
    meter = FlickerMeter()
    crop = crop_of(FACE)
    meter.measure(TEXTURE, crop, {"rwr": FACE})
    readings = meter.measure(TEXTURE, crop, {"rwr": FACE, "cold": FACE})
    assert readings["rwr"] is not None
    assert readings["cold"] is None
    assert meter.measure(TEXTURE, crop, {"cold": FACE})["cold"] is not None
    assert meter.measure(TEXTURE, crop, {}) == {}


def test_landmarks_that_are_not_finite_have_no_reading_and_spoil_no_other() -> None:
    meter = FlickerMeter()
    crop = crop_of(FACE)
    broken = FACE.copy()
    broken[5, 1] = np.nan
    meter.measure(TEXTURE, crop, {"rwr": FACE, "cold": broken})
    readings = meter.measure(TEXTURE, crop, {"rwr": FACE, "cold": FACE})
    assert readings["cold"] is None
    assert readings["rwr"] is not None
    assert readings["rwr"].overall == pytest.approx(0, abs=1e-3)


def test_a_face_that_left_the_picture_has_no_reading() -> None:
    gone = FACE + np.float32(2000)
    meter = FlickerMeter()
    meter.measure(TEXTURE, crop_of(gone), {"cold": gone})
    assert meter.measure(TEXTURE, crop_of(gone), {"cold": gone}) == {"cold": None}


def test_a_face_half_outside_is_judged_by_the_half_inside() -> None:
    at_edge = FACE - np.array([CENTRE[0], 0], np.float32)
    picture, _ = moved(2, 0)
    ridden = read((TEXTURE, at_edge), (picture, at_edge + np.array([2, 0], np.float32)))
    assert ridden.overall < 1.0


@pytest.mark.parametrize("size", [(1, 1), (17, 9), (2, 2000)])
def test_tiny_and_odd_pictures_do_no_harm(size: tuple[int, int]) -> None:
    image = np.zeros((*size, 3), np.uint8)
    points = face_points(size[1] / 2, size[0] / 2, 8)
    meter = FlickerMeter()
    for _ in range(2):
        reading = meter.measure(image, crop_of(points), {"cold": points})["cold"]
    assert reading is None or np.isfinite(reading.overall)


def test_points_on_one_spot_give_a_finite_reading() -> None:
    spot = np.full((98, 2), 100, np.float32)
    meter = FlickerMeter()
    crop = Crop(100, 100, 200)
    meter.measure(TEXTURE, crop, {"cold": spot})
    reading = meter.measure(TEXTURE, crop, {"cold": spot + np.float32(1)})["cold"]
    assert reading is not None
    assert np.isfinite([reading.overall, *reading.regions]).all()


def test_the_kept_grey_crop_is_not_mistaken_for_another_frames() -> None:
    frames = [moved(1.7 * t, 0) for t in range(5)]
    crop = crop_of(FACE)
    kept = FlowMotion()
    for (old, before), (new, after) in pairwise(frames):
        args = (old, new, crop, before.astype(np.float64), after.astype(np.float64))
        one, other = kept.parts(*args), FlowMotion().parts(*args)
        assert one is not None
        assert other is not None
        np.testing.assert_allclose(one.head + one.local, other.head + other.local, atol=1e-6)


def test_flow_shared_between_two_who_ask_is_that_of_each_alone() -> None:
    frames = [moved(1.7 * t, 0.3 * t) for t in range(4)]
    shared, crop = FlowMotion(), crop_of(FACE)
    for (old, before), (new, after) in pairwise(frames):
        jittered = before + np.float32(0.5)
        for points in (before, jittered):
            args = (old, new, crop, points.astype(np.float64), after.astype(np.float64))
            together, alone = shared.parts(*args), FlowMotion().parts(*args)
            assert together is not None
            assert alone is not None
            np.testing.assert_array_equal(together.head + together.local, alone.head + alone.local)


def test_the_68_points_move_as_the_98_do() -> None:
    (old, before), (new, after) = moved(0, 0), moved(3.4, -2.3, 2.0)
    all_points = FlowMotion().parts(old, new, crop_of(FACE), before.astype(float), after.astype(float))
    fewer = FlowMotion().parts(old, new, crop_of(FACE), before[TO_68].astype(float), after[TO_68].astype(float))
    assert all_points is not None
    assert fewer is not None
    np.testing.assert_allclose(fewer.head + fewer.local, (all_points.head + all_points.local)[TO_68], atol=0.4)


def test_similarity_fit_is_exact_and_shrugs_off_a_third_of_outliers() -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform(0, 160, size=(98, 2))
    turn = np.array([[0.02, -0.05], [0.05, 0.02]])
    motion = points @ turn.T + (3.0, -1.0)
    corrupted = motion.copy()
    corrupted[rng.permutation(98)[:33]] += (14.0, 6.0)
    np.testing.assert_allclose(fit_similarity(points, motion, np.ones(98)), motion, atol=1e-6)
    assert np.abs(fit_similarity(points, corrupted, np.ones(98)) - motion).max() < 0.1


def test_reading_by_hand() -> None:
    motion = np.zeros((98, 2))
    motion[96] = (3, 4)
    reading = reading_of(motion, np.zeros((98, 2)), scale=50.0)
    assert reading.overall == pytest.approx(10 / np.sqrt(98))
    assert reading.regions == pytest.approx((0, 0, 0, 0, 0, 10 / np.sqrt(2)))
    assert reading.points is not None
    assert reading.points.dtype == np.float32
    assert reading.points.tolist() == [0.0] * 96 + [10.0, 0.0]


def test_the_error_of_what_was_due_adds_to_a_reading() -> None:
    motion, variance = np.zeros((98, 2)), np.zeros(98)
    motion[0], variance[0], variance[96] = (3, 4), 144, 4
    reading = reading_of(motion, np.zeros((98, 2)), 50.0, variance)
    assert reading.overall == pytest.approx(2 * np.sqrt((25 + 144 + 4) / 98))
    assert reading.points is not None
    assert reading.points[[0, 96]].tolist() == pytest.approx([26, 4])


def test_landmarks_that_follow_a_likely_expression_exactly_read_half_of_it() -> None:
    head, likely = np.tile([1.0, 2.0], (98, 1)), np.tile([0.6, 0.8], (98, 1))
    due, variance = explained(Motion(head, 2 * likely, likely, np.zeros(98)))
    assert reading_of(head + likely, due, 50.0, variance).overall == pytest.approx(2 * 0.5)


def test_points_of_a_reading_make_up_its_regions_and_whole() -> None:
    rng = np.random.default_rng(6)
    reading = reading_of(rng.normal(size=(98, 2)), rng.normal(size=(98, 2)), scale=70.0)
    assert reading.points is not None
    squares = reading.points.astype(float) ** 2
    assert np.sqrt(squares.mean()) == pytest.approx(reading.overall, rel=1e-6)
    for region, value in zip(REGIONS, reading.regions, strict=True):
        assert np.sqrt(squares[list(region.points)].mean()) == pytest.approx(value, rel=1e-6)


def test_readings_compare_by_their_figures() -> None:
    one = reading_of(np.ones((98, 2)), np.zeros((98, 2)), scale=50.0)
    assert one == reading_of(np.ones((98, 2)), np.zeros((98, 2)), scale=50.0)
    assert one == FlickerReading(one.overall, one.regions)


def flat_reading(value: float) -> FlickerReading:
    return FlickerReading(value, tuple(value + i for i in range(len(REGIONS))))


def test_window_is_the_root_mean_square_of_its_last_seconds() -> None:
    window = FlickerWindow(seconds=2.0)
    assert window.reading() is None
    for time, value in ((0.0, 50.0), (1.0, 3.0), (2.5, 4.0)):
        window.add(time, flat_reading(value))
    reading = window.reading()
    assert reading is not None
    assert reading.overall == pytest.approx(np.sqrt((9 + 16) / 2))
    assert reading.regions[2] == pytest.approx(np.sqrt((25 + 36) / 2))


def test_window_empties_while_there_are_no_readings() -> None:
    window = FlickerWindow(seconds=2.0)
    window.add(0.0, flat_reading(1))
    window.add(5.0, None)
    assert window.reading() is None


def test_window_keeps_to_its_capacity() -> None:
    window = FlickerWindow(seconds=100.0, capacity=4)
    for i in range(10):
        window.add(i / 30, flat_reading(float(i)))
    reading = window.reading()
    assert reading is not None
    assert reading.overall == pytest.approx(np.sqrt(np.mean(np.square([6, 7, 8, 9]))))


def test_window_starts_anew_where_time_runs_back_or_it_is_cleared() -> None:
    window = FlickerWindow(seconds=10.0)
    window.add(5.0, flat_reading(9))
    window.add(0.0, flat_reading(2))
    reading = window.reading()
    assert reading is not None
    assert reading.overall == pytest.approx(2)
    window.clear()
    assert window.reading() is None
