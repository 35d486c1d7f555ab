"""Frames made ready for painting away from the window's thread, and where a frame's pixels land."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.frame import FrameResult
from app.media.privacy import without_faces


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a frame, in frame pixels from the outer edge of the first one; it may reach beyond the frame."""

    left: float
    top: float
    width: float
    height: float


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

    @classmethod
    def showing(
        cls, region: Region, width: int, height: int, view_width: float, view_height: float, mirrored: bool = False
    ) -> Placement:
        """Return the placement that makes ``region`` of the picture fill the view; the rest lies outside it."""
        scale = max(min(view_width / region.width, view_height / region.height), 1e-6)
        beside = width - region.left - region.width if mirrored else region.left
        left = (view_width - region.width * scale) / 2 - beside * scale
        top = (view_height - region.height * scale) / 2 - region.top * scale
        return cls(left, top, scale, width, height, mirrored)

    def moved(self, x: float, y: float) -> Placement:
        """Return the same placement further right and down in the view."""
        return replace(self, left=self.left + x, top=self.top + y)

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
        private: blurred beyond recognition, both ``pixels`` and the result's frame.
        region: the part of the frame that ``pixels`` show, None for the whole.
    """

    result: FrameResult
    pixels: NDArray[np.uint8]
    mirrored: bool
    private: bool = False
    region: Region | None = None

    def placement(self, view_width: float, view_height: float) -> Placement:
        """Return where the frame lies in a view that shows this picture as large as it fits."""
        size = self.result.frame.size
        if self.region is None:
            return Placement.fit(*size, view_width, view_height, self.mirrored)
        return Placement.showing(self.region, *size, view_width, view_height, self.mirrored)


def prepare(result: FrameResult, view_size: tuple[int, int], mirrored: bool, region: Region | None = None) -> Picture:
    """Scale the frame, or ``region`` of it, to fit ``view_size`` (device pixels) and put it into Qt's pixel order."""
    image: NDArray[Any] = result.frame.image
    if region is not None:
        image = _cut(image, region, view_size)
    else:
        placement = Placement.fit(*result.frame.size, *view_size)
        size = max(1, round(placement.shown_width)), max(1, round(placement.shown_height))
        if size != result.frame.size:
            smaller = placement.scale < 0.5
            image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    if mirrored:
        image = cv2.flip(image, 1)
    pixels = cv2.cvtColor(image, cv2.COLOR_RGB2BGRA)
    return Picture(result, np.ascontiguousarray(pixels, dtype=np.uint8), mirrored, region=region)


def _cut(image: NDArray[Any], region: Region, size: tuple[int, int]) -> NDArray[Any]:
    """Return a part of the picture scaled to ``size``, exact to a fraction of a pixel; black beyond the picture."""
    scale = min(size[0] / region.width, size[1] / region.height)
    # Edges are meant, warpAffine maps centres: half a pixel lies between them on both sides.
    matrix = np.array(
        [[scale, 0, (0.5 - region.left) * scale - 0.5], [0, scale, (0.5 - region.top) * scale - 0.5]], np.float64
    )
    matrix[:, 2] += (np.array(size) - np.array([region.width, region.height]) * scale) / 2
    return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)


def prepare_private(
    result: FrameResult, view_size: tuple[int, int], mirrored: bool, region: Region | None = None
) -> Picture:
    """Like :func:`prepare`, with a frame blurred beyond recognition; the clear one is not kept."""
    return replace(prepare(without_faces(result), view_size, mirrored, region), private=True)


def made_private(picture: Picture) -> Picture:
    """Return the picture blurred, for one that was made before privacy was switched on."""
    if picture.private:
        return picture
    height, width = picture.pixels.shape[:2]
    return prepare_private(picture.result, (width, height), picture.mirrored, picture.region)
