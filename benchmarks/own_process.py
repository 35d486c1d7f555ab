"""What this process has of memory and files (Linux), for benchmarks that watch it for long."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from pathlib import Path


def resident() -> int:
    """Return this process's resident memory in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _MallocInfo(ctypes.Structure):
    """glibc's mallinfo2."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


def in_use() -> int:
    """Return the bytes that are in use of what the C library has given out (glibc 2.33); holes between are not."""
    ask = ctypes.CDLL(None).mallinfo2
    ask.restype = _MallocInfo
    info: _MallocInfo = ask()
    return int(info.uordblks + info.hblkhd)


def open_files() -> int:
    """Return how many files this process has open (Linux)."""
    return len(os.listdir("/proc/self/fd"))


def sample(started: float) -> dict[str, float]:
    """Return what this process has now, memory in MiB, and the seconds since ``started``, a performance counter."""
    return {
        "seconds": time.perf_counter() - started,
        "mebibytes": resident() / 2**20,
        "in_use_mebibytes": in_use() / 2**20,
        "threads": threading.active_count(),
        "files": open_files(),
    }
