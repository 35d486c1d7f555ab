"""Which build of PyTorch to install.

On Linux the ordinary PyTorch brings gigabytes of CUDA libraries. A computer without an NVIDIA driver is
better served by the CPU build from PyTorch's own index, if that answers.
"""

from __future__ import annotations

import re
import shutil
import sys
import threading
from pathlib import Path

CPU_INDEX = "https://download.pytorch.org/whl/cpu"
PROBE_SECONDS = 5.0

NVIDIA_SIGNS = ("/proc/driver/nvidia/version", "/usr/lib/wsl/lib/nvidia-smi")


def nvidia_driver_present() -> bool:
    """Whether this computer has an NVIDIA driver."""
    return any(Path(sign).exists() for sign in NVIDIA_SIGNS) or shutil.which("nvidia-smi") is not None


def wants_cpu_build(platform: str, nvidia: bool) -> bool:
    """Whether the CPU build should be looked for; elsewhere than on Linux the ordinary one is small."""
    return platform.startswith("linux") and not nvidia


def brings_cuda(platform: str, nvidia: bool) -> bool:
    """Whether the build that suits this computer brings the CUDA libraries; elsewhere than on Linux none does."""
    return platform.startswith("linux") and nvidia


def pinned_version(requirements: str) -> str | None:
    """Return the version that requirements.txt pins torch to."""
    match = re.search(r"^torch==([^\s;]+)", requirements, re.MULTILINE)
    return match[1] if match else None


def index_offers(page: str, version: str, python: tuple[int, int]) -> bool:
    """Whether the index page lists a CPU wheel of this version for this Python."""
    tag = f"cp{python[0]}{python[1]}"
    wheel = rf"torch-{re.escape(version)}(\+|%2B)cpu-{tag}-{tag}-"
    return re.search(wheel, page) is not None


def fetch_index() -> str | None:
    """Return the page of PyTorch's CPU index, or None if it does not answer in time."""
    pages: list[str] = []

    def fetch() -> None:
        import http.client
        import os
        import ssl
        import urllib.request

        try:
            context = ssl.create_default_context(cafile=os.environ.get("PIP_CERT") or None)
            with urllib.request.urlopen(f"{CPU_INDEX}/torch/", timeout=PROBE_SECONDS, context=context) as answer:
                pages.append(answer.read().decode("utf-8", "replace"))
        except (OSError, ValueError, http.client.HTTPException):  # the last for what is no web server
            return

    # A thread, because DNS look-ups have no timeout.
    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    thread.join(PROBE_SECONDS)
    return pages[0] if pages else None


def current_platform() -> str:
    """Return ``sys.platform``; a function, so that type checkers read every branch above."""
    return sys.platform
