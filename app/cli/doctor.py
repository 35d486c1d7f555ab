"""``main.py doctor``: checks everything that the program needs and says what to fix."""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial

from app.cli.engine_options import add_engine_options, engine_settings
from app.core.errors import EXIT_FAILURE, EXIT_OK
from app.core.settings import EngineSettings
from app.setup.doctor.finding import Check, Finding, Status, findings_of

WIDTH = 12
COLOURS = {Status.OK: "green", Status.WARNING: "yellow", Status.PROBLEM: "red"}


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``doctor`` command."""
    parser = subparsers.add_parser(
        "doctor",
        help="check versions, cameras, CUDA, weights and the window",
        description="Check everything the program needs. The exit code is 0 if it can run, otherwise 1.",
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    add_engine_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Print the findings as they come.

    Returns:
        0 if the program can run here, 1 if something must be fixed first.
    """
    settings = engine_settings(args)
    findings = []
    show = printer()
    for finding in examine(settings):
        findings.append(finding)
        if not args.json:
            show(finding)
    problems = [finding for finding in findings if finding.status == Status.PROBLEM]
    if args.json:
        print(json.dumps({"ok": not problems, "findings": [asdict(finding) for finding in findings]}, indent=2))
    elif problems:
        count = f"{len(problems)} problems" if len(problems) > 1 else "1 problem"
        print(f"\n{count} to fix before LDEQ Live can run")
    else:
        print("\nLDEQ Live can run here")
    return EXIT_FAILURE if problems else EXIT_OK


def examine(settings: EngineSettings) -> Iterator[Finding]:
    """Run every check; a slow or broken one holds up only itself."""
    for topic, check in checks(settings):
        yield from findings_of(topic, check)


def checks(settings: EngineSettings) -> list[tuple[str, Check]]:
    """Return the checks by topic. Each imports its module itself, so that one missing package is one finding."""
    computer, acceleration, weights, devices = (
        partial(importlib.import_module, f"app.setup.doctor.{name}")
        for name in ("computer", "acceleration", "weights", "devices")
    )
    return [
        ("Python", lambda: computer().check_python()),
        ("Packages", lambda: computer().check_packages()),
        ("torch", lambda: acceleration().check_torch()),
        ("onnxruntime", lambda: acceleration().check_onnxruntime(settings.weights)),
        ("Weights", lambda: weights().check_weights(settings.weights)),
        ("Model", lambda: weights().check_model(settings)),
        ("Engine", lambda: weights().check_solves(settings)),
        ("Fastest", lambda: acceleration().check_fastest(settings)),
        ("Detector", lambda: devices().check_detector()),
        ("Cameras", lambda: devices().check_cameras()),
        ("Screens", lambda: devices().check_screens()),
        ("Window", lambda: devices().check_window()),
    ]


def printer() -> Callable[[Finding], None]:
    """Return what prints a finding as a line for people, its status in colour where the terminal shows colours."""
    try:
        from rich.console import Console
        from rich.text import Text
    except ImportError:  # the doctor says so
        return lambda finding: print(line(finding), flush=True)
    console = Console(soft_wrap=True)

    def show(finding: Finding) -> None:
        text = Text(line(finding))
        text.stylize(COLOURS[finding.status], 0, len(finding.status))
        console.print(text)

    return show


def line(finding: Finding) -> str:
    """Return a finding as a line for people, without colours."""
    text = f"{finding.text}. To do: {finding.advice}" if finding.advice else finding.text
    return f"{finding.status:<8} {finding.topic:<{WIDTH}} {text}"
