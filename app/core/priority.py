"""Lets a thread step back behind the others of the program, where the system can do that."""

from __future__ import annotations

import contextlib
import os
import sys
import threading

NICENESS = 5
"""Beside a busy program of normal priority it leaves a quarter of a processor; a clean 720p video needs a sixth."""
_THREAD_PRIORITY_BELOW_NORMAL = -1


def yield_to_others() -> None:
    """Give the calling thread, and threads it starts, less of a busy processor than the others get.

    Linux gives every thread its own niceness, Windows its own priority; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    elif sys.platform == "win32":
        import ctypes

        kernel = ctypes.windll.kernel32
        kernel.GetCurrentThread.restype = ctypes.c_void_p
        kernel.SetThreadPriority(ctypes.c_void_p(kernel.GetCurrentThread()), _THREAD_PRIORITY_BELOW_NORMAL)
