"""Cameras, screens, the face detector and the window."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from app.core.places import PORTRAIT, ROOT
from app.gui.display import window_problem
from app.setup.doctor.finding import Finding, Status

QT_SECONDS = 60.0
QT_SCRIPT = """
from app.sources.opencv import forget_qt_plugins
forget_qt_plugins()
from PySide6.QtGui import QGuiApplication
application = QGuiApplication([])
screen = application.primaryScreen()
print(application.platformName(), *screen.size().toTuple(), sep="|")
"""


def check_cameras() -> list[Finding]:
    """List the cameras by name. None is no problem: the window then plays the demo."""
    from app.sources.camera import PERMISSION, list_cameras

    cameras = list_cameras()
    if not cameras:
        advice = f"connect one and check that {PERMISSION}; files, streams and the demo work without"
        return [Finding("Cameras", Status.WARNING, "none found", advice)]
    names = ", ".join(f"{camera.index}: {camera.name}" for camera in cameras)
    return [Finding("Cameras", Status.OK, names)]


def check_screens() -> list[Finding]:
    """List the screens that can be a source. None is no problem: few people need one."""
    from app.core.errors import SourceError
    from app.sources.screen import open_capture, screens_of

    try:
        with open_capture() as capture:
            screens = screens_of(capture)
    except SourceError as error:
        return [
            Finding(
                "Screens", Status.WARNING, str(error).rstrip("."), "nothing, unless you want to use --source screen"
            )
        ]
    names = ", ".join(screen.label for screen in screens)
    return [Finding("Screens", Status.OK, names or "none")]


def check_detector() -> list[Finding]:
    """Look for the face in the demo's portrait."""
    from app.sources.picture_files import read_picture
    from app.tracking.detector import MediaPipeDetector

    portrait = read_picture(PORTRAIT)
    detector = MediaPipeDetector()
    try:
        started = time.perf_counter()
        found = detector.detect(portrait)
        milliseconds = (time.perf_counter() - started) * 1e3
    finally:
        detector.close()
    if len(found) == 1:
        return [
            Finding("Detector", Status.OK, f"MediaPipe finds the face in the demo's portrait, {milliseconds:.0f} ms")
        ]
    text = f"MediaPipe finds {len(found)} faces in the demo's portrait instead of one"
    return [Finding("Detector", Status.PROBLEM, text, "fetch the project's weights folder again")]


def check_window() -> list[Finding]:
    """Start Qt as the window does, in a separate process, because Qt ends the process if it fails."""
    problem = window_problem(sys.platform, os.environ)
    if problem is not None:
        # Headless commands still work.
        return [Finding("Window", Status.WARNING, problem, "use track, batch or evaluate, which need no window")]
    try:
        done = subprocess.run(
            [sys.executable, "-c", QT_SCRIPT],
            cwd=ROOT,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=QT_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return [
            Finding(
                "Window", Status.PROBLEM, f"Qt did not start within {QT_SECONDS:.0f} s", "check the desktop session"
            )
        ]
    if done.returncode:
        lines = (done.stderr.strip() or "it gave no reason").splitlines()
        reason = next((line for line in lines if "plugin" in line or "Error" in line), lines[-1]).strip()
        return [Finding("Window", Status.PROBLEM, f"Qt cannot start: {reason}", "install what it names")]
    plugin, width, height = done.stdout.strip().splitlines()[-1].split("|")
    return [Finding("Window", Status.OK, f"Qt runs with its {plugin} plugin on a {width}x{height} screen")]
