"""Signals of one frame: pure functions of the landmarks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.signals.head import HeadPose, head_pose
from model.topology import LEFT_EYE_OUTER, POINTS, RIGHT_EYE_OUTER, inter_ocular

Array = NDArray[np.float64]

INNER_LIPS = ((89, 90, 91), (95, 94, 93))
"""Upper and lower inner lip, point facing point."""
MOUTH_CORNERS = (76, 82)

LEFT_LIDS = ((61, 62, 63), (67, 66, 65))
RIGHT_LIDS = ((69, 70, 71), (75, 74, 73))
"""Upper and lower lid, point facing point."""

LEFT_EYE, RIGHT_EYE = (60, 64), (68, 72)
"""Corners of the eyes, from left to right."""
LEFT_BROW, RIGHT_BROW = range(33, 42), range(42, 51)
PUPILS = (96, 97)

_UPPER, _LOWER = np.array([INNER_LIPS, LEFT_LIDS, RIGHT_LIDS]).transpose(1, 0, 2)
_CORNERS = np.array([LEFT_EYE, RIGHT_EYE]).T
_PUPILS = np.array(PUPILS)


def _brow_weights() -> Array:
    """Return the matrix (2, 98) that takes the corners' middle from the brow's centre, left and right."""
    weights = np.zeros((2, POINTS))
    for row, (brow, corners) in enumerate(((LEFT_BROW, LEFT_EYE), (RIGHT_BROW, RIGHT_EYE))):
        weights[row, list(brow)] = 1 / len(brow)
        weights[row, list(corners)] = -1 / len(corners)
    return weights


_BROWS = _brow_weights()


@dataclass(frozen=True, slots=True)
class FaceSignals:
    """What a face does in one frame. Unless said otherwise, lengths are divided by the distance of the outer eye
    corners in the picture, so they do not depend on how close the face is; they are not corrected for its turning.

    Attributes:
        head: where the head is and how it is turned.
        mouth: mean gap between the inner lips (89-95, 90-94, 91-93); 0 when they touch.
        mouth_width: distance of the mouth's corners (76-82).
        eye_left: mean gap between the lids (61-67, 62-66, 63-65).
        eye_right: the same (69-75, 70-74, 71-73).
        ear_left: eye aspect ratio (Soukupova and Cech, CVWW 2016): (|61-67| + |63-65|) / (2 |60-64|), in widths of the
            eye.
        ear_right: (|69-75| + |71-73|) / (2 |68-72|).
        brow_left: height of the brow's centre (mean of 33 to 41) over the middle of its eye's corners, along the face's
            upright, which is square to the line of the outer eye corners.
        brow_right: the same with 42 to 50.
        gaze_left: offset of the pupil (96) from the middle of its eye's corners (60, 64), (x, y) in widths of the eye:
            x along the corners, positive to the right of the picture, y square to them, positive up.
        gaze_right: the same for pupil 97 and corners 68, 72.
    """

    head: HeadPose
    mouth: float
    mouth_width: float
    eye_left: float
    eye_right: float
    ear_left: float
    ear_right: float
    brow_left: float
    brow_right: float
    gaze_left: tuple[float, float]
    gaze_right: tuple[float, float]


def eye_aspect_ratios(landmarks: NDArray[np.floating]) -> tuple[float, float] | None:
    """Return ``ear_left`` and ``ear_right`` of :class:`FaceSignals`, without the rest, which takes 10 times as long.

    Args:
        landmarks: (98, 2) in pixels.

    Returns:
        None if corners of an eye coincide or points are not finite.
    """
    points = np.asarray(landmarks, np.float64)
    if not np.isfinite(points).all():
        return None
    along = points[_CORNERS[1]] - points[_CORNERS[0]]
    widths = np.hypot(along[:, 0], along[:, 1])
    if widths.min() <= 0:
        return None
    apart = points[_UPPER[1:, ::2]] - points[_LOWER[1:, ::2]]
    left, right = (np.hypot(apart[..., 0], apart[..., 1]).mean(axis=1) / widths).tolist()
    return left, right


def face_signals(landmarks: NDArray[np.floating], size: tuple[int, int]) -> FaceSignals | None:
    """Return the signals of one face; None if corners of an eye coincide, points are not finite, or no pose fits.

    Args:
        landmarks: (98, 2) in pixels.
        size: width and height of the picture in pixels, for the pose.
    """
    ears = eye_aspect_ratios(landmarks)
    if ears is None:
        return None
    points = np.asarray(landmarks, np.float64)
    scale = float(inter_ocular(points))
    if scale <= 0:
        return None
    pose = head_pose(points, size)
    if pose is None:
        return None
    across = points[RIGHT_EYE_OUTER] - points[LEFT_EYE_OUTER]
    up = np.array([across[1], -across[0]]) / scale
    apart = points[_UPPER] - points[_LOWER]
    gaps = np.hypot(apart[..., 0], apart[..., 1])
    mouth, eye_left, eye_right = (gaps.mean(axis=1) / scale).tolist()
    brow_left, brow_right = (_BROWS @ points @ up / scale).tolist()
    along = points[_CORNERS[1]] - points[_CORNERS[0]]
    widths = np.hypot(along[:, 0], along[:, 1])
    offset = points[_PUPILS] - points[_CORNERS].mean(axis=0)
    gaze_x = (offset * along).sum(axis=1) / widths**2
    gaze_y = (offset[:, 0] * along[:, 1] - offset[:, 1] * along[:, 0]) / widths**2
    gaze_left, gaze_right = zip(gaze_x.tolist(), gaze_y.tolist(), strict=True)
    return FaceSignals(
        head=pose,
        mouth=mouth,
        mouth_width=float(np.hypot(*(points[MOUTH_CORNERS[1]] - points[MOUTH_CORNERS[0]]))) / scale,
        eye_left=eye_left,
        eye_right=eye_right,
        ear_left=ears[0],
        ear_right=ears[1],
        brow_left=brow_left,
        brow_right=brow_right,
        gaze_left=gaze_left,
        gaze_right=gaze_right,
    )
