"""The alarm of long runs names the function that keeps the window's thread busy."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Iterator

import pytest

from benchmarks.work_alarm import WorkAlarm

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="timers of a thread's work are Linux's")


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGPROF)
    yield
    signal.signal(signal.SIGPROF, before)


def busy_until(told: list[str]) -> None:
    while not told:
        sum(range(1000))


def test_it_names_the_function_that_works() -> None:
    told: list[str] = []
    alarm = WorkAlarm(0.01, told.append)
    alarm.start()
    busy_until(told)
    alarm.stop()
    assert "busy_until (test_work_alarm.py:" in told[0]


def test_waiting_is_no_work() -> None:
    told: list[str] = []
    alarm = WorkAlarm(0.05, told.append)
    alarm.start()
    time.sleep(0.2)
    alarm.stop()
    assert told == []


def test_it_can_be_stopped_and_started_again() -> None:
    told: list[str] = []
    alarm = WorkAlarm(0.01, told.append)
    alarm.start()
    alarm.stop()
    worked = time.thread_time()
    while time.thread_time() < worked + 0.05:
        pass
    assert told == []
    alarm.start()
    busy_until(told)
    alarm.stop()
    assert told
