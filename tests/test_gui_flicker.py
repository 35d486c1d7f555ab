"""The flicker of the last seconds, its ring buffers and its scale, tested without a window."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from app.core.frame import FrameResult
from app.core.modes import MODE_NAMES, Baseline, Mode
from app.core.settings import TrackingSettings
from app.gui.live.presenters.choices import baseline_options
from app.gui.live.presenters.flicker import TRACE_CAPACITY, FlickerHistory
from app.gui.live.presenters.rings import PointWindow, TraceRing
from app.gui.presenters.faces import FaceChoice
from app.gui.presenters.scale import PATIENCE_SECONDS, GrowingScale, round_up
from model.rwr.settings import RwrSettings
from model.topology import POINTS
from tests.gui_fakes import estimate, frame_result

COMPARE = TrackingSettings(compare=True)


def compared(time: float, rwr: float, cold: float, /, **settings: object) -> FrameResult:
    tracking = replace(COMPARE, **settings)  # type: ignore[arg-type]
    return replace(
        frame_result(captured=time, tracking=tracking, flicker={Mode.RWR: rwr, Mode.COLD: cold}), settings=tracking
    )


def against(time: float, baseline: str, flicker: float) -> FrameResult:
    """Return a frame in which RwR is compared with a filter."""
    result = frame_result(captured=time, tracking=TrackingSettings())
    points = result.faces[0].estimate.landmarks
    return replace(result, faces=(replace(result.faces[0], other=estimate(baseline, flicker, points)),))


class TestFlickerHistory:
    def test_both_modes_now_and_recently(self) -> None:
        history = FlickerHistory()
        for i in range(100):
            history.add(compared(i * 0.05, 3.0 if i >= 90 else 1.0, 2.0))
        view = history.view(4.95)
        assert view.modes[Mode.RWR].now == pytest.approx(3.0)
        assert view.modes[Mode.RWR].recent == pytest.approx(math.sqrt((90 + 10 * 9) / 100))
        assert view.modes[Mode.COLD].now == view.modes[Mode.COLD].recent == pytest.approx(2.0)
        assert view.change == pytest.approx(math.sqrt(1.8) / 2 - 1)

    def test_regions_keep_their_order(self) -> None:
        history = FlickerHistory()
        history.add(compared(0.0, 1.0, 2.0))
        assert history.view(0.0).modes[Mode.COLD].regions == pytest.approx((2.0, 2.2, 2.4, 2.6, 2.8, 3.0))

    def test_points_of_the_last_five_seconds(self) -> None:
        history = FlickerHistory()
        for time, value in ((0.0, 9.0), (5.5, 3.0), (6.0, 4.0)):
            history.add(compared(time, value, 2.0))
        points = history.view(6.0).modes[Mode.RWR].points
        assert points is not None
        np.testing.assert_allclose(points, np.linspace(0, 2 * math.sqrt(12.5), POINTS), rtol=1e-5)

    def test_a_mode_that_is_not_solved_has_no_figures(self) -> None:
        history = FlickerHistory()
        history.add(frame_result(captured=0.0))
        cold = history.view(0.0).modes[Mode.COLD]
        assert (cold.now, cold.recent, cold.regions, cold.points) == (None, None, None, None)
        assert history.view(0.0).change is None

    def test_a_frame_without_face_is_a_gap_in_the_trace(self) -> None:
        history = FlickerHistory()
        history.add(compared(0.0, 1.0, 2.0))
        history.add(frame_result(captured=0.1, faces=0))
        history.add(compared(0.2, 1.5, 2.0))
        view = history.view(0.2)
        assert view.times == pytest.approx([-0.2, -0.1, 0.0])
        assert view.modes[Mode.RWR].trace == pytest.approx([1.0, math.nan, 1.5], nan_ok=True)

    def test_a_stall_is_a_gap_in_the_trace(self) -> None:
        history = FlickerHistory()
        history.add(compared(0.0, 1.0, 2.0))
        history.add(compared(2.5, 1.0, 2.0))
        assert history.view(2.5).modes[Mode.RWR].trace == pytest.approx([1.0, math.nan, 1.0], nan_ok=True)

    @pytest.mark.slow
    def test_forgets_after_ten_seconds_and_on_request(self) -> None:
        history = FlickerHistory()
        for i in range(3000):
            history.add(compared(i * 0.01, 1.0, 2.0))
        view = history.view(30.0)
        assert len(view.times) == len(view.modes[Mode.RWR].trace) == len(view.modes[Mode.COLD].trace)
        assert 990 <= len(view.times) <= 1001
        history.clear()
        assert history.view(30.0).times.size == 0
        assert history.view(30.0).modes[Mode.RWR].recent is None

    @pytest.mark.slow
    def test_keeps_no_more_than_its_memory(self) -> None:
        history = FlickerHistory()
        for i in range(TRACE_CAPACITY + 500):
            history.add(compared(i * 0.001, 1.0 + i, 2.0))
        view = history.view((TRACE_CAPACITY + 499) * 0.001)
        assert len(view.times) == TRACE_CAPACITY
        assert view.modes[Mode.RWR].trace[-1] == TRACE_CAPACITY + 500
        assert (np.diff(view.modes[Mode.RWR].trace) == 1).all()

    def test_old_figures_are_not_shown_as_new(self) -> None:
        history = FlickerHistory()
        history.add(compared(0.0, 1.0, 2.0))
        assert history.view(8.0).modes[Mode.RWR].now is None

    @pytest.mark.slow
    def test_what_the_window_got_does_not_change_any_more(self) -> None:
        history = FlickerHistory()
        history.add(compared(0.0, 1.0, 2.0))
        view = history.view(0.0)
        for i in range(2 * TRACE_CAPACITY):
            history.add(compared(i * 0.001, 7.0, 2.0))
        assert view.modes[Mode.RWR].trace.tolist() == [1.0]


class TestPair:
    def test_a_filter_can_be_the_baseline(self) -> None:
        history = FlickerHistory()
        history.add(against(0.0, Mode.EMA, 0.8))
        view = history.view(0.0)
        assert view.pair == (Mode.RWR, Mode.EMA)
        assert view.modes[Mode.EMA].now == pytest.approx(0.8)
        assert view.change == pytest.approx(0.5 / 0.8 - 1)
        assert view.modes[Mode.COLD].now is None

    def test_turning_rwr_off_moves_no_column_and_drops_no_figure(self) -> None:
        history = FlickerHistory()
        history.add(compared(0.0, 1.0, 2.0))
        history.add(compared(0.1, 1.0, 2.0, rwr=False))
        view = history.view(0.1)
        assert view.pair == (Mode.RWR, Mode.COLD)
        assert view.modes[Mode.RWR].trace.tolist() == [1.0, 1.0]

    def test_the_last_baseline_stays_beside_the_chosen_mode_when_comparing_ends(self) -> None:
        history = FlickerHistory()
        history.add(against(0.0, Mode.ONE_EURO, 0.8))
        history.add(frame_result(captured=0.1))
        assert history.view(0.1).pair == (Mode.RWR, Mode.ONE_EURO)
        history.add(frame_result(captured=0.2, tracking=TrackingSettings(rwr=False)))
        assert history.view(0.2).pair == (Mode.RWR, Mode.COLD)

    def test_new_settings_of_rwr_start_its_averages_anew_and_leave_the_cold_ones(self) -> None:
        history = FlickerHistory()
        history.add(compared(0.0, 9.0, 2.0))
        history.add(compared(0.1, 1.0, 4.0, recurrence=RwrSettings(recurrence_weight=5.0)))
        view = history.view(0.1)
        assert view.modes[Mode.RWR].recent == pytest.approx(1.0)
        assert view.modes[Mode.COLD].recent == pytest.approx(math.sqrt(10))
        assert view.modes[Mode.RWR].trace.tolist() == [9.0, 1.0]

    def test_repairing_points_starts_all_averages_anew(self) -> None:
        history = FlickerHistory()
        history.add(compared(0.0, 9.0, 2.0))
        history.add(compared(0.1, 1.0, 4.0, ghcu=True))
        assert history.view(0.1).modes[Mode.COLD].recent == pytest.approx(4.0)

    def test_modes_that_begin_to_be_compared_are_judged_on_the_same_frames(self) -> None:
        history = FlickerHistory()
        history.add(frame_result(captured=0.0, tracking=TrackingSettings(), flicker={Mode.RWR: 9.0}))
        history.add(compared(0.1, 1.0, 4.0))
        assert history.view(0.1).change == pytest.approx(-0.75)
        history.add(compared(0.2, 1.0, 2.0, rwr=False))
        assert history.view(0.2).change == pytest.approx(math.sqrt(0.1) - 1), "the same two modes go on"

    def test_only_the_chosen_face_is_shown(self) -> None:
        choice = FaceChoice()
        history = FlickerHistory(choice)
        first = frame_result(captured=0.0, faces=2)
        louder = replace(first.faces[1], estimate=estimate(Mode.RWR, 3.0, first.faces[1].estimate.landmarks))
        history.add(replace(first, faces=(first.faces[0], louder)))
        assert history.view(0.0).modes[Mode.RWR].now == pytest.approx(0.5)
        choice.choose(1)
        second = frame_result(captured=0.1, faces=2)
        history.add(replace(second, faces=(second.faces[0], louder)))
        view = history.view(0.1)
        assert view.face == choice.chosen == 1
        assert view.modes[Mode.RWR].recent == pytest.approx(3.0)
        assert view.modes[Mode.RWR].trace.tolist() == [3.0]

    @pytest.mark.parametrize("mode", [Mode.RWR, Mode.COLD])
    def test_every_mode_but_the_chosen_one_is_offered_as_baseline(self, mode: str) -> None:
        options = baseline_options(mode)
        assert tuple(option.name for option in options) == tuple(Baseline)
        labels = {option.label for option in options}
        assert labels == {MODE_NAMES[other] for other in Mode if other != mode}


class TestTraceRing:
    def test_holds_the_newest_samples_in_order(self) -> None:
        ring = TraceRing(2, 5)
        assert ring.newest is None
        for i in range(13):
            ring.add(i, np.array([i, -i], np.float32))
        times, values = ring.since(-1)
        assert times.tolist() == [8, 9, 10, 11, 12]
        assert values.tolist() == [[8, 9, 10, 11, 12], [-8, -9, -10, -11, -12]]
        assert ring.newest == 12

    def test_answers_from_a_time_on(self) -> None:
        ring = TraceRing(1, 8)
        for i in range(11):
            ring.add(i, np.array([i], np.float32))
        assert ring.since(8.5)[0].tolist() == [9, 10]
        assert ring.since(99)[0].size == 0
        ring.clear()
        assert ring.since(-1)[0].size == 0


class TestPointWindow:
    def test_is_the_root_mean_square_of_its_last_seconds(self) -> None:
        window = PointWindow(2.0, capacity=4)
        assert window.reading() is None
        for time, value in ((0.0, 50.0), (1.0, 3.0), (2.5, 4.0)):
            window.add(time, np.full(POINTS, value, np.float32))
        reading = window.reading()
        assert reading is not None
        np.testing.assert_allclose(reading, math.sqrt(12.5), rtol=1e-6)

    def test_empties_while_there_are_no_readings_and_when_time_runs_back(self) -> None:
        window = PointWindow(2.0)
        window.add(5.0, np.ones(POINTS, np.float32))
        window.add(8.0, None)
        assert window.reading() is None
        window.add(1.0, np.full(POINTS, 2.0, np.float32))
        reading = window.reading()
        assert reading is not None
        np.testing.assert_allclose(reading, 2.0)


class TestScale:
    @pytest.mark.parametrize(("value", "end"), [(0.0, 0.0), (0.41, 0.5), (1.0, 1.0), (1.2, 1.5), (6.0, 7.5), (71, 75)])
    def test_ends_at_a_round_number(self, value: float, end: float) -> None:
        assert round_up(value) == pytest.approx(end)

    def test_grows_at_once_and_shrinks_with_patience(self) -> None:
        scale = GrowingScale(0.5)
        assert scale.see(2.4, 0.0) == 3.0
        assert scale.see(0.2, 1.0) == 3.0
        assert scale.see(0.2, 0.9 + PATIENCE_SECONDS) == 3.0
        assert scale.see(0.2, 1.0 + PATIENCE_SECONDS) == 0.5

    def test_patience_begins_anew_with_every_large_value(self) -> None:
        scale = GrowingScale(0.5)
        scale.see(2.4, 0.0)
        scale.see(0.2, 1.0)
        scale.see(2.4, 2.0)
        assert scale.see(0.2, 1.1 + PATIENCE_SECONDS) == 3.0

    def test_nonsense_leaves_the_floor(self) -> None:
        assert GrowingScale(0.5).see(math.nan, 0.0) == 0.5
