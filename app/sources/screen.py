"""The screens of this computer, and a screen or a part of it as a live source."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import mss
import numpy as np
from mss.exception import ScreenShotError
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Frame
from app.sources.base import SourceInfo
from app.sources.opencv import cv2
from app.sources.release import ReleaseGuard
from app.sources.spec import ScreenSpec

FRAME_RATE = 30.0
"""Pictures per second at the most; a screen has no rate of its own that could be read."""

GRAB_ERRORS = (ScreenShotError, OSError, AssertionError)
"""What the library raises when the screen is gone; an X server that ended fails one of its assertions."""

NO_SCREEN = "No screen can be captured here: start LDEQ Live inside a desktop session, or choose another source."
WAYLAND = (
    "Wayland lets no program see the screen this way: log in with an X11 (Xorg) session, or share the window through "
    "OBS Studio's virtual camera and choose that."
)
MACOS = (
    "macOS does not let this program see the screen: allow it in System Settings, Privacy & Security, Screen "
    "Recording, and start it again."
)


@dataclass(frozen=True, slots=True)
class ScreenInfo:
    """One screen that can be captured: its number from 1, and its place and size in the system's units."""

    number: int
    left: int
    top: int
    width: int
    height: int

    @property
    def label(self) -> str:
        """For display."""
        return f"Screen {self.number} ({self.width} \u00d7 {self.height})"


class ScreenSource:
    """Pictures of a screen, at most :data:`FRAME_RATE` a second. ``timestamp`` is the time since opening.

    Raises:
        SourceError: there is no such screen, the part lies outside of it, or nothing can be captured here.
    """

    note = ""

    def __init__(self, spec: ScreenSpec) -> None:
        self._capture = open_capture()
        self._guard = ReleaseGuard(self._release)
        self._name = spec.label
        try:
            self._place = self._placed(spec)
            first = self._picture()
        except BaseException:
            self._guard.close()
            raise
        self._start = time.perf_counter()
        self._due = self._start
        self._index = 0
        self._last = -1.0
        self._info = SourceInfo(self._name, first.shape[1], first.shape[0], FRAME_RATE, None, live=True)

    @property
    def info(self) -> SourceInfo:
        """Facts about the screen; the size is in pixels, which on some screens are smaller than the system's units."""
        return self._info

    def read(self) -> Frame | None:
        """Wait until the next picture is due and take it; None once closed.

        Raises:
            SourceError: the screen is gone.
        """
        if self._guard.wait_closed(max(0.0, self._due - time.perf_counter())):
            return None
        with self._guard.using() as usable:
            if not usable:
                return None
            captured = time.perf_counter()
            image = self._picture()
        # A late picture does not make the next ones hurry.
        self._due = max(self._due + 1 / FRAME_RATE, captured)
        self._last = max(captured - self._start, np.nextafter(self._last, np.inf))
        frame = Frame(self._index, float(self._last), image, captured)
        self._index += 1
        return frame

    def close(self) -> None:
        """Stop capturing, once a picture in progress is taken."""
        self._guard.close()

    def _release(self) -> None:
        with suppress(*GRAB_ERRORS):
            self._capture.close()

    def _placed(self, spec: ScreenSpec) -> dict[str, int]:
        """Return the place in the system's coordinates."""
        screens = screens_of(self._capture)
        screen = next((screen for screen in screens if screen.number == spec.number), None)
        if screen is None:
            names = ", ".join(screen.label for screen in screens) or "no screen"
            raise SourceError(f"There is no screen {spec.number}: choose one of {names}.")
        part = spec.region
        if part is None:
            return {"left": screen.left, "top": screen.top, "width": screen.width, "height": screen.height}
        if part.left + part.width > screen.width or part.top + part.height > screen.height:
            raise SourceError(
                f"The part {part.width}x{part.height} at {part.left},{part.top} does not fit on {screen.label}; choose "
                "a smaller one."
            )
        left, top = screen.left + part.left, screen.top + part.top
        return {"left": left, "top": top, "width": part.width, "height": part.height}

    def _picture(self) -> NDArray[np.uint8]:
        try:
            shot: Any = self._capture.grab(self._place)
        except GRAB_ERRORS as error:
            raise SourceError(f"{self._name} cannot be captured any more: choose it again, or another one.") from error
        return np.asarray(cv2.cvtColor(np.asarray(shot), cv2.COLOR_BGRA2RGB), np.uint8)


def list_screens() -> list[ScreenInfo]:
    """Return the screens in the order of their numbers; empty if none can be captured."""
    try:
        capture = open_capture()
    except SourceError:
        return []
    with capture:
        return screens_of(capture)


def open_capture() -> mss.MSS:
    """Return what captures screens.

    Raises:
        SourceError: nothing can be captured here, and why.
    """
    problem = screen_problem(sys.platform, os.environ)
    if problem:
        raise SourceError(problem)
    try:
        return mss.MSS()
    except (ScreenShotError, OSError) as error:
        raise SourceError(NO_SCREEN) from error


def screens_of(capture: mss.MSS) -> list[ScreenInfo]:
    """Return the screens that ``capture`` sees. The library's first entry is all of them together."""
    return [
        ScreenInfo(number, place["left"], place["top"], place["width"], place["height"])
        for number, place in enumerate(capture.monitors[1:], 1)
    ]


def screen_problem(platform: str, environment: Mapping[str, str]) -> str:
    """Return why no screen can be captured, one sentence; "" if nothing is known to be in the way."""
    if platform.startswith("linux"):
        if environment.get("XDG_SESSION_TYPE") == "wayland" or environment.get("WAYLAND_DISPLAY"):
            return WAYLAND  # XWayland would answer, with black pictures
        return "" if environment.get("DISPLAY") else NO_SCREEN
    if platform == "darwin" and not _macos_allows():
        return MACOS
    return ""


def _macos_allows() -> bool:
    """Whether macOS allows screen recording; if not, it asks the person, which also puts this program on its list."""
    import ctypes

    try:
        graphics = ctypes.CDLL("/System/Library/Frameworks/CoreGraphics.framework/CoreGraphics")
        graphics.CGPreflightScreenCaptureAccess.restype = ctypes.c_bool
        graphics.CGRequestScreenCaptureAccess.restype = ctypes.c_bool
    except (OSError, AttributeError):
        return True  # before macOS 10.15 nothing had to be allowed
    return bool(graphics.CGPreflightScreenCaptureAccess()) or bool(graphics.CGRequestScreenCaptureAccess())
