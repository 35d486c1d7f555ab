"""The box of the 98 landmarks, predicted from a detector's box and keypoints.

The position of the detector's square box on a face varies as the face turns, tilts or opens its mouth. A small
regression on the six keypoints, fitted to labelled training faces by ``benchmarks/detector_box.py``, predicts the box
of the landmarks, so that the first crop of a face is close to the one that its landmarks will give.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

MOST_SHIFT = 0.25
"""In sides of the detector's box. 99 % of the training faces need less, with either model; keypoints off the face may
yield more."""
MOST_GROWTH = 1.4
"""Largest ratio of the two boxes' sides, up or down, likewise."""


@dataclass(frozen=True, slots=True)
class BoxModel:
    """Where the landmark box lies, relative to one detector's own box.

    Attributes:
        right: shift of the centre to the right over the side of the detector's box, a combination of
            :func:`odd_features`: a mirrored face must shift the other way.
        down: shift downwards, a combination of :func:`even_features`.
        log_growth: logarithm of the landmark box's larger side over the detector's, likewise.
    """

    right: tuple[float, ...]
    down: tuple[float, ...]
    log_growth: tuple[float, ...]


def odd_features(keypoints: Array) -> Array:
    """Return the features that change sign with mirroring (..., 6).

    Args:
        keypoints: (..., 6, 2) relative to the box's centre, over its side: right eye, left eye, nose tip, mouth,
            right ear, left ear; right and left are the person's.
    """
    right_eye, left_eye, nose, mouth, right_ear, left_ear = np.moveaxis(keypoints, -2, 0)
    columns = (
        (right_eye[..., 0] + left_eye[..., 0]) / 2,
        (left_eye[..., 1] - right_eye[..., 1]) / 2,
        nose[..., 0],
        mouth[..., 0],
        (right_ear[..., 0] + left_ear[..., 0]) / 2,
        (left_ear[..., 1] - right_ear[..., 1]) / 2,
    )
    return np.stack(columns, axis=-1)


def even_features(keypoints: Array) -> Array:
    """Return the features invariant to mirroring (..., 9): a constant, widths and heights, squared turn and tilt."""
    right_eye, left_eye, nose, mouth, right_ear, left_ear = np.moveaxis(keypoints, -2, 0)
    turn = nose[..., 0] - (right_eye[..., 0] + left_eye[..., 0]) / 2
    tilt = (left_eye[..., 1] - right_eye[..., 1]) / 2
    columns = (
        np.ones_like(turn),
        (left_eye[..., 0] - right_eye[..., 0]) / 2,
        (left_eye[..., 1] + right_eye[..., 1]) / 2,
        nose[..., 1],
        mouth[..., 1],
        (left_ear[..., 0] - right_ear[..., 0]) / 2,
        (left_ear[..., 1] + right_ear[..., 1]) / 2,
        turn**2,
        tilt**2,
    )
    return np.stack(columns, axis=-1)


def relative_keypoints(box: tuple[float, float, float, float], keypoints: Array) -> Array:
    """Return keypoints (6, 2) relative to the centre of a box x1, y1, x2, y2, over its larger side."""
    x1, y1, x2, y2 = box
    return (keypoints - ((x1 + x2) / 2, (y1 + y2) / 2)) / max(x2 - x1, y2 - y1)


def landmark_box(
    box: tuple[float, float, float, float], keypoints: Array, model: BoxModel
) -> tuple[float, float, float, float]:
    """Return the square x1, y1, x2, y2 expected around the 98 landmarks.

    Args:
        box: the detector's, in pixels.
        keypoints: (6, 2) in pixels.
        model: for that detector.
    """
    x1, y1, x2, y2 = box
    side = max(x2 - x1, y2 - y1)
    relative = relative_keypoints(box, keypoints)
    odd, even = odd_features(relative), even_features(relative)
    right = float(np.clip(odd @ model.right, -MOST_SHIFT, MOST_SHIFT))
    down = float(np.clip(even @ model.down, -MOST_SHIFT, MOST_SHIFT))
    limit = np.log(MOST_GROWTH)
    half = side * float(np.exp(np.clip(even @ model.log_growth, -limit, limit))) / 2
    centre_x, centre_y = (x1 + x2) / 2 + right * side, (y1 + y2) / 2 + down * side
    return centre_x - half, centre_y - half, centre_x + half, centre_y + half
