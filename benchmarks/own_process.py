"""What this process has of memory and files (Linux), for benchmarks that watch it for long."""

from __future__ import annotations

import os
from pathlib import Path


def resident() -> int:
    """Return this process's resident memory in bytes (Linux)."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    """Return how many files this process has open (Linux)."""
    return len(os.listdir("/proc/self/fd"))
