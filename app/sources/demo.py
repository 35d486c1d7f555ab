"""The built-in demo: a clip of a face whose true motion is known, with the noise of its camera's sensor.

H.264 at a size fit for the repository smooths noise away, and noise is what makes landmarks flicker on a still face, so
it is added while the clip plays: the same for a given frame index, different for every frame.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from app.core.frame import Frame
from app.core.places import DEMO_CLIP, DEMO_MOTION
from app.sources.base import SourceInfo
from app.sources.opencv import cv2
from app.sources.video import VideoSource

FACE_CENTRE = (225.0, 128.0)
"""Portrait pixel about which the head turns: the bridge of the nose."""
HEAD = (226.0, 112.0, 84.0, 92.0)
"""Ellipse (x, y, half width, half height) in the portrait inside which the head moves rigidly."""
EYES = ((201.5, 101.0), (247.0, 104.0))
"""Portrait pixels of the middles of the eyes, which blink."""
NOISE = 3.0
"""Standard deviation of the brightness noise, in grey levels."""
COLOUR_NOISE = 1.5
"""Standard deviation of the colour noise, which is coarser, as after demosaicing."""
SEED = 20230617
_SPARE = 128


@dataclass(frozen=True, slots=True, eq=False)
class DemoTruth:
    """Ground truth of the n frames of the clip.

    Attributes:
        matrix: (n, 2, 3) float64, portrait pixels to frame pixels; pixel centres have integer coordinates. It holds for
            the whole head except for what an expression moves.
        landmarks: (n, 98, 2) float32, the 98 points in frame pixels, with the expression.
        blink: (n,) float32, 0 to 1; above 0 the eyelids move by themselves.
        mouth: (n,) float32, 0 to 1; above 0 mouth and jaw move by themselves.
        brows: (n,) float32, 0 to 1; above 0 the brows and the skin around them move by themselves.
        still: (n,) bool, the head is nearly still.
        occluded: (n,) bool, a folder passes through the picture.
    """

    matrix: NDArray[np.float64]
    landmarks: NDArray[np.float32]
    blink: NDArray[np.float32]
    mouth: NDArray[np.float32]
    brows: NDArray[np.float32]
    still: NDArray[np.bool_]
    occluded: NDArray[np.bool_]


class SensorNoise:
    """Adds noise to (h, w, 3) uint8 RGB pictures of one size.

    One picture of noise, a little larger than the frame, is drawn once, and every frame uses another window of it. That
    takes about 1 ms per frame instead of 30, and neighbouring frames have independent noise.
    """

    def __init__(self, width: int, height: int) -> None:
        random = np.random.default_rng(SEED)
        rows, columns = height + _SPARE, width + _SPARE
        grey = random.standard_normal((rows, columns, 1), dtype=np.float32)
        colour = random.standard_normal((rows // 2, columns // 2, 3), dtype=np.float32)
        colour = colour.repeat(2, axis=0).repeat(2, axis=1)
        self._size = (height, width)
        self._noise = np.rint(NOISE * grey + COLOUR_NOISE * colour).astype(np.int16)

    def add(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Return ``image`` with the noise of frame ``index``."""
        height, width = self._size
        top, left = np.random.default_rng([SEED, index]).integers(0, _SPARE + 1, size=2)
        window = self._noise[top : top + height, left : left + width]
        return cv2.add(image, window, dtype=cv2.CV_8U).astype(np.uint8, copy=False)


class DemoClip:
    """Every frame of the clip once, with the sensor's noise; the same pictures every time."""

    note = ""

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


@cache
def demo_truth() -> DemoTruth:
    """Return the ground truth of the clip."""
    with np.load(DEMO_MOTION) as data:
        return DemoTruth(**{field.name: data[field.name] for field in fields(DemoTruth)})


@cache
def _sensor_noise(width: int, height: int) -> SensorNoise:
    return SensorNoise(width, height)
