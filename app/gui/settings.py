"""What the live window starts with; filled by the command line or by saved choices."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import platformdirs

from app.settings import EngineSettings, TrackingSettings
from model.ghcu import ghcu_path

FOLDER_NAME = "LDEQ Live"


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How the live window starts.

    Attributes:
        source: "camera:0", a file, a folder, a stream URL or "demo"; None takes the first camera that
            opens and otherwise plays the demo clip.
        realtime_loop: files play at their own speed and start again at the end; False shows every frame
            once, as fast as it is solved.
        tracking: how faces are followed, until the person changes it.
        engine: which model runs, and on what.
        mirror: flip the picture left to right; None mirrors cameras only.
        record_folder: where recordings and snapshots go; None is "LDEQ Live" among the person's videos.
    """

    source: str | None = None
    realtime_loop: bool = True
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    engine: EngineSettings = field(default_factory=EngineSettings)
    mirror: bool | None = None
    record_folder: Path | None = None

    @property
    def ghcu_found(self) -> bool:
        """Whether a GHCU lies beside the weights."""
        return ghcu_path(self.engine.weights).is_file()

    @property
    def folder(self) -> Path:
        """Where recordings and snapshots go."""
        return self.record_folder or Path(platformdirs.user_videos_dir()) / FOLDER_NAME
