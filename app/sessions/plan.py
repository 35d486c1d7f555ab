"""What a recording will hold, decided before it begins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.sessions.metadata import EngineFacts, Origin, SourceFacts, VideoFacts


class VideoCopy(StrEnum):
    """How a video that is tracked is copied into its session."""

    CLOSE = "close"
    """Small, and nearly the same."""
    EXACT = "exact"
    """Every value."""


@dataclass(frozen=True, slots=True)
class RecordingChoices:
    """What a recording holds besides the landmarks.

    Attributes:
        video: the clean pictures.
        annotated: also a video with the landmarks drawn in; it can be made from the session later, too.
        exact: keep every value of the pictures, so that a replay gives the same landmarks bit for bit;
            about 40 MB a second at 1280x720.
        privacy: no pictures at all, whatever the others say.
    """

    video: bool = True
    annotated: bool = False
    exact: bool = False
    privacy: bool = False

    @property
    def wants_clean(self) -> bool:
        """Whether the clean pictures are recorded."""
        return (self.video or self.exact) and not self.privacy

    @property
    def wants_annotated(self) -> bool:
        """Whether the annotated pictures are recorded."""
        return self.annotated and not self.privacy


@dataclass(frozen=True, slots=True)
class SessionPlan:
    """What is recorded, and with what.

    Attributes:
        source: where the pictures come from.
        engine: what computes the landmarks; its checksum is added on the writer's thread.
        choices: what to keep.
        reference: the file that is tracked, if it takes the place of a clean video; its pictures are counted
            by the frames' indices.
        origin: the session that this one is cut from.
        versions: of everything that may change what is computed; None takes the present ones.
        threads: of the encoders; 0 leaves it to them.
    """

    source: SourceFacts
    engine: EngineFacts
    choices: RecordingChoices = RecordingChoices()
    reference: VideoFacts | None = None
    origin: Origin | None = None
    versions: dict[str, str] | None = None
    threads: int = 1
