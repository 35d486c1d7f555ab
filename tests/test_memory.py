"""Memory that was let go goes back to the system."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

import pytest

from app.core import memory
from app.core.places import ROOT
from tests.waiting import PROCESS_SECONDS

pytestmark = pytest.mark.process

HOARD = """
import sys, threading
from app.core.memory import give_back, share_one_heap
import numpy as np
if sys.argv[1] == "given back":
    assert share_one_heap()

def resident():
    import os
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

def pictures(kept):
    # Small things that live on between pictures that do not, on a thread of its own, as a source's.
    for _ in range(15):
        shown = [np.ones(3_000_000, np.uint8) for _ in range(3)]
        kept.append(bytes(2_000))
        del shown

kept, before = [], resident()
for _ in range(6):
    thread = threading.Thread(target=pictures, args=(kept,))
    thread.start()
    thread.join()
    if sys.argv[1] == "given back":
        give_back()
print((resident() - before) >> 20)
"""


def hoarded(how: str) -> int:
    """Return the mebibytes that a process has left after pictures came and went on six threads."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    words = [sys.executable, "-c", HOARD, how]
    done = subprocess.run(
        words, capture_output=True, text=True, cwd=ROOT, env=environment, check=True, timeout=PROCESS_SECONDS
    )
    return int(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems' libraries give back by themselves")
def test_pictures_that_are_gone_leave_nothing_behind() -> None:
    assert hoarded("given back") <= 4 < hoarded("kept")


def test_limits_of_ones_own_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert not memory.share_one_heap()


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not memory.share_one_heap()
    assert not memory.give_back()


class Cyclic:
    itself: Cyclic


def test_what_is_there_is_set_aside_once() -> None:
    memory.set_aside.cache_clear()
    gc.unfreeze()
    try:
        garbage = Cyclic()
        garbage.itself = garbage
        freed = weakref.ref(garbage)
        del garbage
        memory.set_aside()
        assert freed() is None
        frozen = gc.get_freeze_count()
        assert frozen > 10_000  # this interpreter's modules
        later = [[number] for number in range(1000)]
        memory.set_aside()
        assert gc.get_freeze_count() <= frozen
        assert gc.is_tracked(later)
    finally:
        gc.unfreeze()
        memory.set_aside.cache_clear()
