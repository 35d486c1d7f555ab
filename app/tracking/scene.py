"""Detection of scene cuts."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

SAMPLES = (128, 72)
"""Pixels of the picture that are looked at, across and down."""
THUMBNAIL = (32, 18)
CUT_DIFFERENCE = 45.0
"""Mean absolute grey difference of two thumbnails, of 255, above which a cut is assumed."""


class CutDetector:
    """Compares each frame's thumbnail with the last one's, after removing the mean brightness."""

    def __init__(self) -> None:
        self._last: NDArray[np.float32] | None = None

    def is_cut(self, image: NDArray[np.uint8]) -> bool:
        """Return whether an RGB frame (h, w, 3), the next one, starts a new scene; False for the first frame."""
        sampled = cv2.resize(image, SAMPLES, interpolation=cv2.INTER_NEAREST)
        small = cv2.resize(sampled, THUMBNAIL, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.float32)
        grey -= grey.mean()
        last, self._last = self._last, grey
        return last is not None and float(np.abs(grey - last).mean()) > CUT_DIFFERENCE
