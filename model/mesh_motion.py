"""How brows, eyes and mouth move against the head: a mesh over their landmarks, fitted to two pictures.

Dense flow compares patches. A patch as large as an eye holds both lids and the skin around them, so flow sees less
than half of a blink's motion. A mesh whose corners are the landmarks themselves has no such patches: a point with the
weights (a, b, c) in the triangle of landmarks (i, j, k) moves by a d_i + b d_j + c d_k. With the points x_s of all
triangles, their weights phi_s and the old and new picture I and I', both grey, the landmarks' motion d minimises

    sum_s rho( I'(x_s + sum_l phi_sl d_l) - I(x_s) ) / brightness noise^2
        + ( stiffness sum_l |e_l|^2 + tension sum_edges |e_i - e_j|^2 ) / motion scale^2,    e = d - the head's motion.

The first term is Lucas and Kanade's (1981) with a robust rho, the second a membrane along each contour: where the
picture tells nothing (along a lid, in plain skin, under an occluder), neighbours and the head decide. Two Gauss-Newton
steps from what dense flow found are enough.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from model.topology import POINTS, REGIONS

Image = NDArray[np.uint8]
Array = NDArray[np.float64]
Floats = NDArray[np.float32]
Indices = NDArray[np.intp]

MOVING: Indices = np.r_[33:51, 60:98]
"""Brows, lids, lips and pupils: the landmarks whose motion is fitted. That of contour and nose is taken as given."""
# fmt: off
TRIANGLES = (
    (0, 1, 60), (0, 33, 60), (1, 2, 60), (2, 3, 67), (2, 60, 67), (3, 4, 66), (3, 66, 67), (4, 55, 66), (6, 7, 76),
    (6, 55, 76), (7, 8, 76), (8, 9, 76), (9, 10, 76), (10, 11, 87), (10, 76, 87), (11, 12, 87), (12, 13, 86),
    (12, 86, 87), (13, 14, 86), (14, 15, 85), (14, 85, 86), (15, 16, 85), (16, 17, 85), (17, 18, 85), (18, 19, 84),
    (18, 84, 85), (19, 20, 84), (20, 21, 83), (20, 83, 84), (21, 22, 83), (22, 23, 82), (22, 82, 83), (23, 24, 82),
    (24, 25, 82), (25, 26, 82), (26, 59, 82), (28, 29, 74), (28, 59, 74), (29, 30, 73), (29, 73, 74), (30, 31, 72),
    (30, 72, 73), (31, 32, 72), (32, 46, 72), (33, 34, 41), (33, 41, 60), (34, 35, 40), (34, 40, 41), (35, 36, 40),
    (35, 36, 44), (36, 37, 39), (36, 37, 43), (36, 39, 40), (36, 43, 44), (37, 38, 39), (37, 38, 50), (37, 42, 43),
    (37, 42, 50), (38, 39, 63), (38, 50, 51), (38, 51, 64), (38, 63, 64), (39, 40, 62), (39, 62, 63), (40, 41, 61),
    (40, 61, 62), (41, 60, 61), (42, 43, 49), (42, 49, 50), (43, 44, 48), (43, 48, 49), (44, 45, 48), (45, 46, 47),
    (45, 47, 48), (46, 47, 72), (47, 48, 71), (47, 71, 72), (48, 49, 70), (48, 70, 71), (49, 50, 69), (49, 69, 70),
    (50, 51, 68), (50, 68, 69), (51, 52, 64), (51, 52, 68), (52, 53, 64), (52, 53, 68), (53, 55, 65), (53, 59, 75),
    (53, 64, 65), (53, 68, 75), (55, 56, 77), (55, 65, 66), (55, 76, 77), (56, 57, 78), (56, 77, 78), (57, 58, 80),
    (57, 78, 79), (57, 79, 80), (58, 59, 81), (58, 80, 81), (59, 74, 75), (59, 81, 82), (60, 61, 67), (61, 62, 96),
    (61, 67, 96), (62, 63, 96), (63, 64, 65), (63, 65, 96), (65, 66, 96), (66, 67, 96), (68, 69, 75), (69, 70, 97),
    (69, 75, 97), (70, 71, 97), (71, 72, 73), (71, 73, 97), (73, 74, 97), (74, 75, 97), (76, 77, 88), (76, 87, 88),
    (77, 78, 89), (77, 88, 89), (78, 79, 90), (78, 89, 90), (79, 80, 90), (80, 81, 91), (80, 90, 91), (81, 82, 92),
    (81, 91, 92), (82, 83, 92), (83, 84, 93), (83, 91, 92), (83, 91, 93), (84, 85, 94), (84, 93, 94), (85, 86, 94),
    (86, 87, 95), (86, 94, 95), (87, 88, 89), (87, 89, 95), (89, 90, 95), (90, 91, 93), (90, 93, 94), (90, 94, 95),
)
# fmt: on
"""Corners of the mesh: the Delaunay triangles of a mean face that touch a moving landmark."""
LATTICE = 4
"""Points along an edge of a triangle; ten of them in all."""
STEPS = 2
"""Gauss-Newton steps."""
BLUR = 0.8
"""Standard deviation of the blur of both pictures, pixels: makes brightness linear over the motion that is left."""
BRIGHTNESS_NOISE = 4.0
"""Of a point's difference, grey levels."""
OUTLIER = 8.0
"""Difference in grey levels from which on a point loses weight quickly: it is covered, or lit differently."""
MOTION_SCALE = 0.02
"""Of an expression in a frame, inter-ocular distances."""
STIFFNESS, TENSION = 2.0, 16.0
DECIMALS = 6
"""Of a motion in pixels. Further ones depend on how many threads LAPACK solves with, and so would every landmark."""


class _Mesh(NamedTuple):
    """The mesh of 98 landmarks.

    Attributes:
        weights: (points, 98) of the landmarks in the mesh's points.
        moving: (points, moving), the columns of the moving landmarks.
        others: the landmarks whose motion is given.
        pairs: (points * 9,) cells of a flat (moving, moving) matrix that a point's pairs of corners belong to.
        products: (points, 9) products of the pairs' weights, 0 where a corner does not move.
        prior: (moving, moving), the precision of the motion against the head in units of the motion scale.
    """

    weights: Floats
    moving: Floats
    others: Indices
    pairs: Indices
    products: Array
    prior: Array


@cache
def _mesh() -> _Mesh:
    corners = np.array(TRIANGLES, np.intp)
    lattice = [(i + 1 / 3, j + 1 / 3) for i in range(LATTICE) for j in range(LATTICE - i)]
    inside = np.array([(1 - (u + v) / LATTICE, u / LATTICE, v / LATTICE) for u, v in lattice])
    count, each = len(MOVING), len(inside)
    own = np.repeat(corners, each, axis=0)
    shares = np.tile(inside, (len(corners), 1))
    weights = np.zeros((len(own), POINTS), np.float32)
    np.put_along_axis(weights, own, shares.astype(np.float32), axis=1)
    place = np.full(POINTS, -1)
    place[MOVING] = np.arange(count)
    columns = place[own]
    shares = np.where(columns >= 0, shares, 0.0)
    columns = np.maximum(columns, 0)
    pairs = columns[:, :, None] * count + columns[:, None, :]
    prior = STIFFNESS * np.eye(count)
    for region in REGIONS:
        for path in region.paths:
            for i, j in zip(place[list(path[:-1])], place[list(path[1:])], strict=True):
                if i >= 0 and j >= 0:
                    prior[[i, j], [i, j]] += TENSION
                    prior[[i, j], [j, i]] -= TENSION
    others = np.setdiff1d(np.arange(POINTS), MOVING)
    return _Mesh(
        weights,
        np.ascontiguousarray(weights[:, MOVING]),
        others,
        pairs.reshape(-1),
        (shares[:, :, None] * shares[:, None, :]).reshape(len(own), -1),
        prior,
    )


def mesh_motion(old: Image, new: Image, points: Floats, head: Array, start: Array, unit: float) -> Array:
    """Return how the 98 landmarks move against the head, (98, 2) in pixels: ``start`` where they are not of the mesh.

    Args:
        old: grey picture (h, w).
        new: the next one, the same size.
        points: landmarks (98, 2) in the old picture, pixel centres at whole numbers.
        head: the head's motion at them (98, 2), pixels.
        start: a first estimate of their motion against the head (98, 2), pixels.
        unit: inter-ocular distance, pixels.
    """
    mesh, count = _mesh(), len(MOVING)
    before, after = (cv2.GaussianBlur(picture, (3, 3), BLUR).astype(np.float32) for picture in (old, new))
    slopes = (cv2.Sobel(after, cv2.CV_32F, dx, dy, scale=1 / 8) for dx, dy in ((1, 0), (0, 1)))
    shown_and_slopes = np.asarray(cv2.merge([after, *slopes]), np.float32)
    given = head.copy()
    given[mesh.others] += start[mesh.others]
    origin, shift = np.split(mesh.weights @ np.hstack([points, given.astype(np.float32)]), 2, axis=1)
    carried = origin + shift
    brightness = read_at(before, origin)
    prior = mesh.prior / (MOTION_SCALE * unit) ** 2
    motion, middle = start[MOVING], len(brightness) // 2
    system = np.empty((2, count, 2, count))
    for _ in range(STEPS):
        places = carried + mesh.moving @ motion.astype(np.float32)
        shown, slope_x, slope_y = np.ascontiguousarray(read_at(shown_and_slopes, places).T)
        difference = shown - brightness
        difference -= np.partition(difference, middle)[middle]  # the median, in a quarter of its time
        trust = 1 / (BRIGHTNESS_NOISE * (1 + (difference / OUTLIER) ** 2)) ** 2
        for row, column, curvature in ((0, 0, slope_x * slope_x), (0, 1, slope_x * slope_y), (1, 1, slope_y * slope_y)):
            terms = (mesh.products * (trust * curvature)[:, None]).reshape(-1)
            system[row, :, column] = np.bincount(mesh.pairs, terms, count * count).reshape(count, count)
        system[1, :, 0] = system[0, :, 1]
        pull = trust * difference
        force = np.stack([(slope * pull) @ mesh.moving for slope in (slope_x, slope_y)]) + (prior @ motion).T
        for axis in (0, 1):
            system[axis, :, axis] += prior
        motion -= np.linalg.solve(system.reshape(2 * count, -1), force.reshape(-1)).reshape(2, -1).T
        motion = np.round(motion, DECIMALS)
    fitted = start.copy()
    fitted[MOVING] = motion
    return fitted


def read_at(picture: Floats, places: Floats) -> Floats:
    """Read a picture (h, w) or (h, w, channels) at places (n, 2), bilinearly, the nearest edge value outside."""
    # Two maps, since OpenCV 5.0 misreads one map of pairs for all but two channels.
    across, down = np.ascontiguousarray(places.T)[:, None]
    values = cv2.remap(picture, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(values[0], np.float32)
