"""Python, the operating system and the installed packages."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import sys
from collections.abc import Mapping

from app.core.places import REQUIREMENTS
from app.core.version import VERSION
from app.setup.doctor.finding import Finding, Status, install_advice
from app.setup.environment import SUPPORTED

OPENCV = (
    "opencv-python",
    "opencv-contrib-python",
    "opencv-python-headless",
    "opencv-contrib-python-headless",
)


def check_python() -> list[Finding]:
    """Versions of the program, Python and the system, and variables that change Python's search path."""
    version = platform.python_version()
    text = f"LDEQ Live {VERSION}, Python {version} at {sys.executable}"
    if sys.version_info[:2] in SUPPORTED:
        findings = [Finding("Python", Status.OK, text)]
    else:
        findings = [Finding("Python", Status.PROBLEM, text, "use Python 3.11, 3.12 or 3.13")]
    cores = os.cpu_count()
    findings.append(Finding("System", Status.OK, f"{platform.platform()}, {platform.machine()}, {cores} cores"))
    if os.environ.get("PYTHONPATH"):
        findings.append(
            Finding(
                "Python", Status.WARNING, "PYTHONPATH is set and can hide the program's packages", "unset PYTHONPATH"
            )
        )
    return findings


def check_packages() -> list[Finding]:
    """Whether the installed packages are the pinned ones, and whether there is one OpenCV."""
    installed = installed_packages()
    wanted = pinned_packages(REQUIREMENTS.read_text(encoding="utf-8"))
    return [*compare_packages(wanted, installed), *check_opencv(installed)]


def installed_packages() -> dict[str, str]:
    """Return versions by normalised name."""
    return {
        normalised(package.metadata["Name"]): package.version
        for package in importlib.metadata.distributions()
        if package.metadata["Name"]
    }


def pinned_packages(requirements: str) -> dict[str, str]:
    """Return the pinned versions that apply to this computer, by normalised name."""
    from packaging.requirements import Requirement

    pins: dict[str, str] = {}
    for line in requirements.splitlines():
        text = line.split("#", 1)[0].strip()
        if not text:
            continue
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate():
            pins[normalised(requirement.name)] = str(requirement.specifier).removeprefix("==")
    return pins


def compare_packages(wanted: Mapping[str, str], installed: Mapping[str, str]) -> list[Finding]:
    """Compare versions; a local version such as 2.13.0+cpu is the pinned one."""
    missing = [name for name in wanted if name not in installed]
    others = [
        f"{name} {installed[name]} instead of {version}"
        for name, version in wanted.items()
        if name in installed and installed[name].partition("+")[0] != version
    ]
    findings = []
    if missing:
        findings.append(Finding("Packages", Status.PROBLEM, f"missing: {', '.join(missing)}", install_advice()))
    if others:
        findings.append(Finding("Packages", Status.WARNING, "; ".join(others), install_advice()))
    if not findings:
        shown = ("torch", "onnxruntime-gpu", "onnxruntime", "opencv-contrib-python", "mediapipe", "pyside6-essentials")
        versions = ", ".join(f"{name} {installed[name]}" for name in shown if name in wanted)
        findings.append(Finding("Packages", Status.OK, f"all {len(wanted)} as pinned; {versions}"))
    return findings


def check_opencv(installed: Mapping[str, str]) -> list[Finding]:
    """Two OpenCV packages write into the same folder and break each other."""
    found = [name for name in OPENCV if name in installed]
    if len(found) < 2:
        return [Finding("OpenCV", Status.OK, "one OpenCV package")] if found else []
    advice = f"pip uninstall {' '.join(found)}, then pip install -r requirements.txt"
    return [
        Finding(
            "OpenCV", Status.PROBLEM, f"{' and '.join(found)} are installed together and overwrite each other", advice
        )
    ]


def normalised(name: str) -> str:
    """Return a package's name as the index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()
