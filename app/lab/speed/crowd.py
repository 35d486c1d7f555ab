"""A source of several faces whose motion is the demo clip's."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from app.core.frame import Frame
from app.sources.base import SourceInfo
from app.sources.demo import DemoClip

APART = 41
"""Frames between two faces of the crowd, so that they do not move alike."""


class Crowd:
    """The demo clip's face several times beside itself, each at another moment and every other one mirrored.

    Args:
        count: how many faces.
    """

    note = ""

    def __init__(self, count: int = 3) -> None:
        self._clips = [DemoClip() for _ in range(count)]
        for number, clip in enumerate(self._clips):
            for _ in range(number * APART):
                clip.read()

    @property
    def info(self) -> SourceInfo:
        """Facts about the picture, which is as large as the clip's."""
        return replace(self._clips[0].info, name=f"{len(self._clips)} faces")

    def read(self) -> Frame | None:
        """Return the next picture; None once the first face's clip has ended."""
        frames = [clip.read() for clip in self._clips]
        if frames[0] is None or frames[-1] is None:
            return None
        width = frames[0].image.shape[1]
        share = width // len(frames)
        parts = []
        for number, frame in enumerate(frames):
            assert frame is not None
            left = (width - share) // 2
            part = frame.image[:, left : left + share]
            parts.append(part[:, ::-1] if number % 2 else part)
        picture = np.zeros_like(frames[0].image)
        picture[:, : share * len(parts)] = np.concatenate(parts, axis=1)
        return replace(frames[0], image=picture)

    def close(self) -> None:
        """Close the clips."""
        for clip in self._clips:
            clip.close()
