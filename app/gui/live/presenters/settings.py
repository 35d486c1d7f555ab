"""What the live window starts with; filled by the command line and by what was remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from app.gui.live.presenters.model import ModelInUse
from app.gui.live.presenters.remembered import FOLDER_NAME, Remembered


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How the live window starts.

    Attributes:
        chosen: everything that the user can change in the window. ``chosen.source`` None takes the first camera
            that opens and otherwise plays the demo clip.
        realtime_loop: files play at their own speed and start again at the end; False shows every frame
            once, as fast as it is solved.
        model: which model runs, and on what.
        note: one sentence to begin with, such as that the remembered choices could not be read; "" normally.
    """

    chosen: Remembered = field(default_factory=Remembered)
    realtime_loop: bool = True
    model: ModelInUse = field(default_factory=ModelInUse)
    note: str = ""


def recordings_folder(chosen: Remembered) -> Path:
    """Return where sessions, snapshots and report cards go: as chosen, or "LDEQ Live" in the user's video folder."""
    return chosen.folder or Path(platformdirs.user_videos_dir()) / FOLDER_NAME
