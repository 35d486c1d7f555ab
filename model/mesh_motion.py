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

APART: tuple[Indices, ...] = np.r_[33:51, 60:76, 96:98], np.r_[76:96]
"""Brows, eyes and pupils, and the mouth: no triangle holds both, so their motion is solved for separately."""
MOVING: Indices = np.concatenate(APART)
"""The landmarks whose motion is fitted. That of contour and nose is taken as given."""
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
PRECISION = 1e6
"""Steps in a pixel to which a motion is rounded; finer ones could depend on how the system is solved."""
SLOPE = np.float32(8)
"""What ``cv2.spatialGradient`` returns for a slope of one grey level a pixel."""


class _Mesh(NamedTuple):
    """The mesh of 98 landmarks. Every triangle holds the same lattice of points; its corners share in them alike.

    Attributes:
        corners: (2, triangles, 3), where the corners' x and y are in flat landmarks (98, 2).
        shares: (3, points of a triangle) of its corners.
        products: (points of a triangle, 9) of the shares of two corners.
        ends: (2, triangles, 3), where the corners' x and y are in the motion that is solved for, (moving, 2) flat; one
            beyond its end for corners whose motion is given.
        pairs: (4, triangles, 9), where two corners, xx, xy, yx and yy, are in the flat system of equations.
        prior: the precision of that motion against the head, flat, in units of the motion scale.
        systems: of each of :data:`APART`, where it is in the motion and where its matrix is in the flat system.
    """

    corners: Indices
    shares: Floats
    products: Floats
    ends: Indices
    pairs: Indices
    prior: Array
    systems: tuple[tuple[slice, slice], ...]

    def points(self, landmarks: NDArray[np.floating]) -> Floats:
        """Return x and y (2, triangles, points of a triangle) of the mesh's points for landmarks (98, 2)."""
        return np.asarray(landmarks.astype(np.float32).reshape(-1)[self.corners] @ self.shares)


@cache
def _mesh() -> _Mesh:
    triangles, size = np.array(TRIANGLES, np.intp), 2 * len(MOVING)
    axes = np.arange(2)
    lattice = [(i + 1 / 3, j + 1 / 3) for i in range(LATTICE) for j in range(LATTICE - i)]
    shares = np.array([(1 - (u + v) / LATTICE, u / LATTICE, v / LATTICE) for u, v in lattice], np.float32).T
    place = np.full(POINTS, -1)
    place[MOVING] = np.arange(len(MOVING))
    ends = np.where(place[triangles] < 0, size, 2 * place[triangles] + axes[:, None, None])
    precision: Array = STIFFNESS * np.eye(len(MOVING))
    for region in REGIONS:
        for path in region.paths:
            for i, j in zip(place[list(path[:-1])], place[list(path[1:])], strict=True):
                if i >= 0 and j >= 0:
                    precision[[i, j], [i, j]] += TENSION
                    precision[[i, j], [j, i]] -= TENSION
    precision = np.asarray(np.kron(precision, np.eye(2)), np.float64)
    systems, flat = [], np.full((size + 1, size + 1), -1)
    first = used = 0
    for points in APART:
        count = 2 * len(points)
        part, square = slice(first, first + count), slice(used, used + count**2)
        flat[part, part] = np.arange(square.start, square.stop).reshape(count, count)
        systems.append((part, square))
        first, used = part.stop, square.stop
    pairs = flat[ends[:, None, :, :, None], ends[None, :, :, None, :]]
    return _Mesh(
        2 * triangles + axes[:, None, None],
        shares,
        np.ascontiguousarray((shares[:, None] * shares).reshape(9, -1).T),
        ends,
        np.where(pairs < 0, used, pairs).reshape(4, len(triangles), 9),
        np.concatenate([precision[part, part].reshape(-1) for part, _ in systems]),
        tuple(systems),
    )


def blurred(picture: Image) -> Image:
    """Return a grey picture (h, w) as :func:`mesh_motion` takes it."""
    return np.asarray(cv2.GaussianBlur(picture, (3, 3), BLUR), np.uint8)


def mesh_motion(old: Image, new: Image, points: Floats, head: Array, start: Array, unit: float) -> Array:
    """Return how the 98 landmarks move against the head, (98, 2) in pixels: ``start`` where they are not of the mesh.

    Args:
        old: grey picture (h, w), see :func:`blurred`.
        new: the next one, the same size.
        points: landmarks (98, 2) in the old picture, pixel centres at whole numbers.
        head: the head's motion at them (98, 2), pixels.
        start: a first estimate of their motion against the head (98, 2), pixels.
        unit: inter-ocular distance, pixels.
    """
    mesh, size = _mesh(), 2 * len(MOVING)
    slopes = cv2.spatialGradient(new)
    shown_and_slopes = np.asarray(cv2.merge([new.astype(np.int16), *slopes]), np.float32)
    brightness = read_at(old.astype(np.float32), *mesh.points(points))
    prior = mesh.prior / (MOTION_SCALE * unit) ** 2
    motion, middle = start.copy(), brightness.size // 2
    before, moving = points + head, motion[MOVING].reshape(-1)
    for _ in range(STEPS):
        seen = np.ascontiguousarray(read_at(shown_and_slopes, *mesh.points(before + motion)).transpose(2, 0, 1))
        difference, slope = seen[0] - brightness, seen[1:] / SLOPE
        difference -= np.partition(difference, middle, axis=None)[middle]  # the median, in a quarter of its time
        trust = 1 / (BRIGHTNESS_NOISE * (1 + (difference / OUTLIER) ** 2)) ** 2
        pulls = slope * trust
        # Of a triangle's points first, then of the triangles: ten times fewer values are scattered.
        curvature = (pulls[:, None] * slope).reshape(-1, len(mesh.products)) @ mesh.products
        system = prior + _summed(mesh.pairs, curvature, prior.size)
        force = _summed(mesh.ends, (pulls * difference) @ mesh.shares.T, size)
        for part, square in mesh.systems:
            own, count = moving[part], part.stop - part.start
            gradient = prior[square].reshape(count, count) @ own + force[part]
            # Half of numpy's time, and the system is positive definite by its prior.
            solved = cv2.solve(system[square].reshape(count, count), gradient[:, None], flags=cv2.DECOMP_CHOLESKY)
            own -= solved[1][:, 0]
        moving = np.rint(moving * PRECISION) / PRECISION
        motion[MOVING] = moving.reshape(-1, 2)
    return motion


def _summed(places: Indices, values: Floats, size: int) -> Array:
    """Return (size,) sums of the values that belong to each place; those beyond it belong to none."""
    return np.asarray(np.bincount(places.reshape(-1), values.reshape(-1), size + 1)[:size], np.float64)


def read_at(picture: Floats, x: Floats, y: Floats) -> Floats:
    """Read a picture (h, w) or (h, w, channels) at x and y (m, n), bilinearly, the nearest edge value outside."""
    # Two maps, since OpenCV 5.0 misreads one map of pairs for all but two channels.
    return np.asarray(cv2.remap(picture, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.float32)
