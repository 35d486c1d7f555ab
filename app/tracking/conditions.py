"""Image quality of a face: light, contrast, sharpness, noise, size, and how much the picture's edges cut off.

Pure functions of an image and landmarks, which take about 0.2 ms per face whatever the picture's size. Everything is
measured inside the *inner face*, the box around brows, eyes, nose and mouth, so that the background does not matter.

- Light and contrast are mean and standard deviation of the luma (Rec. 601, 0 to 255).
- Noise is Immerkaer's estimate ("Fast Noise Variance Estimation", CVIU 1996) with the median in place of the mean, so
  that edges and lashes do not count: the picture is filtered with the difference of two Laplacians, which yields 6
  times the noise's standard deviation and almost nothing on smooth skin.
- Sharpness is the variance of the second difference over that of the luma, in percent, along the axis where it is
  smaller. (The Laplacian, the sum of both, misses a picture smeared by sideways motion, whose other axis stays sharp.)
  The inner face is first averaged down to 72 pixels (it is never enlarged), about half of what the network sees, so
  that a near and a far face of the same relative blur read the same; dividing by the luma's variance takes out light
  and contrast; what the noise adds (6 times its variance after averaging) is subtracted, or a dark grainy picture
  would count as sharp. Of 171 WFLW faces half read above 2.6; at 0.16 landmarks are 40 to 50 % worse, whether by
  defocus or by motion (``python -m benchmarks.picture_conditions``).
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from model.topology import REGIONS, inter_ocular

Image = NDArray[np.uint8]

FACE_SIDE = 72
"""Length of the inner face's longer side, in pixels, at which sharpness is measured."""
SCENE_SIDE = 240
"""The same for a whole picture without a face."""
NOISE_SIDE = 96
"""Side of the square, in pixels at full resolution, in which noise is measured."""
DARK = 16
"""Luma below which detail is lost in the sensor's black (16 is black in video range)."""
BRIGHT = 250
"""Luma above which detail is lost in clipped white."""


class Edge(StrEnum):
    """An edge of the picture."""

    LEFT = "left"
    RIGHT = "right"
    TOP = "top"
    BOTTOM = "bottom"


_EDGES = tuple(Edge)

_INNER = np.array([point for region in REGIONS if region.name != "contour" for point in region.points])
_SECOND_DIFFERENCE = np.array([1, -2, 1], np.float32)
_ONE = np.ones(1, np.float32)
_MEDIAN_TO_DEVIATION = 1.4826
_NOISE_GAIN = 6.0
_DIFFERENCE_GAIN = 6.0
_LEAST_VARIANCE = 4.0


@dataclass(frozen=True, slots=True)
class FaceView:
    """How a face lies in its picture.

    Attributes:
        inter_ocular: distance of the outer eye corners in frame pixels.
        height: height of the landmarks' box as a share of the picture's height.
        cut_off: share of the 98 landmarks that lie outside the picture.
        edge: of the picture where most of them do, None where none does.
    """

    inter_ocular: float
    height: float
    cut_off: float
    edge: Edge | None


@dataclass(frozen=True, slots=True)
class Conditions:
    """Image quality inside a face, or of the whole picture if there is no face.

    Attributes:
        light: mean luma, 0 to 255.
        dark: share of pixels too dark to hold detail.
        bright: share of pixels clipped to white.
        contrast: standard deviation of the luma.
        sharpness: variance of the second difference over the luma's, less the contribution of noise, in percent.
        noise: standard deviation of the sensor's noise in grey levels of 255; in faces under about 30 pixels from
            eye to eye, fine detail counts as noise too.
        face: where the face lies; None for a picture without a face.
    """

    light: float
    dark: float
    bright: float
    contrast: float
    sharpness: float
    noise: float
    face: FaceView | None = None


def face_conditions(image: Image, landmarks: NDArray[np.floating]) -> Conditions:
    """Return the conditions of a face.

    Args:
        image: the frame, RGB (h, w, 3).
        landmarks: (98, 2) in frame pixels, finite; they may lie outside the frame.
    """
    inner = landmarks[_INNER]
    (left, top), (right, bottom) = inner.min(axis=0), inner.max(axis=0)
    measured = _measure(_cut(image, left, top, right, bottom), FACE_SIDE)
    return Conditions(*measured, face=face_view(landmarks, image.shape[1], image.shape[0]))


def scene_conditions(image: Image) -> Conditions:
    """Return the conditions of a whole picture, RGB (h, w, 3), without a known face."""
    return Conditions(*_measure(image, SCENE_SIDE))


def box_conditions(image: Image, left: float, top: float, right: float, bottom: float) -> Conditions:
    """Return the conditions within a box in frame pixels, such as the last known place of a face."""
    return Conditions(*_measure(_cut(image, left, top, right, bottom), FACE_SIDE))


def face_view(landmarks: NDArray[np.floating], width: int, height: int) -> FaceView:
    """Return how landmarks (98, 2) lie in a picture of ``width`` x ``height`` pixels."""
    x, y = landmarks.T
    beyond = np.stack([x < 0, x > width - 1, y < 0, y > height - 1])
    counts = beyond.sum(axis=1)
    return FaceView(
        inter_ocular=float(inter_ocular(landmarks)),
        height=float(y.max() - y.min()) / height,
        cut_off=float(beyond.any(axis=0).mean()),
        edge=_EDGES[int(counts.argmax())] if counts.any() else None,
    )


class SceneMean:
    """Exponential mean of a whole picture's conditions, against which a sudden change is seen.

    Args:
        seconds: over about so long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._mean: Conditions | None = None
        self._when = 0.0

    def add(self, scene: Conditions, when: float) -> Conditions:
        """Add the conditions at the time ``when``, in seconds, and return the mean; a step back begins it anew."""
        last, passed = self._mean, when - self._when
        self._mean, self._when = scene, when
        if last is not None and passed >= 0:
            share = 1.0 - float(np.exp(-passed / self._seconds))
            pairs = list(zip(astuple(last), astuple(scene), strict=True))[:-1]  # without the face, which a scene lacks
            self._mean = Conditions(*(before + share * (after - before) for before, after in pairs))
        return self._mean


def _cut(image: Image, left: float, top: float, right: float, bottom: float) -> Image:
    """Return the part of the box inside the picture, at least 3 x 3 pixels if the picture is that large."""
    height, width = image.shape[:2]
    x1, x2 = _span(left, right, width)
    y1, y2 = _span(top, bottom, height)
    return image[y1:y2, x1:x2]


def _span(low: float, high: float, size: int) -> tuple[int, int]:
    first = int(min(max(low, 0.0), max(0.0, size - 3.0)))
    return first, min(max(math.ceil(high), first + min(3, size)), size)


def _measure(image: Image, side: int) -> tuple[float, float, float, float, float, float]:
    """Return light, dark, bright, contrast, sharpness and noise of a part of a picture."""
    luma = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    noise = _noise(luma)
    small = _averaged(luma, side)
    scale = max(small.shape) / max(luma.shape)
    (mean,), (deviation,) = cv2.meanStdDev(small)
    variance = float(deviation[0]) ** 2
    # Averaging 1 / scale^2 pixels leaves scale^2 of the noise's variance.
    detail = _least_change(small) - _DIFFERENCE_GAIN * (noise * scale) ** 2
    return (
        float(mean[0]),
        float((small < DARK).mean()),
        float((small > BRIGHT).mean()),
        variance**0.5,
        100.0 * max(0.0, detail) / max(variance, _LEAST_VARIANCE),
        noise,
    )


def _least_change(luma: NDArray[np.uint8]) -> float:
    """Return the variance of the second difference along the axis where it is smaller."""
    across = cv2.sepFilter2D(luma, cv2.CV_32F, _SECOND_DIFFERENCE, _ONE)
    down = cv2.sepFilter2D(luma, cv2.CV_32F, _ONE, _SECOND_DIFFERENCE)
    return min(float(cv2.meanStdDev(change)[1][0, 0]) for change in (across, down)) ** 2


def _averaged(luma: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a grey picture averaged down until its longer side has ``side`` pixels; never enlarged."""
    whole = max(luma.shape) // (2 * side)
    if whole > 1:
        # By an integer factor first: OpenCV is four times as fast at that.
        height, width = (length // whole for length in luma.shape)
        if min(height, width) > 0:
            luma = _resized(luma[: height * whole, : width * whole], width, height)
    scale = side / max(luma.shape)
    if scale >= 1.0:
        return luma
    return _resized(luma, max(3, round(luma.shape[1] * scale)), max(3, round(luma.shape[0] * scale)))


def _resized(luma: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _noise(luma: NDArray[np.uint8]) -> float:
    """Return the noise's standard deviation in the middle of a grey picture."""
    height, width = luma.shape
    top, left = max(0, (height - NOISE_SIDE) // 2), max(0, (width - NOISE_SIDE) // 2)
    middle = luma[top : top + NOISE_SIDE, left : left + NOISE_SIDE]
    # Along both axes in turn, which is the difference of two Laplacians.
    changes = cv2.sepFilter2D(middle, cv2.CV_32F, _SECOND_DIFFERENCE, _SECOND_DIFFERENCE)
    inside = changes[1:-1, 1:-1] if min(changes.shape) > 2 else changes
    return float(np.median(np.abs(inside))) * _MEDIAN_TO_DEVIATION / _NOISE_GAIN
