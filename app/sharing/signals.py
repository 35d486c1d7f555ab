"""A handful of numbers that drive an avatar: how open mouth and eyes are, how high the brows, how the head is turned.

Everything but the angles is a distance divided by the distance of the outer eye corners, so it does not depend on
how near the face is. "Left" and "right" are those of the picture as the camera delivers it, in which the left eye is
the person's right one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.sharing.head import HeadPose, head_pose
from model.metrics import inter_ocular
from model.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER

Points = NDArray[np.float64]

INNER_LIPS = ((89, 90, 91), (95, 94, 93))
"""Upper and lower inner lip, point facing point."""

LEFT_LIDS = ((61, 62, 63), (67, 66, 65))
RIGHT_LIDS = ((69, 70, 71), (75, 74, 73))
"""Upper and lower lid, point facing point."""

LEFT_BROW, LEFT_CORNERS = tuple(range(33, 42)), (LEFT_EYE_OUTER, 64)
RIGHT_BROW, RIGHT_CORNERS = tuple(range(42, 51)), (68, RIGHT_EYE_OUTER)


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
    """Return the signals of landmarks (98, 2); None where the eyes' corners coincide or points are not finite."""
    points = np.asarray(landmarks, np.float64)
    pose = head_pose(points)
    scale = float(inter_ocular(points))
    if pose is None or not np.isfinite(points).all() or scale <= 0:
        return None
    along = (points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER]) / scale
    up = np.array([along[1], -along[0]])
    return FaceSignals(
        mouth=_gap(points, INNER_LIPS) / scale,
        eye_left=_gap(points, LEFT_LIDS) / scale,
        eye_right=_gap(points, RIGHT_LIDS) / scale,
        brow_left=_height(points, LEFT_BROW, LEFT_CORNERS, up) / scale,
        brow_right=_height(points, RIGHT_BROW, RIGHT_CORNERS, up) / scale,
        head=pose,
    )


def _gap(points: Points, facing: tuple[tuple[int, ...], tuple[int, ...]]) -> float:
    upper, lower = facing
    return float(np.linalg.norm(points[list(upper)] - points[list(lower)], axis=1).mean())


def _height(points: Points, brow: tuple[int, ...], corners: tuple[int, int], up: Points) -> float:
    return float((points[list(brow)].mean(axis=0) - points[list(corners)].mean(axis=0)) @ up)
