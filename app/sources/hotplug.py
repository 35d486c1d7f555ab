"""Notices cameras that are plugged in or pulled out, without touching those that stay."""

from __future__ import annotations

import sys
from collections.abc import Hashable
from pathlib import Path

DEVICES = Path("/dev")
POLL_SECONDS = 2.0


def camera_marks(platform: str = sys.platform, devices: Path = DEVICES) -> Hashable | None:
    """Return something that changes when a camera comes or goes and that costs next to nothing to look at.

    On Linux these are the device files. Listing cameras opens each of them, which wakes a sleeping camera, and so
    must not happen every two seconds. None where only listing the cameras can tell (Windows, macOS).
    """
    if not platform.startswith("linux"):
        return None
    marks = []
    for path in devices.glob("video*"):
        try:
            facts = path.stat()
        except OSError:
            continue
        # The mode counts because a device can only be opened some moments after it appears.
        marks.append((path.name, facts.st_ino, facts.st_mode, facts.st_gid))
    return tuple(sorted(marks))
