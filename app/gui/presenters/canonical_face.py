"""The canonical face: where the heat map puts its 98 points, and how colour is interpolated between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.places import CANONICAL_FACE
from model.topology import REGIONS

"""Made by ``benchmarks/canonical_face.py``."""

GRID_HEIGHT = 96
MARGIN = 0.1
"""Room around the points, as share of their inter-ocular distance."""

REACH = 0.06
"""Distance within which a point's value holds, in inter-ocular distances: half of that between neighbouring points."""

EDGE = 0.05
"""The coloured area fades out over so much beyond the face, in inter-ocular distances."""


@cache
def canonical_face() -> NDArray[np.float64]:
    """Return the points (98, 2): level, symmetric, (0, 0) between the outer eye corners, these 1 apart, y down."""
    points = np.loadtxt(CANONICAL_FACE, delimiter=",", skiprows=1)
    points.setflags(write=False)
    return points


@dataclass(frozen=True, slots=True, eq=False)
class HeatField:
    """Spreads 98 values over the face's area, weighted by inverse distance (Shepard 1968).

    Attributes:
        left: of the grid, in the canonical face's units.
        top: of the grid.
        width: of the grid.
        height: of the grid.
        cover: (h, w) float32, how much each cell belongs to the face: 1 inside, 0 outside, soft between.
        weights: (h * w, 98) float32, each row adds up to 1.
    """

    left: float
    top: float
    width: float
    height: float
    cover: NDArray[np.float32]
    weights: NDArray[np.float32]

    def spread(self, values: NDArray[np.number]) -> NDArray[np.float32]:
        """Return (h, w) float32 for values (98,)."""
        # Not by BLAS, whose threads wait for each other: on a busy computer that takes the window's thread 30 times as
        # long.
        return np.einsum("ij,j->i", self.weights, values.astype(np.float32)).reshape(self.cover.shape)


@cache
def heat_field() -> HeatField:
    """Return the field of the canonical face; made once, by the window's thread when it first paints it.

    Beyond :data:`REACH` a weight falls with the distance to the power of 3.5. Of the squared distance that is the power
    of 1 + 1/2 + 1/4: two roots take a fifteenth of the time of a power.
    """
    points = canonical_face()
    low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
    width, height = (high - low).tolist()
    cell = height / GRID_HEIGHT
    columns = round(width / cell)
    x = low[0] + (np.arange(columns) + 0.5) * width / columns
    y = low[1] + (np.arange(GRID_HEIGHT) + 0.5) * cell
    across, down = ((np.subtract.outer(line, points[:, i]) ** 2).astype(np.float32) for i, line in enumerate((x, y)))
    squared = (down[:, None] + across[None] + np.float32(REACH**2)).reshape(-1, len(points))
    root = np.sqrt(squared)
    weights = 1 / (squared * root * np.sqrt(root))
    weights /= weights.sum(axis=1, keepdims=True)
    return HeatField(
        float(low[0]),
        float(low[1]),
        width,
        height,
        _cover(points, low, cell, columns),
        weights,
    )


def _cover(points: NDArray[np.float64], low: NDArray[np.float64], cell: float, columns: int) -> NDArray[np.float32]:
    """Return (h, w): the area within contour and brows, with a soft edge."""
    names = [region.name for region in REGIONS]
    outline = [*REGIONS[names.index("contour")].points, *REGIONS[names.index("brows")].points]
    hull = cv2.convexHull(((points[outline] - low) / cell).astype(np.float32))
    mask = np.zeros((GRID_HEIGHT, columns), np.uint8)
    cv2.fillPoly(mask, [np.rint(hull).astype(np.int32)], 255)
    grown = cv2.dilate(mask, np.ones((3, 3), np.uint8), iterations=max(1, round(EDGE / cell / 2)))
    soft = np.asarray(cv2.GaussianBlur(grown, (0, 0), EDGE / cell / 2), np.float32)
    return soft / np.float32(255)
