"""Pictures from the bytes of their files."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def decoded(data: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the picture of a file's bytes (n,) as RGB (h, w, 3); None where they hold none that can be read."""
    try:
        return cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)  # type: ignore[return-value]
    except cv2.error:  # nothing at all, or a damaged size: more pixels than OpenCV reads
        return None
