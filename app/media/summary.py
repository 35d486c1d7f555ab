"""What became of a recording."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """What became of a recording.

    Attributes:
        path: the session's folder or the video; it exists only if ``frames`` is not 0.
        frames: recorded frames; of a video, pictures in it.
        dropped: pictures that came faster than they could be encoded, and results after an error.
        seconds: playing time.
        error: one sentence, None if all went well. What was written before it can be used.
        damaged: results that could not be written for another reason and were left out.
    """

    path: Path
    frames: int
    dropped: int
    seconds: float
    error: str | None = None
    damaged: int = 0
