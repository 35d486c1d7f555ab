"""Privacy mode: pictures blurred until no one can be recognised; landmarks stay exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.frame import FrameResult

PATCHES = 8
"""Patches along the shorter side of a blurred picture. People recognise well-known faces in as little as
7 x 10 patches (Sinha et al., Proc. IEEE 2006); even a face that fills the whole picture gets fewer."""

SAMPLES = 160
"""Pixels along the shorter side that the means are taken over; the mean of every pixel would cost ten times as much."""

SMOOTH = 64
"""Pixels along the shorter side to which the patches are smoothly drawn out, before a cheap step to full size."""


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture of the same size and kind that holds only :data:`PATCHES` patches along its shorter side.

    Every patch is the mean of pixels spread evenly over it, so no detail is left that sharpening could bring back.
    """
    height, width = image.shape[:2]
    scale = min(height, width)

    def sized(side: int) -> tuple[int, int]:
        return max(1, round(width / scale * side)), max(1, round(height / scale * side))

    small: NDArray[Any] = cv2.resize(image, sized(min(SAMPLES, scale)), interpolation=cv2.INTER_NEAREST)
    small = cv2.resize(small, sized(min(PATCHES, scale)), interpolation=cv2.INTER_AREA)
    small = cv2.resize(small, sized(min(SMOOTH, scale)), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def without_faces(result: FrameResult) -> FrameResult:
    """Return ``result`` with its picture blurred; it holds no reference to the clear picture."""
    return replace(result, frame=replace(result.frame, image=blurred(result.frame.image)))
