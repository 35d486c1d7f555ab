"""The measure of steadiness gives back what was put in, for any points: jitter, lag, standing still, nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import UserError
from app.lab.steadiness.clips import COVERED, MOVING, STILL, demo, rigid_clips, rigid_motion
from app.lab.steadiness.comparison import first_frames, with_filters
from app.lab.steadiness.filters import SETTINGS, Setting, calmest, mean_lag, smoothed
from app.lab.steadiness.measure import ALL, EVENLY, Steadiness, Truth, found_in, measure, pixels_of, places_of
from app.lab.steadiness.moved_pictures import moved_pictures
from app.lab.steadiness.tables import Record, values_of
from app.sources.demo import EYES, demo_truth
from model.geometry import similarity
from tests.lab_fakes import square_clip

pytestmark = pytest.mark.slow

Array = NDArray[np.float64]
FRAMES = 240
RULER = 50.0
CORNERS = (0, 1)
REGIONS = {"eyes": [0, 1], "rest": [2, 3, 4, 5]}


def nodding(frames: int = FRAMES, late: float = 0.0) -> Array:
    t = np.arange(frames) - late
    return np.stack(
        [similarity(3 + 0.3 * np.sin(s / 9), 8 * np.sin(s / 7), (0, 0), (640 + 60 * np.sin(s / 5), 360)) for s in t]
    )


def truth(frames: int = FRAMES, holds: Callable[[Array], NDArray[np.bool_]] | None = None) -> Truth:
    def everywhere(places: Array) -> NDArray[np.bool_]:
        return np.ones((frames, len(places)), np.bool_)

    first = np.arange(frames) < frames // 2
    return Truth(nodding(frames), RULER, np.zeros(2), {"first": first, "second": ~first}, holds or everywhere)


def face(points: int = 6) -> Array:
    places = np.random.default_rng(1).uniform(-40, 40, (points, 2))
    places -= places.mean(axis=0)
    places[:2] = (-RULER / 2, 0), (RULER / 2, 0)
    return places


def measured(points: Array, known: Truth | None = None) -> Steadiness:
    known = known or truth(len(points))
    return measure(points, known, REGIONS, CORNERS, found_in(points, known))


def test_places_and_pixels_are_inverse() -> None:
    places = face()
    back = places_of(pixels_of(places, nodding()), nodding())
    np.testing.assert_allclose(back, np.tile(places, (FRAMES, 1, 1)), atol=1e-9)


@pytest.mark.parametrize("points", [6, 68, 478])
def test_a_perfect_tracker_has_no_flicker_no_wander_and_no_lag(points: int) -> None:
    found = measured(pixels_of(face(points), nodding()))
    for figures in (found.flicker, found.wander):
        assert all(value < 1e-9 for by_region in figures.values() for value in by_region.values())
    assert found.lag == pytest.approx(0, abs=0.01)
    assert found.corners == pytest.approx(1)
    assert found.left_out == 0


def test_a_wrong_but_constant_place_costs_nothing() -> None:
    found = measured(pixels_of(face() + np.array([3.0, -5.0]), nodding()))
    assert found.wander["first"][ALL] < 1e-9


def test_jitter_of_a_known_size_is_recovered() -> None:
    sizes = np.array([0.5, 0.5, 2.0, 2.0, 2.0, 2.0])
    noise = np.random.default_rng(0).normal(size=(2000, 6, 2)) * sizes[:, None]
    matrix = nodding(2000)
    found = measured(np.stack([pixels_of(face() + n, m[None])[0] for n, m in zip(noise, matrix, strict=True)]))
    percent = 100 / RULER
    for name, size in (("eyes", 0.5), ("rest", 2.0), (ALL, np.sqrt((sizes**2).mean()))):
        # Two frames' noise along two axes, against one frame's about the resting place
        assert found.flicker["second"][name] == pytest.approx(2 * size * percent, rel=0.03)
        assert found.wander["second"][name] == pytest.approx(np.sqrt(2) * size * percent, rel=0.03)
    assert found.flicker["first"][EVENLY] == pytest.approx(2 * np.sqrt((0.25 + 4) / 2) * percent, rel=0.03)
    assert found.lag == pytest.approx(0, abs=0.1)


def test_a_tracker_that_stands_still_pays() -> None:
    frozen = np.tile(pixels_of(face(), nodding())[7], (FRAMES, 1, 1))
    found = measured(frozen)
    steps = np.diff(pixels_of(face(), nodding()), axis=0)
    scale = np.sqrt(np.linalg.det(nodding()[1:, :, :2]))[:, None] * RULER
    moved = 100 * np.sqrt((((steps**2).sum(axis=-1)) / scale**2).mean())
    assert np.sqrt(np.mean([found.flicker[name][ALL] ** 2 for name in found.flicker])) == pytest.approx(moved, rel=0.15)
    assert min(found.wander[name][ALL] for name in found.wander) > 3 * moved
    assert np.isnan(found.lag), "what does not move at all comes neither late nor in time"
    assert found.speed == pytest.approx(moved, rel=0.15)


@pytest.mark.parametrize("late", [1.0, 2.5])
def test_landmarks_that_come_late_are_caught_though_they_hardly_flicker(late: float) -> None:
    found = measured(pixels_of(face(), nodding(late=late)))
    assert found.lag == pytest.approx(late, abs=0.2)
    assert found.wander["second"][ALL] > 3 * found.flicker["second"][ALL]


def test_lost_frames_and_other_faces_are_no_frames_with_the_face() -> None:
    points = pixels_of(face(), nodding())
    points[10] = np.nan
    points[20] += 400
    assert np.flatnonzero(~found_in(points, truth())).tolist() == [10, 20]
    found = measured(points)
    assert found.flicker["first"][ALL] < 1e-9
    assert found.wander["first"][ALL] < 1e-9
    with pytest.raises(ValueError, match="no frame"):
        measured(np.full((FRAMES, 6, 2), np.nan))


def test_frames_in_which_another_tracker_gave_up_do_not_count() -> None:
    points = pixels_of(face(), nodding())
    points[50:60] += np.random.default_rng(0).normal(size=(10, 6, 2)) * 20
    easy = np.ones(FRAMES, np.bool_)
    easy[50:60] = False
    assert measured(points).flicker["first"][ALL] > 1
    found = measure(points, truth(), REGIONS, CORNERS, easy)
    assert found.flicker["first"][ALL] < 1e-9
    assert found.lag == pytest.approx(0, abs=0.01)


def test_spots_that_the_truth_does_not_move_are_left_out_while_it_does_not() -> None:
    def holds(places: Array) -> NDArray[np.bool_]:
        known = np.ones((FRAMES, len(places)), np.bool_)
        known[30:40, places[:, 0] < 0] = False
        return known

    places = face()
    left = places[:, 0] < 0
    points = pixels_of(places, nodding())
    points[32:38, left] += 9
    found = measured(points, truth(holds=holds))
    assert found.flicker["first"][ALL] < 1e-9
    assert found.wander["first"][ALL] < 1e-9
    assert found.left_out == pytest.approx(10 * left.sum() / (6 * FRAMES))
    assert measured(points).flicker["first"][ALL] > 0.1


def test_a_face_that_is_found_too_shortly_has_no_lag() -> None:
    points = np.full((FRAMES, 6, 2), np.nan)
    points[50:52] = pixels_of(face(), nodding())[50:52]
    assert np.isnan(measured(points).lag)


def test_clips_are_summed_up_by_the_median_and_the_worst() -> None:
    def clip(flicker: float, lag: float, speed: float, stretch: str = "moving") -> Steadiness:
        regions = {ALL: flicker, EVENLY: 2 * flicker, "eyes": float("nan")}
        both = {"still": dict.fromkeys(regions, float("nan")), "moving": dict.fromkeys(regions, float("nan"))}
        return Steadiness({**both, stretch: regions}, {**both, stretch: regions}, lag, speed, 0.1, 1.1)

    moving = [clip(1.0, 1.0, 1.0), clip(2.0, 2.0, 3.0), clip(9.0, float("nan"), 3.0)]
    values = values_of(
        Record([*moving, clip(5.0, 7.0, 0.1, "still")], lost=4, milliseconds=[1.0], cpu_milliseconds=[2.0])
    )
    assert values["flicker"]["moving"] == {
        ALL: {"median": 2.0, "worst": 9.0, "clips": 3},
        EVENLY: {"median": 4.0, "worst": 18.0, "clips": 3},
    }
    assert values["wander"]["still"][ALL] == {"median": 5.0, "worst": 5.0, "clips": 1}
    assert values["lag_frames"] == 1.75, "faster clips count more, those that keep still or could not tell do not"
    assert (values["lost_frames"], values["left_out"], values["eye_corners"]) == (4, 0.1, 1.1)
    assert (values["ms"]["p50"], values["cpu_ms"]["p50"]) == (1.0, 2.0)
    silent = values_of(Record([clip(1.0, float("nan"), 3.0)]))
    assert silent["lag_frames"] is None
    assert "ms" not in silent
    assert set(silent["flicker"]) == {"moving"}


def test_the_filter_starts_anew_after_a_loss() -> None:
    points = np.tile(np.array([[0.0, 0.0], [10.0, 0.0], [5.0, 5.0]]), (6, 1, 1))
    points[1] += 0.5
    points[3] = np.nan
    points[4:] += 7
    calm = smoothed(points, [t / 30 for t in range(6)], (0, 1), Setting(1.0, 5.0))
    assert 0 < calm[1, 0, 0] < 0.4
    assert np.isnan(calm[3]).all()
    np.testing.assert_allclose(calm[4], points[4], atol=1e-5)


def test_a_baseline_gets_the_filter_that_calms_it_most_in_the_time_it_has() -> None:
    noise = np.random.default_rng(2).normal(size=(FRAMES, 6, 2))
    points = pixels_of(face(), nodding()) + noise
    points[: FRAMES // 2] = pixels_of(face(), nodding()[:1]) + noise[: FRAMES // 2]
    matrix = nodding()
    matrix[: FRAMES // 2] = matrix[0]
    known = truth()
    known = Truth(matrix, RULER, known.centre, known.stretches, known.holds)
    frames = np.ones(FRAMES, np.bool_)
    times = [t / 30 for t in range(FRAMES)]
    filtered = {
        setting: [measure(smoothed(points, times, CORNERS, setting), known, REGIONS, CORNERS, frames)]
        for setting in SETTINGS
    }
    plain = measure(points, known, REGIONS, CORNERS, frames)
    patient = calmest(filtered, 5.0)
    assert patient is not None
    latest = mean_lag(filtered[patient])
    assert latest is not None
    hasty = calmest(filtered, latest / 2)
    assert hasty is not None

    def rest(setting: Setting) -> float:
        return filtered[setting][0].flicker["first"][EVENLY]

    assert rest(patient) < rest(hasty) < plain.flicker["first"][EVENLY]
    assert (mean_lag(filtered[hasty]) or 0) <= latest / 2
    assert calmest(filtered, -1.0) is None
    table = with_filters({"RwR": Record(filtered[patient]), "other": Record([plain], filtered, lost=3)})
    assert list(table) == ["RwR", "other", f"other, {patient}"]
    assert list(table.values())[2].lost == 3


def test_the_demo_says_where_its_motion_does_not_hold() -> None:
    clip, known = demo(), demo_truth()
    places = np.array([EYES[0], (200, 115), (225, 190), (225, 110), (400, 300), (205, 84)], float)
    holds = clip.truth.holds(places)
    np.testing.assert_array_equal(holds[:, 0], known.blink == 0)
    np.testing.assert_array_equal(holds[:, 2], known.mouth == 0)
    assert holds[:, [1, 3]].all()
    assert not holds[:, 4].any()
    np.testing.assert_array_equal(holds[:, 5], known.brows == 0)
    # Where it is said to hold, the true landmarks keep their place on the head; elsewhere they move by themselves.
    rest = places_of(known.landmarks.astype(float), known.matrix)
    still = np.median(rest, axis=0)
    apart = np.linalg.norm(rest - still, axis=-1)
    held = clip.truth.holds(still)
    assert apart[held].max() < 0.3
    assert apart[~held].max() > 5
    together = sum(mask.astype(int) for mask in clip.truth.stretches.values())
    assert (np.asarray(together) == 1).all()
    assert set(clip.truth.stretches) == {STILL, MOVING, COVERED}
    assert (clip.width, clip.height) == (1280, 720)
    assert next(clip.frames()).image.shape == (720, 1280, 3)


@pytest.mark.slow
def test_pictures_are_moved_as_is_said(tmp_path: Path) -> None:
    image = np.full((200, 200, 3), 30, np.uint8)
    for y, x in ((80, 60), (80, 140), (150, 100)):
        image[y - 3 : y + 4, x - 3 : x + 4] = 250
    labels = np.tile([[100.0, 100.0]], (68, 1)) + np.arange(68)[:, None] * 1e-3
    labels[36], labels[45] = (60, 80), (140, 80)
    for name in ("a", "b"):
        cv2.imwrite(str(tmp_path / f"{name}.png"), image)
        body = "\n".join(f"{x + 1:.3f} {y + 1:.3f}" for x, y in labels)
        (tmp_path / f"{name}.pts").write_text(f"version: 1\nn_points: 68\n{{\n{body}\n}}\n")
    clips = moved_pictures(tmp_path)
    assert [clip.name for clip in clips] == ["a", "b"]
    assert clips[0].truth.stretches[MOVING].all()
    assert clips[1].truth.stretches[STILL].all()
    assert clips[0].truth.ruler == pytest.approx(80, abs=0.01)
    spots = np.array([(60.0, 80.0), (140.0, 80.0), (100.0, 150.0)])
    for clip in clips:
        frames = list(islice(clip.frames(), 40))
        seen = []
        for frame, matrix in zip(frames, clip.truth.matrix, strict=False):
            for x, y in pixels_of(spots, matrix[None])[0]:
                near = frame.image[round(y) - 12 : round(y) + 13, round(x) - 12 : round(x) + 13, 1].astype(float) - 60
                rows, columns = np.nonzero(near > 60)
                seen.append((columns.mean() + round(x) - 12 - x, rows.mean() + round(y) - 12 - y))
        assert np.abs(np.mean(seen, axis=0)).max() < 0.3
        assert np.abs(seen).max() < 1.0
    np.testing.assert_array_equal(frames[7].image, next(islice(clips[1].frames(), 7, None)).image)
    speed = [np.abs(np.diff(pixels_of(spots, clip.truth.matrix), axis=0)).max() for clip in clips]
    assert speed[0] > 1 > 5 * speed[1]


def test_the_first_frames_of_a_truth() -> None:
    short = first_frames(demo().truth, 5)
    assert short.matrix.shape == (5, 2, 3)
    assert short.holds(np.zeros((3, 2))).shape == (5, 3)
    assert all(mask.shape == (5,) for mask in short.stretches.values())


def test_the_motion_of_a_rigid_shape_is_found() -> None:
    matrix = nodding(20)
    shapes = pixels_of(face(), matrix)
    np.testing.assert_allclose(pixels_of(shapes[0], rigid_motion(shapes)), shapes, atol=1e-9)


def test_only_clips_whose_labels_are_rigid_take_part(tmp_path: Path) -> None:
    for name in ("moving", "resting", "talking"):
        centres = [100.0 + (4 * i if name == "moving" else 0.0) for i in range(6)]
        square_clip(tmp_path, name, centres, centres, centres)
    labels = np.load(tmp_path / "landmarks" / "talking.npy")
    labels[3, 80] += 2
    np.save(tmp_path / "landmarks" / "talking.npy", labels)
    clips, others = rigid_clips(tmp_path)
    assert [clip.name for clip in clips] == ["moving", "resting"]
    assert others == ["talking"]
    assert clips[0].truth.stretches[MOVING].all()
    assert clips[1].truth.stretches[STILL].all()
    assert (clips[0].width, clips[0].height) == (320, 240)
    assert [frame.index for frame in clips[0].frames()] == list(range(6))
    labels = np.load(tmp_path / "landmarks" / "moving.npy").astype(float)
    found = measure(labels, clips[0].truth, {}, (60, 72), np.ones(6, np.bool_))
    assert found.flicker[MOVING][ALL] < 1e-3
    assert found.corners == pytest.approx(1)
    with pytest.raises(UserError, match="no folder 'videos'"):
        rigid_clips(tmp_path / "none")
