"""The built-in demo: a clip of a face whose true motion is known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.core.frame import Frame
from app.core.places import DEMO_CLIP, DEMO_MOTION
from app.sources.base import SourceInfo
from app.sources.paced import PacedSource
from app.sources.sensor_noise import SensorNoise
from app.sources.video import VideoSource

FACE_CENTRE = (225.0, 128.0)
"""Portrait pixel about which the head turns: the bridge of the nose."""
HEAD = (226.0, 112.0, 84.0, 92.0)
"""Ellipse (x, y, half width, half height) in the portrait inside which the head moves rigidly."""
EYES = ((201.5, 101.0), (247.0, 104.0))
"""Portrait pixels of the middles of the eyes, which blink."""


@dataclass(frozen=True, slots=True, eq=False)
class DemoTruth:
    """What is known about the n frames of the clip.

    Attributes:
        matrix: (n, 2, 3) float64, portrait pixels to frame pixels; holds for the whole head but for ...
        blink: (n,) ... the eyelids while this is above 0, and ...
        mouth: (n,) ... mouth and jaw while this is above 0.
        still: (n,) bool, the head keeps nearly still.
        occluded: (n,) bool, a folder passes through the picture.
    """

    matrix: NDArray[np.float64]
    blink: NDArray[np.float32]
    mouth: NDArray[np.float32]
    still: NDArray[np.bool_]
    occluded: NDArray[np.bool_]


class DemoClip:
    """Every frame of the clip once, with the sensor's noise; the same pictures each time."""

    def __init__(self) -> None:
        self._video = VideoSource(DEMO_CLIP)
        self._noise = _sensor_noise(self._video.info.width, self._video.info.height)
        self._info = replace(self._video.info, name="Demo clip", demo=True)

    @property
    def info(self) -> SourceInfo:
        """Facts about the clip."""
        return self._info

    @property
    def start(self) -> float:
        """Timestamp of the first frame."""
        return self._video.start

    @property
    def duration(self) -> float | None:
        """Length of the clip in seconds."""
        return self._video.duration

    def seek(self, timestamp: float) -> None:
        """Let the next :meth:`read` give the frame shown at ``timestamp``, the same picture as without a seek."""
        self._video.seek(timestamp)

    def read(self) -> Frame | None:
        """Return the next frame; None at the end or once closed."""
        frame = self._video.read()
        return None if frame is None else replace(frame, image=self._noise.add(frame.image, frame.index))

    def close(self) -> None:
        """Close the clip's file."""
        self._video.close()


def open_demo() -> PacedSource:
    """Open the demo as a live source that never ends; ``info.demo`` is True."""
    return PacedSource(DemoClip, loop=True)


@cache
def demo_truth() -> DemoTruth:
    """Return what is known about the clip's frames."""
    with np.load(DEMO_MOTION) as data:
        return DemoTruth(**{name: data[name] for name in ("matrix", "blink", "mouth", "still", "occluded")})


def true_motion(frame_index: int) -> NDArray[np.float64]:
    """Return the (2, 3) similarity from portrait pixels to pixels of frame ``frame_index``, in any loop.

    Pixel centres have integer coordinates. See :class:`DemoTruth` for the parts of the face that it does not move.
    """
    matrix = demo_truth().matrix
    return np.array(matrix[frame_index % len(matrix)])


@cache
def _sensor_noise(width: int, height: int) -> SensorNoise:
    return SensorNoise(width, height)
