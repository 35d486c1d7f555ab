"""The solver panel: evaluations, residuals, resets and sliders, tested without a window."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.core.events import FaceFound, SceneCut, TrackingEvent
from app.core.frame import Estimate, FaceResult, FrameResult
from app.core.modes import Mode
from app.core.presets import PRESETS
from app.core.settings import TrackingSettings
from app.gui.live.presenters.solver import (
    IN_COLD_STARTS,
    IN_THESE_FRAMES,
    MOST_EVALUATIONS,
    RESETS_KEPT,
    UNKNOWN,
    WINDOW_SECONDS,
    SolverHistory,
    SolverView,
)
from app.gui.live.presenters.solver_readouts import (
    LARGEST_WEIGHT,
    WEIGHT_STEPS,
    is_default,
    power_of_ten,
    preset_name,
    reset_lines,
    residual_axis,
    solver_rows,
    step_of,
    weight_at,
)
from app.gui.presenters.faces import FaceChoice
from app.gui.presenters.readouts import NOTHING
from model.rwr.settings import RwrSettings
from model.solvers import ColdReason, SolveReport, StopReason
from tests.gui_fakes import estimate, frame_result

WARM = SolveReport(1, (0.2,), 0, StopReason.BUDGET, warm=True, age=7)
START = SolveReport(3, (0.9, 0.4, 0.1), 2, StopReason.BUDGET, reason="seen elsewhere by the detector")
ALONE = replace(START, reason="RwR off")


def report_of(mode: str, report: SolveReport) -> Estimate:
    return replace(estimate(mode, 0.5, np.zeros((98, 2), np.float32)), report=report)


def frame(
    time: float,
    rwr: SolveReport | None,
    cold: SolveReport | None = None,
    events: tuple[TrackingEvent, ...] = (),
    **settings: object,
) -> FrameResult:
    """Return a frame with these reports; the second is the baseline's where both are there."""
    base = frame_result(captured=time)
    own = [report_of(mode, report) for mode, report in ((Mode.RWR, rwr), (Mode.COLD, cold)) if report is not None]
    tracking = TrackingSettings(rwr=rwr is not None, compare=len(own) > 1, **settings)  # type: ignore[arg-type]
    face = FaceResult(0, base.faces[0].crop, own[0], own[1] if len(own) > 1 else None)
    shown = replace(base.frame, timestamp=time)
    return replace(base, frame=shown, faces=(face,), settings=tracking, events=events)


def history(*frames: FrameResult) -> SolverHistory:
    solver = SolverHistory()
    for one in frames:
        solver.add(one)
    return solver


def texts(view: SolverView) -> dict[str, str]:
    return {row.name: row.value for row in solver_rows(view)}


class TestEvaluations:
    def test_saved_against_cold_solves_of_the_same_frames(self) -> None:
        view = history(frame(0.0, START, ALONE), *(frame(i / 10, WARM, ALONE) for i in range(1, 10))).view(0.9)
        assert (view.frames, view.spent, view.saved) == (10, 12, 18)
        assert (view.cold_cost, view.cold_source) == (3.0, IN_THESE_FRAMES)
        assert view.per_frame == pytest.approx(1.2)
        assert texts(view)["Saved"] == "60% of 30"
        assert texts(view)["Evaluations"] == "1 now, 1.20 a frame"

    def test_the_cost_is_taken_from_cold_starts_where_nothing_is_compared(self) -> None:
        view = history(frame(0.0, START), *(frame(i / 10, WARM) for i in range(1, 5))).view(0.4)
        assert (view.cold_cost, view.cold_source) == (3.0, IN_COLD_STARTS)
        assert (view.spent, view.saved) == (7, 8)

    def test_a_new_faces_double_solve_is_not_taken_for_the_price_of_one(self) -> None:
        view = history(frame(0.0, replace(START, evaluations=6)), frame(0.1, WARM)).view(0.1)
        assert view.cold_cost == 3.0
        assert (view.spent, view.saved) == (7, 2)

    def test_says_when_the_cost_is_not_known(self) -> None:
        view = history(frame(0.0, WARM)).view(0.0)
        assert (view.cold_cost, view.cold_source, view.saved) == (None, UNKNOWN, None)
        assert texts(view)["Saved"] == texts(view)["Cold solve"] == NOTHING

    def test_without_rwr_nothing_is_spent_or_saved_by_it(self) -> None:
        view = history(frame(0.0, None, ALONE)).view(0.0)
        assert (view.rwr, view.frames, view.spent, view.newest) == (False, 0, 0, None)
        assert [own.mode for own in view.residuals] == [Mode.COLD]
        assert texts(view)["Warm for"] == NOTHING

    def test_a_filters_report_is_the_cold_solves(self) -> None:
        one = frame(0.0, WARM, ALONE)
        ema = replace(one.faces[0], other=report_of(Mode.EMA, ALONE))
        view = history(replace(one, faces=(ema,))).view(0.0)
        assert view.cold_cost == 3.0
        assert [own.mode for own in view.residuals] == [Mode.RWR, Mode.COLD]


class TestResiduals:
    def test_spread_of_the_last_seconds_by_evaluation(self) -> None:
        frames = [frame(i * 0.01, None, replace(ALONE, residuals=(0.01 * i, 0.001))) for i in range(101)]
        (cold,) = history(*frames).view(1.0).residuals
        np.testing.assert_allclose(cold.spread, [[0.1, 0.5, 0.9], [0.001] * 3], rtol=1e-5)
        assert cold.newest == (1.0, 0.001)
        assert cold.share.tolist() == [1.0, 1.0]

    def test_how_many_frames_needed_a_further_evaluation(self) -> None:
        twice = replace(WARM, evaluations=2, residuals=(0.7, 0.3))
        (rwr,) = history(*(frame(i * 0.1, twice if i == 2 else WARM) for i in range(4))).view(0.3).residuals
        assert rwr.share.tolist() == [1.0, 0.25]
        assert rwr.per_frame == pytest.approx(1.25)

    def test_old_ones_and_those_under_other_settings_are_left_out(self) -> None:
        solver = history(frame(0.0, replace(WARM, residuals=(0.9,))))
        assert solver.view(WINDOW_SECONDS + 0.1).residuals == ()
        solver.add(frame(0.1, WARM, recurrence=RwrSettings(recurrence_weight=5.0)))
        np.testing.assert_allclose(solver.view(0.1).residuals[0].spread, [[0.2] * 3], rtol=1e-6)

    def test_nonsense_is_left_out(self) -> None:
        broken = replace(ALONE, residuals=(0.5, float("nan"), float("inf")))
        long = replace(ALONE, residuals=(0.5,) * 40, evaluations=40)
        (cold,) = history(frame(0.0, None, broken), frame(0.1, None, long)).view(0.1).residuals
        assert cold.spread.shape == (MOST_EVALUATIONS, 3)
        assert np.isfinite(cold.spread).all()
        assert cold.per_frame == pytest.approx(21.5)

    def test_axis_is_whole_decades_around_everything(self) -> None:
        assert residual_axis(()) == (0.01, 1.0)
        small = history(frame(0.0, replace(WARM, residuals=(0.0004, 3.0)))).view(0.0)
        assert residual_axis(small.residuals) == (pytest.approx(1e-4), pytest.approx(10.0))
        zero = history(frame(0.0, replace(WARM, residuals=(0.0,)))).view(0.0)
        assert residual_axis(zero.residuals) == (0.01, 1.0)
        ticks = [power_of_ten(exponent) for exponent in range(-10, 2)]
        assert ticks[-5:] == ["0.001", "0.01", "0.1", "1", "10"]
        assert ticks[:2] == ["1e-10", "1e-9"]
        assert max(map(len, ticks)) == 5


class TestResets:
    def test_are_counted_by_reason_and_listed_newest_first(self) -> None:
        first = replace(START, reason=ColdReason.FIRST_FRAME)
        view = history(frame(0.5, first), frame(1.0, WARM), frame(61.25, START), frame(62.0, START)).view(62.0)
        assert view.reasons == ((START.reason, 2), (ColdReason.FIRST_FRAME, 1))
        assert [reset.seconds for reset in view.resets] == [62.0, 61.25, 0.5]
        assert reset_lines(view.resets).splitlines()[1] == f"1:01.2  {START.reason}"
        assert texts(view)["Cold starts"] == f"3, most: {START.reason}"

    def test_a_first_frame_after_a_cut_is_called_a_cut(self) -> None:
        cut = frame(0.0, replace(START, reason=ColdReason.FIRST_FRAME), events=(SceneCut(), FaceFound(3)))
        assert history(cut).view(0.0).reasons == (("scene cut", 1),)

    def test_solves_without_rwr_are_none(self) -> None:
        assert history(frame(0.0, None, ALONE)).view(0.0).resets == ()

    def test_of_all_faces_are_named(self) -> None:
        one = frame(0.0, START)
        two = replace(one, faces=(one.faces[0], replace(one.faces[0], face=4)))
        assert reset_lines(history(two).view(0.0).resets).splitlines()[0] == f"0:00.0  #4  {START.reason}"

    def test_only_the_last_fifty_are_listed_and_all_are_counted(self) -> None:
        view = history(*(frame(i * 0.1, START) for i in range(RESETS_KEPT + 9))).view(6.0)
        assert len(view.resets) == RESETS_KEPT
        assert sum(count for _, count in view.reasons) == RESETS_KEPT + 9

    def test_age_of_the_warm_start(self) -> None:
        view = history(frame(0.0, START), frame(2.5, WARM)).view(2.5)
        assert view.warm_seconds == pytest.approx(2.5)
        assert texts(view)["Warm for"] == "7 frames, 2.5 s"
        view = history(frame(0.0, START), frame(2.5, replace(WARM, age=1))).view(2.5)
        assert texts(view)["Warm for"] == "1 frame, 2.5 s"

    def test_another_face_and_another_source_begin_anew(self) -> None:
        choice = FaceChoice()
        solver = SolverHistory(choice)
        one = frame(0.0, WARM)
        both = replace(one, faces=(one.faces[0], replace(one.faces[0], face=1)))
        solver.add(both)
        choice.choose(1)
        late = frame(0.2, replace(WARM, residuals=(0.3,)))
        solver.add(replace(late, faces=(one.faces[0], replace(late.faces[0], face=1))))
        np.testing.assert_allclose(solver.view(0.2).residuals[0].spread, [[0.3] * 3], rtol=1e-6)
        solver.clear()
        assert solver.view(0.2).frames == 0
        assert solver.view(0.2).residuals == ()


class TestControls:
    def test_the_slider_runs_from_zero_with_the_default_in_the_middle(self) -> None:
        assert weight_at(0) == 0.0
        assert weight_at(WEIGHT_STEPS // 2) == RwrSettings().recurrence_weight == 4.0
        assert weight_at(WEIGHT_STEPS) == LARGEST_WEIGHT
        assert (np.diff([weight_at(step) for step in range(WEIGHT_STEPS + 1)]) > 0).all()

    @pytest.mark.parametrize("step", [0, 1, 17, 40, 79, 80])
    def test_a_weight_leads_back_to_its_step(self, step: int) -> None:
        assert step_of(weight_at(step)) == step

    def test_weights_beyond_the_slider_are_at_its_end(self) -> None:
        assert (step_of(99.0), step_of(-1.0), weight_at(999)) == (WEIGHT_STEPS, 0, LARGEST_WEIGHT)

    def test_knows_the_presets(self) -> None:
        for preset in PRESETS:
            assert preset_name(preset.settings) == preset.name
            assert len(preset.help) >= 20, "say in plain language what a person gets and gives"
        assert preset_name(RwrSettings(recurrence_weight=3.33)) == ""
        assert is_default(RwrSettings())
        assert not is_default(RwrSettings(evaluations=5))
