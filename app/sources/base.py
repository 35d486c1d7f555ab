"""The interface of every source of frames, and of those that can be searched or steered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Protocol, runtime_checkable

from app.core.frame import Frame
from app.sources.spec import CameraFormat

FALLBACK_RATE = Fraction(30)
"""Frames per second of a source that does not tell."""
CLOCK_BACK = 1
"""Seconds by which the times of a stream or file may step back before its clock counts as one that began again."""
CLOCK_AHEAD = 10
"""Seconds by which those of a live stream may leap beyond the time that has passed, likewise; buffers send much at
once."""
LEAP = 60
"""Seconds by which those of a file may leap, likewise, where its format allows that; less is taken for a gap."""


class Adaptation(StrEnum):
    """What was done to stored pictures so that they are seen as they are meant to be; sessions store the words."""

    TURNED = "turned"
    SQUARE_PIXELS = "square pixels"
    DEINTERLACED = "deinterlaced"
    TONE_MAPPED = "tone mapped"
    STRETCHED = "stretched"
    FLATTENED = "flattened"


ADAPTATION_TEXTS = {
    Adaptation.TURNED: "turned upright",
    Adaptation.SQUARE_PIXELS: "made of square pixels",
    Adaptation.DEINTERLACED: "deinterlaced (first field, lines between interpolated)",
    Adaptation.TONE_MAPPED: "converted from HDR to SDR (BT.709)",
    Adaptation.STRETCHED: "brightened, since only the lower bits of each value are used",
    Adaptation.FLATTENED: "put on white where they are transparent",
}


def adaptation_remark(adaptations: Sequence[Adaptation], subject: str = "Pictures") -> str:
    """Return one sentence about what was done to the pictures that ``subject`` names; "" for nothing."""
    texts = [ADAPTATION_TEXTS[adaptation] for adaptation in adaptations]
    if not texts:
        return ""
    return f"{subject} were {', '.join(texts[:-1]) + ' and ' if texts[1:] else ''}{texts[-1]}."


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """Facts about an open source, for the window and the recorder.

    Attributes:
        name: for display, e.g. "Integrated Camera", "talk.mp4", "Demo clip".
        width: picture width in pixels.
        height: picture height in pixels.
        fps: nominal frames per second, exact if known (29.97 is 30000 / 1001); None if unknown.
        frames: number of frames; None for live sources.
        live: frames arrive in real time, and old ones may be skipped.
        demo: the built-in demo clip.
        patience: seconds that one ``read`` may take before the source counts as stalled; longer for sources that
            reconnect or wait on purpose.
        requested: the format requested from a camera, which may differ from the delivered one above; None for other
            sources and for a camera that keeps its own format.
        photos: the pictures do not continue each other.
        adaptations: what is done to the pictures, as far as the first one tells.
        remark: what a person should be told once about how the pictures are taken; "" for nothing.
    """

    name: str
    width: int
    height: int
    fps: float | None
    frames: int | None
    live: bool
    demo: bool = False
    patience: float = 5.0
    requested: CameraFormat | None = None
    photos: bool = False
    adaptations: tuple[Adaptation, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Playback:
    """The state of a source that can be played back.

    Attributes:
        position: seconds from its beginning; the target of a seek in progress.
        duration: its length in seconds; None if unknown.
        paused: whether it is paused.
        speed: 1 is its own speed.
    """

    position: float
    duration: float | None
    paused: bool
    speed: float


class Source(Protocol):
    """A camera, screen, video file, folder of pictures, stream or the demo; used by one thread at a time."""

    @property
    def info(self) -> SourceInfo:
        """Facts about the open source."""
        ...

    @property
    def note(self) -> str:
        """One sentence about what is going on, or what could not be read so far; "" normally."""
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
    """A source that is not live and has random access."""

    @property
    def start(self) -> float:
        """Timestamp of the first frame, in seconds."""
        ...

    @property
    def duration(self) -> float | None:
        """Seconds from the first frame to the end of the last; None if unknown."""
        ...

    def seek(self, timestamp: float) -> None:
        """Let the next ``read`` return the frame that is shown at ``timestamp``.

        That is the last frame whose timestamp is not after it, or else the first frame. Called by the thread that
        reads.

        Raises:
            SourceError: the source can no longer be read.
        """
        ...


class Steerable(Protocol):
    """Something that plays and can be steered, from any thread; every call returns at once."""

    @property
    def playback(self) -> Playback | None:
        """Its state; None if there is nothing to steer."""
        ...

    def pause(self, paused: bool) -> None:
        """Pause, or play on."""
        ...

    def seek_to(self, seconds: float) -> None:
        """Continue at ``seconds`` from the beginning; while paused, show that frame. The newest call wins."""
        ...

    def step(self, frames: int) -> None:
        """Pause and show the picture that many frames later, or earlier if negative."""
        ...

    def set_speed(self, speed: float) -> None:
        """Play ``speed`` times as fast as the source's own clock."""
        ...


@runtime_checkable
class Playable(Steerable, Protocol):
    """A source whose playback can be steered."""

    def show_again(self) -> None:
        """While paused, deliver the frame that is shown once more; otherwise do nothing."""
        ...

    def broken_between(self, last: int, index: int) -> bool:
        """Whether any frame after index ``last`` up to ``index`` does not continue the one before it."""
        ...
