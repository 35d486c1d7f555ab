"""What widgets paint with: smooth painters, plates, and where a line of text stands in its box."""

from __future__ import annotations

from PySide6.QtCore import QRectF, Qt
from PySide6.QtGui import QColor, QGradient, QPainter
from PySide6.QtWidgets import QWidget

AT_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
AT_RIGHT = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
CENTRED = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter


def smooth_painter(widget: QWidget) -> QPainter:
    """Return a painter on a widget that draws smooth edges."""
    painter = QPainter(widget)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    return painter


def draw_plate(painter: QPainter, box: QRectF, fill: QColor | QGradient, radius: float) -> None:
    """Fill a box with round corners; the painter keeps the fill, and has no pen then."""
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(fill)
    painter.drawRoundedRect(box, radius, radius)
