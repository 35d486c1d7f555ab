"""``main.py doctor``: checks everything that the program needs and says what to fix."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from app.cli.engine_options import add_engine_options, engine_settings
from app.core.errors import EXIT_FAILURE, EXIT_OK
from app.core.settings import EngineSettings
from app.setup.doctor.finding import Check, Finding, Status, findings_of

WIDTH = 12
COLOURS = {Status.OK: "32", Status.WARNING: "33", Status.PROBLEM: "31"}


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
    for finding in examine(settings):
        findings.append(finding)
        if not args.json:
            print(line(finding, coloured=sys.stdout.isatty()), flush=True)
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
    """Return the checks by topic. Each imports what it needs itself, so that one missing package is one finding."""

    def python() -> list[Finding]:
        from app.setup.doctor.computer import check_python

        return check_python()

    def packages() -> list[Finding]:
        from app.setup.doctor.computer import check_packages

        return check_packages()

    def cameras() -> list[Finding]:
        from app.setup.doctor.devices import check_cameras

        return check_cameras()

    def screens() -> list[Finding]:
        from app.setup.doctor.devices import check_screens

        return check_screens()

    def detector() -> list[Finding]:
        from app.setup.doctor.devices import check_detector

        return check_detector()

    def window() -> list[Finding]:
        from app.setup.doctor.devices import check_window

        return check_window()

    def torch() -> list[Finding]:
        from app.setup.doctor.acceleration import check_torch

        return check_torch()

    def onnxruntime() -> list[Finding]:
        from app.setup.doctor.acceleration import check_onnxruntime
        from model.engine.onnx_engine import graph_paths

        return check_onnxruntime(graph_paths(settings.weights)[0])

    def fastest() -> list[Finding]:
        from app.setup.doctor.acceleration import check_fastest

        return check_fastest(settings)

    def weights() -> list[Finding]:
        from app.setup.doctor.weights import check_weights

        return check_weights(settings.weights)

    def model() -> list[Finding]:
        from app.setup.doctor.weights import check_model

        return check_model(settings)

    def engine() -> list[Finding]:
        from app.setup.doctor.weights import check_solves

        return check_solves(settings)

    return [
        ("Python", python),
        ("Packages", packages),
        ("torch", torch),
        ("onnxruntime", onnxruntime),
        ("Weights", weights),
        ("Model", model),
        ("Engine", engine),
        ("Fastest", fastest),
        ("Detector", detector),
        ("Cameras", cameras),
        ("Screens", screens),
        ("Window", window),
    ]


def line(finding: Finding, *, coloured: bool) -> str:
    """Return a finding as a line for people."""
    status = f"{finding.status:<8}"
    if coloured:
        status = f"\x1b[{COLOURS[finding.status]}m{status}\x1b[0m"
    text = f"{finding.text}. To do: {finding.advice}" if finding.advice else finding.text
    return f"{status} {finding.topic:<{WIDTH}} {text}"
