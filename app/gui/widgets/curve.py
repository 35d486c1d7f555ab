"""A curve through samples, interrupted where there are none."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF
from PySide6.QtGui import QPainter, QPolygonF


def draw_curve(painter: QPainter, x: NDArray[np.floating], y: NDArray[np.floating]) -> None:
    """Draw a line through points (n,), (n,) in view units with the painter's pen; NaN in ``y`` leaves a gap."""
    bounds = np.flatnonzero(np.diff(np.isfinite(y), prepend=False, append=False))
    for start, end in bounds.reshape(-1, 2).tolist():
        points = zip(x[start:end].tolist(), y[start:end].tolist(), strict=True)
        painter.drawPolyline(QPolygonF([QPointF(*point) for point in points]))
