"""The background thread: what it returns and raises, and that it ends."""

from __future__ import annotations

import gc
import threading
import weakref

import numpy as np
import pytest

from app.tracking.background_worker import BackgroundWorker
from tests.waiting import PATIENCE_SECONDS, wait_until


def test_jobs_run_in_the_background_in_order() -> None:
    worker, gate, done = BackgroundWorker("jobs"), threading.Event(), list[int]()

    def first() -> int:
        gate.wait(PATIENCE_SECONDS)
        done.append(1)
        return 1

    futures = [worker.submit(first), worker.submit(lambda: len(done) + 1)]
    assert done == []  # the caller goes on meanwhile
    gate.set()
    assert [future.result() for future in futures] == [1, 2]
    worker.close()


def test_an_error_reaches_the_caller_and_the_next_job_is_done() -> None:
    worker = BackgroundWorker("jobs")

    def fail() -> None:
        raise RuntimeError("the driver is gone")

    failed, fine = worker.submit(fail), worker.submit(lambda: "fine")
    with pytest.raises(RuntimeError, match="the driver is gone"):
        failed.result()
    assert fine.result() == "fine"
    worker.close()


def test_it_keeps_one_thread_and_leaves_none() -> None:
    worker = BackgroundWorker("jobs of a test")
    threads = {worker.submit(threading.get_ident).result() for _ in range(5)}
    assert len(threads) == 1
    assert threading.get_ident() not in threads
    worker.close()
    worker.close()
    wait_until(lambda: not any(thread.name == "jobs of a test" for thread in threading.enumerate()))
    with pytest.raises(RuntimeError, match="has ended"):
        worker.submit(threading.get_ident)  # rather than wait for ever


@pytest.mark.slow
def test_a_worker_that_is_never_closed_leaves_no_thread() -> None:
    worker = BackgroundWorker("forgotten")
    worker.submit(lambda: None).result()
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "forgotten"]
    del worker
    gc.collect()
    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


@pytest.mark.slow
def test_it_keeps_no_reference_to_finished_jobs() -> None:
    worker = BackgroundWorker("jobs")
    pictures = np.zeros((4, 4))
    seen = weakref.ref(pictures)
    assert worker.submit(pictures.sum).result() == 0
    del pictures
    worker.submit(lambda: None).result()  # the first job is released once this one is done
    gc.collect()
    assert seen() is None
    worker.close()
