"""Whether this computer can show a window: a screen, and the libraries Qt expects from the system.

Qt ends the whole process where it finds no screen or misses a library, so this is asked before. Imports no Qt.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping

NEEDS_NO_SCREEN = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")

QT_LIBRARIES = {
    "libEGL.so.1": "libegl1",
    "libGL.so.1": "libgl1",
    "libGLESv2.so.2": "libgles2",
    "libfontconfig.so.1": "libfontconfig1",
    "libglib-2.0.so.0": "libglib2.0-0",
    "libdbus-1.so.3": "libdbus-1-3",
    "libxkbcommon.so.0": "libxkbcommon0",
}
"""Libraries that Qt, OpenCV and MediaPipe need on any Linux screen, with their Debian packages."""

X11_LIBRARIES = {
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xkb.so.1": "libxcb-xkb1",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}
"""Libraries of Qt's X11 plugin, with their Debian packages."""


def can_load(library: str) -> bool:
    """Whether the system has a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def window_problem(platform: str, environ: Mapping[str, str], loads: Callable[[str], bool] = can_load) -> str | None:
    """Return one sentence on why no window can be shown, or None where one can.

    Args:
        platform: as ``sys.platform``.
        environ: environment variables.
        loads: tells whether a shared library is there.
    """
    if not platform.startswith("linux"):
        return None
    plugin = environ.get("QT_QPA_PLATFORM", "").partition(":")[0].partition(";")[0]
    screen = "x11" if environ.get("DISPLAY") else ""
    if environ.get("WAYLAND_DISPLAY"):
        screen = "wayland"
    needed = dict(QT_LIBRARIES)
    if plugin not in NEEDS_NO_SCREEN:
        if not screen:
            return (
                "There is no screen for the window (neither DISPLAY nor WAYLAND_DISPLAY is set); start it from a "
                "desktop, or use the track command, which needs none"
            )
        if plugin == "xcb" or screen == "x11":
            needed |= X11_LIBRARIES
    missing = [package for library, package in needed.items() if not loads(library)]
    if missing:
        return f"The window needs libraries of the system; install them with: sudo apt install {' '.join(missing)}"
    return None
