"""The portrait's face as a mesh whose expression moves: lids, mouth, smile and brows.

The vertices are the 98 landmarks, denser points on the edges of eyes and mouth, and anchors on the skin around them.
An expression moves them by a weighted sum of shapes; the skin between follows by one affine map per triangle. Eyeballs
and teeth do not follow the skin: they belong to the skull and show through the openings.

Positions are portrait pixels, pixel centres at integer coordinates.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from scipy.spatial import Delaunay

Array = NDArray[np.float64]
Pixels = NDArray[np.float32]

LANDMARKS = Path(__file__).with_name("landmarks.csv")
"""The 98 points of the portrait: the tracker's median over 30 turned, scaled and mirrored copies."""

_RING = (226.0, 126.0, 64.0, 84.0)
"""Ellipse (x, y, half width, half height) outside of which no expression moves anything."""
_RING_POINTS = 28
_SPOTS = (
    *((x, 80.0) for x in (192.0, 209.0, 226.0, 243.0, 260.0)),  # forehead
    *((190.0, 112.0), (203.0, 111.0), (214.0, 111.0), (236.0, 112.0), (247.0, 113.0), (260.0, 114.0)),  # under the eyes
    *((191.0, 130.0), (203.0, 127.0), (244.0, 128.0), (257.0, 132.0)),  # cheeks
    *((196.0, 142.0), (194.0, 152.0), (251.0, 143.0), (253.0, 152.0)),  # beside the mouth
    *((208.0, 163.0), (222.0, 166.0), (236.0, 163.0), (222.0, 160.0)),  # chin
    *((190.0, 186.0), (206.0, 192.0), (222.0, 194.0), (238.0, 192.0), (254.0, 184.0)),  # neck
)
"""Skin between the landmarks."""

_UPPER_LIDS = ((60, 61, 62, 63, 64), (68, 69, 70, 71, 72))
_LOWER_LIDS = ((60, 67, 66, 65, 64), (68, 75, 74, 73, 72))
_UPPER_LIP_INSIDE = (88, 89, 90, 91, 92)
_UPPER_LIP = (*range(76, 83), *_UPPER_LIP_INSIDE)
_TEETH_EDGE = (
    *((204.8, 141.6), (206.9, 143.9), (210.8, 147.4), (213.9, 148.8), (217.2, 149.1), (222.4, 149.4)),
    *((227.0, 149.4), (230.0, 149.1), (232.6, 148.2), (235.2, 147.0), (238.2, 145.3), (241.2, 142.6)),
)
"""Where the teeth meet the lower lip, from corner to corner; the landmarks lie up to a pixel inside the lip."""
_LID_ROWS = ((1.7, 0.93), (4.2, 0.42))
"""Rows of vertices above the edge of a lid, the lashes and the crease: pixels above it, share of its motion."""
_LOWER_LID_RISE = 0.1
_PARTS = 4
"""Parts of each landmark interval along the edges."""

_MOUTH_X, _MOUTH_Y = 223.0, 141.0
_CORNERS = ((202.5, 139.3, -1.0), (244.3, 140.3, 1.0))
"""x and y of the mouth's corners, and which way is outwards."""
_BROW_LINE = (201.0, 88.7, 0.06)
"""A point of the line on which both brows lie, and its slope."""


@dataclass(frozen=True, slots=True)
class Expression:
    """How much of each shape the face shows; all 0 is the portrait.

    Attributes:
        blink: 0 eyes open, 1 closed.
        open: the jaw, 1 at its lowest.
        smile: 1 wider than in the portrait.
        relax: 1 with the smile gone and the lips nearly closed.
        brows: 1 raised.
    """

    blink: float = 0.0
    open: float = 0.0
    smile: float = 0.0
    relax: float = 0.0
    brows: float = 0.0


class Face:
    """The mesh of the portrait's face.

    Attributes:
        rest: (98, 2) landmarks of the portrait.
    """

    def __init__(self) -> None:
        self.rest = np.loadtxt(LANDMARKS, delimiter=",", skiprows=1)
        blink = np.zeros_like(self.rest)
        parts, moves, upper = [self.rest], [blink], [np.isin(np.arange(len(self.rest)), _UPPER_LIP)]
        count = len(self.rest)
        self._openings: list[NDArray[np.intp]] = []

        def add(points: Array, lids: Array | None = None, upper_lip: bool = False) -> NDArray[np.intp]:
            nonlocal count
            parts.append(points)
            moves.append(np.zeros_like(points) if lids is None else lids)
            upper.append(np.full(len(points), upper_lip))
            count += len(points)
            return np.arange(count - len(points), count)

        for over, under in zip(_UPPER_LIDS, _LOWER_LIDS, strict=True):
            upper_edge, lower_edge = _edge(self.rest[list(over)]), _edge(self.rest[list(under)])
            gap = np.interp(upper_edge[:, 0], lower_edge[:, 0], lower_edge[:, 1]) - upper_edge[:, 1]
            lower_gap = lower_edge[:, 1] - np.interp(lower_edge[:, 0], upper_edge[:, 0], upper_edge[:, 1])
            closing, rising = _down((1 - _LOWER_LID_RISE) * gap), _down(-_LOWER_LID_RISE * lower_gap)
            blink[list(over)], blink[list(under)] = closing[::_PARTS], rising[::_PARTS]
            between = np.arange(len(upper_edge)) % _PARTS != 0
            above = np.insert(add(upper_edge[between], closing[between]), _gaps(), over)
            below = np.insert(add(lower_edge[between], rising[between]), _gaps(), under)
            self._openings.append(np.concatenate([above, below[-2:0:-1]]))
            for height, share in _LID_ROWS:
                add(upper_edge - (0.0, height), share * closing)
        roof_edge = _edge(self.rest[list(_UPPER_LIP_INSIDE)])
        between = np.arange(len(roof_edge)) % _PARTS != 0
        roof = np.insert(add(roof_edge[between], upper_lip=True), _gaps(), _UPPER_LIP_INSIDE)
        self._openings.append(np.concatenate([roof, add(np.array(_TEETH_EDGE))[::-1]]))
        turns = np.arange(_RING_POINTS) * 2 * np.pi / _RING_POINTS
        ring = np.stack([_RING[0] + _RING[2] * np.cos(turns), _RING[1] + _RING[3] * np.sin(turns)], axis=-1)
        add(np.array(_SPOTS))
        add(ring)

        self._vertices = np.concatenate(parts)
        others = _shapes(self._vertices, np.concatenate(upper))
        others[:, -len(ring) :] = 0
        self._shapes = np.concatenate([np.concatenate(moves)[None], others])
        triangles = Delaunay(self._vertices).simplices
        middles = self._vertices[triangles].mean(axis=1)
        inside = np.any([_contains(self._vertices[loop], middles) for loop in self._openings], axis=0)
        self._skin = triangles[~inside]

    def landmarks(self, expression: Expression) -> Array:
        """Return the (98, 2) landmarks of the face with this expression."""
        return self._moved(expression)[: len(self.rest)]

    def openings(self, expression: Expression) -> list[Array]:
        """Return the outlines (k, 2) of what is visible of left eye, right eye and the inside of the mouth."""
        moved = self._moved(expression)
        return [moved[loop] for loop in self._openings]

    def skin(self, expression: Expression, points: Pixels) -> Pixels:
        """Return the portrait positions (h, w, 2) that the skin shows at ``points`` (h, w, 2), a grid of equal steps.

        Where an opening is, and outside of the mesh, that is the position itself.
        """
        moved = self._moved(expression)
        origin, step = points[0, 0], points[0, 1, 0] - points[0, 0, 0]
        triangle = np.zeros(points.shape[:2], np.int32)
        drawn = np.rint((moved - origin) / step * 16).astype(np.int32)
        for number, corners in enumerate(self._skin, start=1):
            cv2.fillConvexPoly(triangle, drawn[corners], number, shift=4)
        maps = np.concatenate([np.eye(2, 3)[None], _affine(moved[self._skin], self._vertices[self._skin])])
        x, y = points[..., 0], points[..., 1]
        across, down = (
            row[0][triangle] * x + row[1][triangle] * y + row[2][triangle]
            for row in maps.transpose(1, 2, 0).astype(np.float32)
        )
        return np.stack([across, down], axis=-1)

    def _moved(self, expression: Expression) -> Array:
        return np.asarray(self._vertices + np.tensordot(astuple(expression), self._shapes, axes=1))


def _shapes(points: Array, upper_lip: NDArray[np.bool_]) -> Array:
    """Return by how much (4, k, 2) the skin at ``points`` (k, 2) moves in each shape but the blink."""
    x, y = points[:, 0], points[:, 1]
    chin = 1 - smoothstep(np.abs(x - _MOUTH_X), 4.0, 46.0)
    lower_lip = np.clip(1 - ((x - _MOUTH_X) / 21.5) ** 2, 0, 1)
    jaw = lower_lip + smoothstep(y, 148.0, 164.0) * (chin - lower_lip)
    jaw *= np.where(upper_lip, 0.0, smoothstep(y, 138.5, 142.0) * (1 - smoothstep(y, 178.0, 206.0)))
    opened, smile, relax, brows = np.zeros((4, *points.shape))
    opened[:, 1] = 10.0 * jaw
    for corner_x, corner_y, outwards in _CORNERS:
        near = np.exp(-0.5 * (((x - corner_x) / 10) ** 2 + ((y - corner_y) / 9) ** 2))
        opened += np.stack([-1.4 * outwards * near, 1.0 * near], axis=-1)
        smile += np.stack([2.4 * outwards * near, -2.2 * np.where(upper_lip, near**3, near)], axis=-1)
        relax += np.stack([-3.0 * outwards * near, 0.8 * near], axis=-1)
    smile[:, 1] += 0.5 * jaw
    lip = np.exp(-0.5 * ((x - _MOUTH_X) / 17) ** 2)
    falling = 1.4 * np.exp(-0.5 * ((y - _MOUTH_Y) / 3.5) ** 2)
    rising = 3.6 * np.exp(-0.5 * ((y - 151.0) / 8.0) ** 2)
    relax[:, 1] += lip * np.where(upper_lip, falling, np.where(y < _MOUTH_Y, 0.5 * falling, -rising))
    start_x, start_y, slope = _BROW_LINE
    over = y - (start_y + slope * (x - start_x))
    raised = smoothstep(over, -17.0, -4.0) * (1 - smoothstep(over, 3.5, 8.5))
    brows[:, 1] = -4.0 * raised * (1 - smoothstep(np.abs(x - 226.0), 36.0, 52.0))
    return np.stack([opened, smile, relax, brows])


def smoothstep(values: NDArray[Any], start: float, end: float) -> NDArray[Any]:
    """Return 0 below ``start`` and 1 above ``end``, with a smooth rise between."""
    part = np.clip((values - start) / (end - start), 0, 1)
    return part * part * (3 - 2 * part)


def _edge(points: Array) -> Array:
    """Return a smooth curve through ``points``, with :data:`_PARTS` parts between two of them."""
    places = np.arange(len(points))
    return np.asarray(CubicSpline(places, points)(np.linspace(0, places[-1], _PARTS * places[-1] + 1)))


def _gaps() -> list[int]:
    """Return where the five landmarks of an edge belong among the points between them."""
    return [number * (_PARTS - 1) for number in range(5)]


def _down(pixels: Array) -> Array:
    return np.stack([np.zeros_like(pixels), pixels], axis=-1)


def _contains(outline: Array, points: Array) -> NDArray[np.bool_]:
    polygon = outline.astype(np.float32)
    return np.array([cv2.pointPolygonTest(polygon, (float(x), float(y)), False) >= 0 for x, y in points])


def _affine(moved: Array, rest: Array) -> Array:
    """Return the maps (k, 2, 3) that take triangles ``moved`` (k, 3, 2) to ``rest``; the identity for flat ones."""
    corners = np.concatenate([moved, np.ones((len(moved), 3, 1))], axis=-1)
    flat = np.abs(np.linalg.det(corners)) < 1e-6
    corners[flat] = np.eye(3)
    maps = np.linalg.solve(corners, rest).transpose(0, 2, 1)
    maps[flat] = np.eye(2, 3)
    return np.asarray(maps)
