"""What a widget paints, as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QImage
from PySide6.QtWidgets import QWidget


def pixels(painted: QWidget | QImage) -> NDArray[np.uint8]:
    """Return what a widget paints or what a picture shows, (h, w, 3) RGB.

    The array owns its memory: a view of ``constBits`` does not keep its picture, whose memory others soon write to.
    """
    picture = painted.grab().toImage() if isinstance(painted, QWidget) else painted
    image = picture.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def has_colour(painted: QWidget | QImage, colour: str) -> int:
    """Return how many pixels have exactly this colour, given as "#rrggbb"."""
    wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return int((pixels(painted) == wanted).all(-1).sum())
