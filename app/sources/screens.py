"""The screens of this computer, and how one of them or a part of it is written: ``screen:1@100,80,1280x720``."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from app.core.errors import SourceError

if TYPE_CHECKING:
    from mss import MSS

SCREEN = "screen"
NO_SCREEN = "No screen can be captured here: start LDEQ Live inside a desktop session, or choose another source."
WAYLAND = (
    "Wayland lets no program see the screen this way: log in with an X11 (Xorg) session, or share the window through "
    "OBS Studio's virtual camera and choose that."
)
MACOS = (
    "macOS does not let this program see the screen: allow it in System Settings, Privacy & Security, Screen "
    "Recording, and start it again."
)

_SPEC = re.compile(
    r"^screen(?::\s*(?P<number>\d{1,3}))?"
    r"(?:@(?P<left>\d{1,6}),(?P<top>\d{1,6}),(?P<width>\d{1,6})[xX\u00d7](?P<height>\d{1,6}))?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a screen, in the units in which the system places windows, from the screen's top left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ScreenRequest:
    """Which screen, or which part of it.

    Attributes:
        number: 1 for the first.
        region: None for all of it.
    """

    number: int = 1
    region: Region | None = None

    @property
    def spec(self) -> str:
        """As ``open_source`` takes it."""
        part = self.region
        where = "" if part is None else f"@{part.left},{part.top},{part.width}x{part.height}"
        return f"{SCREEN}:{self.number}{where}"

    @property
    def name(self) -> str:
        """For people."""
        part = "" if self.region is None else f", {self.region.width} \u00d7 {self.region.height}"
        return f"Screen {self.number}{part}"


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
        """For people."""
        return f"Screen {self.number} ({self.width} \u00d7 {self.height})"


def is_screen_spec(spec: str) -> bool:
    """Whether ``open_source`` takes this for a screen."""
    return re.match(r"^\s*screen\s*($|[:@])", spec, re.IGNORECASE) is not None


def parse_screen(spec: str) -> ScreenRequest:
    """Read "screen", "screen:2" or "screen:1@LEFT,TOP,WIDTHxHEIGHT".

    Raises:
        SourceError: it is written another way.
    """
    found = _SPEC.match(spec.strip())
    number = int(found["number"] or 1) if found else 0
    if found is None or number < 1:
        raise SourceError(
            f"{spec!r} names no screen: write screen, screen:2 for the second one, or screen:1@100,80,1280x720 for the "
            "part that begins 100 to the right and 80 down."
        )
    if found["width"] is None:
        return ScreenRequest(number)
    left, top, width, height = (int(found[name]) for name in ("left", "top", "width", "height"))
    if not (width and height):
        raise SourceError("A part of a screen must be at least 1 wide and 1 high.")
    return ScreenRequest(number, Region(left, top, width, height))


def list_screens() -> list[ScreenInfo]:
    """Return the screens in the order of their numbers; empty where none can be captured."""
    try:
        capture = open_capture()
    except SourceError:
        return []
    with capture:
        return screens_of(capture)


def open_capture() -> MSS:
    """Return what captures screens.

    Raises:
        SourceError: nothing can be captured here, and why.
    """
    from mss import MSS
    from mss.exception import ScreenShotError

    problem = screen_problem(sys.platform, os.environ)
    if problem:
        raise SourceError(problem)
    try:
        return MSS()
    except (ScreenShotError, OSError) as error:
        raise SourceError(NO_SCREEN) from error


def screens_of(capture: MSS) -> list[ScreenInfo]:
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
