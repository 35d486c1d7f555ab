"""The square crop around a face: one rule for training, evaluation and live use.

Frame coordinates have pixel centres at whole numbers (OpenCV's convention). Crop units run
from 0 at the crop's left or top edge to 1 at the opposite one; pixel j of a crop of n pixels
has its centre at (j + 0.5) / n. A crop may be turned with the face, so that a head that lies
or hangs is upright in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError

Points = NDArray[np.float32]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Crop:
    """A square in a frame.

    Attributes:
        centre_x: horizontal centre in frame pixels.
        centre_y: vertical centre in frame pixels.
        side: side in frame pixels.
        angle: degrees by which the square is turned about its centre, clockwise as seen in the frame; 0 is upright.
    """

    centre_x: float
    centre_y: float
    side: float
    angle: float = 0.0

    def __post_init__(self) -> None:
        if not (all(map(math.isfinite, (self.centre_x, self.centre_y, self.side, self.angle))) and self.side > 0):
            raise ModelError(f"not a crop: centre ({self.centre_x}, {self.centre_y}), side {self.side}")

    @classmethod
    def around_box(cls, x1: float, y1: float, x2: float, y2: float, scale: float) -> Crop:
        """Return the square of ``scale`` x the larger side, centred on the box."""
        return cls((x1 + x2) / 2, (y1 + y2) / 2, scale * max(x2 - x1, y2 - y1))

    @classmethod
    def around_points(cls, points: NDArray[np.floating], scale: float, angle: float = 0.0) -> Crop:
        """Return the crop of the box around points (n, 2), the box and the crop turned by ``angle`` degrees."""
        if angle:
            turn = _rotation(angle)
            crop = cls.around_points(points @ turn, scale)
            centre_x, centre_y = turn @ (crop.centre_x, crop.centre_y)
            return cls(float(centre_x), float(centre_y), crop.side, angle)
        (x1, y1), (x2, y2) = points.min(axis=0), points.max(axis=0)
        return cls.around_box(float(x1), float(y1), float(x2), float(y2), scale)

    @property
    def upright(self) -> Crop:
        """The square of the same centre and side that is not turned."""
        return replace(self, angle=0.0) if self.angle else self

    @property
    def left(self) -> float:
        """Frame x of the upright square's left edge."""
        return self.centre_x - self.side / 2

    @property
    def top(self) -> float:
        """Frame y of the upright square's top edge."""
        return self.centre_y - self.side / 2

    def to_frame(self, points: NDArray[np.floating]) -> Points:
        """Map points (..., 2) from crop units to frame pixels."""
        if self.angle:
            turned = (points - 0.5) * self.side @ _rotation(self.angle).T
            return np.asarray(turned + np.array([self.centre_x, self.centre_y]), np.float32)
        return (points * self.side + (self.left, self.top)).astype(np.float32)

    def to_crop(self, points: NDArray[np.floating]) -> Points:
        """Map points (..., 2) from frame pixels to crop units."""
        if self.angle:
            turned = (points - (self.centre_x, self.centre_y)) @ _rotation(self.angle)
            return (turned / self.side + 0.5).astype(np.float32)
        return ((points - (self.left, self.top)) / self.side).astype(np.float32)

    def sampling_matrix(self, size: int) -> NDArray[np.float64]:
        """Return the 2x3 matrix from crop pixel (column, row) of a ``size`` crop to frame pixels."""
        step = self.side / size
        if self.angle:
            linear = step * _rotation(self.angle)
            offset = (self.centre_x, self.centre_y) - linear @ ((size - 1) / 2, (size - 1) / 2)
            return np.column_stack([linear, offset])
        return np.array([[step, 0.0, self.left + step / 2], [0.0, step, self.top + step / 2]])

    def extract(self, image: Image, size: int) -> Image:
        """Cut the crop out of ``image`` (h, w, 3) as (size, size, 3) uint8, edges replicated.

        A crop much larger than ``size`` is averaged down first, so that it does not alias: aliasing
        changes with every sub-pixel motion and would itself be flicker.
        """
        factor = int(self.side / size)
        if factor < 2:
            return self._warp(image, size)
        large = self._warp(image, size * factor)
        return np.asarray(cv2.resize(large, (size, size), interpolation=cv2.INTER_AREA), np.uint8)

    def _warp(self, image: Image, size: int) -> Image:
        return np.asarray(
            cv2.warpAffine(
                image,
                self.sampling_matrix(size),
                (size, size),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )


def similarity(
    scale: float, degrees: float, source: tuple[float, float], target: tuple[float, float]
) -> NDArray[np.float64]:
    """Return the (2, 3) matrix that turns and scales about ``source`` and puts it on ``target``."""
    angle = math.radians(degrees)
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    x, y = source
    return np.array([[a, -b, target[0] - a * x + b * y], [b, a, target[1] - b * x - a * y]])


def _rotation(angle: float) -> NDArray[np.float64]:
    """Return the 2x2 matrix that turns a column (x right, y down) clockwise by ``angle`` degrees."""
    cos, sin = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    return np.array([[cos, -sin], [sin, cos]])


def wrapped(degrees: float) -> float:
    """Return an angle in (-180, 180] degrees."""
    return 180.0 - (180.0 - degrees) % 360.0


def to_complex(points: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Return points (..., 2) as complex numbers (...,)."""
    return np.asarray(points[..., 0] + 1j * points[..., 1].astype(np.float64))


def from_complex(points: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Return complex numbers (...,) as points (..., 2)."""
    return np.stack([points.real, points.imag], axis=-1)
