"""What a widget paints, as numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QWidget


def pixels(painted: QWidget | QImage) -> NDArray[np.uint8]:
    """Return what a widget paints or what a picture shows, (h, w, 3) RGB.

    The array owns its memory: a view of ``constBits`` does not keep its picture, whose memory others soon write to.
    """
    picture = painted.grab().toImage() if isinstance(painted, QWidget) else painted
    image = picture.convertToFormat(QImage.Format.Format_RGB888)
    rows = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.bytesPerLine())
    return rows[:, : 3 * image.width()].reshape(image.height(), image.width(), 3).copy()


def count_colour(
    painted: QWidget | QImage | NDArray[np.uint8], colour: str | tuple[int, int, int], tolerance: int = 0
) -> int:
    """Return how many pixels have a colour; each of its parts may differ by ``tolerance``."""
    wanted = QColor(colour) if isinstance(colour, str) else QColor(*colour)
    rgb = np.array([wanted.red(), wanted.green(), wanted.blue()])
    found = painted if isinstance(painted, np.ndarray) else pixels(painted)
    return int((np.abs(found.astype(int) - rgb) <= tolerance).all(axis=-1).sum())
