"""Privacy: pictures in which nobody can be recognised, with landmarks that are still exact."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.frame import FrameResult

PATCHES = 8
"""A blurred picture keeps so many patches along its shorter side. People recognise well-known faces in as little as
7 x 10 patches (Sinha et al., Proc. IEEE 2006); even a face that fills the whole picture gets fewer."""

SAMPLES = 160
"""Pixels along the shorter side that the means are taken over; the mean of every pixel would cost ten times as much."""

SMOOTH = 64
"""Pixels along the shorter side to which the patches are smoothly drawn out, before a cheap step to full size."""


def blurred(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a picture of the same size and kind with nothing in it but :data:`PATCHES` blots along its shorter side.

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
    """Return ``result`` with its picture blurred; nothing of it refers to the clear picture any more."""
    return replace(result, frame=replace(result.frame, image=blurred(result.frame.image)))
