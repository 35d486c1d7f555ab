"""How a head is turned, estimated from the points that expressions hardly move."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER

RIGID: tuple[int, ...] = (LEFT_EYE_OUTER, 64, 68, RIGHT_EYE_OUTER, 51, 54, 55, 57, 59)
"""Corners of the eyes and points of the nose."""

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
"""Where these points lie in a face that looks at the camera: x to the right, y down, z towards the camera, the
distance of the outer eye corners is 1. x and y are the mean of 475 hand-labelled near-frontal faces (WFLW training
part), rounded; z are rounded proportions of an average adult. Noses differ, so the angles are estimates."""

_CENTRED = SHAPE - SHAPE.mean(axis=0)
_INVERSE = np.linalg.pinv(_CENTRED)
_RIGID = np.array(RIGID)


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
    """Return the pose of landmarks (98, 2); None where they lie on one spot or are not finite.

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
