"""What every source of frames offers, and what one that can be played back offers besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from app.core.frame import Frame
from app.sources.spec import CameraFormat


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
        asked: what was asked of a camera; what it gives is above. None for other sources and for a camera that was
            left as it likes.
    """

    name: str
    width: int
    height: int
    fps: float | None
    frames: int | None
    live: bool
    demo: bool = False
    patience: float = 5.0
    asked: CameraFormat | None = None


@dataclass(frozen=True, slots=True)
class Playback:
    """Where a source that can be played back stands.

    Attributes:
        position: seconds from its beginning; where a seek under way will end.
        duration: its length in seconds; None if unknown.
        paused: whether it stands still.
        speed: how fast it plays; 1 is its own speed.
    """

    position: float
    duration: float | None
    paused: bool
    speed: float


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


@runtime_checkable
class Seekable(Protocol):
    """A source that is not live and in which every moment can be found again."""

    @property
    def start(self) -> float:
        """Timestamp of the first frame, in seconds."""
        ...

    @property
    def duration(self) -> float | None:
        """Seconds from the first frame to the end of the last; None if unknown."""
        ...

    def seek(self, timestamp: float) -> None:
        """Let the next ``read`` give the frame that is shown at ``timestamp``.

        That is the last frame whose timestamp is not after it; the first frame where all are. Called by the thread
        that reads.

        Raises:
            SourceError: the source cannot be searched.
        """
        ...


@runtime_checkable
class Playable(Protocol):
    """A source whose playing a person can steer, from any thread; every call returns at once."""

    @property
    def playback(self) -> Playback | None:
        """Where it stands; None where there is nothing to steer."""
        ...

    def pause(self, paused: bool) -> None:
        """Stand still, or play on."""
        ...

    def seek_to(self, seconds: float) -> None:
        """Go on at ``seconds`` from the beginning; while paused, show that frame. The newest call wins."""
        ...

    def step(self, frames: int) -> None:
        """Pause, and show the picture that many frames on, or back if negative."""
        ...

    def show_again(self) -> None:
        """While paused, give the frame that is shown once more; otherwise nothing."""
        ...

    def set_speed(self, speed: float) -> None:
        """Play ``speed`` times as fast as the source's own clock."""
        ...

    def broken_between(self, last: int, index: int) -> bool:
        """Whether any frame after index ``last`` up to ``index`` does not continue the one before it."""
        ...
