"""``main.py test``: ruff, import-linter, mypy and pytest on the project itself."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from app.core.errors import EXIT_FAILURE, EXIT_OK
from app.core.places import ROOT

RUFF = (("ruff", "check", "."), ("ruff", "format", "--check", "."))
LINT_IMPORTS = ("-c", "from importlinter.cli import lint_imports_command; lint_imports_command()", "--no-logo")
"""import-linter cannot be run with ``-m``."""
MYPY = ("-m", "mypy")
NOT_FAST = ("window", "process", "slow", "cuda")
"""Markers of tests that ``--fast`` leaves out."""
IN_PARALLEL = ("--numprocesses", "auto", "--maxprocesses", "4", "--dist", "worksteal")
"""Where pytest is told nothing else: a process for each core. Every process imports PyTorch and Qt, so not too many."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``test`` command."""
    parser = subparsers.add_parser(
        "test",
        help="check the code with ruff, import-linter, mypy and pytest",
        usage="main.py test [--fast] [--coverage] [pytest arguments]",
        description="Check the code with ruff, import-linter and mypy and run the tests. "
        "Further arguments go to pytest.",
    )
    parser.add_argument(
        "--fast", action="store_true", help="only ruff and the tests without a window, processes or long work"
    )
    parser.add_argument("--coverage", action="store_true", help="also report which lines and branches the tests reach")
    return parser


def steps(args: argparse.Namespace) -> dict[str, tuple[str, ...]]:
    """Return the arguments of Python for each check, by its name; settings are in pyproject.toml."""
    chosen = {"ruff": ("-m", *RUFF[0]), "ruff format": ("-m", *RUFF[1])}
    if not args.fast:
        chosen |= {"import-linter": LINT_IMPORTS, "mypy": MYPY}
    selection = ("-m", " and ".join(f"not {marker}" for marker in NOT_FAST)) if args.fast else ()
    pytest = ("pytest", *selection, *(args.rest or IN_PARALLEL))
    if not args.coverage:
        return chosen | {"pytest": ("-m", *pytest)}
    return chosen | {
        "pytest": ("-m", "coverage", "run", "-m", *pytest),
        "coverage combine": ("-m", "coverage", "combine", "--quiet"),
        "coverage report": ("-m", "coverage", "report"),
    }


def run(args: argparse.Namespace) -> int:
    """Run all checks, also after a failure, and return 0 only if all pass."""
    chosen = steps(args)
    failed = [
        name
        for number, (name, arguments) in enumerate(chosen.items(), 1)
        if not _passes(name, arguments, f"{number} of {len(chosen)}")
    ]
    print(f"\nfailed: {', '.join(failed)}" if failed else f"\nall passed: {', '.join(chosen)}", flush=True)
    return EXIT_FAILURE if failed else EXIT_OK


def _passes(name: str, arguments: Sequence[str], number: str) -> bool:
    print(f"\nstep {number}: {name}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    code = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=environment).returncode
    print(f"{name}: {'passed' if code == 0 else f'failed (exit code {code})'}, {time.monotonic() - started:.0f} s")
    return code == 0
