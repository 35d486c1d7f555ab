"""Run pip in the environment and put its failures into one sentence."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from app.setup.environment import Environment, SetupError

CONFUSING = (
    *("PIP_USER", "PIP_TARGET", "PIP_PREFIX", "PIP_ROOT", "PIP_PYTHON"),
    *("PIP_REQUIRE_VIRTUALENV", "PIP_DRY_RUN"),
)
"""Settings that would install elsewhere than into the environment."""

FULL_DISK = ("No space left on device", "[Errno 28]", "not enough space on the disk", "Disk quota exceeded")
NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "name resolution",
    "getaddrinfo failed",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "Read timed out",
    "ProxyError",
    "SSLError",
    "Connection refused",
    "Network is unreachable",
    "ProtocolError",
    "IncompleteRead",
    "403 Client Error",
    "407 Client Error",
    "Server Error: ",
)
"""The errors of servers are mostly those of a proxy in between."""
NOT_OFFERED = "No matching distribution found for "
LONG_PATH = "Long Path support"
NOT_ALLOWED = ("Permission denied", "Access is denied", "Read-only file system", "being used by another process")


def install(environment: Environment, arguments: Sequence[str]) -> None:
    """Run ``pip install`` with its progress shown.

    Raises:
        SetupError: pip failed; the sentence says why as far as its log tells.
    """
    start = environment.log.stat().st_size if environment.log.exists() else 0
    command = [
        *(str(environment.python), "-I", "-m", "pip", "install", "--disable-pip-version-check"),
        *("--log", str(environment.log), *arguments),
    ]
    process = subprocess.Popen(command, env=_clean(dict(os.environ)))
    try:
        code = process.wait()
    except BaseException:
        # Ctrl-C reached pip, too: let it clean up its own files.
        process.terminate()
        process.wait()
        raise
    if code:
        raise SetupError(explain(_read_from(environment.log, start), environment.log))


def explain(log: str, path: Path) -> str:
    """Return one sentence on why pip failed.

    Args:
        log: what pip logged.
        path: where, for the sentence.
    """
    if any(sign in log for sign in FULL_DISK):
        reason = "The disk is full: free some space and start again"
    elif any(sign in log for sign in NO_NETWORK):
        reason = "The packages cannot be downloaded: check the network connection, or the proxy, and start again"
    elif NOT_OFFERED in log:
        package = log.rsplit(NOT_OFFERED, 1)[1].split("\n", 1)[0].strip()
        reason = f"{package} is not offered for this Python and system: try Python 3.13, or a newer system"
    elif LONG_PATH in log:
        reason = "The project's path is too long for Windows: move it to a short one, such as C:\\ldeq, and start again"
    elif any(sign in log for sign in NOT_ALLOWED):
        reason = "A file cannot be written: close the program's windows, check who owns its folder and start again"
    else:
        reason = "The packages cannot be installed: start again, and if that fails look into pip's log"
    return f"{reason} (pip's log: {path})."


def _clean(variables: dict[str, str]) -> dict[str, str]:
    # A variable wins over pip's configuration files, in which some systems ask for installs into the home folder.
    return {name: value for name, value in variables.items() if name not in CONFUSING} | {"PIP_USER": "0"}


def _read_from(path: Path, start: int) -> str:
    try:
        with path.open("rb") as stream:
            stream.seek(start)
            return stream.read().decode("utf-8", "replace")
    except OSError:
        return ""
