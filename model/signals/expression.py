"""A face's expression without its head pose: heights, widths and openings in the face's own axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from model.signals.face import FaceSignals
from model.signals.head import FACE_MODEL, FOCAL_LENGTH, rotation

EYE_CORNERS_MM = float(FACE_MODEL[3, 0] - FACE_MODEL[0, 0])

DEPTHS: dict[int, float] = {
    **dict.fromkeys((33, 46), -2.8),
    **dict.fromkeys((34, 41, 45, 47), 3.4),
    **dict.fromkeys((35, 40, 44, 48), 9.3),
    **dict.fromkeys((36, 39, 43, 49), 14.6),
    **dict.fromkeys((37, 38, 42, 50), 19.1),
    57: 25.5,
    **dict.fromkeys((60, 72), 0.0),
    **dict.fromkeys((64, 68), 7.5),
    **dict.fromkeys((65, 66, 67, 73, 74, 75), 5.6),
    **dict.fromkeys((76, 82), -2.4),
    **dict.fromkeys((79, 85), 18.3),
    **dict.fromkeys((89, 91, 93, 95), 8.7),
    **dict.fromkeys((90, 94), 17.4),
    16: 3.5,
}
"""How far the points used here lie before the middle of the outer eye corners, in mm: the mean of the faces that
:data:`model.signals.head.FACE_MODEL` was fitted to, by least squares under their poses."""

_POINTS = np.array(sorted(DEPTHS))
_DEPTHS = np.array([DEPTHS[point] for point in sorted(DEPTHS)]) / EYE_CORNERS_MM
_ROW = {point: row for row, point in enumerate(sorted(DEPTHS))}


@dataclass(frozen=True, slots=True)
class Expression:
    """Measures of an expression. Lengths are in distances of the outer eye corners (90 mm), along the face's own axes;
    heights grow upwards. "Left" is left in the picture.

    Attributes:
        lips: gap between the inner lips.
        chin: height of the chin (16) over the nose's base (57); negative.
        corner_left: height of the mouth's corner (76) over the nose's base; negative.
        corner_right: the same (82).
        reach_left: distance of the mouth's corner from the face's middle plane.
        reach_right: the same.
        mouth_x: the middle of both lips (79, 85) right of the nose's base.
        brow_inner_left: mean height of the brow's inner points (36, 37, 38, 39) over the middle of its eye's corners.
        brow_inner_right: the same (42, 43, 49, 50).
        brow_outer_left: the same for its outer points (33, 34, 41).
        brow_outer_right: the same (45, 46, 47).
        lower_lid_left: mean height of the lower lid (65, 66, 67) over the middle of the eye's corners.
        lower_lid_right: the same (73, 74, 75).
        ear_left: eye aspect ratio; see :class:`model.signals.face.FaceSignals`, as for the rest.
        ear_right: ...
        gaze_left_x: ...
        gaze_left_y: ...
        gaze_right_x: ...
        gaze_right_y: ...
    """

    lips: float
    chin: float
    corner_left: float
    corner_right: float
    reach_left: float
    reach_right: float
    mouth_x: float
    brow_inner_left: float
    brow_inner_right: float
    brow_outer_left: float
    brow_outer_right: float
    lower_lid_left: float
    lower_lid_right: float
    ear_left: float
    ear_right: float
    gaze_left_x: float
    gaze_left_y: float
    gaze_right_x: float
    gaze_right_y: float


def measure_expression(landmarks: NDArray[np.floating], signals: FaceSignals, size: tuple[int, int]) -> Expression:
    """Return the expression of one face.

    Each point is turned back with its depth in an average face (:data:`DEPTHS`) under scaled orthographic projection,
    so an expression in a turned face reads about as it does in one that looks ahead.

    Args:
        landmarks: (98, 2) in pixels.
        signals: of these landmarks.
        size: width and height of the picture in pixels.
    """
    head = signals.head
    # z is at least a few cm: the head is before the camera.
    unit = FOCAL_LENGTH * max(size) * EYE_CORNERS_MM / (10 * head.z)
    points = np.asarray(landmarks, np.float64)
    seen = (points[_POINTS] - (points[60] + points[72]) / 2) / unit
    turn = rotation(head.yaw, head.pitch, head.roll)
    # seen = (turn @ (x, y, depth))[:2], solved for x and y.
    plane = np.linalg.pinv(turn[:2, :2])
    own = (seen - np.outer(_DEPTHS, turn[:2, 2])) @ plane.T

    def x(*which: int) -> float:
        return float(own[[_ROW[point] for point in which], 0].mean())

    def height(*which: int) -> float:
        return -float(own[[_ROW[point] for point in which], 1].mean())

    nose, left, right = height(57), height(60, 64), height(68, 72)
    return Expression(
        lips=height(89, 90, 91) - height(93, 94, 95),
        chin=height(16) - nose,
        corner_left=height(76) - nose,
        corner_right=height(82) - nose,
        reach_left=x(57) - x(76),
        reach_right=x(82) - x(57),
        mouth_x=x(79, 85) - x(57),
        brow_inner_left=height(36, 37, 38, 39) - left,
        brow_inner_right=height(42, 43, 49, 50) - right,
        brow_outer_left=height(33, 34, 41) - left,
        brow_outer_right=height(45, 46, 47) - right,
        lower_lid_left=height(65, 66, 67) - left,
        lower_lid_right=height(73, 74, 75) - right,
        ear_left=signals.ear_left,
        ear_right=signals.ear_right,
        gaze_left_x=signals.gaze_left[0],
        gaze_left_y=signals.gaze_left[1],
        gaze_right_x=signals.gaze_right[0],
        gaze_right_y=signals.gaze_right[1],
    )


def median_expression(expressions: Sequence[Expression]) -> Expression:
    """Return the median of each measure, over at least one expression."""
    return Expression(*np.median([astuple(each) for each in expressions], axis=0).tolist())
