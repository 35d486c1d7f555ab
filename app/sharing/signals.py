"""A few numbers that drive an avatar: how open mouth and eyes are, how high the brows are, how the head is turned.

Everything but the angles is a distance divided by the distance of the outer eye corners, so it does not depend on
how close the face is. "Left" and "right" are those of the picture as the camera delivers it, in which the left eye is
the person's right one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.topology import LEFT_EYE_OUTER, POINTS, RIGHT_EYE_OUTER, inter_ocular

Points = NDArray[np.float64]

RIGID: tuple[int, ...] = (LEFT_EYE_OUTER, 64, 68, RIGHT_EYE_OUTER, 51, 54, 55, 57, 59)
"""Points that expressions hardly move: corners of the eyes and points of the nose."""

SHAPE = np.array(
    [
        (-0.50, 0.00, 0.00),
        (-0.19, 0.02, 0.07),
        (0.19, 0.02, 0.07),
        (0.50, 0.00, 0.00),
        (0.00, 0.00, 0.23),
        (0.00, 0.42, 0.50),
        (-0.18, 0.47, 0.22),
        (0.00, 0.51, 0.33),
        (0.18, 0.47, 0.22),
    ]
)
"""Where :data:`RIGID` lies in a face that looks at the camera: x to the right, y down, z towards the camera, the
distance of the outer eye corners is 1. x and y are the mean of 475 hand-labelled near-frontal faces (WFLW training
part), rounded; z are rounded proportions of an average adult. Noses differ, so the angles are estimates."""

_CENTRED = SHAPE - SHAPE.mean(axis=0)
_INVERSE = np.linalg.pinv(_CENTRED)
_RIGID = np.array(RIGID)

INNER_LIPS = ((89, 90, 91), (95, 94, 93))
"""Upper and lower inner lip, point facing point."""

LEFT_LIDS = ((61, 62, 63), (67, 66, 65))
RIGHT_LIDS = ((69, 70, 71), (75, 74, 73))
"""Upper and lower lid, point facing point."""

LEFT_BROW, LEFT_CORNERS = range(33, 42), (LEFT_EYE_OUTER, 64)
RIGHT_BROW, RIGHT_CORNERS = range(42, 51), (68, RIGHT_EYE_OUTER)

_UPPER, _LOWER = np.array([INNER_LIPS, LEFT_LIDS, RIGHT_LIDS]).transpose(1, 0, 2)


def _brow_weights() -> Points:
    """Return the matrix (2, 98) that takes the corners' middle from the brow's centre, left and right."""
    weights = np.zeros((2, POINTS))
    for row, (brow, corners) in enumerate(((LEFT_BROW, LEFT_CORNERS), (RIGHT_BROW, RIGHT_CORNERS))):
        weights[row, list(brow)] = 1 / len(brow)
        weights[row, list(corners)] = -1 / len(corners)
    return weights


_BROWS = _brow_weights()


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Angles in degrees, 0 when the face looks straight at the camera.

    Attributes:
        yaw: positive when the face turns to the right of the picture.
        pitch: positive when it looks up.
        roll: positive when it tilts clockwise in the picture.
    """

    yaw: float
    pitch: float
    roll: float


def head_pose(landmarks: NDArray[np.floating]) -> HeadPose | None:
    """Return the pose of landmarks (98, 2); None if they coincide or are not finite.

    Scaled orthographic projection: the 2 x 3 matrix M that maps :data:`SHAPE` onto the points is found by linear
    least squares, its rows are made orthogonal and equally long (polar decomposition), and their cross product is
    the rotation's third row. This is the first step of POSIT (DeMenthon and Davis, IJCV 1995); it needs no camera
    constants. The rotation is R = Ry(yaw) Rx(pitch) Rz(roll): yaw and pitch say where the face looks.
    """
    points = np.asarray(landmarks, np.float64)[_RIGID]
    if not np.isfinite(points).all():
        return None
    matrix = (_INVERSE @ (points - points.mean(axis=0))).T
    left, lengths, right = np.linalg.svd(matrix, full_matrices=False)
    if lengths[0] <= 1e-9:
        return None
    first, second = (left @ right).tolist()
    # The last entry of the rotation's third row.
    depth = first[0] * second[1] - first[1] * second[0]
    yaw = math.atan2(first[2], depth)
    pitch = math.asin(min(1.0, max(-1.0, -second[2])))
    roll = math.atan2(second[0], second[1])
    return HeadPose(math.degrees(yaw), math.degrees(pitch), math.degrees(roll))


@dataclass(frozen=True, slots=True)
class FaceSignals:
    """What a face does, from one frame's landmarks.

    Attributes:
        mouth: mean gap between the inner lips; 0 when they touch.
        eye_left: mean gap between the lids, as in the eye aspect ratio (Soukupova and Cech, CVWW 2016), which divides
            by the eye's width instead.
        eye_right: the same.
        brow_left: height of the brow's centre over the middle of its eye's corners, along the face's upright.
        brow_right: the same.
        head: how the head is turned.
    """

    mouth: float
    eye_left: float
    eye_right: float
    brow_left: float
    brow_right: float
    head: HeadPose


def face_signals(landmarks: NDArray[np.floating]) -> FaceSignals | None:
    """Return the signals of landmarks (98, 2); None if the corners of the eyes coincide or points are not finite."""
    points = np.asarray(landmarks, np.float64)
    if not np.isfinite(points).all():
        return None
    pose = head_pose(points)
    scale = float(inter_ocular(points))
    if pose is None or scale <= 0:
        return None
    across = points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER]
    up = np.array([across[1], -across[0]]) / scale
    apart = points[_UPPER] - points[_LOWER]
    mouth, eye_left, eye_right = (np.hypot(apart[..., 0], apart[..., 1]).mean(axis=1) / scale).tolist()
    brow_left, brow_right = (_BROWS @ points @ up / scale).tolist()
    return FaceSignals(mouth, eye_left, eye_right, brow_left, brow_right, pose)
