"""The 98 WFLW points: regions, colours, mirror map, eye distances, and the 68 points of 300W among them.

Every other module takes these facts from here. "Left" means left in the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import LANDMARKS

Array = NDArray[np.float64]

POINTS = LANDMARKS

LEFT_EYE_OUTER = 60
RIGHT_EYE_OUTER = 72
"""The two points whose distance is the inter-ocular distance."""
NOSE_TIP = 54
CONTOUR_ENDS = 0, 32


@dataclass(frozen=True, slots=True)
class Region:
    """A named group of points.

    Attributes:
        name: key used in tables and files.
        points: indices of its points.
        colour: RGB for drawing.
        paths: polylines through the points, for drawing; a path that ends where it begins is closed.
    """

    name: str
    points: tuple[int, ...]
    colour: tuple[int, int, int]
    paths: tuple[tuple[int, ...], ...]


def _span(first: int, last: int, closed: bool = False) -> tuple[int, ...]:
    points = tuple(range(first, last + 1))
    return (*points, first) if closed else points


REGIONS: tuple[Region, ...] = (
    Region("contour", _span(0, 32), (90, 170, 255), (_span(0, 32),)),
    Region("brows", _span(33, 50), (255, 190, 70), (_span(33, 41, True), _span(42, 50, True))),
    Region("nose", _span(51, 59), (120, 230, 140), (_span(51, 54), _span(55, 59))),
    Region("eyes", _span(60, 75), (80, 235, 235), (_span(60, 67, True), _span(68, 75, True))),
    Region("mouth", _span(76, 95), (255, 110, 140), (_span(76, 87, True), _span(88, 95, True))),
    Region("pupils", (96, 97), (255, 255, 255), ()),
)

EYES: NDArray[np.intp] = np.arange(60, 76)
MOUTH: NDArray[np.intp] = np.arange(76, 96)
"""Lids and lips, without pupils."""
EYES_AND_MOUTH: NDArray[np.intp] = np.concatenate([EYES, MOUTH])
"""The points that blinks and speech move."""

EXPRESSIVE: tuple[Region, ...] = tuple(region for region in REGIONS if region.name in ("eyes", "brows", "mouth"))
"""The regions that expressions move."""

REGION_OF_POINT: tuple[int, ...] = tuple(
    next(i for i, region in enumerate(REGIONS) if point in region.points) for point in range(POINTS)
)


def _mirror() -> NDArray[np.intp]:
    order = np.arange(POINTS)

    def swap(left: list[int], right: list[int]) -> None:
        order[left], order[right] = right, left

    order[0:33] = np.arange(32, -1, -1)
    swap([33, 34, 35, 36, 37], [46, 45, 44, 43, 42])
    swap([38, 39, 40, 41], [50, 49, 48, 47])
    order[55:60] = np.arange(59, 54, -1)
    swap([60, 61, 62, 63, 64], [72, 71, 70, 69, 68])
    swap([65, 66, 67], [75, 74, 73])
    order[76:83] = np.arange(82, 75, -1)
    order[83:88] = np.arange(87, 82, -1)
    order[88:93] = np.arange(92, 87, -1)
    order[93:96] = np.arange(95, 92, -1)
    swap([96], [97])
    return order


MIRROR: NDArray[np.intp] = _mirror()
"""MIRROR[i] is the point that point i becomes when the image is flipped left to right."""

TO_68: NDArray[np.intp] = np.array(
    [
        *range(0, 33, 2),
        *range(33, 38),
        *range(42, 47),
        *range(51, 60),
        *(60, 61, 63, 64, 65, 67),
        *(68, 69, 71, 72, 73, 75),
        *range(76, 96),
    ]
)
"""For each of the 68 points of 300W, its index among the 98."""

MIRROR_68: NDArray[np.intp] = np.argsort(TO_68)[np.searchsorted(np.sort(TO_68), MIRROR[TO_68])]
""":data:`MIRROR` for the 68 points."""

LEFT_EYE_68: NDArray[np.intp] = np.arange(36, 42)
RIGHT_EYE_68: NDArray[np.intp] = np.arange(42, 48)
"""The eyes among the 68 points; each begins at its left corner, so 36 and 45 are the outer corners."""
LEFT_EYE_OUTER_68 = 36
RIGHT_EYE_OUTER_68 = 45


def mirror_map(count: int) -> NDArray[np.intp]:
    """Return the mirror map of a scheme of ``count`` points, 98 or 68."""
    return {POINTS: MIRROR, len(TO_68): MIRROR_68}[count]


def flipped(points: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the points (..., n, 2) of a crop, in crop units, as those of its mirror image; n is 98 or 68."""
    return np.asarray(points[..., mirror_map(points.shape[-2]), :] * (-1.0, 1.0) + (1.0, 0.0))


def eye_corners(count: int) -> tuple[int, int]:
    """Return the outer eye corners, left and right in the image, in a scheme of ``count`` points."""
    if count == POINTS:
        return LEFT_EYE_OUTER, RIGHT_EYE_OUTER
    return LEFT_EYE_OUTER_68, RIGHT_EYE_OUTER_68


def region_points(region: Region, count: int) -> NDArray[np.intp]:
    """Return a region's indices in a scheme of ``count`` points; the 68 points have no pupils."""
    return np.array(region.points) if count == POINTS else np.flatnonzero(np.isin(TO_68, region.points))


def inter_ocular(landmarks: NDArray[np.floating]) -> Array:
    """Return the distance of the outer eye corners, (...,), for 98 points (..., 98, 2) or the 68 of 300W."""
    left, right = eye_corners(landmarks.shape[-2])
    corners = landmarks[..., right, :].astype(np.float64) - landmarks[..., left, :]
    return np.asarray(np.linalg.norm(corners, axis=-1))


def inter_pupil_68(landmarks: NDArray[np.floating]) -> Array:
    """Return the distance of the eyes' centres, (...,), for the 68 points of 300W (..., 68, 2).

    300W has no pupils; each eye's centre is the mean of its six points, as in the published figures.
    """
    left, right = (landmarks[..., eye, :].astype(np.float64).mean(axis=-2) for eye in (LEFT_EYE_68, RIGHT_EYE_68))
    return np.asarray(np.linalg.norm(right - left, axis=-1))
