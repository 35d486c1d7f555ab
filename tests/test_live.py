"""The live pipeline's threads, with sources and engines that behave and misbehave."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from app.core.errors import UserError
from app.core.frame import Frame, FrameResult
from app.core.settings import TrackingSettings
from app.core.system_libraries import RUNTIME
from app.sources.base import Playback
from app.sources.open import open_source
from app.sources.paced import PacedSource
from app.sources.spec import PathSpec
from app.tracking.live import LivePipeline, LiveState
from app.tracking.pipeline import Pipeline
from model.errors import ModelError
from tests.fakes import SquareDetector, SquareEngine, face_image
from tests.sources_fakes import FakeSource, write_video
from tests.waiting import PATIENCE_SECONDS, wait_until


def build(settings: TrackingSettings | None = None) -> Pipeline:
    return Pipeline(SquareEngine(), SquareDetector(), settings or TrackingSettings())


def test_results_flow_until_stopped() -> None:
    source, seen = FakeSource(), list[FrameResult]()
    live = LivePipeline(lambda: source, build, TrackingSettings())
    live.add_consumer(seen.append)
    live.start()
    wait_until(lambda: len(seen) >= 5)
    assert live.status.state == LiveState.RUNNING
    assert live.status.engine == "fake, CPU"
    assert live.status.info == source.info
    assert live.stop(PATIENCE_SECONDS)
    assert live.status.state == LiveState.STOPPED
    assert source.closed.is_set()
    assert all(result.faces for result in seen)
    assert [result.frame.index for result in seen] == sorted({result.frame.index for result in seen})


def test_every_frame_of_a_file_is_solved_once() -> None:
    seen: list[int] = []
    live = LivePipeline(lambda: FakeSource(60, live=False), build, TrackingSettings())
    live.add_consumer(lambda result: seen.append(result.frame.index))
    live.start()
    wait_until(lambda: live.status.state == LiveState.ENDED)
    assert seen == list(range(60))
    assert (live.status.captured, live.status.processed, live.status.skipped) == (60, 60, 0)
    live.stop(PATIENCE_SECONDS)


def test_skipped_frames_are_counted() -> None:
    live = LivePipeline(lambda: FakeSource(200), build, TrackingSettings())

    def wait_for_two_more(result: FrameResult) -> None:
        if result.frame.index == 0:
            wait_until(lambda: live.status.captured >= 3)

    live.add_consumer(wait_for_two_more)
    live.start()
    wait_until(lambda: live.status.state == LiveState.ENDED)
    status = live.status
    assert status.skipped > 0
    assert status.processed + status.skipped == status.captured == 200
    live.stop(PATIENCE_SECONDS)


def test_a_live_source_rests_and_goes_on() -> None:
    seen: list[int] = []
    live = LivePipeline(FakeSource, build, TrackingSettings())
    live.add_consumer(lambda result: seen.append(result.frame.index))
    live.start()
    wait_until(lambda: len(seen) > 2)
    live.rest(True)
    captured, solved = live.status.captured, len(seen)
    wait_until(lambda: live.status.captured > captured + 10)
    assert len(seen) <= solved + 1  # one may have been under way
    live.rest(False)
    wait_until(lambda: len(seen) > solved + 3)
    status = live.status
    assert status.skipped >= 9
    assert status.captured - status.processed - status.skipped <= 3  # just read, waiting, being solved
    assert live.stop(PATIENCE_SECONDS)


def test_every_frame_of_a_file_is_solved_though_nobody_looks() -> None:
    live = LivePipeline(lambda: FakeSource(30, live=False), build, TrackingSettings())
    live.rest(True)
    live.start()
    wait_until(lambda: live.status.state == LiveState.ENDED)
    assert (live.status.processed, live.status.skipped) == (30, 0)
    live.stop(PATIENCE_SECONDS)


def test_settings_take_effect_without_a_restart() -> None:
    modes: list[str] = []
    live = LivePipeline(FakeSource, build, TrackingSettings())
    live.add_consumer(lambda result: modes.extend(face.estimate.mode for face in result.faces))
    live.start()
    wait_until(lambda: "rwr" in modes)
    live.configure(TrackingSettings(rwr=False))
    wait_until(lambda: "cold" in modes)
    live.stop(PATIENCE_SECONDS)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda: FakeSource(5, then="raise"), "unplugged"),
        (lambda: FakeSource(5, then="silence", patience=0.4), "stopped delivering"),
    ],
    ids=["unplugged", "silent"],
)
def test_a_source_that_fails_ends_with_its_sentence(source: Callable[[], FakeSource], message: str) -> None:
    live = LivePipeline(source, build, TrackingSettings())
    live.start()
    wait_until(lambda: live.status.state == LiveState.FAILED)
    assert message in live.status.error
    assert live.stop(PATIENCE_SECONDS)


def test_what_the_source_says_of_itself_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    source = FakeSource()
    source.info = replace(source.info, remark="Its pictures are turned.")
    live = LivePipeline(lambda: source, build, TrackingSettings())
    live.start()
    wait_until(lambda: live.status.state == LiveState.RUNNING)
    assert live.status.note == "Its pictures are turned."
    monkeypatch.setattr("app.tracking.live.NEWS_SECONDS", 0.0)
    assert live.status.note == "", "it is no longer news"
    source.note = "The connection was lost; attempt 1 of 3 to restore it."  # type: ignore[attr-defined]
    assert live.status.note == "The connection was lost; attempt 1 of 3 to restore it."
    live.stop(PATIENCE_SECONDS)


def refuse(error: Exception) -> Callable[[], object]:
    def opener() -> object:
        raise error

    return opener


@pytest.mark.parametrize("error", [UserError("Not there; look elsewhere."), ModelError("wrong weights"), OSError("no")])
def test_what_cannot_be_opened_is_reported(error: Exception) -> None:
    for opener, builder in ((refuse(error), build), (FakeSource, refuse(error))):
        live = LivePipeline(opener, builder, TrackingSettings())  # type: ignore[arg-type]
        live.start()
        wait_until(lambda live=live: live.status.state == LiveState.FAILED)  # type: ignore[misc]
        assert str(error) in live.status.error
        assert live.stop(PATIENCE_SECONDS)


def test_a_library_that_windows_cannot_load_is_no_internal_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.core.system_libraries.sys.platform", "win32")
    live = LivePipeline(FakeSource, refuse(ImportError("DLL load failed while importing x")), TrackingSettings())  # type: ignore[arg-type]
    live.start()
    wait_until(lambda: live.status.state == LiveState.FAILED)
    assert RUNTIME in live.status.error
    assert live.stop(PATIENCE_SECONDS)


def test_source_is_closed_when_the_engine_fails() -> None:
    source = FakeSource()
    live = LivePipeline(lambda: source, refuse(ModelError("wrong weights")), TrackingSettings())  # type: ignore[arg-type]
    live.start()
    wait_until(lambda: live.status.state == LiveState.FAILED)
    assert source.closed.wait(PATIENCE_SECONDS)


def test_no_model_is_loaded_for_a_source_that_opens_after_the_stop() -> None:
    source, stopped, built = FakeSource(), threading.Event(), list[TrackingSettings]()

    def open_late() -> FakeSource:
        assert stopped.wait(PATIENCE_SECONDS)
        return source

    def load() -> Pipeline:
        built.append(TrackingSettings())
        return build()

    live = LivePipeline(open_late, load, TrackingSettings())
    live.start()
    assert not live.stop(0.0)
    stopped.set()
    wait_until(lambda: live.status.state == LiveState.STOPPED)
    assert source.closed.is_set()
    assert built == []


def test_a_failing_consumer_stops_nobody_and_is_dropped() -> None:
    seen: list[FrameResult] = []
    failed: list[FrameResult] = []

    def failing(result: FrameResult) -> None:
        failed.append(result)
        raise ZeroDivisionError

    live = LivePipeline(FakeSource, build, TrackingSettings())
    live.add_consumer(failing)
    live.add_consumer(seen.append)
    live.start()
    wait_until(lambda: len(seen) > 3)
    assert live.status.state == LiveState.RUNNING
    assert len(failed) == 1
    live.stop(PATIENCE_SECONDS)


def test_threads_end_with_every_run() -> None:
    before = set(threading.enumerate())
    for frames in (0, 1, 3, 10**9, 10**9):
        live = LivePipeline(lambda frames=frames: FakeSource(frames), build, TrackingSettings())  # type: ignore[misc]
        live.start()
        assert live.stop(PATIENCE_SECONDS)
        assert live.stop(PATIENCE_SECONDS)
    wait_until(lambda: set(threading.enumerate()) <= before)


class CountingPipeline(Pipeline):
    """Notes before which frames it was told to forget."""

    def __init__(self) -> None:
        super().__init__(SquareEngine(), SquareDetector(), TrackingSettings())
        self.forgotten = 0
        self.fresh: list[int] = []

    def forget(self) -> None:
        self.forgotten += 1
        super().forget()

    def process(self, frame: Frame) -> FrameResult:
        before, self.forgotten = self.forgotten, 0
        if before:
            self.fresh.append(frame.index)
        return super().process(frame)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    pictures = [face_image(320, 240, 100 + index, 120, 80) for index in range(60)]
    return write_video(tmp_path / "clip.mp4", pictures)


PAUSED_AT = 3


def pausing(clip: Path) -> Callable[[], PacedSource]:
    """Return what opens the clip so that it pauses after a few frames, however late the test looks at it."""

    def opened() -> PacedSource:
        source = open_source(PathSpec(str(clip)), realtime=True, loop=True)
        assert isinstance(source, PacedSource)
        read = source.read

        def read_and_pause() -> Frame | None:
            frame = read()
            if frame is not None and frame.index == PAUSED_AT:
                source.pause(True)
            return frame

        source.read = read_and_pause  # type: ignore[method-assign]
        return source

    return opened


def test_playback_is_steered_and_nothing_is_remembered_over_a_seek(clip: Path) -> None:
    pipeline, seen = CountingPipeline(), list[FrameResult]()
    live = LivePipeline(pausing(clip), lambda: pipeline, TrackingSettings())
    assert live.playable is None  # nothing is open yet
    live.add_consumer(seen.append)
    live.start()
    wait_until(lambda: seen and seen[-1].frame.index == PAUSED_AT)
    source = live.playable
    assert source is not None
    assert live.status.playback is not None
    assert live.status.playback.paused
    source.seek_to(1.5)
    wait_until(lambda: live.status.playback == Playback(pytest.approx(1.5), pytest.approx(2.0), True, 1.0))
    wait_until(lambda: abs(centre(seen[-1]) - (100 + 45)) < 1)
    sought = seen[-1]
    assert sought.faces[0].estimate.report.reason == "first frame"
    assert sought.faces[0].estimate.flicker is None
    assert pipeline.fresh == [sought.frame.index]
    source.step(1)
    wait_until(lambda: seen[-1] is not sought)
    assert seen[-1].faces[0].estimate.report.warm
    assert seen[-1].faces[0].estimate.flicker is not None
    source.set_speed(2.0)
    source.pause(False)
    wait_until(lambda: len(pipeline.fresh) > 1)  # the loop's seam
    indices = [result.frame.index for result in seen]
    times = [result.frame.timestamp for result in seen]
    assert indices == sorted(set(indices))
    assert times == sorted(set(times))
    readings = [face.estimate.flicker for result in seen for face in result.faces]
    assert max(reading.overall for reading in readings if reading is not None) < 5
    assert live.stop(PATIENCE_SECONDS)
    assert live.status.playback is None
    assert live.playable is None


def test_settings_changed_while_paused_show_on_the_picture_in_view(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[FrameResult]()
    live = LivePipeline(pausing(clip), build, TrackingSettings())
    live.add_consumer(seen.append)
    live.start()
    wait_until(lambda: seen and seen[-1].frame.index == PAUSED_AT)
    assert live.playable is not None
    live.playable.seek_to(1.0)
    wait_until(lambda: abs(centre(seen[-1]) - (100 + 30)) < 1)
    count, shown, show_again = len(seen), [], live.playable.show_again
    monkeypatch.setattr(live.playable, "show_again", lambda: shown.append(1) or show_again())
    live.configure(TrackingSettings())  # nothing new, so nothing happens
    live.configure(TrackingSettings(follow="first"))  # changes no solution
    assert shown == []
    live.configure(TrackingSettings(rwr=False, follow="first"))
    wait_until(lambda: len(seen) > count)
    assert seen[-1].faces[0].estimate.mode == "cold"
    assert abs(centre(seen[-1]) - (100 + 30)) < 1
    assert len(seen) == count + 1
    assert seen[-1].frame.index == seen[-2].frame.index + 1
    live.stop(PATIENCE_SECONDS)


def centre(result: FrameResult) -> float:
    return float(result.faces[0].estimate.landmarks[:, 0].mean()) if result.faces else -1e3


def test_paused_source_can_be_stopped(clip: Path) -> None:
    live = LivePipeline(partial(open_source, PathSpec(str(clip)), realtime=True, loop=True), build, TrackingSettings())
    live.start()
    wait_until(lambda: live.playable is not None)
    assert live.playable is not None
    live.playable.pause(True)
    assert live.stop(PATIENCE_SECONDS)
    assert live.status.state == LiveState.STOPPED


def test_tracking_restarts_on_demand_for_any_source() -> None:
    pipeline, seen = CountingPipeline(), list[FrameResult]()
    live = LivePipeline(FakeSource, lambda: pipeline, TrackingSettings())
    live.add_consumer(seen.append)
    live.start()
    wait_until(lambda: len(seen) > 2)
    assert live.status.playback is None
    live.restart_tracking()
    wait_until(lambda: bool(pipeline.fresh))
    first = pipeline.fresh[0]
    wait_until(lambda: seen[-1].frame.index > first)
    cold = [result.frame.index for result in seen if not result.faces[0].estimate.report.warm]
    assert cold == [seen[0].frame.index, first]
    assert live.stop(PATIENCE_SECONDS)
    assert pipeline.fresh == [first]
