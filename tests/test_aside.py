"""The thread beside the tracker's: what it gives back, what it raises, and that it ends."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from app.tracking.background_worker import Aside


def test_work_goes_on_beside_and_in_turn() -> None:
    aside, gate, done = Aside("beside"), threading.Event(), list[int]()

    def first() -> int:
        gate.wait(5)
        done.append(1)
        return 1

    waits = [aside.begin(first), aside.begin(lambda: len(done) + 1)]
    assert done == []  # the caller goes on meanwhile
    gate.set()
    assert [wait() for wait in waits] == [1, 2]
    assert waits[0]() == 1  # also when asked again
    aside.close()


def test_an_error_reaches_who_waits_and_the_next_work_is_done() -> None:
    aside = Aside("beside")

    def fail() -> None:
        raise RuntimeError("the driver is gone")

    failed, fine = aside.begin(fail), aside.begin(lambda: "fine")
    with pytest.raises(RuntimeError, match="the driver is gone"):
        failed()
    assert fine() == "fine"
    aside.close()


def test_it_keeps_one_thread_and_leaves_none() -> None:
    aside = Aside("beside for a test")
    before = threading.active_count()
    threads = {aside.begin(threading.get_ident)() for _ in range(5)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    aside.close()
    aside.close()
    assert threading.active_count() == before
    with pytest.raises(RuntimeError, match="has ended"):
        aside.begin(threading.get_ident)  # rather than wait for ever


def test_who_is_forgotten_leaves_no_thread_either() -> None:
    aside = Aside("forgotten")
    aside.begin(lambda: None)()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "forgotten"]
    del aside
    gc.collect()
    thread.join(5)
    assert not thread.is_alive()


def test_it_keeps_nothing_of_what_is_done() -> None:
    aside = Aside("beside")
    pictures = np.zeros((4, 4))
    seen = weakref.ref(pictures)
    assert aside.begin(pictures.sum)() == 0
    del pictures
    aside.begin(lambda: None)()  # the first has been let go when this one is done
    gc.collect()
    assert seen() is None
    aside.close()
