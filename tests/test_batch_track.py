"""Reading ahead and writing behind: order, room, errors from both ends, and no thread left behind."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from app.batch.background_io import QUEUE_SIZE, BackgroundReader, BackgroundWriter, BoundedQueue, queue_size
from app.batch.track import TrackRequest, track_input
from app.core.errors import RecordingError, SourceError
from app.core.frame import Frame, FrameResult
from app.core.settings import EngineSettings, TrackingSettings
from app.media import outputs
from app.media.outputs import OutputPlan
from app.media.video import VideoWriter
from app.sources.base import SourceInfo
from app.sources.spec import parse_source
from tests.recording_fakes import FakePipeline, FileSource, PictureSource, make_video, picture, read_video
from tests.waiting import PATIENCE_SECONDS


@pytest.fixture(autouse=True)
def no_thread_is_left_behind() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    for thread in set(threading.enumerate()) - before:
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive(), thread


class Counted:
    """A source of ``count`` frames that knows how many were read, and raises ``error`` after them."""

    note = ""

    def __init__(
        self, count: int, error: Exception | None = None, live: bool = False, size: tuple[int, int] = (64, 48)
    ) -> None:
        self.count, self.error, self.taken = count, error, 0
        self.info = SourceInfo("counted", *size, 30.0, None if live else count, live)
        self.waiting = threading.Condition()

    def read(self) -> Frame | None:
        with self.waiting:
            index = self.taken
            if index == self.count:
                if self.error is not None:
                    raise self.error
                return None
            self.taken += 1
            self.waiting.notify_all()
        return Frame(index, index / 30, picture(index % 20), index / 30)

    def wait_for(self, count: int) -> bool:
        """Wait until that many frames were read; return whether they were."""
        with self.waiting:
            return self.waiting.wait_for(lambda: self.taken >= count, PATIENCE_SECONDS)

    def close(self) -> None:
        pass


def test_frames_come_in_order_and_then_the_end() -> None:
    with BackgroundReader(Counted(30)) as ahead:
        assert [ahead.read().index for _ in range(30)] == list(range(30))
        assert ahead.read() is None
        assert ahead.read() is None


def test_no_more_is_read_than_may_wait() -> None:
    source = Counted(100)
    with BackgroundReader(source) as ahead:
        assert source.wait_for(QUEUE_SIZE + 1)  # one is in the reader's hand
        assert ahead.read().index == 0
        assert source.wait_for(QUEUE_SIZE + 2)
        assert source.taken == QUEUE_SIZE + 2
    assert source.taken == QUEUE_SIZE + 2


def test_an_error_of_the_source_comes_after_its_frames_and_once() -> None:
    error = SourceError("The file is damaged.")
    with BackgroundReader(Counted(3, error)) as ahead:
        assert [ahead.read().index for _ in range(3)] == [0, 1, 2]
        with pytest.raises(SourceError) as caught:
            ahead.read()
        assert caught.value is error
        assert ahead.read() is None


def test_large_pictures_wait_in_smaller_numbers() -> None:
    def info(width: int, height: int) -> SourceInfo:
        return SourceInfo("", width, height, None, None, False)

    assert [queue_size(info(*size)) for size in ((0, 0), (1280, 720), (3840, 2160), (16000, 9000))] == [4, 4, 2, 1]


class Sink:
    """Takes values; stops at a gate that is shut, and raises ``error`` at ``bad``."""

    def __init__(self, bad: object = None, error: Exception | None = None) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.bad, self.error = bad, error
        self.values: list[object] = []
        self.finished: list[BaseException | None] = []
        self.threads: set[threading.Thread] = set()

    def write(self, value: object) -> None:
        self.gate.wait(PATIENCE_SECONDS)
        self.threads.add(threading.current_thread())
        if value == self.bad:
            assert self.error is not None
            raise self.error
        self.values.append(value)

    def finish(self, failure: BaseException | None) -> None:
        self.threads.add(threading.current_thread())
        self.finished.append(failure)


def put_all(writer: Any, values: Iterable[object]) -> None:
    for value in values:
        writer.put(value)


def test_values_are_written_in_order_and_finished_on_the_same_thread() -> None:
    sink = Sink()
    writer = BackgroundWriter(sink.write, sink.finish)
    put_all(writer, range(1, 40))
    writer.close()
    writer.close()
    assert sink.values == list(range(1, 40))
    assert sink.finished == [None]
    assert len(sink.threads) == 1
    assert threading.current_thread() not in sink.threads


def test_without_values_it_is_finished_too() -> None:
    sink = Sink()
    BackgroundWriter(sink.write, sink.finish).close()
    assert (sink.values, sink.finished) == ([], [None])


def test_a_slow_writer_holds_the_caller() -> None:
    sink = Sink()
    sink.gate.clear()
    writer = BackgroundWriter(sink.write, sink.finish, size=2)
    put_all(writer, (1, 2, 3))  # the first is in the writer's hand
    held = threading.Thread(target=put_all, args=(writer, (4, 5)))
    held.start()
    held.join(0.05)
    assert held.is_alive()
    assert sink.values == []
    sink.gate.set()
    held.join(PATIENCE_SECONDS)
    writer.close()
    assert sink.values == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("error", [RecordingError("The disk is full."), ZeroDivisionError()])
def test_a_failed_write_reaches_a_caller_who_waits_for_room(error: Any) -> None:
    sink = Sink(bad=3, error=error)
    writer = BackgroundWriter(sink.write, sink.finish, size=1)
    with pytest.raises(type(error)) as caught:
        put_all(writer, range(1, 100))
    assert caught.value is error
    assert sink.values == [1, 2]
    assert sink.finished == [error]
    writer.close()  # told once


def test_a_failed_last_write_is_told_at_the_end() -> None:
    error = RecordingError("The disk is full.")
    sink = Sink(bad=2, error=error)
    writer = BackgroundWriter(sink.write, sink.finish)
    sink.gate.clear()
    writer.put(1)
    writer.put(2)
    sink.gate.set()
    with pytest.raises(RecordingError):
        writer.close()
    assert sink.finished == [error]


def test_an_end_that_fails_is_told() -> None:
    def finish(failure: BaseException | None) -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        BackgroundWriter(lambda value: None, finish).close()


def test_a_stopped_queue_releases_both_sides() -> None:
    queue: BoundedQueue[object] = BoundedQueue(1)
    assert queue.put(1)
    waiting = threading.Thread(target=lambda: queue.put(2))
    waiting.start()
    queue.stop()
    waiting.join(PATIENCE_SECONDS)
    assert not queue.put(3)
    assert queue.take() is None


class Full(VideoWriter):
    """A video whose disk is full at its sixth picture."""

    written = 0

    def write(self, image: NDArray[np.uint8], time: float) -> None:
        if self.written == 5:
            raise RecordingError("The disk is full.")
        super().write(image, time)
        self.written += 1


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "in.mp4"
    make_video(path, range(20), Fraction(1, 30))
    return path


def follow(
    clip: Path | str,
    source: Any = FileSource,
    pipeline: Any = None,
    stopped: Callable[[], bool] = lambda: False,
    **plan: Any,
) -> Any:
    """Track a clip; return what became of it and what was told about progress."""
    told = []
    request = TrackRequest(parse_source(str(clip)), OutputPlan(**plan), TrackingSettings(), EngineSettings())
    tracked = track_input(
        request,
        stopped=stopped,
        progress=lambda frames, total: told.append(frames),
        open_source=source,
        build_pipeline=lambda engine, tracking: pipeline or FakePipeline(),
    )
    return tracked, told


def test_a_disk_that_is_full_ends_the_run_with_its_sentence(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outputs, "VideoWriter", Full)
    pipeline = FakePipeline()
    table = tmp_path / "out.csv"
    tracked, told = follow(clip, pipeline=pipeline, view=tmp_path / "out.mp4", tables=(table,))
    assert str(tracked.problem) == "The disk is full."
    assert not tracked.complete
    assert pipeline.closed
    assert tracked.report.frames == told[-1] == 5  # those written; a few more were followed in vain
    assert 5 < pipeline.processed <= 5 + 1 + QUEUE_SIZE + 1
    assert len(read_video(tmp_path / "out.mp4").times) == 5
    assert len(table.read_text().splitlines()) == 1 + 6


def test_the_error_of_the_earlier_frame_counts(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk turns out to be full at the sixth picture when the source is about to break after the seventh."""
    gate = threading.Event()

    class Late(Full):
        def write(self, image: NDArray[np.uint8], time: float) -> None:
            assert self.written < 5 or gate.wait(PATIENCE_SECONDS)
            super().write(image, time)

    monkeypatch.setattr(outputs, "VideoWriter", Late)
    pipeline = FakePipeline()

    def stopped() -> bool:
        if pipeline.processed == 7:
            gate.set()
        return False

    source = FileSource(clip, breaks_after=7)
    tracked, _ = follow(clip, lambda spec: source, pipeline, stopped, view=tmp_path / "out.mp4")
    assert str(tracked.problem) == "The disk is full."
    assert tracked.report.frames == 5


def test_a_stop_in_the_middle_writes_what_was_followed(clip: Path, tmp_path: Path) -> None:
    pipeline = FakePipeline()
    source = Counted(10_000)
    tracked, told = follow(
        clip, lambda spec: source, pipeline, lambda: pipeline.processed == 50, tables=(tmp_path / "out.csv",)
    )
    assert (tracked.problem, tracked.complete) == (None, False)
    assert tracked.report.frames == told[-1] == pipeline.processed == 50
    assert source.taken <= 50 + QUEUE_SIZE + 1
    assert told[0] == 0
    assert told == sorted(told)


def test_a_live_source_is_not_read_ahead(tmp_path: Path) -> None:
    source = Counted(12, live=True)

    class Watching(FakePipeline):
        def process(self, frame: Frame) -> FrameResult:
            assert source.taken == frame.index + 1
            return super().process(frame)

    tracked, _ = follow("rtsp://camera", lambda spec: source, Watching(), tables=(tmp_path / "out.csv",))
    assert tracked.complete
    assert tracked.report.frames == 12


def test_pictures_that_differ_in_size_keep_their_order(tmp_path: Path) -> None:
    images = [np.full((40 + index, 60, 3), 10 * index, np.uint8) for index in range(9)]
    seen = []

    class Noting(FakePipeline):
        def process(self, frame: Frame) -> FrameResult:
            seen.append(frame.image[0, 0, 0] // 10)
            return replace(super().process(frame), faces=())

    follow("pictures", lambda spec: PictureSource(images), Noting(), view=tmp_path / "out.mp4")
    assert seen == list(range(9))
    times = [float(time) for time in read_video(tmp_path / "out.mp4").times]
    assert times == pytest.approx([k / 25 for k in range(9)], abs=1e-4)
