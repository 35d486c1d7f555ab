"""``main.py test``: ruff, mypy and pytest on the project itself."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence

from app.core.errors import EXIT_FAILURE, EXIT_OK
from app.core.places import ROOT

STATIC_CHECKS: tuple[tuple[str, ...], ...] = (("ruff", "check", "."), ("mypy",))
"""Modules run with ``python -m``, with their arguments; settings are in pyproject.toml."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``test`` command."""
    return subparsers.add_parser(
        "test",
        help="check the code with ruff, mypy and pytest",
        usage="main.py test [pytest arguments]",
        description="Check the code with ruff and mypy and run the tests. Further arguments go to pytest.",
    )


def run(args: argparse.Namespace) -> int:
    """Run all three, also after a failure, and return 0 only if all pass."""
    steps = [*STATIC_CHECKS, ("pytest", *args.rest)]
    failed = [step[0] for number, step in enumerate(steps, 1) if not _passes(step, f"{number} of {len(steps)}")]
    print(f"\nfailed: {', '.join(failed)}" if failed else "\nall passed: ruff, mypy, pytest", flush=True)
    return EXIT_FAILURE if failed else EXIT_OK


def _passes(step: Sequence[str], number: str) -> bool:
    print(f"\nstep {number}: {' '.join(step)}", flush=True)
    started = time.monotonic()
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen"}
    code = subprocess.run([sys.executable, "-m", *step], cwd=ROOT, env=environment).returncode
    print(f"{step[0]}: {'passed' if code == 0 else f'failed (exit code {code})'}, {time.monotonic() - started:.0f} s")
    return code == 0
