"""Shared libraries that packages expect from the system, and what brings them: for Linux by name, for Windows as one.

Without one of them Qt ends the whole process, and MediaPipe cannot be imported. So they are all looked for before, and
one sentence names every package that is missing.
"""

from __future__ import annotations

import ctypes
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Packages:
    """The names of the package that brings a library, by distribution family."""

    debian: str
    fedora: str
    arch: str


DETECTOR_LIBRARIES = {
    "libEGL.so.1": Packages("libegl1", "libglvnd-egl", "libglvnd"),
    "libGLESv2.so.2": Packages("libgles2", "libglvnd-gles", "libglvnd"),
}
"""What MediaPipe needs, also without a screen."""

WINDOW_LIBRARIES = {
    "libEGL.so.1": Packages("libegl1", "libglvnd-egl", "libglvnd"),
    "libGL.so.1": Packages("libgl1", "libglvnd-glx", "libglvnd"),
    "libGLESv2.so.2": Packages("libgles2", "libglvnd-gles", "libglvnd"),
    "libX11.so.6": Packages("libx11-6", "libX11", "libx11"),
    "libfontconfig.so.1": Packages("libfontconfig1", "fontconfig", "fontconfig"),
    "libfreetype.so.6": Packages("libfreetype6", "freetype", "freetype2"),
    "libglib-2.0.so.0": Packages("libglib2.0-0", "glib2", "glib2"),
    "libdbus-1.so.3": Packages("libdbus-1-3", "dbus-libs", "dbus"),
    "libxkbcommon.so.0": Packages("libxkbcommon0", "libxkbcommon", "libxkbcommon"),
}
"""What Qt needs on any screen, and MediaPipe."""

X11_LIBRARIES = {
    "libX11-xcb.so.1": Packages("libx11-xcb1", "libX11-xcb", "libx11"),
    "libxcb-cursor.so.0": Packages("libxcb-cursor0", "xcb-util-cursor", "xcb-util-cursor"),
    "libxcb-icccm.so.4": Packages("libxcb-icccm4", "xcb-util-wm", "xcb-util-wm"),
    "libxcb-image.so.0": Packages("libxcb-image0", "xcb-util-image", "xcb-util-image"),
    "libxcb-keysyms.so.1": Packages("libxcb-keysyms1", "xcb-util-keysyms", "xcb-util-keysyms"),
    "libxcb-randr.so.0": Packages("libxcb-randr0", "libxcb", "libxcb"),
    "libxcb-render.so.0": Packages("libxcb-render0", "libxcb", "libxcb"),
    "libxcb-render-util.so.0": Packages("libxcb-render-util0", "xcb-util-renderutil", "xcb-util-renderutil"),
    "libxcb-shape.so.0": Packages("libxcb-shape0", "libxcb", "libxcb"),
    "libxcb-shm.so.0": Packages("libxcb-shm0", "libxcb", "libxcb"),
    "libxcb-sync.so.1": Packages("libxcb-sync1", "libxcb", "libxcb"),
    "libxcb-util.so.1": Packages("libxcb-util1", "xcb-util", "xcb-util"),
    "libxcb-xfixes.so.0": Packages("libxcb-xfixes0", "libxcb", "libxcb"),
    "libxcb-xkb.so.1": Packages("libxcb-xkb1", "libxcb", "libxcb"),
    "libxkbcommon-x11.so.0": Packages("libxkbcommon-x11-0", "libxkbcommon-x11", "libxkbcommon-x11"),
}
"""What Qt's X11 plugin needs in addition."""

WAYLAND_LIBRARIES = {
    "libwayland-client.so.0": Packages("libwayland-client0", "libwayland-client", "wayland"),
    "libwayland-cursor.so.0": Packages("libwayland-cursor0", "libwayland-cursor", "wayland"),
    "libwayland-egl.so.1": Packages("libwayland-egl1", "libwayland-egl", "wayland"),
}
"""What Qt's Wayland plugin needs in addition."""

COMMANDS = {"debian": "sudo apt install", "fedora": "sudo dnf install", "arch": "sudo pacman -S --needed"}
NAMES = {"debian": "Debian or Ubuntu", "fedora": "Fedora", "arch": "Arch"}
"""The families of distributions, by the word that ``/etc/os-release`` has for them."""


RUNTIME = "https://aka.ms/vs/17/release/vc_redist.x64.exe"
"""Microsoft's Visual C++ Redistributable, which onnxruntime, PyTorch and MediaPipe need and a new Windows may lack."""
NOT_FOUND, NOT_STARTED = 126, 1114
"""Windows' errors for a library that is missing, or whose own libraries are, and for one that does not start."""


def runtime_problem(error: BaseException) -> str | None:
    """Return one sentence if ``error`` is that of a library that Windows cannot load, None for any other."""
    if sys.platform != "win32":
        return None
    if "DLL load failed" not in str(error) and getattr(error, "winerror", None) not in (NOT_FOUND, NOT_STARTED):
        return None
    what = (str(error).splitlines() or [""])[0].rstrip(".")
    return f"Windows cannot load a library ({what}): install {RUNTIME} and start again."


def can_load(library: str) -> bool:
    """Whether the system has a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def family() -> str | None:
    """Return the family of distributions of this computer, a key of :data:`COMMANDS`; None for any other."""
    try:
        release = platform.freedesktop_os_release()
    except OSError:
        return None
    words = [release.get("ID", ""), *release.get("ID_LIKE", "").split()]
    return next((word for word in ["debian" if word == "ubuntu" else word for word in words] if word in COMMANDS), None)


def libraries_problem(
    needed: Mapping[str, Packages],
    purpose: str,
    loads: Callable[[str], bool] = can_load,
    system: Callable[[], str | None] = family,
) -> str | None:
    """Return one sentence that names every package that is missing, or None where nothing is.

    Args:
        needed: libraries and the packages that bring them.
        purpose: what needs them, as the sentence's subject.
        loads: tells whether a shared library is there.
        system: tells the family of distributions, a key of :data:`COMMANDS`; None gets the commands of all.
    """
    missing = [packages for library, packages in needed.items() if not loads(library)]
    if not missing:
        return None
    commands = {
        word: f"{install} {' '.join(dict.fromkeys(getattr(packages, word) for packages in missing))}"
        for word, install in COMMANDS.items()
    }
    here = system()
    if here is not None:
        return f"{purpose} needs libraries of the system; install them with: {commands[here]}"
    everywhere = "; ".join(f"on {NAMES[word]} with: {command}" for word, command in commands.items())
    return f"{purpose} needs libraries of the system; install them {everywhere}"
