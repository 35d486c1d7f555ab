"""Frames made ready for painting away from the window's thread, and where a frame's pixels land."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.pipeline.frame import FrameResult
from app.privacy import without_faces


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a picture of ``width`` x ``height`` pixels lies in a view; its shape is kept.

    Attributes:
        left: of the shown picture, in the view's units.
        top: of the shown picture.
        scale: view units per picture pixel.
        width: of the picture, in its own pixels.
        height: of the picture, in its own pixels.
        mirrored: shown flipped left to right.
    """

    left: float
    top: float
    scale: float
    width: int
    height: int
    mirrored: bool = False

    @classmethod
    def fit(cls, width: int, height: int, view_width: float, view_height: float, mirrored: bool = False) -> Placement:
        """Return the largest centred placement of the picture in the view."""
        scale = max(min(view_width / width, view_height / height), 1e-6)
        return cls((view_width - width * scale) / 2, (view_height - height * scale) / 2, scale, width, height, mirrored)

    @property
    def shown_width(self) -> float:
        """Width in view units."""
        return self.width * self.scale

    @property
    def shown_height(self) -> float:
        """Height in view units."""
        return self.height * self.scale

    def place(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Map points (n, 2) from frame pixels, centres at whole numbers, to view units."""
        placed = np.asarray(points, np.float64) + 0.5
        if self.mirrored:
            placed[:, 0] = self.width - placed[:, 0]
        return placed * self.scale + (self.left, self.top)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A result with its frame scaled for the view.

    Attributes:
        result: as it came from the pipeline, but for a blurred frame where it is private.
        pixels: (h, w, 4) uint8 in Qt's 32-bit RGB order, scaled, mirrored if asked.
        mirrored: whether ``pixels`` are flipped.
        private: nobody can be recognised, neither in ``pixels`` nor in the result's frame.
    """

    result: FrameResult
    pixels: NDArray[np.uint8]
    mirrored: bool
    private: bool = False


def prepare(result: FrameResult, view_size: tuple[int, int], mirrored: bool) -> Picture:
    """Scale the frame to fit ``view_size`` (device pixels) and put it into Qt's pixel order."""
    image: NDArray[Any] = result.frame.image
    height, width = image.shape[:2]
    placement = Placement.fit(width, height, *view_size)
    size = max(1, round(placement.shown_width)), max(1, round(placement.shown_height))
    if size != (width, height):
        smaller = placement.scale < 0.5
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    if mirrored:
        image = cv2.flip(image, 1)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGRA)
    return Picture(result, np.ascontiguousarray(pixels, dtype=np.uint8), mirrored)


def prepare_private(result: FrameResult, view_size: tuple[int, int], mirrored: bool) -> Picture:
    """Do as :func:`prepare` with a frame blurred beyond recognition; the clear one is not kept anywhere."""
    return replace(prepare(without_faces(result), view_size, mirrored), private=True)


def made_private(picture: Picture) -> Picture:
    """Return the picture blurred, for one that was made before privacy was switched on."""
    if picture.private:
        return picture
    height, width = picture.pixels.shape[:2]
    return prepare_private(picture.result, (width, height), picture.mirrored)
