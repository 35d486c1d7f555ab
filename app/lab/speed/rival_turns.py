"""Rivals that take turns with our engines in a benchmark of speed."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, closing
from itertools import islice
from pathlib import Path
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from app.lab.speed.rival import Installed, Rival
from app.sources.video import VideoSource

STILL = "mediapipe-still"
"""Not a way to follow a video: it looks for the face anew in every picture."""


class RivalTurns:
    """Opens rivals on a video and lets each follow some frames of it at a time.

    Args:
        installed: the rivals; of two with the same label the first takes part.
        video: what they follow, again and again.
        frames: of one turn.

    Attributes:
        milliseconds: of every frame so far, by rival: by the clock, and CPU time.

    Raises:
        UserError: where one does not start, or the video cannot be read.
    """

    def __init__(self, installed: Sequence[Installed], video: Path, frames: int) -> None:
        self.milliseconds: dict[str, list[float]] = {}
        self._frames = frames
        self._stack = ExitStack()
        self._rivals: list[tuple[Rival, Iterator[NDArray[np.uint8]]]] = []
        with closing(VideoSource(video)) as source:
            width, height = source.info.width, source.info.height
        unlike: dict[str, Installed] = {}
        for each in installed:
            if each.name != STILL:
                unlike.setdefault(each.label, each)
        try:
            for each in unlike.values():
                rival = self._stack.enter_context(Rival(each, width, height))
                self._rivals.append((rival, self._stack.enter_context(closing(endless(video)))))
        except BaseException:
            self._stack.close()
            raise

    def run(self) -> None:
        """Let each have its turn.

        Raises:
            UserError: where one ended.
        """
        for rival, images in self._rivals:
            answers = [rival.follow(image) for image in islice(images, self._frames)]
            wall, cpu = (self.milliseconds.setdefault(name, []) for name in (rival.label, f"{rival.label}, CPU time"))
            wall += [answer.milliseconds for answer in answers]
            cpu += [answer.cpu_milliseconds for answer in answers]

    def __enter__(self) -> RivalTurns:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()


def endless(video: Path) -> Generator[NDArray[np.uint8]]:
    """Yield the pictures of a video, again and again; none of one that has none."""
    count = 1
    while count:
        count = 0
        with closing(VideoSource(video)) as source:
            while (frame := source.read()) is not None:
                count += 1
                yield frame.image
