"""Limits the memory of long runs, and what Python's garbage collector costs a live one.

Under glibc the allocator keeps what pictures leave behind.

By default glibc gives each thread its own heap, so a picture that another thread frees leaves a hole that may stay
unused for long: the live pipeline grew by 80 MiB in two minutes, but by 6 MiB with a single heap, at the same speed.
Small long-lived blocks also pin the pages of freed pictures, so each start of a source left 20 to 60 MiB behind:
free pages are therefore returned when a source ends, and every minute. Returning them more often costs more than it
saves, since the kernel clears every new page; for the picture on the screen that took a third of the time.
"""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
from collections.abc import Callable
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_NO_LIMIT = 2**31 - 1
"""From glibc's malloc.h, and the largest value that it takes."""
LARGEST_BLOCK, LARGEST_REST = 32 << 20, 64 << 20
"""Blocks up to the first size, in bytes, come from the heap (glibc's maximum); up to the second may stay free."""

log = logging.getLogger(__name__)


def share_one_heap() -> bool:
    """Let threads that start later share one heap, which keeps pages for the next pictures; glibc only.

    Limits in the environment (``MALLOC_...``) take precedence.

    Returns:
        Whether the limits were set.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    set_limit = _function("mallopt")
    if set_limit is None:
        return False
    limits = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, LARGEST_BLOCK), (_TRIM_THRESHOLD, LARGEST_REST))
    taken = [set_limit(limit, value) == 1 for limit, value in limits]
    return all(taken)


def keep_freed_memory() -> None:
    """For training: keep what is freed; fetching every tensor's pages anew costs two workers a fifth of their speed."""
    set_limit = _function("mallopt")
    if set_limit is not None:
        set_limit(_MMAP_THRESHOLD, _NO_LIMIT)
        set_limit(_TRIM_THRESHOLD, _NO_LIMIT)


def give_back() -> bool:
    """Return free pages to the system, which takes some milliseconds; return whether there were any."""
    trim = _function("malloc_trim")
    return trim is not None and trim(0) == 1


@cache
def set_aside() -> None:
    """Leave all objects that are there now out of garbage collections; only the first call does.

    A collection stops every thread. With the libraries, the engine and the window loaded a full one took 50 to 90 ms,
    in which nothing was tracked, painted or recorded; of what comes after that, it takes a few.
    """
    gc.collect()  # what is garbage already would be kept as well
    gc.freeze()


def _function(name: str) -> Callable[..., int] | None:
    """Return a function of glibc; None with another C library, such as musl."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        log.info("this C library has no %s; memory may grow a little in long runs", name)
        return None
    return found
