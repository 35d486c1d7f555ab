"""Engines and detectors that fail while they run: tracking goes on, or ends with one sentence."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import EXIT_FAILURE, UserError
from app.core.event_texts import event_text
from app.core.events import DetectorFailed, EngineReplaced, FaceLost, LossReason, ResetReason
from app.core.frame import Frame
from app.core.settings import EngineSettings, TrackingSettings
from app.sessions.events import EventKind
from app.tracking.detector import FAILURES_IN_A_ROW, Detection
from app.tracking.face_solver import MOST_REPLACEMENTS, NO_NUMBERS, NOT_FINITE_FRAMES
from app.tracking.live import LivePipeline, LiveState
from app.tracking.pipeline import Pipeline, build_pipeline
from model.engine.names import Device, EngineName
from model.engine.onnx_engine import OnnxEngine
from tests.engine_fakes import play, replacements
from tests.fakes import SquareDetector, SquareEngine, face_image
from tests.session_fakes import record
from tests.sources_fakes import FakeSource
from tests.waiting import wait_until

pytestmark = pytest.mark.slow

LOST = "CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=box\nsecond line of a page"


class Gpu(SquareEngine):
    """A stand-in for an engine on a GPU: after ``calls`` calls every one fails as libraries do when the GPU is gone."""

    name = "onnxruntime, CUDA"

    def __init__(self, calls: int, part: str = "evaluate", error: Exception | None = None) -> None:
        super().__init__()
        self._left, self._part, self._error = calls, part, error or RuntimeError(LOST)

    def _use(self, part: str) -> None:
        if part == self._part:
            self._left -= 1
        if self._left < 0:
            raise self._error

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        self._use("encode")
        return super().encode(crops)

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        self._use("evaluate")
        return super().evaluate(z, u)

    def decode(self, z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        self._use("decode")
        return super().decode(z)


class Cpu(SquareEngine):
    name = "onnxruntime, CPU"


class Sick(SquareEngine):
    """Returns NaN from the ``after``-th evaluation on, for ever."""

    name = "onnxruntime, CUDA"

    def __init__(self, after: int = 0) -> None:
        super().__init__()
        self._after = after

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        self._after -= 1
        return super().evaluate(z, u) if self._after >= 0 else np.full_like(z, np.nan)


class FlakyDetector(SquareDetector):
    """Fails in the looks whose numbers are in ``bad``."""

    def __init__(self, bad: Callable[[int], bool]) -> None:
        super().__init__()
        self._bad = bad

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        found = super().detect(image)
        if self._bad(self.looks):
            raise RuntimeError("graph is broken.\npage two")
        return found


def with_spare(engine: SquareEngine, **settings: object) -> Pipeline:
    return Pipeline(engine, SquareDetector(), TrackingSettings(**settings), open_spare=Cpu)  # type: ignore[arg-type]


@pytest.mark.parametrize("compare", [False, True])
@pytest.mark.parametrize(("part", "calls"), [("encode", 0), ("encode", 5), ("evaluate", 20), ("decode", 4)])
def test_a_lost_gpu_costs_no_frame(part: str, calls: int, compare: bool) -> None:
    pipeline = with_spare(Gpu(calls, part), compare=compare)
    results = play(pipeline)
    assert [len(result.faces) for result in results] == [1] * 12
    assert {result.faces[0].face for result in results} == {0}
    assert pipeline.engine_name == "onnxruntime, CPU"
    (said,) = [result for result in results if replacements([result])]
    reason = "CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=box"
    assert replacements(results) == [EngineReplaced("onnxruntime, CUDA", reason, "onnxruntime, CPU")]
    report = said.faces[0].estimate.report
    assert (report.warm, report.reason) == (False, ResetReason.ENGINE_REPLACED)
    assert results[-1].faces[0].estimate.report.warm
    alone = play(with_spare(Cpu(), compare=compare))[-1].faces[0].estimate.landmarks
    assert np.abs(results[-1].faces[0].estimate.landmarks - alone).mean() < 1.0


def test_an_engine_that_gives_no_numbers_is_replaced() -> None:
    pipeline = with_spare(Sick(after=20))
    results = play(pipeline, 20)
    blind = [result.frame.index for result in results if not result.faces]
    assert 0 < len(blind) < NOT_FINITE_FRAMES
    assert [len(result.faces) for result in results[-5:]] == [1] * 5
    assert replacements(results) == [EngineReplaced("onnxruntime, CUDA", NO_NUMBERS, "onnxruntime, CPU")]


def test_frames_without_numbers_count_in_a_row_only() -> None:
    engine = SquareEngine()
    pipeline = with_spare(engine)
    replaced = []
    for index, lost in enumerate([True] * (NOT_FINITE_FRAMES - 1) + [False] + [True] * NOT_FINITE_FRAMES):
        engine.poison = 10**6 if lost else 0
        replaced.append(
            bool(replacements([pipeline.process(Frame(index, index / 30, face_image(320, 240, 160, 120, 80), 0.0))]))
        )
    assert replaced == [False] * (2 * NOT_FINITE_FRAMES - 1) + [True]


class BlindToOne(SquareEngine):
    """Gives no numbers for a face of pure white."""

    def _target(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        target = super()._target(crop)
        target[0, 0, 0] = -1 if crop.max() == 255 else 0
        return target

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        new = super().evaluate(z, u)
        new[u[:, 0, 0, 0] < 0] = np.nan
        return new


def test_an_engine_that_gives_numbers_for_one_face_stays() -> None:
    picture = face_image(640, 360, 140, 180, 100)
    picture[130:230, 440:540] = 255
    pipeline = with_spare(BlindToOne(), max_faces=2, detect_every=1)
    results = [pipeline.process(Frame(t, t / 30, picture, 0.0)) for t in range(2 * NOT_FINITE_FRAMES)]
    assert replacements(results) == []
    assert all(len(result.faces) == 1 for result in results)
    assert any(isinstance(event, FaceLost) for event in results[-1].events)


def test_each_engine_has_its_own_frames_without_numbers() -> None:
    def lost() -> SquareEngine:
        engine = SquareEngine()
        engine.poison = 10**9
        return engine

    pipeline = Pipeline(lost(), SquareDetector(), TrackingSettings(), open_spare=lost)
    # The frame that an engine is replaced in is the first of the next one.
    for _ in range(NOT_FINITE_FRAMES + MOST_REPLACEMENTS * (NOT_FINITE_FRAMES - 1) - 1):
        play(pipeline, 1)
    with pytest.raises(UserError, match="it gave no numbers"):
        play(pipeline, 1)


class Flat(SquareEngine):
    """Puts all points in one place, as weights of zeros do."""

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.ones_like(z)


@pytest.mark.parametrize("compare", [False, True])
def test_points_that_are_all_in_one_place_are_no_face(compare: bool) -> None:
    for result in play(Pipeline(Flat(), SquareDetector(), TrackingSettings(compare=compare)), 4):
        assert result.faces == ()
        assert FaceLost(0, LossReason.TOO_SMALL) in result.events


def test_engines_that_fail_one_after_the_other_end_with_one_sentence() -> None:
    opened: list[Gpu] = []

    def spare() -> Gpu:
        opened.append(Gpu(8))
        return opened[-1]

    pipeline = Pipeline(Gpu(8), SquareDetector(), TrackingSettings(), open_spare=spare)
    with pytest.raises(UserError, match=r"^The model cannot be used any more: .* choose another .*\.$") as caught:
        play(pipeline, 100)
    assert caught.value.exit_code == EXIT_FAILURE
    assert len(opened) == MOST_REPLACEMENTS
    assert "\n" not in str(caught.value)


def test_a_spare_that_cannot_be_opened_is_one_sentence() -> None:
    def spare() -> SquareEngine:
        raise OSError("no such file\nor directory")

    pipeline = Pipeline(Gpu(3), SquareDetector(), TrackingSettings(), open_spare=spare)
    with pytest.raises(UserError, match=r"nothing can take its place \(no such file\)"):
        play(pipeline)


def test_without_a_spare_the_failure_is_the_callers() -> None:
    with pytest.raises(RuntimeError, match="719"):
        play(Pipeline(Gpu(3), SquareDetector(), TrackingSettings()))


def test_the_live_status_says_what_happened() -> None:
    source = FakeSource(frames=30, live=False)
    live = LivePipeline(lambda: source, lambda: with_spare(Gpu(12)), TrackingSettings())
    live.start()
    wait_until(lambda: live.status.state == LiveState.ENDED)
    status = live.status
    assert (status.processed, status.error, status.engine) == (30, "", "onnxruntime, CPU")
    assert status.note == (
        "onnxruntime, CUDA failed (CUDA failure 719: unspecified launch failure ; GPU=0 ; hostname=box), "
        "so tracking goes on with onnxruntime, CPU."
    )


def test_a_recording_keeps_what_happened_and_is_no_longer_exact(tmp_path: Path) -> None:
    results = play(with_spare(Gpu(20)))
    session = record(tmp_path / "session", results)
    assert session.metadata.counts.frames == 12
    faults = [event for event in session.events if event.kind == EventKind.FAULT]
    assert [event.text.startswith("onnxruntime, CUDA failed") for event in faults] == [True]
    assert not session.metadata.exact


def test_a_real_onnxruntime_session_that_fails_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """onnxruntime's own exception, from a run that cannot be done."""
    pipeline = build_pipeline(EngineSettings(engine=EngineName.ONNX, device=Device.CPU, threads=1), TrackingSettings())
    try:
        engine = pipeline._solver.engine
        assert isinstance(engine, OnnxEngine)
        monkeypatch.setattr(engine, "encode", lambda crops: engine._cell.run(None, {"z": crops, "u": crops})[0])
        pipeline._detector.close()
        pipeline._detector._detector = SquareDetector()  # type: ignore[assignment]
        results = play(pipeline, 3)
        spare = pipeline._solver.engine
        assert spare is not engine
        assert isinstance(spare, OnnxEngine)
        assert spare.config == engine.config
        (replaced,) = replacements(results[:1])
        assert event_text(replaced).endswith("so it was started anew")
    finally:
        pipeline.close()


def test_a_detector_that_fails_now_and_then_costs_no_face() -> None:
    detector = FlakyDetector(lambda look: look % 2 == 0)
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings(detect_every=2))
    results = play(pipeline, 40)
    assert [len(result.faces) for result in results] == [1] * 40
    assert sum(DetectorFailed() in result.events for result in results) >= 9


def test_a_detector_that_comes_back_finds_the_face() -> None:
    detector = FlakyDetector(lambda look: look < FAILURES_IN_A_ROW)
    results = play(Pipeline(SquareEngine(), detector, TrackingSettings()), 30)
    assert [len(result.faces) for result in results] == [0] * (FAILURES_IN_A_ROW - 1) + [1] * (31 - FAILURES_IN_A_ROW)


def test_a_detector_that_always_fails_ends_with_one_sentence() -> None:
    source = FakeSource(frames=200, live=False)
    detector = FlakyDetector(lambda look: True)
    live = LivePipeline(
        lambda: source, lambda: Pipeline(SquareEngine(), detector, TrackingSettings()), TrackingSettings()
    )
    live.start()
    wait_until(lambda: live.status.state == LiveState.FAILED)
    assert live.status.error == (
        "The face detector fails again and again (graph is broken): start again; doctor shows what is wrong."
    )
    assert detector.closed


def test_a_detector_that_cannot_even_be_closed_hides_no_error() -> None:
    """MediaPipe reports the errors of its graph once more when that is closed."""
    detector = FlakyDetector(lambda look: True)

    def broken() -> None:
        raise RuntimeError("graph is broken")

    detector.close = broken  # type: ignore[method-assign]
    pipeline = Pipeline(SquareEngine(), detector, TrackingSettings())
    pipeline.close()


def test_weights_that_hold_nan_end_with_one_sentence() -> None:
    pipeline = Pipeline(Sick(), SquareDetector(), TrackingSettings(), open_spare=Sick)
    with pytest.raises(UserError, match="gave no numbers"):
        play(pipeline, 100)
