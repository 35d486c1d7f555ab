"""What recordings share: their clock, their names, and the priority of the thread that encodes."""

from __future__ import annotations

import os
import sys
import threading
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from app.core.files import check_writable, unique_path
from app.core.frame import Frame
from app.core.priority import NICENESS, yield_to_others
from app.media.clock import RecordingClock


def clock_times(*pairs: tuple[float, float]) -> list[float]:
    clock = RecordingClock()
    image = np.zeros((1, 1, 3), np.uint8)
    return [clock.time(Frame(i, stamp, image, captured)) for i, (stamp, captured) in enumerate(pairs)]


def test_the_clock_prefers_regular_stamps_to_jittery_captures() -> None:
    assert clock_times((5.0, 100.0), (5.1, 100.13), (5.2, 100.18)) == pytest.approx([0, 0.1, 0.2])


def test_the_clock_goes_on_where_a_clip_starts_over() -> None:
    assert clock_times((0.0, 9.0), (0.1, 9.1), (0.0, 9.2), (0.1, 9.3)) == pytest.approx([0, 0.1, 0.2, 0.3])


def test_the_clock_follows_the_wall_where_stamps_run_away() -> None:
    slow = clock_times(*[(k * 0.05, 1 + k * 0.1) for k in range(40)])
    assert slow[-1] == pytest.approx(3.9, abs=RecordingClock.TOLERANCE)
    assert all(b > a for a, b in pairwise(slow))


@pytest.mark.parametrize("speed", [0.25, 0.5, 1.5, 2.0])
def test_a_file_that_is_played_at_another_speed_is_recorded_evenly(speed: float) -> None:
    times = clock_times(*[(k / 30, 50 + k / 30 / speed) for k in range(240)])
    steps = np.diff(times)[45:]  # at first it cannot be told
    assert steps == pytest.approx(np.full(len(steps), 1 / 30 / speed), abs=0.002)


def test_the_clock_uses_regular_stamps_again_once_they_keep_step() -> None:
    slow = [(k / 30, 50 + k / 15) for k in range(90)]
    stamp, wall = slow[-1]
    jitter = np.random.default_rng(0).uniform(0, 0.01, 120)
    evenly = [(stamp + k / 30, wall + k / 30 + jitter[k - 1]) for k in range(1, 121)]
    steps = np.diff(clock_times(*slow, *evenly))[-60:]
    assert steps == pytest.approx(np.full(60, 1 / 30), abs=1e-6)


def test_the_clock_always_advances() -> None:
    times = clock_times((1.0, 1.0), (1.0, 1.0), (1.0, 0.5), (0.2, 0.2))
    assert all(b > a for a, b in pairwise(times))


def test_names_are_never_used_twice(tmp_path: Path) -> None:
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
