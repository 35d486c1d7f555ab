"""Whether this computer can show a window: a screen, and the libraries Qt expects from the system.

Qt ends the whole process where it finds no screen or misses a library, so this is asked before. Imports no Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.core.system_libraries import (
    WAYLAND_LIBRARIES,
    WINDOW_LIBRARIES,
    X11_LIBRARIES,
    can_load,
    family,
    libraries_problem,
)

NEEDS_NO_SCREEN = ("offscreen", "minimal", "vnc", "linuxfb", "eglfs")


def window_problem(
    platform: str,
    environ: Mapping[str, str],
    loads: Callable[[str], bool] = can_load,
    system: Callable[[], str | None] = family,
) -> str | None:
    """Return one sentence on why no window can be shown, or None where one can.

    Args:
        platform: as ``sys.platform``.
        environ: environment variables.
        loads: tells whether a shared library is there.
        system: tells the family of distributions.
    """
    if not platform.startswith("linux"):
        return None
    plugin = environ.get("QT_QPA_PLATFORM", "").partition(":")[0].partition(";")[0]
    screen = "x11" if environ.get("DISPLAY") else ""
    if environ.get("WAYLAND_DISPLAY"):
        screen = "wayland"
    needed = dict(WINDOW_LIBRARIES)
    if plugin not in NEEDS_NO_SCREEN:
        if not screen:
            return (
                "There is no screen for the window (neither DISPLAY nor WAYLAND_DISPLAY is set); start it from a "
                "desktop, or use the track command, which needs none"
            )
        if plugin == "xcb" or screen == "x11":
            needed |= X11_LIBRARIES
        elif plugin == "wayland" or screen == "wayland":
            needed |= WAYLAND_LIBRARIES
    return libraries_problem(needed, "The window", loads, system)
