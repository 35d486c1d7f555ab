"""How many workers a computer has room for, by its cores, memory and GPUs, and which engine they run."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.errors import UserError
from app.core.settings import EngineSettings
from model.engine.names import EngineName
from model.engine.nvidia import DRIVER
from model.engine.open import automatic_engine, default_threads
from model.errors import ModelError

WORKER_MEMORY = 600 * 2**20
"""Bytes of memory reserved for a worker; measured in docs/reports/batch.md."""
_VISIBLE = "CUDA_VISIBLE_DEVICES"


@dataclass(frozen=True, slots=True)
class WorkerPlacement:
    """The share of a computer that one worker gets.

    Attributes:
        threads: of its engine.
        card: the CUDA device it sees, as CUDA_VISIBLE_DEVICES names it; None leaves that as it is.
    """

    threads: int = 1
    card: str | None = None

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables that limit a process to its share; set before libraries are imported."""
        found = {name: str(self.threads) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
        return found if self.card is None else found | {_VISIBLE: self.card}


@dataclass(frozen=True, slots=True)
class Computer:
    """What the workers share.

    Attributes:
        cores: number that this process may use.
        memory: bytes that are available; None if unknown.
        cards: CUDA devices, as CUDA_VISIBLE_DEVICES names them.
    """

    cores: int
    memory: int | None = None
    cards: tuple[str, ...] = ()


def this_computer(device: str) -> Computer:
    """Ask the system; GPUs are left out if ``device`` is "cpu"."""
    return Computer(_cores(), available_memory(), () if device == "cpu" else cuda_cards())


def place_workers(jobs: int, computer: Computer, workers: int | None = None) -> tuple[WorkerPlacement, ...]:
    """Divide the computer among workers: one for each core, or for each GPU if there are any.

    Args:
        jobs: inputs to track; there are never more workers.
        computer: what is shared.
        workers: how many the person wants; GPUs are assigned in turn.

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
    threads = default_threads(max(1, computer.cores // count))  # as in track
    cards = computer.cards
    return tuple(WorkerPlacement(threads, cards[index % len(cards)] if cards else None) for index in range(count))


def resolve_engine(settings: EngineSettings) -> EngineSettings:
    """Return settings that name the engine which "auto" stands for on this CPU.

    It is resolved once for all workers: each would measure the engines for itself, beside the others and with fewer
    threads than ``track`` uses. It is named even if there is no choice, since it is part of an output's record.

    Raises:
        UserError: the model cannot be used.
    """
    if settings.engine != EngineName.AUTO:
        return settings
    try:
        return replace(settings, engine=automatic_engine(settings.weights, settings.threads))
    except ModelError as error:
        raise UserError(f"The model cannot be used: {error}.") from error


def _cores() -> int:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        return max(1, min(cores, _quota(Path("/sys/fs/cgroup/cpu.max"))))
    except (OSError, ValueError):
        return max(1, cores)


def _quota(path: Path) -> int:
    """Return how many cores' time a container may use, rounded up; ValueError if it has no limit."""
    quota, period = path.read_text(encoding="ascii").split()
    return -(-int(quota) // int(period))


def available_memory() -> int | None:
    """Return the memory that is available in bytes; None if the system does not tell."""
    if sys.platform == "win32":
        return _windows_memory()
    limits = []
    for path, find in ((Path("/proc/meminfo"), _meminfo), (Path("/sys/fs/cgroup/memory.max"), _cgroup)):
        try:
            limits.append(find(path))
        except (OSError, ValueError, KeyError):
            continue
    if not limits and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        limits.append(
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
        )  # macOS: half of the installed memory
    return min(limits, default=None)


def _meminfo(path: Path) -> int:
    lines = dict(line.split(":", 1) for line in path.read_text(encoding="ascii").splitlines())
    return int(lines["MemAvailable"].split()[0]) * 1024


def _cgroup(path: Path) -> int:
    """Return what a container may still allocate; ValueError if it has no limit.

    What was read from files counts as allocated, but is given back where memory is needed.
    """
    limit, used = (int(path.with_name(name).read_text(encoding="ascii")) for name in (path.name, "memory.current"))
    statistics = dict(line.split() for line in path.with_name("memory.stat").read_text(encoding="ascii").splitlines())
    return limit - used + int(statistics["inactive_file"])


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
        count: returns how many there are; the driver if not given.
    """
    found = (count or _count_cards)()
    named = [name.strip() for name in os.environ.get(_VISIBLE, "").split(",") if name.strip()]
    return tuple(named[:found] if named else (str(index) for index in range(found)))


def _count_cards() -> int:
    """Ask the NVIDIA driver, which respects CUDA_VISIBLE_DEVICES."""
    try:
        driver = ctypes.CDLL(DRIVER)
        number = ctypes.c_int(0)
        if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(number)) == 0:
            return number.value
    except (OSError, AttributeError):  # no driver, or another library of that name
        pass
    return 0
