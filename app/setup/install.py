"""The first start: make the environment and install the packages, with visible steps."""

from __future__ import annotations

import errno
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from app.setup import pip, torch_build
from app.setup.environment import SUPPORTED, Environment, SetupError
from app.setup.lock import SetupLock
from app.setup.system import system_problem

GIGABYTE = 10**9
SPACE = 4 * GIGABYTE
SPACE_WITH_CUDA = 10 * GIGABYTE
"""Free space a new environment needs while it is being made (measured 2.4 GB on Linux without CUDA)."""

Say = Callable[[str], None]


def say(line: str) -> None:
    """Print progress to standard error, so that a command's own output stays clean."""
    print(f"ldeq-live: {line}", file=sys.stderr, flush=True)


def set_up(environment: Environment, say: Say = say) -> None:
    """Bring the environment to what requirements.txt says; waits if another process is doing that.

    Raises:
        SetupError: with one sentence that says what to do.
    """
    problem = system_problem()
    if problem is not None:
        raise SetupError(problem)
    lock = SetupLock(
        environment.root / ".venv.lock", lambda: say("another start is setting up the environment; waiting for it")
    )
    try:
        with lock:
            if not environment.is_ready():
                _install(environment, say)
    except OSError as error:
        raise SetupError(_unwritable(environment.root, error)) from error


def _install(environment: Environment, say: Say) -> None:
    started = time.monotonic()
    python = environment.python_version()
    if python not in SUPPORTED or environment.is_foreign():
        again = " again" if environment.folder.exists() else ""
        environment.remove()  # the space that it takes is needed
        cuda = torch_build.brings_cuda(torch_build.current_platform(), torch_build.nvidia_driver_present())
        _check_space(environment.root, SPACE_WITH_CUDA if cuda else SPACE)
        say(f"step 1 of 3: making the environment {environment.folder}{again}")
        environment.make()
        python = environment.python_version()
    elif environment.was_interrupted():
        damaged = environment.forget_damaged_packages()
        what = f"; installing {', '.join(damaged)} again" if damaged else ""
        say(f"step 1 of 3: continuing an interrupted setup{what}")
    else:
        say(f"step 1 of 3: the environment {environment.folder} is there, checking its packages")
    if python is None:
        raise SetupError(f"The Python in {environment.folder} does not work; delete that folder and start again")
    environment.mark_started()
    _install_torch(environment, python, say)
    say("step 3 of 3: installing the other packages (about 700 MB to download the first time)")
    pip.install(environment, ["--requirement", str(environment.requirements)])
    environment.mark_ready(python)
    say(f"the environment is ready after {time.monotonic() - started:.0f} s")


def _install_torch(environment: Environment, python: tuple[int, int], say: Say) -> None:
    """Install the small CPU build if it suits this computer; otherwise leave torch to the last step."""
    version = torch_build.pinned_version(environment.requirements.read_text(encoding="utf-8"))
    if version is None or environment.has_package("torch", version):
        say("step 2 of 3: PyTorch needs nothing of its own")
        return
    if not torch_build.wants_cpu_build(torch_build.current_platform(), torch_build.nvidia_driver_present()):
        say("step 2 of 3: PyTorch's standard build suits this computer; it comes with the other packages")
        return
    say("step 2 of 3: no NVIDIA driver here, so looking for PyTorch's CPU build (about 200 MB)")
    page = torch_build.fetch_index()
    if page is None or not torch_build.index_offers(page, version, python):
        problem = "does not answer" if page is None else f"does not offer torch {version} for this Python"
        say(f"{torch_build.CPU_INDEX} {problem}; taking the standard build, which can be 3 GB on Linux")
        return
    try:
        pip.install(environment, [f"torch=={version}", "--extra-index-url", torch_build.CPU_INDEX])
    except SetupError as error:
        say(f"that did not work, so the standard build is taken. {error}")


def _check_space(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise SetupError(
            f"Only {free / GIGABYTE:.1f} GB are free in {folder} and the packages need {needed / GIGABYTE:.0f} GB; "
            "free some space and start again"
        )


def _unwritable(folder: Path, error: OSError) -> str:
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        return f"The disk of {folder} is full: free some space and start again"
    return (
        f"{folder} cannot be written ({error.strerror or error}); copy the project to a folder of your own, or install "
        "requirements.txt into a Python of yours and set LDEQ_PYTHON_ENV=current"
    )
