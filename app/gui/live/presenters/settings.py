"""What the live window starts with; filled by the command line and by what was remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from app.core.settings import EngineSettings
from app.gui.live.presenters.remembered import Remembered
from model.repair.ghcu import ghcu_path

FOLDER_NAME = "LDEQ Live"


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How the live window starts.

    Attributes:
        chosen: everything that the user can change in the window. ``chosen.source`` None takes the first camera
            that opens and otherwise plays the demo clip.
        realtime_loop: files play at their own speed and start again at the end; False shows every frame
            once, as fast as it is solved.
        engine: which model runs, and on what.
        note: one sentence to begin with, such as that the remembered choices could not be read; "" normally.
    """

    chosen: Remembered = field(default_factory=Remembered)
    realtime_loop: bool = True
    engine: EngineSettings = field(default_factory=EngineSettings)
    note: str = ""

    @property
    def ghcu_found(self) -> bool:
        """Whether there is a GHCU beside the weights."""
        return ghcu_path(self.engine.weights).is_file()


def recordings_folder(chosen: Remembered) -> Path:
    """Return where sessions, snapshots and report cards go: as chosen, or "LDEQ Live" in the user's video folder."""
    return chosen.folder or Path(platformdirs.user_videos_dir()) / FOLDER_NAME
