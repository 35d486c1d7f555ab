"""Faces whose signals are known: the face model projected by a pinhole camera."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.signals.head import FACE_MODEL, RIGID, rotation
from model.topology import MIRROR, POINTS

SIZE = (1280, 720)


def project(
    model: NDArray[np.float64],
    angles: tuple[float, float, float],
    place: tuple[float, float, float],
    size: tuple[int, int] = SIZE,
) -> Any:
    """Return pixels (n, 2) of points (n, 3) in mm of a head turned by ``angles`` in degrees at ``place`` in cm."""
    turned = model @ rotation(*angles).T
    seen = np.array(place) * 10 + turned * (1, 1, -1)
    return max(size) * seen[:, :2] / seen[:, 2:] + ((size[0] - 1) / 2, (size[1] - 1) / 2)


def turned_face(
    angles: tuple[float, float, float], place: tuple[float, float, float] = (0, 0, 60), size: tuple[int, int] = SIZE
) -> NDArray[np.float32]:
    """Return landmarks (98, 2) of which only the rigid points are placed."""
    points = np.zeros((POINTS, 2))
    points[list(RIGID)] = project(FACE_MODEL, angles, place, size)
    return points.astype(np.float32)


def face(scale: float = 200.0) -> NDArray[np.float32]:
    """Return a face that looks at the camera, its outer eye corners ``scale`` pixels apart.

    In those distances the mouth is open by 0.2 and 0.6 wide, the eyes are open by 0.1, the brows 0.3 high. The pupils
    are a tenth of the eye's width beside the middle, towards the nose, and a twentieth above.
    """
    at = SIZE[0] / scale * 9.0
    points = np.zeros((POINTS, 2))
    for row, lids in enumerate(((61, 62, 63), (67, 66, 65))):
        points[list(lids)] = [(-0.42 + 0.08 * i, -0.05 + 0.1 * row) for i in range(3)]
    for row, lips in enumerate(((89, 90, 91), (95, 94, 93))):
        points[list(lips)] = [(-0.1 + 0.1 * i, 0.7 + 0.2 * row) for i in range(3)]
    points[76], points[82] = (-0.3, 0.8), (0.3, 0.8)
    rigid = dict(zip(RIGID, (project(FACE_MODEL, (0, 0, 0), (0, 0, at)) - centre()) / scale, strict=True))
    middle, across = (rigid[60] + rigid[64]) / 2, rigid[64] - rigid[60]
    points[33:42] = middle - (0, 0.3)
    points[96] = middle + 0.1 * across + 0.05 * np.array([across[1], -across[0]])
    for point in (*range(61, 68), *range(33, 42), 96):
        points[MIRROR[point]] = points[point] * (-1, 1)
    for point, where in rigid.items():
        points[point] = where
    return (points * scale + centre()).astype(np.float32)


def centre() -> NDArray[np.float64]:
    """Return the middle of the picture."""
    return np.array([(SIZE[0] - 1) / 2, (SIZE[1] - 1) / 2])
