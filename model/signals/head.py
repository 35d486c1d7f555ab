"""Where the head is and how it is turned: a rigid face model fitted to landmarks by perspective-n-point (PnP)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from model.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER

Array = NDArray[np.float64]

RIGID: tuple[int, ...] = (LEFT_EYE_OUTER, 64, 68, RIGHT_EYE_OUTER, 51, 52, 53, 54, 55, 56, 57, 58, 59)
"""Points that expressions hardly move: corners of the eyes and points of the nose."""

FACE_MODEL = np.array(
    [
        (-45.0, 0.0, 0.0),
        (-17.3, 1.5, 7.5),
        (17.3, 1.5, 7.5),
        (45.0, 0.0, 0.0),
        (0.0, -0.2, 21.1),
        (0.0, 12.6, 28.1),
        (0.0, 25.4, 35.1),
        (0.0, 37.4, 41.5),
        (-16.1, 42.8, 17.7),
        (-8.1, 44.8, 22.1),
        (0.0, 46.4, 25.5),
        (8.1, 44.8, 22.1),
        (16.1, 42.8, 17.7),
    ]
)
"""Where :data:`RIGID` lies in a face that looks straight ahead, (13, 3) in mm from the middle of the outer eye corners:
x to the right of the picture, y down, z towards the camera.

The shape is fitted to 2,217 hand-labelled faces in all poses (WFLW training part) and their mirror images by
``benchmarks/face_model.py``. Pictures tell no size: the outer eye corners are taken to be 90 mm apart, between the
means of North American men (91 mm) and women (88 mm) in Farkas, Anthropometry of the Head and Face, 1994. Pitch is 0
for the median of those faces. People differ, so angles and distance of one person have a constant error.
"""

FOCAL_LENGTH = 1.0
"""Assumed focal length over the longer side of the picture: 53 degrees across it. Webcams have 0.7 to 1.1. A wrong
value scales the distance by about the same factor, and hardly changes the angles of a face near the middle."""

_CENTRED = FACE_MODEL - FACE_MODEL.mean(axis=0)
_INVERSE = np.linalg.pinv(_CENTRED)
_RIGID = np.array(RIGID)
_TOWARDS = np.diag([1.0, 1.0, -1.0])
"""From coordinates whose z points to the camera to OpenCV's, whose z points away from it, and back."""
_OPENCV_MODEL = np.ascontiguousarray(FACE_MODEL @ _TOWARDS)
_DEGREES = 180 / math.pi


@dataclass(frozen=True, slots=True)
class HeadPose:
    """Where a head is in the camera's coordinates.

    The rotation of the face model is Ry(yaw) Rx(pitch) Rz(roll); all are 0 if the face is parallel to the picture.

    Attributes:
        yaw: degrees, positive when the face turns to the right of the picture.
        pitch: degrees, positive when it looks up.
        roll: degrees, positive when it tilts clockwise in the picture.
        x: cm from the camera's axis to the middle of the outer eye corners, positive to the right of the picture.
        y: cm, positive down.
        z: cm from the camera, positive.
    """

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    z: float


def rotation(yaw: float, pitch: float, roll: float) -> Array:
    """Return Ry(yaw) Rx(pitch) Rz(roll), (3, 3), for angles in degrees in the axes of :data:`FACE_MODEL`."""
    (sy, sp, sr), (cy, cp, cr) = (tuple(f(a / _DEGREES) for a in (yaw, pitch, roll)) for f in (math.sin, math.cos))
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_y @ about_x @ about_z)


def head_pose(landmarks: NDArray[np.floating], size: tuple[int, int]) -> HeadPose | None:
    """Return the pose of landmarks; None if they coincide, are not finite, or no head in front of the camera fits.

    The linear solution for scaled orthographic projection, the first step of POSIT (DeMenthon and Davis, IJCV 1995),
    starts OpenCV's iterative PnP (Levenberg-Marquardt on the reprojection error), so that no other local minimum is
    found. The optical axis is assumed in the middle of the picture, without lens distortion.

    Args:
        landmarks: (98, 2) in pixels.
        size: width and height of the picture in pixels.
    """
    points = np.asarray(landmarks, np.float64)[_RIGID]
    if not np.isfinite(points).all():
        return None
    matrix = (_INVERSE @ (points - points.mean(axis=0))).T
    left, scales, right = np.linalg.svd(matrix, full_matrices=False)
    if scales[0] <= 1e-9:
        return None
    rows = left @ right
    (a, b, c), (d, e, f) = rows.tolist()
    turned = np.array([(a, b, c), (d, e, f), (b * f - c * e, c * d - a * f, a * e - b * d)])
    focal = FOCAL_LENGTH * max(size)
    centre = np.array([(size[0] - 1) / 2, (size[1] - 1) / 2])
    # Of the middle of the eyes: the model's origin, from the centre of its points.
    origin = points.mean(axis=0) - scales.mean() * (rows @ FACE_MODEL.mean(axis=0)) - centre
    depth = focal / scales.mean()
    place = np.array([*(origin / scales.mean()), depth])
    camera = np.array([[focal, 0, centre[0]], [0, focal, centre[1]], [0, 0, 1]])
    vector, _ = cv2.Rodrigues(_TOWARDS @ turned @ _TOWARDS)
    found, vector, place = cv2.solvePnP(
        _OPENCV_MODEL, points, camera, None, vector, place.reshape(3, 1), True, cv2.SOLVEPNP_ITERATIVE
    )
    x, y, z = place.ravel().tolist()
    if not found or not np.isfinite([x, y, z]).all() or z <= 0:
        return None
    turned = _TOWARDS @ cv2.Rodrigues(vector)[0] @ _TOWARDS
    yaw = math.atan2(turned[0, 2], turned[2, 2])
    pitch = math.asin(min(1.0, max(-1.0, -turned[1, 2])))
    roll = math.atan2(turned[1, 0], turned[1, 1])
    return HeadPose(yaw * _DEGREES, pitch * _DEGREES, roll * _DEGREES, x / 10, y / 10, z / 10)
