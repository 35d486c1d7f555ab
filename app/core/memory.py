"""Keeps the memory of a long run low: pictures come and go on several threads, and glibc keeps what they leave.

It gives each thread a heap of its own, so a picture freed on another thread leaves a hole that its own thread may not
fill for long: the live pipeline grew by 80 MiB in two minutes, and by 6 MiB with one heap, and was not slower. And
small blocks that live longer hold the room of pictures in place, so each start of a source left 20 to 60 MiB behind:
free pages are given back when a source ends, and every minute. Giving them back more often costs more than it
saves, since every page that comes anew has to be cleared: of the picture for the screen that took a third of its time.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Callable

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""From glibc's malloc.h."""
LARGEST_BLOCK, LARGEST_REST = 32 << 20, 64 << 20
"""Blocks up to the first, in bytes, come from the heap (more glibc does not allow), and so much of it may lie free."""

log = logging.getLogger(__name__)


def share_one_heap() -> bool:
    """Let threads that begin after this share one heap, which keeps pages for the next pictures.

    Returns whether the C library takes that.

    Somebody who set limits (``MALLOC_...`` in the environment) keeps them. Only glibc needs it; elsewhere nothing is
    done.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    set_limit = _function("mallopt")
    if set_limit is None:
        return False
    limits = ((_ARENA_MAX, 1), (_MMAP_THRESHOLD, LARGEST_BLOCK), (_TRIM_THRESHOLD, LARGEST_REST))
    taken = [set_limit(limit, value) == 1 for limit, value in limits]
    return all(taken)


def give_back() -> bool:
    """Give free pages back to the system, which takes some milliseconds; return whether there were any."""
    trim = _function("malloc_trim")
    return trim is not None and trim(0) == 1


def _function(name: str) -> Callable[..., int] | None:
    """Return a function of glibc; None where there is another C library, such as musl."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        found: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (OSError, AttributeError):
        log.info("this C library has no %s; memory may grow a little in long runs", name)
        return None
    return found
