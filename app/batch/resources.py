"""How many workers a computer takes: by its cores, its memory and its graphics cards."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.core.errors import UserError
from model.engine.open import MOST_THREADS

WORKER_MEMORY = 600 * 2**20
"""Bytes of memory reserved for a worker; measured in docs/reports/batch.md."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class Place:
    """Where one worker runs.

    Attributes:
        threads: of its engine.
        card: the CUDA device it sees, as CUDA_VISIBLE_DEVICES names it; None leaves that as it is.
    """

    threads: int = 1
    card: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Variables that keep a process to its place; set before libraries are imported."""
        found = {name: str(self.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        return found if self.card is None else found | {_VISIBLE: self.card}


@dataclass(frozen=True, slots=True)
class Computer:
    """What there is to share out.

    Attributes:
        cores: that this process may use.
        memory: bytes that are available; None if unknown.
        cards: CUDA devices, as CUDA_VISIBLE_DEVICES names them.
    """

    cores: int
    memory: int | None = None
    cards: tuple[str, ...] = ()


def this_computer(device: str) -> Computer:
    """Ask the system; graphics cards count unless ``device`` is "cpu"."""
    return Computer(_cores(), available_memory(), () if device == "cpu" else cuda_cards())


def worker_places(jobs: int, computer: Computer, workers: int | None = None) -> tuple[Place, ...]:
    """Return where workers run: one a core, or one a graphics card where there are any.

    Args:
        jobs: videos to track; there are never more workers.
        computer: what there is.
        workers: how many the person wants; they share the cards in turn.

    Raises:
        UserError: a number below 1.
    """
    if workers is not None and workers < 1:
        raise UserError(f"The number of workers must be at least 1, not {workers}.")
    count = workers
    if count is None:
        count = len(computer.cards) or computer.cores
        if computer.memory is not None:
            count = min(count, computer.memory // WORKER_MEMORY)
    count = max(1, min(count, jobs))
    # As in track, half of a worker's cores stay free for decoding and other programs: with a thread on each core of a
    # busy computer a frame took 80 ms of processors, not 32.
    threads = max(1, min(MOST_THREADS, computer.cores // count // 2))
    cards = computer.cards
    return tuple(Place(threads, cards[index % len(cards)] if cards else None) for index in range(count))


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def available_memory() -> int | None:
    """Return the bytes that programs may still take; None where the system does not say."""
    if sys.platform == "win32":
        return _windows_memory()
    limits = []
    for path, find in ((Path("/proc/meminfo"), _meminfo), (Path("/sys/fs/cgroup/memory.max"), _cgroup)):
        try:
            limits.append(find(path))
        except (OSError, ValueError, KeyError):
            continue
    if not limits and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2)  # macOS: half of what is built in
    return min(limits, default=None)


def _meminfo(path: Path) -> int:
    lines = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _cgroup(path: Path) -> int:
    """Return what a container may still take; ValueError where it has no limit."""
    return int(path.read_text(encoding="ascii")) - int(path.with_name("memory.current").read_text(encoding="ascii"))


def _windows_memory() -> int | None:
    class Status(ctypes.Structure):
        _fields_ = (
            ("length", ctypes.c_ulong),
            ("load", ctypes.c_ulong),
            *((name, ctypes.c_ulonglong) for name in ("total", "available", "a", "b", "c", "d", "e")),
        )

    status = Status(length=ctypes.sizeof(Status))
    kernel = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    return int(status.available) if kernel.GlobalMemoryStatusEx(ctypes.byref(status)) else None


def cuda_cards(count: Callable[[], int] | None = None) -> tuple[str, ...]:
    """Return the CUDA devices this process may use, as CUDA_VISIBLE_DEVICES names them.

    Args:
        count: tells how many there are; the driver if not given.
    """
    found = (count or _count_cards)()
    named = [name.strip() for name in os.environ.get(_VISIBLE, "").split(",") if name.strip()]
    return tuple(named[:found] if named else (str(index) for index in range(found)))


def _count_cards() -> int:
    """Ask the NVIDIA driver; it heeds CUDA_VISIBLE_DEVICES itself."""
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        number = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(number)) == 0:
            return number.value
    except (OSError, AttributeError):  # no driver, or something else of that name
        pass
    return 0
