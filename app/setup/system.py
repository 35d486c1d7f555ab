"""Whether the pinned packages are built for this computer; asked before anything is downloaded."""

from __future__ import annotations

import platform
import sys
import sysconfig

MACOS = 14
"""The oldest macOS: PyTorch, onnxruntime and PyAV are built for it."""
GLIBC = {"x86_64": (2, 34), "aarch64": (2, 39)}
"""The oldest C library of Linux, by processor: Qt is built for it."""
LINUX = {"x86_64": "Ubuntu 22.04, Debian 12 and Fedora 35", "aarch64": "Ubuntu 24.04, Debian 13 and Fedora 40"}
"""Which distributions have it at the earliest."""


def system_problem() -> str | None:
    """Return one sentence on why the packages cannot be installed here, or None where nothing is known to prevent it.

    What they are built for is asked of pip, by ``pip install --dry-run --only-binary :all: --platform ...``.
    """
    if sys.maxsize < 2**32:
        return "This is a 32-bit Python; install a 64-bit one from https://www.python.org and start again"
    if sysconfig.get_platform() == "win-arm64":  # an x64 Python on the same computer says win-amd64
        return (
            "OpenCV has no packages for an ARM64 Python; install the x64 one, which runs on Windows for ARM as well "
            '("Windows installer (64-bit)" on https://www.python.org, or: py install 3.13-64), and start with that'
        )
    return {"darwin": _macos_problem, "linux": _linux_problem}.get(sys.platform, lambda: None)()


def _macos_problem() -> str | None:
    if platform.machine() == "x86_64":
        return (
            "PyTorch has no packages for Intel Macs; on an Apple silicon Mac start with a native (arm64) Python instead"
        )
    version = platform.mac_ver()[0]
    if version and _numbers(version) < (MACOS,):
        return f"macOS {MACOS} or newer is needed, because PyTorch is built for it, and this is {version}; update macOS"
    return None


def _linux_problem() -> str | None:
    library, version = platform.libc_ver()
    if library != "glibc":
        return "PyTorch is built for Linux with glibc, which this system lacks; use Debian, Ubuntu, Fedora or the like"
    machine = platform.machine()
    wanted = GLIBC.get(machine)
    if wanted is not None and _numbers(version) < wanted:
        return (
            f"glibc {wanted[0]}.{wanted[1]} or newer is needed, because Qt is built for it, and this system has "
            f"{version}; {LINUX[machine]} are new enough"
        )
    return None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
