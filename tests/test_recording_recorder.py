"""The live recorder: never in the way, right speed, one summary at the end."""

from __future__ import annotations

import csv
import os
import sys
import threading
from datetime import datetime
from itertools import pairwise

import numpy as np
import pytest

from app.errors import RecordingError
from app.pipeline.frame import Frame
from app.recording import recorder as module
from app.recording.paths import check_writable, unique_path
from app.recording.priority import NICENESS, yield_to_others
from app.recording.recorder import Recorder, RecordingClock
from app.recording.video import VideoWriter
from tests.recording_fakes import COLD_ESTIMATE, picture, read_video, result


def alive():
    return [thread for thread in threading.enumerate() if thread.name == "recorder"]


@pytest.fixture(autouse=True)
def _no_thread_is_left():
    yield
    for thread in alive():
        thread.join(5)
    assert not alive()


@pytest.fixture(autouse=True)
def _a_busy_machine_drops_nothing(monkeypatch):
    monkeypatch.setattr(module, "QUEUE_SECONDS", 3600.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.mp4"


@pytest.fixture
def gate(monkeypatch):
    """Hold every write back until the event is set."""
    event = threading.Event()
    write = VideoWriter.write

    def slow(self, image, time):
        assert event.wait(30)
        write(self, image, time)

    monkeypatch.setattr(VideoWriter, "write", slow)
    yield event
    event.set()


def test_records_what_it_is_offered(path):
    recorder = Recorder(path, overlay=False)
    for index in range(20):
        recorder.offer(result(index))
    summary = recorder.stop()
    assert summary.path == path
    assert (summary.frames, summary.dropped, summary.damaged, summary.error) == (20, 0, 0, None)
    assert summary.seconds == pytest.approx(20 / 30, abs=1e-3)
    video = read_video(path)
    assert video.indices == list(range(20))
    assert [float(time) for time in video.times] == pytest.approx([k / 30 for k in range(20)], abs=1e-4)


def test_draws_the_overlay(path):
    recorder = Recorder(path)
    recorder.offer(result(0))
    recorder.stop()
    assert np.ptp(read_video(path).images[0]) > 100


def test_offering_never_waits_and_counts_what_is_dropped(path, gate):
    recorder = Recorder(path, overlay=False, queue_frames=4)
    for index in range(20):
        recorder.offer(result(index))
    dropped = recorder.dropped
    assert 15 <= dropped <= 16  # one may be in the writer's hands
    gate.set()
    summary = recorder.stop()
    assert summary.dropped == dropped
    assert summary.frames == 20 - dropped == len(read_video(path).times)


def test_the_queue_is_bounded_in_bytes_too(path, gate, monkeypatch):
    monkeypatch.setattr(module, "QUEUE_BYTES", 3 * picture(0).nbytes)
    recorder = Recorder(path, overlay=False)
    for index in range(10):
        recorder.offer(result(index))
    assert 6 <= recorder.dropped <= 7
    gate.set()
    assert recorder.stop().frames == 10 - recorder.dropped


def test_a_late_writer_keeps_new_results_out(path, gate, monkeypatch):
    recorder = Recorder(path, overlay=False)
    recorder.offer(result(0))
    recorder.offer(result(1))
    monkeypatch.setattr(module, "QUEUE_SECONDS", -1.0)
    while recorder.dropped == 0:  # the first may still have to reach the writer's hands
        recorder.offer(result(2))
    gate.set()
    assert recorder.stop().error is None
    assert 1 <= len(read_video(path).times) <= 3


def test_dropped_frames_do_not_change_the_speed(path):
    recorder = Recorder(path, overlay=False)
    for index in (0, 1, 2, 9, 10):
        recorder.offer(result(index))
    recorder.stop()
    assert float(read_video(path).times[-1]) == pytest.approx(10 / 30, abs=1e-4)


def test_a_bad_frame_does_not_end_the_recording(path):
    recorder = Recorder(path, overlay=False)
    recorder.offer(result(0))
    recorder.offer(result(1, image=np.zeros((48, 64), np.uint8)))
    recorder.offer(result(2, time=float("nan")))
    recorder.offer(result(3))
    summary = recorder.stop()
    assert (summary.frames, summary.damaged, summary.error) == (2, 2, None)
    assert read_video(path).indices == [0, 3]


def test_a_change_of_size_is_letterboxed(path):
    recorder = Recorder(path, overlay=False)
    recorder.offer(result(0))
    recorder.offer(result(1, image=np.full((100, 40, 3), 255, np.uint8)))
    recorder.offer(result(2))
    assert recorder.stop().error is None
    images = read_video(path).images
    assert {image.shape for image in images} == {(48, 64, 3)}
    assert images[1][24, 32].mean() > 240
    assert images[1][24, 4].mean() < 20


def test_an_error_on_the_disk_is_kept_for_the_summary(path, monkeypatch):
    write = VideoWriter.write

    def fail(self, image, time):
        if self.frames == 3:
            raise RecordingError("The disk is full.")
        write(self, image, time)

    monkeypatch.setattr(VideoWriter, "write", fail)
    recorder = Recorder(path, overlay=False)
    for index in range(6):
        recorder.offer(result(index))
    summary = recorder.stop()
    assert (summary.error, summary.frames, summary.dropped) == ("The disk is full.", 3, 2)
    assert recorder.error == "The disk is full."
    recorder.offer(result(9))
    assert recorder.dropped == 3
    assert read_video(path).indices == [0, 1, 2]


def test_stopping_has_a_time_limit(path, gate):
    recorder = Recorder(path, overlay=False, queue_frames=2)
    for index in range(4):
        recorder.offer(result(index))
    assert "not finished" in recorder.stop(timeout=0.05).error
    gate.set()


def test_a_full_queue_at_the_end_still_ends(path, gate):
    recorder = Recorder(path, overlay=False, queue_frames=2)
    for index in range(4):
        recorder.offer(result(index))
    recorder.stop(timeout=0.05)
    gate.set()
    summary = recorder.stop()
    assert summary.error is None
    assert summary.frames == len(read_video(path).times)


def test_stopping_twice_and_without_frames(path):
    recorder = Recorder(path)
    summary = recorder.stop()
    assert (summary.frames, summary.seconds, summary.error) == (0, 0.0, None)
    assert recorder.stop() == summary
    assert not path.exists()
    recorder.offer(result(0))
    assert recorder.dropped == 1


def test_the_table_has_the_recorded_frames_and_the_videos_times(path, tmp_path):
    table = tmp_path / "out.csv"
    recorder = Recorder(path, table=table)
    for index in range(5):
        recorder.offer(result(index, 50 + index / 10, other=COLD_ESTIMATE))
    assert recorder.stop().table == table
    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert [float(row["time"]) for row in rows[::2]] == pytest.approx(
        [float(t) for t in read_video(path).times], abs=1e-5
    )


def test_what_cannot_be_written_is_refused_at_once(path, tmp_path):
    path.write_text("precious")
    with pytest.raises(RecordingError, match="exists already"):
        Recorder(path)
    with pytest.raises(RecordingError, match="does not exist"):
        Recorder(tmp_path / "missing" / "out.mp4")
    assert not alive()
    assert path.read_text() == "precious"


def clock_times(*pairs):
    clock = RecordingClock()
    image = np.zeros((1, 1, 3), np.uint8)
    return [clock.time(Frame(i, stamp, image, captured)) for i, (stamp, captured) in enumerate(pairs)]


def test_the_clock_prefers_regular_stamps_to_jittery_captures():
    assert clock_times((5.0, 100.0), (5.1, 100.13), (5.2, 100.18)) == pytest.approx([0, 0.1, 0.2])


def test_the_clock_goes_on_where_a_clip_starts_over():
    assert clock_times((0.0, 9.0), (0.1, 9.1), (0.0, 9.2), (0.1, 9.3)) == pytest.approx([0, 0.1, 0.2, 0.3])


def test_the_clock_follows_the_wall_where_stamps_run_away():
    slow = clock_times(*[(k * 0.05, 1 + k * 0.1) for k in range(40)])
    assert slow[-1] == pytest.approx(3.9, abs=RecordingClock.TOLERANCE)
    assert all(b > a for a, b in pairwise(slow))


def test_the_clock_always_advances():
    times = clock_times((1.0, 1.0), (1.0, 1.0), (1.0, 0.5), (0.2, 0.2))
    assert all(b > a for a, b in pairwise(times))


def test_names_are_never_used_twice(tmp_path):
    now = datetime(2026, 1, 31, 14, 25, 1)
    first = unique_path(tmp_path, "face", ".mp4", now)
    assert first.name == "face-20260131-142501.mp4"
    first.touch()
    second = unique_path(tmp_path, "face", ".mp4", now)
    assert second.name == "face-20260131-142501-2.mp4"
    check_writable(second)
    assert not second.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a thread's niceness")
def test_the_encoder_steps_back_and_nobody_else_does() -> None:
    seen: list[int] = []

    def work() -> None:
        yield_to_others()
        seen.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

    before = os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [max(before, NICENESS)]
    assert os.getpriority(os.PRIO_PROCESS, threading.get_native_id()) == before
