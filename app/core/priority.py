"""Lowers the priority of single threads, on systems that support it."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

NICENESS = 5
"""Leaves a quarter of a processor beside a busy thread of normal priority; encoding clean 720p video needs a sixth."""
_THREAD_PRIORITY_BELOW_NORMAL = -1


def yield_to_others() -> None:
    """Lower the priority of the calling thread and of threads that it starts.

    Linux has a niceness and Windows a priority for each thread; on other systems nothing happens.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            thread = threading.get_native_id()
            os.setpriority(os.PRIO_PROCESS, thread, max(NICENESS, os.getpriority(os.PRIO_PROCESS, thread)))
    elif sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.GetCurrentThread.restype = ctypes.c_void_p
        kernel.SetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()), _THREAD_PRIORITY_BELOW_NORMAL)
