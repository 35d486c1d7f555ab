"""Keeps the memory of a long run low: pictures come and go on several threads, and glibc keeps what they leave.

It gives each thread a heap of its own, so a picture freed on another thread leaves a hole that its own thread may not
fill for long: the live pipeline grew by 80 MiB in two minutes, and by 6 MiB with one heap, and was not slower. And
small blocks that live longer hold the room of pictures in place, so each start of a source left 20 to 60 MiB behind:
free pages are given back when a source ends. Taking pictures from the system one by one instead would leave nothing
behind, but costs a seventh of the frames: every new page has to be cleared.
"""

from __future__ import annotations

import ctypes
import logging
import os
import sys
from collections.abc import Callable

_ARENA_MAX = -8
"""From glibc's malloc.h."""

log = logging.getLogger(__name__)


def share_one_heap() -> bool:
    """Let threads that begin after this share one heap; return whether the C library takes that.

    Somebody who set limits (``MALLOC_...`` in the environment) keeps them. Only glibc needs it; elsewhere nothing is
    done.
    """
    if any(name.startswith("MALLOC_") for name in os.environ):
        return False
    set_limit = _function("mallopt")
    return set_limit is not None and set_limit(_ARENA_MAX, 1) == 1


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
