"""The pictures of a session while it is written: the clean video, the annotated one, the thumbnail."""

from __future__ import annotations

import logging
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.errors import RecordingError
from app.core.frame import FrameResult
from app.media.encoding import Encoding
from app.media.outputs import write_picture
from app.media.overlay import draw_overlay
from app.media.video import FINE_TIME_BASE, VideoWriter, letterbox
from app.sessions.form import THUMBNAIL

Image = NDArray[np.uint8]

THUMBNAIL_WIDTH = 320

log = logging.getLogger(__name__)


class PictureTrack:
    """One video of the folder; its file is created with its first picture. Used by one thread.

    Pictures keep the first one's size; later ones of another size are letterboxed into it.

    Args:
        path: of the video.
        encoding: how pictures are encoded.
        frame_rate: expected frames per second; None if unknown.
        threads: of the encoder; 0 leaves it to the encoder.

    Attributes:
        count: pictures in it.
        resized: a picture did not have the first one's size.
    """

    def __init__(self, path: Path, encoding: Encoding, frame_rate: float | None, threads: int) -> None:
        self.path = path
        self.encoding = encoding
        self.count = 0
        self.resized = False
        self._rate = Fraction(frame_rate).limit_denominator(1001) if frame_rate else None
        self._threads = threads
        self._writer: VideoWriter | None = None

    @property
    def begun(self) -> bool:
        """Whether its file was created."""
        return self._writer is not None

    def add(self, result: FrameResult, time: float) -> int:
        """Encode a picture shown at ``time`` seconds; return its number.

        Raises:
            RecordingError: if it cannot be written; what was written stays playable.
        """
        image = self._picture(result)
        if self._writer is None:
            height, width = image.shape[:2]
            self._writer = VideoWriter(
                self.path,
                width,
                height,
                time_base=FINE_TIME_BASE,
                frame_rate=self._rate,
                encoding=self.encoding,
                threads=self._threads,
            )
        boxed = letterbox(image, *self._writer.size)
        self.resized |= boxed is not image
        self._writer.write(boxed, time)
        self.count += 1
        return self.count - 1

    def close(self) -> None:
        """Finish the file; safe to call twice.

        Raises:
            RecordingError: if its end could not be written; it plays up to its last full part.
        """
        if self._writer is not None:
            self._writer.close()

    def _picture(self, result: FrameResult) -> Image:
        return result.frame.image


class AnnotatedTrack(PictureTrack):
    """The video with the landmarks drawn into its pictures."""

    def _picture(self, result: FrameResult) -> Image:
        return draw_overlay(result)


def write_thumbnail(folder: Path, result: FrameResult) -> None:
    """Write a small picture of a frame for lists; a failure is only logged."""
    image = result.frame.image
    height, width = image.shape[:2]
    scale = min(1.0, THUMBNAIL_WIDTH / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    try:
        write_picture(folder / THUMBNAIL, small)
    except RecordingError as error:
        log.warning("no thumbnail: %s", error)
