"""Recurrence without recurrence: warm starts, resets, and following the crop."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.config import LdeqConfig
from model.errors import ModelError
from model.geometry import Crop
from model.heatmap import decode
from model.rwr import FIRST_FRAME, NON_FINITE_STATE, RWR_OFF, Recurrence, RwrSettings, cold_solve, move_state
from tests.fakes import SquareEngine, face_image, face_points

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
    assert report.reason == FIRST_FRAME
    assert report.evaluations == engine.config.max_steps


def test_warm_frame_spends_its_budget_from_the_last_fixed_point() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine, RwrSettings(evaluations=2))
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
    assert solution.report.reason == RWR_OFF
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
    assert solution.report.reason == NON_FINITE_STATE
    assert solution.report.evaluations == 1 + engine.config.max_steps


def test_non_finite_cold_state_is_not_kept() -> None:
    engine = SquareEngine()
    recurrence = Recurrence(engine)
    engine.poison = 100
    recurrence.solve(injection(engine), CROP)
    engine.poison = 0
    report = recurrence.solve(injection(engine), CROP).report
    assert not report.warm
    assert report.reason == NON_FINITE_STATE


def test_extra_step_is_counted() -> None:
    engine = SquareEngine(LdeqConfig(input_size=64, max_steps=3, extra_step=True))
    assert cold_solve(engine, injection(engine), CROP).report.evaluations == 4 == engine.evaluations


@pytest.mark.parametrize("half_pixel", [True, False])
@pytest.mark.parametrize("new", [Crop(106.0, 84.0, 80.0), Crop(100.0, 90.0, 96.0), Crop(95.0, 93.0, 70.0)])
def test_moved_state_points_at_the_same_place_in_the_frame(new: Crop, half_pixel: bool) -> None:
    engine = SquareEngine(LdeqConfig(input_size=128, half_pixel=half_pixel))
    z = injection(engine, side=30)
    before = CROP.to_frame(decode(z, half_pixel)[0][0])
    after = new.to_frame(decode(move_state(z, CROP, new, half_pixel), half_pixel)[0][0])
    assert np.abs(before - after).max() < 0.35


def test_state_of_an_unmoved_crop_is_untouched() -> None:
    engine = SquareEngine()
    z = injection(engine)
    assert move_state(z, CROP, CROP, True) is z


def test_following_the_crop_beats_carrying_the_state_raw() -> None:
    engine = SquareEngine()
    moved = Crop(112.0, 90.0, 80.0)
    residuals = []
    for follow in (True, False):
        recurrence = Recurrence(engine, RwrSettings(evaluations=1, follow_crop=follow))
        recurrence.solve(injection(engine), CROP)
        residuals.append(recurrence.solve(injection(engine, crop=moved), moved).report.residual)
    assert residuals[0] < 0.5 * residuals[1]


def test_settings_refuse_a_budget_of_nothing() -> None:
    with pytest.raises(ModelError, match="at least 1 evaluation"):
        RwrSettings(evaluations=0)
