"""Recurrence without recurrence: warm starts, resets, and following the crop."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.places import CANONICAL_FACE
from model.config import LdeqConfig
from model.errors import ModelError
from model.geometry import Crop
from model.heatmap import decode
from model.rwr.batch import solve_batch
from model.rwr.cold import cold_solve, cold_state
from model.rwr.objective import RecurrenceTerm
from model.rwr.recurrence import Recurrence
from model.rwr.reference import FRAME_SECONDS, MotionGains, MovedReference, ReferenceMotion
from model.rwr.settings import RELEASED, RwrSettings
from model.rwr.warm_start import Memory, warp_state
from model.rwr.weight import Adaptation, AdaptiveWeight
from model.solvers import ColdReason
from tests.fakes import SquareEngine, face_image, face_points
from tests.motion_fakes import Measured

CROP = Crop(100.0, 90.0, 80.0)


def injection(
    engine: SquareEngine, centre_x: float = 100.0, crop: Crop = CROP, side: float = 50.0
) -> NDArray[np.float32]:
    image = face_image(200, 180, centre_x, 90, side)
    return engine.encode(crop.extract(image, engine.config.input_size)[None])


def test_first_frame_is_cold_and_says_so() -> None:
    engine = SquareEngine()
    report = Recurrence(engine).solve(injection(engine), CROP).report
    assert not report.warm
    assert report.reason == ColdReason.FIRST_FRAME
    assert report.evaluations == engine.config.max_steps


def test_warm_frame_spends_its_budget_from_the_last_fixed_point() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine, RwrSettings(evaluations=2, settled=0.0))
    u = injection(engine)
    cold = recurrence.solve(u, CROP).report
    warm = recurrence.solve(u, CROP).report
    assert warm.warm
    assert warm.reason == ""
    assert warm.evaluations == 2
    assert warm.residual < cold.residual


def test_cold_solve_finds_the_points_in_frame_pixels() -> None:
    engine = SquareEngine()
    solution = cold_solve(engine, injection(engine), CROP)
    assert solution.report.reason == ColdReason.RWR_OFF
    assert np.abs(solution.landmarks - face_points(100, 90, 50)).max() < 1.5


def test_warm_frame_follows_the_face() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine)
    recurrence.solve(injection(engine, 100), CROP)
    for _ in range(6):
        solution = recurrence.solve(injection(engine, 106), CROP)
    assert abs(float(solution.landmarks[:, 0].mean()) - float(face_points(106, 90, 50)[:, 0].mean())) < 1.5


def test_reset_makes_the_next_solve_cold_with_the_reason() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine)
    recurrence.solve(injection(engine), CROP)
    recurrence.reset("scene cut")
    report = recurrence.solve(injection(engine), CROP).report
    assert not report.warm
    assert report.reason == "scene cut"


def test_non_finite_warm_state_falls_back_to_a_cold_solve_in_the_same_frame() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine)
    u = injection(engine)
    recurrence.solve(u, CROP)
    engine.poison = 1
    solution = recurrence.solve(u, CROP)
    assert np.isfinite(solution.landmarks).all()
    assert solution.report.reason == ColdReason.STATE_NOT_FINITE
    assert solution.report.evaluations == 1 + engine.config.max_steps


def test_non_finite_cold_state_is_not_kept() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine)
    engine.poison = 100
    recurrence.solve(injection(engine), CROP)
    engine.poison = 0
    report = recurrence.solve(injection(engine), CROP).report
    assert not report.warm
    assert report.reason == ColdReason.STATE_NOT_FINITE


def test_extra_step_is_counted() -> None:
    engine = SquareEngine(LdeqConfig(input_size=64, max_steps=3, extra_step=True))
    assert cold_solve(engine, injection(engine), CROP).report.evaluations == 4 == engine.evaluations


@pytest.mark.parametrize("half_pixel", [True, False])
@pytest.mark.parametrize("new", [Crop(106.0, 84.0, 80.0), Crop(100.0, 90.0, 96.0), Crop(95.0, 93.0, 70.0)])
def test_moved_state_points_at_the_same_place_in_the_frame(new: Crop, half_pixel: bool) -> None:
    engine = SquareEngine(LdeqConfig(input_size=128, half_pixel=half_pixel))
    z = injection(engine, side=30)
    before = CROP.to_frame(decode(z, half_pixel)[0][0])
    after = new.to_frame(decode(warp_state(z, CROP, new, half_pixel), half_pixel)[0][0])
    assert np.abs(before - after).max() < 0.35


@pytest.mark.parametrize("side", [80.0, 66.0, 97.0])
def test_a_state_is_moved_as_by_dense_matrices_of_linear_interpolation(side: float) -> None:
    random = np.random.default_rng(3)
    state = random.random((1, 98, 16, 16)).astype(np.float32)
    motion = random.normal(0, 0.2, (98, 2))
    new = Crop(106.3, 85.1, side)
    moved = warp_state(state, CROP, new, True, motion)
    cells = np.arange(16)
    for heatmap, result, shift in zip(state[0], moved[0], motion, strict=True):
        corners = np.array([new.left, new.top]) - shift * side - (CROP.left, CROP.top)
        places = (corners[:, None] + (cells + 0.5) / 16 * side) / CROP.side * 16 - 0.5
        columns, rows = np.maximum(0, 1 - np.abs(places[:, :, None] - cells))
        np.testing.assert_allclose(result, rows @ heatmap @ columns.T, atol=1e-5)


def test_state_of_an_unmoved_crop_is_untouched() -> None:
    engine = SquareEngine()
    z = injection(engine)
    assert warp_state(z, CROP, CROP, True) is z


def test_following_the_crop_beats_carrying_the_state_raw() -> None:
    engine = SquareEngine()
    moved = Crop(112.0, 90.0, 80.0)
    residuals = []
    for follow in (True, False):
        recurrence = Recurrence(engine, RwrSettings(1, recurrence_weight=0.0, follow_crop=follow, follow_picture=False))
        recurrence.solve(injection(engine), CROP)
        residuals.append(recurrence.solve(injection(engine, crop=moved), moved).report.residual)
    assert residuals[0] < 0.5 * residuals[1]


def test_released_settings_are_plain_iteration_from_the_raw_state() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine, RELEASED)
    recurrence.solve(injection(engine), CROP)
    z, _ = cold_state(engine, injection(engine))
    for x in (103.0, 107.0):
        moved = Crop(x, 90.0, 80.0)
        u = injection(engine, x + 1, moved)
        solution = recurrence.solve(u, moved)
        z = engine.evaluate(engine.evaluate(z, u), u)
        np.testing.assert_array_equal(solution.landmarks, moved.to_frame(decode(z, True)[0][0]))
        assert solution.report.evaluations == 2


class LosingEngine(SquareEngine):
    """Gives no numbers, in its next evaluation of them, for the injections whose first value is negative."""

    losing = False

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        new = super().evaluate(z, u)
        if self.losing and (lost := u[:, 0, 0, 0] < 0).any():
            new[lost], self.losing = np.nan, False
        return new


def test_warm_lost_and_cold_faces_of_one_batch_are_solved_as_each_alone() -> None:
    crops = [Crop(100.0 + 2 * i, 90.0 - i, 80.0 + 4 * i) for i in range(4)]
    engine, engines = LosingEngine(), [LosingEngine() for _ in crops]
    together, alone = [Recurrence(engine) for _ in crops], [Recurrence(each) for each in engines]
    for frame in range(3):
        u = np.concatenate([injection(engine, 100 + 3 * frame * i, crop) for i, crop in enumerate(crops)])
        u[1, 0, 0, 0] = -1e-3
        if frame == 1:
            engine.losing = engines[1].losing = True
            together[2].reset("scene cut")
            alone[2].reset("scene cut")
        found = solve_batch(engine, together, u, crops)
        expected = [each.solve(u[i : i + 1], crops[i]) for i, each in enumerate(alone)]
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one.landmarks, other.landmarks, atol=1e-3)
            np.testing.assert_allclose(one.fresh_spread, other.fresh_spread, atol=1e-3)
            assert replace(one.report, residuals=(), per_sample=()) == replace(
                other.report, residuals=(), per_sample=()
            )
        reasons = [solution.report.reason for solution in found]
        assert reasons == (["", ColdReason.STATE_NOT_FINITE, "scene cut", ""] if frame == 1 else reasons[:1] * 4)


class NotedWeight(AdaptiveWeight):
    """Notes what it is told and gives every landmark the weight 3."""

    def __init__(self) -> None:
        super().__init__(3.0, Adaptation())
        self.told: list[tuple[Any, ...]] = []

    def update(
        self, innovation: NDArray[np.float64], spread: NDArray[np.floating], doubt: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        self.told.append((innovation, spread, doubt))
        return np.full(98, 3.0)


def test_the_weight_is_told_of_a_frame_once_and_in_crop_sides() -> None:
    engine, weight = SquareEngine(), NotedWeight()
    state, new = injection(engine), injection(engine, 104)
    memory = Memory(state, CROP, CROP.to_frame(engine.decode(state)[0][0]))
    moved = MovedReference(np.tile([3.0, 1.0], (98, 1)), np.full(98, 4.0))
    start = memory.warped(CROP, True, moved.motion)
    term = RecurrenceTerm(engine, CROP, memory, 3.0, weight, moved, start)
    found = CROP.to_crop(memory.landmarks + np.float32(3.0))
    for spread in (np.full(98, 0.02, np.float32), np.full(98, 0.03, np.float32)):
        np.testing.assert_allclose(term(new, found, spread), (new + 3 * start) / 4, atol=1e-6)
        assert term.fresh_spreads[-1] is spread
    ((innovation, first, doubt),) = weight.told
    np.testing.assert_allclose(innovation, np.tile([0.0, 2.0 / CROP.side], (98, 1)), atol=1e-6)
    np.testing.assert_allclose(first, 0.02)
    np.testing.assert_allclose(doubt, 4.0 / CROP.side)


def test_the_unit_of_the_frame_does_not_matter() -> None:
    found = []
    for scale in (1.0, 0.01):
        crop = Crop(scale * CROP.centre_x, scale * CROP.centre_y, scale * CROP.side)
        engine = JitteryEngine(0.3, np.random.default_rng(2))
        recurrence = Recurrence(engine)
        places = [recurrence.solve(injection(engine, 95 + t), crop).landmarks for t in range(10)]
        found.append(np.array([crop.to_crop(points) for points in places]))
    np.testing.assert_allclose(found[1], found[0], atol=1e-5)


def warm_run(settings: RwrSettings, places: list[float], jitter: float = 0.0) -> NDArray[np.float32]:
    """Return the landmarks over frames with the face at each of the places, without showing the pictures."""
    random = np.random.default_rng(2)
    engine = JitteryEngine(jitter, random)
    recurrence = Recurrence(engine, settings)
    return np.stack([recurrence.solve(injection(engine, x), CROP).landmarks for x in places])


class JitteryEngine(SquareEngine):
    """Finds the fixed point in one evaluation, each landmark's heatmap off by a random fraction of a cell."""

    def __init__(self, jitter: float, random: np.random.Generator) -> None:
        super().__init__(LdeqConfig(input_size=128, max_steps=2))
        self.jitter, self.random = jitter, random

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        shift = self.random.normal(size=(98, 2)) * self.jitter / self.config.heatmap_size
        moved: NDArray[np.float32] = warp_state(u, CROP, CROP, True, shift)
        return moved


@pytest.mark.slow
def test_recurrence_weight_calms_jitter() -> None:
    flicker = []
    for weight in (0.0, 1.0):
        landmarks = warm_run(RwrSettings(recurrence_weight=weight), [100.0] * 40, jitter=0.3)
        flicker.append(np.sqrt(np.mean(np.diff(landmarks[5:], axis=0) ** 2)))
    assert flicker[1] < 0.55 * flicker[0]


def test_the_fresh_spread_is_that_before_the_pull() -> None:
    engine = JitteryEngine(0.0, np.random.default_rng(2))
    alone, *pair = (Recurrence(engine, RwrSettings(recurrence_weight=1.0)) for _ in range(3))
    for t in range(6):
        crop = Crop(100.0 + 0.7 * t, 90.0, 80.0)
        u = injection(engine, crop=crop)
        solution = alone.solve(u, crop)
        fresh = engine.decode(u)[1][0] * crop.side
        np.testing.assert_allclose(solution.fresh_spread, fresh, rtol=1e-3)
        assert (solution.fresh_spread is solution.uncertainty) == (t == 0)
        for one in solve_batch(engine, pair, np.concatenate([u, u]), [crop, crop]):
            np.testing.assert_allclose(one.fresh_spread, fresh, rtol=1e-3)
    assert solution.uncertainty.mean() > 1.02 * fresh.mean(), "moved heatmaps are wider"


def test_recurrence_weight_does_not_lag_behind_the_head() -> None:
    places = [90.0 + 2 * t for t in range(10)]
    plain, pulled = (warm_run(RwrSettings(recurrence_weight=w), places) for w in (0.0, 1.0))
    assert np.abs(pulled - plain).max() < 0.35


def textured(shift_x: float = 0.0, opened: float = 0.0) -> NDArray[np.uint8]:
    """Return a picture with texture, moved to the right; its lower middle moved down by ``opened`` besides."""
    noise = np.random.default_rng(5).normal(size=(180, 200)).astype(np.float32)
    grey = cv2.GaussianBlur(noise, (0, 0), 2.5)
    grey = 128 + 45 * grey / grey.std()
    columns, rows = np.meshgrid(np.arange(200, dtype=np.float32), np.arange(180, dtype=np.float32))
    bump = np.exp(-(((columns - 100) / 14) ** 2 + ((rows - 112) / 10) ** 2))
    moved = cv2.remap(grey, columns - shift_x, rows - opened * bump, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return np.repeat(np.clip(moved, 0, 255).astype(np.uint8)[..., None], 3, axis=2)


class ConstantEngine(JitteryEngine):
    """Always answers with the same heatmaps, whatever the picture shows: only the reference can move."""

    def __init__(self, fixed: NDArray[np.float32]) -> None:
        super().__init__(0.0, np.random.default_rng(0))
        self.fixed = fixed

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        return self.fixed


def test_the_reference_moves_as_the_picture_does() -> None:
    engine = SquareEngine(LdeqConfig(input_size=128))
    held = RwrSettings(recurrence_weight=1e6, adaptation=None, gains=MotionGains(1.0, 1.0))
    recurrence = Recurrence(ConstantEngine(injection(engine, side=40)), held)
    u = injection(engine, side=40)
    first = recurrence.solve(u, CROP, textured()).landmarks
    second = recurrence.solve(u, CROP, textured(3.0)).landmarks
    np.testing.assert_allclose(second - first, np.broadcast_to([3.0, 0.0], (98, 2)), atol=0.25)


def test_a_given_flow_moves_the_reference_by_the_frames_times() -> None:
    flow = Measured()
    held = RwrSettings(recurrence_weight=1e6, adaptation=None, gains=MotionGains(0.5, 0.5))
    u = injection(SquareEngine(LdeqConfig(input_size=128)), side=40)
    recurrence = Recurrence(ConstantEngine(u), held, flow)  # type: ignore[arg-type]
    places = []
    for seconds, flow.motion in ((0.0, None), (2 * FRAME_SECONDS, 0.3), (3 * FRAME_SECONDS, 0.0)):
        places.append(recurrence.solve(u, CROP, textured(), seconds).landmarks.mean(axis=0))
    # The first motion has no past; of the second, half is expected, of half the time.
    np.testing.assert_allclose(np.diff(places, axis=0), [[0.3, 3.0], [0.075, 0.75]], atol=0.03)


@pytest.mark.parametrize("lost", [False, True])
def test_after_a_cold_frame_nothing_of_before_counts(lost: bool) -> None:
    engine = SquareEngine()
    old, new = Recurrence(engine), Recurrence(engine)

    def solved(recurrence: Recurrence, x: float) -> NDArray[np.float32]:
        image = face_image(200, 180, x, 90, 50)
        return recurrence.solve(
            engine.encode(CROP.extract(image, engine.config.input_size)[None]), CROP, image
        ).landmarks

    for x in (80, 84, 90):
        solved(old, x)
    if lost:
        engine.poison = 1
    else:
        old.reset("scene cut")
    for x in (96, 103, 107, 108):
        np.testing.assert_array_equal(solved(old, x), solved(new, x))


def test_settings_that_do_not_change_disturb_nothing() -> None:
    def landmarks(disturbed: bool) -> NDArray[np.float32]:
        engine = JitteryEngine(0.3, np.random.default_rng(2))
        recurrence, found = Recurrence(engine), []
        for t in range(8):
            if disturbed and t > 2:
                recurrence.configure(RwrSettings())
            found.append(recurrence.solve(injection(engine, 100 + t), CROP, textured(float(t))).landmarks)
        return np.stack(found)

    np.testing.assert_array_equal(landmarks(disturbed=True), landmarks(disturbed=False))


def test_after_the_picture_was_not_followed_its_motion_begins_anew() -> None:
    u = injection(SquareEngine(LdeqConfig(input_size=128)), side=40)
    held = RwrSettings(recurrence_weight=1e6, adaptation=None, gains=MotionGains(1.0, 1.0))
    recurrence = Recurrence(ConstantEngine(u), held)
    places = []
    for follow, shift in ((True, 0.0), (False, 4.0), (True, 4.0), (True, 7.0)):
        recurrence.configure(replace(held, follow_picture=follow))
        places.append(recurrence.solve(u, CROP, textured(shift)).landmarks.mean(axis=0))
    np.testing.assert_allclose(np.diff(places, axis=0), [[0, 0], [0, 0], [3, 0]], atol=0.3)


def test_the_reference_follows_expressions_that_the_picture_shows() -> None:
    motion = ReferenceMotion(MotionGains(1.0, 1.0))
    points = np.loadtxt(CANONICAL_FACE, delimiter=",", skiprows=1) * 40 + (100, 83)
    motion.note(textured())
    moved = motion.to(textured(2.0, 0.6), CROP, points)
    assert moved is not None
    assert 0.3 < moved.motion[94, 1] < 0.7, "the lower lip went down by 0.6 pixels"
    np.testing.assert_allclose(moved.motion[0], (2.0, 0.0), atol=0.25)


def test_a_picture_of_another_size_tells_no_motion() -> None:
    motion = ReferenceMotion(MotionGains())
    points = face_points(100, 90, 50).astype(np.float64)
    motion.note(textured())
    assert motion.to(textured()[:, :150], CROP, points) is None
    assert motion.to(textured()[:, :150], CROP, points) is not None


def test_further_evaluations_are_spent_only_on_frames_that_are_not_settled() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine, RwrSettings(evaluations=3, settled=0.02, follow_picture=False))
    u = injection(engine)
    recurrence.solve(u, CROP)
    for _ in range(12):
        calm = recurrence.solve(u, CROP).report.evaluations
    jumped = recurrence.solve(injection(engine, 110), CROP).report.evaluations
    assert calm == 1
    assert jumped > 1


def test_the_fresh_spread_of_a_settled_face_does_not_depend_on_others() -> None:
    engine = SquareEngine()
    settings = RwrSettings(evaluations=3, settled=0.4, follow_picture=False)
    alone, *pair = (Recurrence(engine, settings) for _ in range(3))
    for x, other in ((100.0, 100.0), (101.0, 125.0)):
        u = injection(engine, x)
        calm = alone.solve(u, CROP)
        together, jumped = solve_batch(engine, pair, np.concatenate([u, injection(engine, other)]), [CROP, CROP])
    assert calm.report.evaluations == together.report.evaluations == 1 < jumped.report.evaluations
    np.testing.assert_array_equal(together.fresh_spread, calm.fresh_spread)


def test_a_moved_heatmap_moves_its_landmark_alone() -> None:
    engine = SquareEngine()
    z = injection(engine, side=30)
    motion = np.zeros((98, 2))
    motion[7] = (0.05, -0.03)
    before, after = decode(z, True)[0][0], decode(warp_state(z, CROP, CROP, True, motion), True)[0][0]
    np.testing.assert_allclose(after[7] - before[7], motion[7], atol=2e-3)
    np.testing.assert_allclose(np.delete(after, 7, 0), np.delete(before, 7, 0), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"evaluations": 0}, "at least 1 evaluation"),
        ({"recurrence_weight": -1.0}, "must not be negative"),
        ({"recurrence_weight": float("nan")}, "must not be negative"),
        ({"recurrence_weight": 1.0, "follow_crop": False}, "need follow_crop"),
        ({"recurrence_weight": 0.0, "follow_crop": False}, "need follow_crop"),
        ({"settled": -1.0}, "must not be negative"),
        ({"settled": float("nan")}, "must not be negative"),
    ],
)
def test_impossible_settings_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        RwrSettings(**arguments)
