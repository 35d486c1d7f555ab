"""Keeps the C library from hoarding memory: Linux's hands each thread a heap of its own and keeps what was freed there.

Pictures are megabytes that one thread makes and another one lets go. glibc learns from the first of them to take such
blocks from its heaps, where small blocks that live longer hold them in place: each start of a source, with threads of
its own, then leaves tens of megabytes behind. With fixed limits large blocks go back to the system at once.
"""

from __future__ import annotations

import ctypes
import os
import sys
from contextlib import suppress

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Numbers of the settings in glibc's malloc.h."""
ARENAS = 2
LARGE_BYTES = 1 << 20
KEPT_BYTES = 16 << 20


def return_freed_memory() -> bool:
    """Set the limits for this process; before any threads are started, or those keep their heaps.

    Somebody who set limits of their own (``MALLOC_...`` in the environment) keeps them.

    Returns:
        Whether they were set: on Linux with glibc alone.
    """
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return False
    with suppress(OSError, AttributeError):  # another C library
        set_limit = ctypes.CDLL(None).mallopt
        limits = ((_ARENA_MAX, ARENAS), (_MMAP_THRESHOLD, LARGE_BYTES), (_TRIM_THRESHOLD, KEPT_BYTES))
        return all(set_limit(name, value) == 1 for name, value in limits)
    return False
