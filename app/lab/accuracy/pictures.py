"""Pictures of labelled faces."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray


def load_picture(path: Path) -> NDArray[np.uint8] | None:
    """Return a picture as RGB (h, w, 3); None if the file holds none.

    Raises:
        OSError: if the file cannot be opened.
    """
    data = np.fromfile(path, np.uint8)  # unlike cv2.imread, opens any path on Windows
    image = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB) if data.size else None
    return None if image is None else np.asarray(image, np.uint8)
