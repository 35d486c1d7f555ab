"""Keeps the memory of a long run low: pictures come and go on several threads, and glibc keeps what they leave.

It gives each thread a heap of its own, so a picture freed on another thread leaves a hole that its own thread may not
fill for long: the live pipeline grew by 80 MiB in two minutes, and by 6 MiB with one heap, and was not slower. It also
learns from the first pictures to take blocks of their size from its heap, where small blocks that live longer hold them
in place: each start of a source left 20 to 60 MiB behind. With a fixed limit they go back to the system at once.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""From glibc's malloc.h."""
LARGE_BYTES = 1 << 20
"""Pictures are larger. States of the network are not: to ask the system for each of those would cost a tenth."""
KEPT_BYTES = 16 << 20

log = logging.getLogger(__name__)


def share_one_heap() -> bool:
    """Let threads share one heap and large blocks go back to the system; return whether the C library takes that.

    Threads that have begun before may keep heaps of their own. Somebody who set limits (``MALLOC_...`` in the
    environment) keeps them. Only glibc needs it; elsewhere nothing is done.
    """
    if not sys.platform.startswith("linux") or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    try:
        set_limit = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):  # another C library, such as musl
        log.info("this C library has no mallopt; memory may grow a little in long runs")
        return False
    limits = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, LARGE_BYTES), (_TRIM_THRESHOLD, KEPT_BYTES))
    return all(set_limit(name, value) == 1 for name, value in limits)
