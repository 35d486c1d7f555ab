"""From any Python to the application in its own environment."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from app.core.ending import answering
from app.core.places import ROOT
from app.setup.environment import Environment, SetupError

CHOICE = "LDEQ_PYTHON_ENV"
"""Set to "current" to run with the Python that was started, whose packages are then its owner's affair."""

INSIDE = "LDEQ_PYTHON_INSIDE"
"""Set for the re-run program, so that it does not start itself again whatever its Python reports as its prefix."""

FOREIGN = ("PYTHONHOME", "PYTHONPATH")
"""Would bring another Python's packages into the environment."""

EXIT_SETUP = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


def start(argv: Sequence[str], root: Path = ROOT) -> int | None:
    """Get into the program's own environment, which is set up first where needed.

    On POSIX the process is replaced by the environment's Python; on Windows that runs as a child.

    Returns:
        None if this Python is the one to run the application; otherwise the exit code, and all is done.
    """
    arrived = os.environ.pop(INSIDE, "") == "1"
    choice = os.environ.get(CHOICE, "venv")
    if choice not in ("venv", "current"):
        return _fail(f'{CHOICE} must be "venv" or "current", not "{choice}"', EXIT_USAGE)
    if choice == "current":
        return None
    environment = Environment(root)
    try:
        if not environment.is_ready():
            from app.setup.install import set_up

            set_up(environment)
        elif arrived or environment.is_running():
            return None
    except SetupError as error:
        return _fail(str(error), EXIT_SETUP)
    except KeyboardInterrupt:
        return _fail("setup interrupted; start again to go on with it", EXIT_INTERRUPTED)
    return enter(environment.python, root / "main.py", argv)


def enter(python: Path, script: Path, argv: Sequence[str]) -> int:
    """Run ``script`` with another Python, in place of this process where the system can do that.

    Returns:
        The exit code, where this process stays.
    """
    command = [str(python), *_interpreter_options(), str(script), *argv]
    variables = {name: value for name, value in os.environ.items() if name not in FOREIGN} | {INSIDE: "1"}
    for stream in filter(None, (sys.stdout, sys.stderr)):  # under pythonw there are none
        stream.flush()
    try:
        if os.name == "posix":
            os.execve(python, command, variables)
        return run_child(command, variables)
    except OSError as error:  # of another kind of computer, or on a disk from which nothing may be started
        reason = error.strerror or error
        return _fail(f"{python} cannot be started ({reason}); delete the folder .venv and start again", EXIT_SETUP)


def run_child(command: Sequence[str], variables: dict[str, str]) -> int:
    """Run a command to its end and return its exit code; Ctrl-C and Ctrl-Break are the child's to answer."""
    with answering(lambda *_: None), subprocess.Popen(command, env=variables) as child:
        return child.wait()  # the console sends them to the child as well


def _interpreter_options() -> list[str]:
    """Return -X and -W options of this Python, for the next one."""
    return [f"-X{name}" if value is True else f"-X{name}={value}" for name, value in sys._xoptions.items()] + [
        f"-W{option}" for option in sys.warnoptions
    ]


def _fail(sentence: str, code: int) -> int:
    print(f"ldeq-live: {sentence}", file=sys.stderr)
    return code
