"""A session of a whole input that is tracked without a window: the input's own file is its video."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from app.core.errors import SourceError
from app.media.audio import SourceTiming
from app.media.clock import FileClock, RecordingClock, Timeline
from app.sessions.metadata import EngineFacts, SourceFacts, VideoFacts
from app.sessions.plan import RecordingChoices, SessionPlan
from app.sessions.writer import SessionWriter
from app.sources.base import SourceInfo
from model.weights import sha256


class VideoCopy(StrEnum):
    """How a video is copied into a session: small and nearly the same, or every value."""

    CLOSE = "close"
    EXACT = "exact"


def open_tracked_session(
    folder: Path,
    spec: str,
    info: SourceInfo,
    engine: EngineFacts,
    *,
    video: Path | None = None,
    timing: SourceTiming | None = None,
    copy: VideoCopy | None = None,
) -> SessionWriter:
    """Create the session of an input.

    Args:
        folder: a name that is free.
        spec: what the person named.
        info: facts about the open source.
        engine: what computes the landmarks.
        video: the input, where it is a video file. The session refers to it with its checksum; other inputs are
            copied in any case.
        timing: the clock of that file.
        copy: how to copy the pictures into the session; None: only where that must be.

    Raises:
        UserError: where the folder cannot be created or the input cannot be read.
    """
    reference: VideoFacts | None = None
    if video is not None and copy is None:
        try:
            digest = sha256(video)
        except OSError as error:
            raise SourceError(f"{video} cannot be read: {error.strerror or error}; check the file.") from error
        reference = VideoFacts(str(video.resolve()), inside=False, lossless=True, sha256=digest)
    choices = RecordingChoices(exact=copy == VideoCopy.EXACT)
    plan = SessionPlan(SourceFacts.of(spec, info), engine, choices, reference=reference, threads=0)
    clock: Timeline = RecordingClock() if info.live else FileClock(timing)
    return SessionWriter(folder, plan, clock)
