"""What every source of frames offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from app.pipeline.frame import Frame


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What a person and the recorder need to know about an open source.

    Attributes:
        name: shown in the window, e.g. "Integrated Camera", "talk.mp4", "Demo clip".
        width: picture width in pixels.
        height: picture height in pixels.
        fps: nominal frames per second, exact where known (29.97 is 30000 / 1001); None if unknown.
        frames: how many frames will come; None for live sources.
        live: frames come in real time and stale ones may be skipped.
        demo: the built-in demo clip.
        patience: seconds that one ``read`` may take before the source counts as stalled; sources that
            reconnect or that wait on purpose give more.
    """

    name: str
    width: int
    height: int
    fps: float | None
    frames: int | None
    live: bool
    demo: bool = False
    patience: float = 5.0


class Source(Protocol):
    """A camera, video file, picture folder, stream or the demo; used by one thread at a time."""

    @property
    def info(self) -> SourceInfo:
        """Facts about the open source."""
        ...

    def read(self) -> Frame | None:
        """Return the next frame, waiting for it; None at the end.

        Raises:
            SourceError: the source failed or stopped delivering.
        """
        ...

    def close(self) -> None:
        """Release the device or file; safe to call twice and from another thread than ``read``."""
        ...
