"""The noise of the demo's camera sensor, added while the clip plays.

H.264 at a size fit for the repository smooths noise away, and noise is what makes landmarks flicker on a
still face, so it is drawn here: the same for a given frame index, different for every frame.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

NOISE = 3.0
"""Standard deviation of the brightness noise, in grey levels."""
COLOUR_NOISE = 1.5
"""Standard deviation of the colour noise, which is coarser, as after demosaicing."""
SEED = 20230617
_SPARE = 128


class SensorNoise:
    """Adds noise to (h, w, 3) uint8 RGB pictures of one size.

    One picture of noise, a little larger than the frame, is drawn once; every frame takes another window
    of it. That costs about a millisecond for a frame instead of thirty, and neighbouring frames share no noise.
    """

    def __init__(self, width: int, height: int) -> None:
        random = np.random.default_rng(SEED)
        rows, columns = height + _SPARE, width + _SPARE
        grey = random.standard_normal((rows, columns, 1), dtype=np.float32)
        colour = random.standard_normal((rows // 2, columns // 2, 3), dtype=np.float32)
        colour = colour.repeat(2, axis=0).repeat(2, axis=1)
        self._size = (height, width)
        self._noise = np.rint(NOISE * grey + COLOUR_NOISE * colour).astype(np.int16)

    def add(self, image: NDArray[np.uint8], index: int) -> NDArray[np.uint8]:
        """Return ``image`` with the noise of frame ``index``."""
        height, width = self._size
        top, left = np.random.default_rng([SEED, index]).integers(0, _SPARE + 1, size=2)
        window = self._noise[top : top + height, left : left + width]
        return cv2.add(image, window, dtype=cv2.CV_8U).astype(np.uint8, copy=False)
