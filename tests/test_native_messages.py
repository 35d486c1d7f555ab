"""Hiding the native library's chatter, and nobody else's words. Writes go to the descriptor, as the library's do."""

from __future__ import annotations

import logging
import os
import threading

import pytest

from app.tracking import native_messages
from app.tracking.native_messages import native_messages_hidden, split_chatter
from tests.waiting import PATIENCE_SECONDS

CHATTER = (
    b"INFO: Created TensorFlow Lite XNNPACK delegate for CPU.\n"
    b"WARNING: [model_load.cc:402] Sparsity tensors may not yet be fully supported.\n"
    b"W0000 00:00:1795277584.523296   10482 inference_runner_litert.cc:1418] Input tensor memory is not aligned.\n"
)


def write(text: bytes) -> None:
    os.write(2, text)


def test_information_and_warnings_are_hidden_and_noted(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG, logger=native_messages.__name__), native_messages_hidden():
        write(CHATTER)
    assert capfd.readouterr().err == ""
    assert "Sparsity tensors" in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        b"ERROR: [model_load.cc:77] The model is damaged.\n",
        b"E0000 00:00:1795277584.5   10482 graph.cc:9] Cannot start.\n",
        b"F0000 00:00:1795277584.5   10482 cpu.cc:9] This processor is too old.\n",
        b"Traceback (most recent call last):\n",
        b"ldeq-live: The camera was unplugged.\n",
        b"Information about I0000 without an end of line",
    ],
)
def test_every_other_line_is_written_on(line: bytes, capfd: pytest.CaptureFixture[str]) -> None:
    with native_messages_hidden():
        write(CHATTER + line)
    assert capfd.readouterr().err == line.decode()


def test_an_exception_passes_and_everything_before_it_is_shown(capfd: pytest.CaptureFixture[str]) -> None:
    def load() -> None:
        with native_messages_hidden():
            write(CHATTER)
            raise RuntimeError("no model")

    with pytest.raises(RuntimeError, match="no model"):
        load()
    write(b"restored\n")
    assert capfd.readouterr().err == CHATTER.decode() + "restored\n"


def test_nested_blocks_restore_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    with native_messages_hidden():
        with native_messages_hidden():
            write(CHATTER + b"inner\n")
        write(CHATTER + b"outer\n")
    write(b"INFO: after\n")
    assert capfd.readouterr().err == "inner\nouter\nINFO: after\n"


def test_threads_lose_nothing_and_leave_the_terminal_as_it_was(capfd: pytest.CaptureFixture[str]) -> None:
    together = threading.Barrier(4)

    def load(number: int) -> None:
        together.wait(PATIENCE_SECONDS)
        for step in range(4):
            with native_messages_hidden():
                write(CHATTER)
                write(b"thread %d step %d\n" % (number, step))

    def talk() -> None:
        together.wait(PATIENCE_SECONDS)
        for step in range(100):
            write(b"talk %d\n" % step)

    threads = [threading.Thread(target=load, args=(number,)) for number in range(3)] + [threading.Thread(target=talk)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    write(b"INFO: after\n")
    lines = capfd.readouterr().err.splitlines()
    assert lines[-1] == "INFO: after"
    loads = [f"thread {number} step {step}" for number in range(3) for step in range(4)]
    assert sorted(lines[:-1]) == sorted(loads + [f"talk {step}" for step in range(100)])


def test_no_descriptor_is_left_open(capfd: pytest.CaptureFixture[str]) -> None:
    with native_messages_hidden():
        pass
    before = os.dup(2)
    os.close(before)
    for _ in range(5):
        with native_messages_hidden():
            pass
    after = os.dup(2)
    os.close(after)
    assert after == before


def test_without_standard_error_nothing_happens(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.__stderr__", None)
    with native_messages_hidden():
        write(CHATTER)
    with pytest.raises(KeyError) as caught, native_messages_hidden():
        raise KeyError("mine")
    assert caught.value.__context__ is None
    assert capfd.readouterr().err == CHATTER.decode()


def test_a_line_begun_by_somebody_else_stays() -> None:
    others, chatter = split_chatter(b" 40%|####      INFO: glued to a progress bar\r\nINFO: alone\n")
    assert others == b" 40%|####      INFO: glued to a progress bar\r\n"
    assert chatter == b"INFO: alone\n"
