"""The synchronous pipeline over frames with known squares for faces."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.events import FaceLost, LossReason, ResetReason, SceneCut
from app.core.frame import Frame, FrameResult
from app.core.modes import Baseline, Mode
from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import TrackingSettings
from app.tracking.detector import Detection
from app.tracking.pipeline import Pipeline, calibration_of
from app.tracking.stages import StageTimes
from app.tracking.tracker import Policy
from model.config import LANDMARKS
from model.engine.base import State
from model.geometry import Crop
from model.rwr.settings import RwrSettings
from model.solvers import ColdReason
from model.topology import REGIONS
from model.uncertainty import Calibration
from model.weights import read_card, write_card
from tests.fakes import SquareDetector, SquareEngine, WholePictureDetector, face_image, face_points
from tests.waiting import wait_until

SIDE = 120.0


def image(x: float | None, y: float = 180.0) -> NDArray[np.uint8]:
    if x is None:
        return np.full((360, 640, 3), 40, np.uint8)
    return face_image(640, 360, x, y, SIDE)


def build(**settings: object) -> Pipeline:
    return Pipeline(SquareEngine(), SquareDetector(), TrackingSettings(**settings), Policy(misses=4))  # type: ignore[arg-type]


def play(pipeline: Pipeline, images: Iterable[NDArray[np.uint8]]) -> list[FrameResult]:
    return [pipeline.process(Frame(i, i / 30, picture, 0.0)) for i, picture in enumerate(images)]


def test_follows_a_moving_face_with_one_identity() -> None:
    results = play(build(), [image(200 + 4 * t) for t in range(30)])
    assert [len(result.faces) for result in results] == [1] * 30
    assert {result.faces[0].face for result in results} == {0}
    last = results[-1].faces[0].estimate.landmarks
    assert np.abs(last - face_points(200 + 4 * 29, 180, SIDE)).mean() < 6


def test_rwr_spends_fewer_evaluations_than_cold() -> None:
    pictures = [image(300)] * 5
    warm = play(build(rwr=True), pictures)[-1].faces[0].estimate
    cold = play(build(rwr=False), pictures)[-1].faces[0].estimate
    assert (warm.mode, warm.report.warm, warm.report.evaluations) == (Mode.RWR, True, 1)
    assert (cold.mode, cold.report.warm, cold.report.reason) == (Mode.COLD, False, ColdReason.RWR_OFF)
    assert cold.report.evaluations == SquareEngine().config.max_steps


class Watched(SquareEngine):
    """Notes which thread calls what, and whether two ever do at once."""

    def __init__(self) -> None:
        super().__init__()
        self.callers: dict[str, set[int]] = {}
        self.at_once = False
        self._free = threading.Lock()

    def encode(self, crops: NDArray[np.uint8]) -> State:
        return self._watched("encode", lambda: super(Watched, self).encode(crops))

    def evaluate(self, z: State, u: State) -> State:
        return self._watched("evaluate", lambda: super(Watched, self).evaluate(z, u))

    def _watched(self, what: str, run: Callable[[], State]) -> State:
        self.callers.setdefault(what, set()).add(threading.get_ident())
        if not self._free.acquire(blocking=False):
            self.at_once = True
            return run()
        try:
            return run()
        finally:
            self._free.release()


class WatchedGpu(Watched):
    """The same, of the kind that encodes beside by itself."""

    def wait(self) -> None:
        pass


@pytest.mark.parametrize(("engine", "threads"), [(Watched(), 2), (WatchedGpu(), 1)])
@pytest.mark.slow
def test_only_an_engine_on_the_processor_is_used_by_a_second_thread(engine: Watched, threads: int) -> None:
    before = set(threading.enumerate())
    pipeline = Pipeline(engine, SquareDetector(), TrackingSettings(compare=True))
    results = play(pipeline, [image(300 + 3 * t) for t in range(12)])
    pipeline.close()
    wait_until(lambda: set(threading.enumerate()) <= before)
    plain = play(build(compare=True), [image(300 + 3 * t) for t in range(12)])
    assert len(engine.callers["encode"]) == threads  # newcomers are encoded on the tracker's own
    assert len(engine.callers["evaluate"]) == threads
    assert not (engine.at_once and threads == 1)
    for one, other in zip(results, plain, strict=True):
        assert np.array_equal(one.faces[0].estimate.landmarks, other.faces[0].estimate.landmarks)


class Meeting(SquareEngine):
    """Evaluates only when a second thread wants to as well, where that is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.barrier: threading.Barrier | None = None

    def evaluate(self, z: State, u: State) -> State:
        if self.barrier is not None and threading.get_ident() not in self.met:
            self.met.add(threading.get_ident())
            self.barrier.wait(10)
        return super().evaluate(z, u)

    def meet(self) -> None:
        """Let the first evaluations of two threads wait for each other."""
        self.met: set[int] = set()
        self.barrier = threading.Barrier(2)


def test_rwr_and_the_cold_solve_are_calculated_beside_each_other() -> None:
    engine = Meeting()
    with closing(Pipeline(engine, SquareDetector(), TrackingSettings(compare=True))) as pipeline:
        play(pipeline, [image(300)] * 2)
        engine.meet()
        face = pipeline.process(Frame(2, 0.1, image(300), 0.0)).faces[0]
    assert len(engine.met) == 2
    assert face.estimate.report.warm
    assert face.other is not None
    assert not face.other.report.warm


@pytest.mark.parametrize("rwr", [True, False])
def test_results_tell_how_far_off_landmarks_may_be(rwr: bool) -> None:
    calibration = Calibration(1.0, (1.5,) * LANDMARKS, (1.0, 2.0, 3.0))
    settings = TrackingSettings(rwr=rwr, compare=True, baseline=Baseline.EMA)
    pipeline = Pipeline(SquareEngine(), SquareDetector(), settings, calibration=calibration)
    for result in play(pipeline, [image(300 + 3 * t) for t in range(3)]):
        face = result.faces[0]
        for estimate in (face.estimate, face.other):
            assert estimate is not None
            assert estimate.radius80 is not None
            assert estimate.drawn_radius is estimate.radius80
            # RwR's own heatmaps are wider than those of its last evaluation, which count.
            slack = 0.3 if estimate.report.warm else 1e-5
            np.testing.assert_allclose(estimate.radius80, 3.0 * estimate.uncertainty, rtol=slack)
    unknown = play(build(), [image(300)])[0].faces[0].estimate
    assert unknown.radius80 is None
    assert unknown.drawn_radius is unknown.uncertainty


def test_weights_without_calibration_are_named_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weights = tmp_path / DEFAULT_WEIGHTS.name
    weights.write_bytes(b"")
    card = read_card(DEFAULT_WEIGHTS)
    write_card(replace(card, path=weights))
    assert calibration_of(weights) is not None
    assert not caplog.records
    write_card(replace(card, path=weights, notes={}))
    assert calibration_of(weights) is None
    (record,) = caplog.records
    assert "train-uncertainty" in record.getMessage()


def test_first_frame_counts_all_of_its_solves() -> None:
    report = play(build(), [image(300)])[0].faces[0].estimate.report
    assert report.reason == ColdReason.FIRST_FRAME
    assert report.evaluations == 3 * SquareEngine().config.max_steps


def test_compare_solves_both_modes_with_their_own_states() -> None:
    results = play(build(compare=True), [image(300 + t) for t in range(6)])
    face = results[-1].faces[0]
    assert face.other is not None
    assert (face.estimate.mode, face.other.mode) == (Mode.RWR, Mode.COLD)
    assert face.estimate.report.warm
    assert not face.other.report.warm
    alone = play(build(), [image(300 + t) for t in range(6)])[-1].faces[0]
    np.testing.assert_array_equal(face.estimate.landmarks, alone.estimate.landmarks)


def test_turning_rwr_on_starts_cold_and_says_so() -> None:
    pipeline = build(rwr=False)
    play(pipeline, [image(300)] * 3)
    pipeline.configure(TrackingSettings(rwr=True))
    reports = [result.faces[0].estimate.report for result in play(pipeline, [image(300)] * 2)]
    assert [report.reason for report in reports] == [ResetReason.RWR_ON, ""]
    assert [report.warm for report in reports] == [False, True]


def test_settings_of_rwr_take_effect_on_faces_that_are_followed() -> None:
    pipeline = build()
    play(pipeline, [image(300)] * 2)
    pipeline.configure(TrackingSettings(recurrence=RwrSettings(evaluations=4, settled=0.0)))
    assert play(pipeline, [image(300)])[0].faces[0].estimate.report.evaluations == 4


def test_detector_runs_only_when_needed() -> None:
    detector = SquareDetector()
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings(detect_every=10))
    play(pipeline, [image(300)] * 21)
    assert detector.looks == 3


def test_a_face_that_leaves_is_lost_and_its_successor_is_new() -> None:
    pipeline = build(detect_every=2)
    gone = play(pipeline, [image(300)] * 3 + [image(None)] * 12)
    assert gone[2].faces
    assert not gone[-1].faces
    lost = [event for result in gone for event in result.events if isinstance(event, FaceLost)]
    assert [event.face for event in lost] == [0]
    back = play(pipeline, [image(320)] * 2)
    assert [face.face for face in back[0].faces] == [1]
    assert not back[0].faces[0].estimate.report.warm


def test_an_uncertain_face_that_the_detector_sees_stays_warm() -> None:
    detector = SquareDetector()
    pipeline = Pipeline(SquareEngine(blur=3.0), detector, TrackingSettings())
    results = play(pipeline, [image(300)] * 30)
    assert all(result.faces[0].estimate.report.warm for result in results[1:])
    assert detector.looks < 8


def test_heatmaps_that_rwr_carries_along_ask_the_detector_and_lose_no_face(monkeypatch: pytest.MonkeyPatch) -> None:
    detector, policy, every = SquareDetector(), Policy(), TrackingSettings().detect_every
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings(), policy)
    solve = pipeline._solver.solve

    def widened(*args: Any) -> Any:
        solved, replaced = solve(*args)
        for face in solved:
            for mode, solution in face.solutions.items():
                face.solutions[mode] = replace(solution, uncertainty=solution.uncertainty + SIDE)
        return solved, replaced

    monkeypatch.setattr(pipeline._solver, "solve", widened)
    play(pipeline, [image(300)] * (policy.trust + every))
    assert detector.looks > 2
    monkeypatch.setattr(detector, "detect", lambda image: [])
    monkeypatch.setattr(detector, "sees", lambda image, crop: False)
    results = play(pipeline, [image(300)] * (policy.trust + policy.misses))
    lost = [any(isinstance(event, FaceLost) for event in result.events) for result in results]
    assert lost.index(True) >= policy.misses - 1 > policy.trust + policy.doubted_misses


def test_a_crop_that_drifted_off_its_face_is_brought_back() -> None:
    pipeline = build(detect_every=5)
    play(pipeline, [image(300)] * 2)
    track = pipeline._faces[0].track
    track.crop = Crop(track.crop.centre_x + 20, track.crop.centre_y, track.crop.side * 0.4)
    reports = [result.faces[0].estimate.report for result in play(pipeline, [image(300)] * 6)]
    assert any(
        report.reason in (ResetReason.DRIFTED, LossReason.UNCERTAIN, LossReason.CHANGED_SIZE) for report in reports
    )
    face = play(pipeline, [image(300)] * 2)[-1].faces[0]
    assert face.crop.side == pytest.approx(SIDE * 1.25, rel=0.1)


class Startled(SquareDetector):
    """Sees the face half of its side lower in some looks."""

    startled: Collection[int] = ()

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        (face,) = super().detect(image)
        return [face.moved(0, 0.5 * SIDE)] if self.looks in self.startled else [face]


def test_a_turned_crop_that_is_brought_to_a_detection_stays_turned() -> None:
    detector = Startled()
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings(detect_every=1))
    play(pipeline, [image(300)])
    pipeline._faces[0].track.crop = replace(pipeline._faces[0].track.crop, angle=90.0)
    play(pipeline, [image(300)])
    detector.startled = range(100)
    faces = [result.faces[0] for result in play(pipeline, [image(300)] * 4)]
    (drifted,) = (face for face in faces if face.estimate.report.reason == ResetReason.DRIFTED)
    assert drifted.crop.centre_y == pytest.approx(180 + 0.5 * SIDE)
    assert drifted.crop.angle == pytest.approx(90, abs=10)


def test_one_look_elsewhere_does_not_move_a_face_that_is_not_in_doubt() -> None:
    detector = Startled()
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings(detect_every=5))
    play(pipeline, [image(300)] * 3)
    detector.startled = (2, 3)
    results = play(pipeline, [image(300)] * 12)
    assert all(result.faces[0].estimate.report.warm for result in results)
    looks = detector.looks
    assert 4 <= looks <= 5, "the two looks that disagree are each followed by another"
    detector.startled = range(looks + 1, looks + 4)
    reasons = [result.faces[0].estimate.report.reason for result in play(pipeline, [image(300)] * 10)]
    assert ResetReason.DRIFTED in reasons


def test_misses_count_in_a_row_only() -> None:
    class Dozing(SquareDetector):
        def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
            found = super().detect(image)
            return [] if self.looks % 4 else found

    pipeline = Pipeline(SquareEngine(), Dozing(), TrackingSettings(detect_every=1), Policy(misses=4))
    results = play(pipeline, [image(300)] * 24)
    assert [[face.face for face in result.faces] for result in results[3:]] == [[0]] * 21


def test_a_video_without_a_face_is_looked_at_in_one_other_position_each_time() -> None:
    class Turning(SquareDetector):
        def __init__(self) -> None:
            super().__init__()
            self.quarters: list[int] = []

        def detect_turned(self, image: NDArray[np.uint8], quarters: int) -> list[Detection]:
            self.quarters.append(quarters)
            return []

    detector = Turning()
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings())
    play(pipeline, [image(None)] * 6)
    assert detector.quarters == [2, 3, 1, 2, 3, 1]
    pipeline.process(Frame(6, 0.2, image(None), 0.0, continues=False))
    pipeline.process(Frame(7, 0.3, image(300), 0.0, continues=False))
    assert detector.quarters[6:] == [1, 2, 3] * 2


def halved() -> NDArray[np.uint8]:
    """Return a picture that is black on the left and white on the right: a cut after any other."""
    cut = np.zeros((360, 640, 3), np.uint8)
    cut[:, 320:] = 255
    return cut


def test_after_a_scene_cut_nobody_returns() -> None:
    gone = [image(300)] * 3 + [image(None)] * 12
    assert play(build(), [*gone, image(300)])[-1].faces[0].face == 0
    cut = play(build(detect_every=99), [*gone, halved(), image(300)])
    known = {face.face for result in cut[:-1] for face in result.faces}
    assert cut[-1].faces[0].face not in known


def test_a_scene_cut_starts_over() -> None:
    results = play(build(), [image(300)] * 3 + [halved()])
    (face,) = results[-2].faces
    assert results[-1].events[:2] == (SceneCut(), FaceLost(face.face, LossReason.PICTURE_REPLACED))
    assert SceneCut() not in results[-2].events


def test_several_faces_keep_their_identities_largest_first() -> None:
    def pair(t: int) -> NDArray[np.uint8]:
        left, right = face_image(640, 360, 120 + 2 * t, 150, 80), face_image(640, 360, 450 - 2 * t, 200, 130)
        return np.maximum(left, right)

    results = play(build(max_faces=3), [pair(t) for t in range(15)])
    assert [len(result.faces) for result in results] == [2] * 15
    ids = [[face.face for face in result.faces] for result in results]
    assert ids == [ids[0]] * 15
    assert results[-1].faces[0].crop.side > results[-1].faces[1].crop.side


def test_where_fewer_faces_are_wanted_the_others_are_lost() -> None:
    both = np.maximum(face_image(640, 360, 120, 150, 80), face_image(640, 360, 450, 200, 130))
    pipeline = build(max_faces=2, follow="1")
    before = play(pipeline, [both])[0].faces
    pipeline.configure(replace(pipeline.settings, max_faces=1))
    first, second = (pipeline.process(Frame(t, t / 30, both, 0.0)) for t in (1, 2))
    assert [face.face for face in before] == [1, 0]
    assert first.events == (FaceLost(0, LossReason.NOT_WANTED),)
    assert [[face.face for face in result.faces] for result in (first, second)] == [[1], [1]]
    assert first.faces[0].estimate.report.warm


def test_only_max_faces_are_followed() -> None:
    both = np.maximum(face_image(640, 360, 120, 150, 80), face_image(640, 360, 450, 200, 130))
    faces = play(build(max_faces=1), [both])[0].faces
    assert len(faces) == 1
    assert faces[0].crop.centre_x == pytest.approx(450, abs=8)


def test_no_face_for_a_long_time_is_quiet_and_recovers() -> None:
    results = play(build(), [image(None)] * 200 + [image(300)] * 2)
    assert all(not result.faces for result in results[:200])
    assert len(results[-1].faces) == 1


@pytest.mark.parametrize(("height", "width"), [(9, 17), (1, 1), (2, 900)])
def test_tiny_pictures_pass_through(height: int, width: int) -> None:
    assert play(build(), [np.full((height, width, 3), 30, np.uint8)] * 2)[-1].faces == ()


def test_flicker_is_measured_for_both_modes_from_the_second_frame() -> None:
    results = play(build(compare=True), [image(300)] * 3)
    first, third = results[0].faces[0], results[2].faces[0]
    assert first.estimate.flicker is None
    assert third.estimate.flicker is not None
    assert third.other is not None
    assert third.other.flicker is not None


def test_a_stage_counts_as_often_as_it_is_gone_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.tracking.stages.time", SimpleNamespace(perf_counter=partial(next, count())))
    times = StageTimes()
    for stage in ("crop", "solve", "crop"):
        with times.timed(stage):
            pass
    assert times.finish() == {"crop": 2, "solve": 1, "total": 7}


def test_stage_times_add_up() -> None:
    seconds = play(build(), [image(300)] * 2)[-1].seconds
    assert {"crop", "encode", "solve", "total"} <= set(seconds)
    assert sum(value for stage, value in seconds.items() if stage != "total") <= seconds["total"]


@pytest.mark.parametrize(
    ("settings", "modes"),
    [
        ({"rwr": True}, (Mode.RWR,)),
        ({"rwr": False}, (Mode.COLD,)),
        ({"rwr": True, "compare": True}, (Mode.RWR, Mode.COLD)),
        ({"rwr": False, "compare": True}, (Mode.COLD, Mode.RWR)),
        ({"rwr": True, "compare": True, "baseline": Baseline.EMA}, (Mode.RWR, Mode.EMA)),
        ({"rwr": False, "compare": True, "baseline": Baseline.ONE_EURO}, (Mode.COLD, Mode.ONE_EURO)),
    ],
)
def test_answers_in_the_modes_asked_for(settings: dict[str, object], modes: tuple[str, ...]) -> None:
    result = play(build(**settings), [image(300)])[0]
    assert result.settings == TrackingSettings(**settings)  # type: ignore[arg-type]
    face = result.faces[0]
    assert tuple(estimate.mode for estimate in (face.estimate, face.other) if estimate is not None) == modes


def test_a_filter_smooths_the_cold_landmarks_and_starts_anew_when_chosen_again() -> None:
    pipeline = build(rwr=False, compare=True, baseline=Baseline.EMA)
    places = [300, 300, 310, 310]
    results = play(pipeline, [image(x) for x in places])
    cold = [result.faces[0].estimate.landmarks for result in results]
    smooth = [result.faces[0].other.landmarks for result in results]  # type: ignore[union-attr]
    assert np.allclose(smooth[0], cold[0], atol=1e-3)
    assert np.allclose(smooth[2], (cold[1] + cold[2]) / 2, atol=0.01)
    pipeline.configure(TrackingSettings(rwr=False))
    pipeline.process(Frame(4, 4 / 30, image(330), 0.0))
    pipeline.configure(TrackingSettings(rwr=False, compare=True, baseline=Baseline.EMA))
    face = pipeline.process(Frame(5, 5 / 30, image(330), 0.0)).faces[0]
    assert face.other is not None
    assert np.allclose(face.other.landmarks, face.estimate.landmarks, atol=1e-3)


def two_faces(left: float, right: float) -> NDArray[np.uint8]:
    return np.maximum(face_image(640, 360, left, 180, SIDE), face_image(640, 360, right, 180, SIDE))


class TwoSquares(WholePictureDetector):
    """Finds a square in each half of the picture."""

    def detect(self, picture: NDArray[np.uint8]) -> list[Detection]:
        found = []
        for left in (0, 320):
            half = picture.copy()
            half[:, :left] = half[:, left + 320 :] = 40
            found += SquareDetector().detect(half)
        return found

    def close(self) -> None: ...


def test_two_faces_in_one_batch_are_solved_as_each_alone() -> None:
    pictures = [two_faces(160 + 3 * t, 480 - 2 * t) for t in range(6)]
    calibration = Calibration(1.0, (1.5,) * LANDMARKS, (1.0, 2.0, 3.0), ((5.0,) * 4,) * len(REGIONS))
    pipeline = Pipeline(SquareEngine(), TwoSquares(), TrackingSettings(max_faces=2), calibration=calibration)
    together = play(pipeline, pictures)
    assert [len(result.faces) for result in together] == [2] * 6
    for number, left in enumerate((0, 320)):
        halves = []
        for picture in pictures:
            half = np.full_like(picture, 40)
            half[:, left : left + 320] = picture[:, left : left + 320]
            halves.append(half)
        alone = play(Pipeline(SquareEngine(), SquareDetector(), TrackingSettings(), calibration=calibration), halves)
        for pair, single in zip(together, alone, strict=True):
            own = next(face for face in pair.faces if face.face == number).estimate
            other = single.faces[0].estimate
            assert np.allclose(own.landmarks, other.landmarks, atol=0.05)
            assert own.radius80 is not None
            assert other.radius80 is not None
            np.testing.assert_allclose(own.radius80, other.radius80, rtol=0.01)
            assert (own.report.evaluations, own.report.warm) == (other.report.evaluations, other.report.warm)


def test_a_batch_evaluates_the_cell_once_for_all_faces() -> None:
    engine = SquareEngine()
    pipeline = Pipeline(engine, TwoSquares(), TrackingSettings(max_faces=2, detect_every=99))
    play(pipeline, [two_faces(160, 480)] * 3)
    before = engine.evaluations
    pipeline.process(Frame(3, 0.1, two_faces(160, 480), 0.0))
    assert engine.evaluations == before + 1


def test_a_face_that_returns_where_it_was_lost_keeps_its_identity() -> None:
    gone = [image(None)] * 30
    results = play(build(), [*[image(300)] * 3, *gone, *[image(310)] * 3])
    assert not results[20].faces
    assert results[-1].faces[0].face == 0


def test_a_face_elsewhere_or_much_later_is_someone_new() -> None:
    elsewhere = play(build(), [*[image(200)] * 3, *[image(None)] * 30, *[image(500)] * 3])
    later = play(build(), [*[image(300)] * 3, *[image(None)] * 120, *[image(300)] * 3])
    assert elsewhere[-1].faces[0].face == later[-1].faces[0].face == 1


def test_forgetting_begins_as_before_the_first_frame() -> None:
    pictures = [image(300 + t) for t in range(4)]
    pipeline = build()
    first = play(pipeline, pictures)
    pipeline.forget()
    again = play(pipeline, pictures)
    for one, other in zip(first, again, strict=True):
        assert one.faces[0].face == other.faces[0].face
        assert np.array_equal(one.faces[0].estimate.landmarks, other.faces[0].estimate.landmarks)
    pipeline.forget()
    assert SceneCut() not in pipeline.process(Frame(0, 0.0, halved(), 0.0)).events


def test_age_counts_frames_since_the_cold_start() -> None:
    pipeline = build()
    ages = [result.faces[0].estimate.report.age for result in play(pipeline, [image(300)] * 3)]
    pipeline.configure(TrackingSettings(rwr=False))
    pipeline.process(Frame(3, 0.1, image(300), 0.0))
    pipeline.configure(TrackingSettings())
    ages += [pipeline.process(Frame(4 + t, 0.2 + t / 30, image(300), 0.0)).faces[0].estimate.report.age for t in (0, 1)]
    assert ages == [0, 1, 2, 0, 1]


def test_flicker_is_not_measured_against_a_frame_of_before_it_was_switched_off() -> None:
    pipeline = build()
    play(pipeline, [image(300)] * 2)
    pipeline.configure(TrackingSettings(measure_flicker=False))
    pipeline.process(Frame(2, 0.1, image(320), 0.0))
    pipeline.configure(TrackingSettings())
    first, second = (pipeline.process(Frame(t, t / 30, image(330), 0.0)).faces[0].estimate.flicker for t in (3, 4))
    assert first is None
    assert second is not None


def no_faces(picture: NDArray[np.uint8]) -> list[Detection]:
    return []


def test_a_doubted_face_is_lost_sooner_than_others_that_the_detector_misses() -> None:
    lost = {}
    for blur in (0.8, 3.0):
        detector = SquareDetector()
        pipeline = Pipeline(SquareEngine(blur=blur), detector, TrackingSettings(detect_every=1))
        play(pipeline, [image(300)] * 3)
        detector.detect = no_faces  # type: ignore[method-assign, assignment]
        events = [result.events for result in play(pipeline, [image(300)] * 20)]
        ((blind, event),) = ((t, each) for t, of_frame in enumerate(events, 1) for each in of_frame)
        assert isinstance(event, FaceLost)
        lost[event.reason] = blind
    # The frame after the last one in which it is trusted; by then it was missed often enough.
    assert lost == {LossReason.NOT_SEEN: Policy().misses, LossReason.UNCERTAIN: Policy().trust + 1}


def test_a_face_that_the_detector_misses_for_long_is_lost_once_and_for_all() -> None:
    detector = SquareDetector()
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings(detect_every=1))
    first = play(pipeline, [image(300)] * 3)
    detector.detect = no_faces  # type: ignore[method-assign, assignment]
    later = [pipeline.process(Frame(3 + t, (3 + t) / 30, image(300), 0.0)) for t in range(20)]
    assert first[-1].faces
    assert [event for result in later for event in result.events] == [FaceLost(0, LossReason.NOT_SEEN)]
    assert not later[-1].faces


class CoveringEngine(SquareEngine):
    """Sees only the brighter of two squares in a crop: the face in front."""

    def _target(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        front = np.where(crop > FRONT, crop, 0) if np.count_nonzero(crop[:, :, 0] > FRONT) > 500 else crop
        return super()._target(front.astype(np.uint8))


FRONT = 245


@pytest.mark.parametrize("walker", [0, 1])
@pytest.mark.slow
def test_of_two_faces_that_cross_the_one_in_front_keeps_its_number_and_the_other_is_lost(walker: int) -> None:
    begin, end, other = (120, 520, 340) if walker == 0 else (520, 120, 340)
    pictures = []
    for x in np.linspace(begin, end, 50):
        picture = np.minimum(face_image(640, 360, other, 180, SIDE), 235)
        left = round(float(x) - SIDE / 2)
        picture[120:240, left : left + 120] = 255
        pictures.append(picture)
    pipeline = Pipeline(CoveringEngine(), SquareDetector(), TrackingSettings(rwr=False, max_faces=2, detect_every=5))
    results = play(pipeline, pictures)
    number = next(face.face for face in results[3].faces if abs(face.crop.centre_x - begin) < 80)
    for result, x in zip(results, np.linspace(begin, end, 50), strict=True):
        in_front = next(face for face in result.faces if face.face == number)
        assert abs(float(in_front.estimate.landmarks[:, 0].mean()) - x) < 30
    before: set[int] = set()
    for result in results:
        now = {face.face for face in result.faces}
        lost = {event.face for event in result.events if isinstance(event, FaceLost)}
        assert before - now == lost
        before = now


def test_the_most_central_face_is_followed_where_that_is_asked_for() -> None:
    pictures = [np.maximum(face_image(640, 360, 110, 180, 140), face_image(640, 360, 340, 180, 100))] * 2
    for follow, x in (("largest", 110), ("centre", 340)):
        (face,) = play(build(follow=follow), pictures)[-1].faces
        assert abs(face.crop.centre_x - x) < 20


def test_the_face_with_the_number_asked_for_comes_first() -> None:
    pictures = [np.maximum(face_image(640, 360, 110, 180, 140), face_image(640, 360, 340, 180, 100))] * 2
    orders = {
        follow: [face.face for face in play(build(max_faces=2, follow=follow), pictures)[-1].faces]
        for follow in ("largest", "first", "1")
    }
    assert orders == {"largest": [0, 1], "first": [0, 1], "1": [1, 0]}
