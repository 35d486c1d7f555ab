"""Pictures and faces whose motion is known."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.places import ASSETS
from model.geometry import Crop
from model.motion import Motion


def texture(width: int = 400, height: int = 360) -> NDArray[np.uint8]:
    """A picture with detail at several sizes, like skin and hair."""
    rng = np.random.default_rng(5)
    total = np.zeros((height, width), np.float32)
    for size, weight in ((3, 0.5), (8, 1.0), (20, 1.0)):
        coarse = rng.normal(size=(height // size + 2, width // size + 2)).astype(np.float32)
        total += weight * cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.repeat(np.clip(total * 30 + 128, 0, 255).astype(np.uint8)[:, :, None], 3, axis=2)


UNIT = 60.0
"""Inter-ocular distance in pixels."""
SIZE = 160
MOUTH = np.r_[76:96]
Array = NDArray[np.float64]


def face() -> NDArray[np.float32]:
    points = np.loadtxt(ASSETS / "canonical_face.csv", delimiter=",", skiprows=1)
    return (points * UNIT / (points[72, 0] - points[60, 0]) + (SIZE / 2, 0.42 * SIZE)).astype(np.float32)


FACE = face()
PICTURE = np.ascontiguousarray(texture(SIZE, SIZE)[:, :, 0])


def shown(moves: Array, wide: float) -> NDArray[np.uint8]:
    """Return the picture after ``moves`` (98, 2), which carry along what lies within about ``wide`` pixels."""
    y, x = np.mgrid[:SIZE, :SIZE].astype(np.float64)
    near = np.exp(-((x[..., None] - FACE[:, 0]) ** 2 + (y[..., None] - FACE[:, 1]) ** 2) / (2 * wide**2))
    strength = 1 - np.prod(1 - near[..., np.abs(moves).sum(axis=1) > 0], axis=-1)
    shift = near @ moves / (near.sum(axis=-1) + 1e-9)[..., None] * strength[..., None]
    places = np.stack([x, y], axis=-1) - shift
    flat = places.astype(np.float32)
    return np.asarray(
        cv2.remap(PICTURE, flat[..., 0].copy(), flat[..., 1].copy(), cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT)
    )


class Measured:
    """Stands in for the optical flow: the head moves right by what is given, each landmark down by ten times that."""

    def __init__(self) -> None:
        self.motion: float | None = 0.0
        self.expected: NDArray[np.float64] = np.zeros((98, 2))

    def parts(
        self,
        old: NDArray[np.uint8],
        new: NDArray[np.uint8],
        crop: Crop,
        before: NDArray[np.float64],
        after: NDArray[np.float64],
    ) -> Motion | None:
        self.expected = after
        if self.motion is None:
            return None
        right, down = np.tile([self.motion, 0.0], (98, 1)), np.tile([0.0, 10 * self.motion], (98, 1))
        return Motion(right, down, down, np.zeros(98))
