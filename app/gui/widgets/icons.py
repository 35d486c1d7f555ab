"""The window's icons, drawn rather than shipped as files."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QIcon, QImage, QPainter, QPen, QPixmap, QPolygonF

from app.gui.theme import theme

SIZE = 18
FINE = 3
"""Images are drawn this many times larger, for high-resolution screens."""


def icon(name: str, colour: str | None = None) -> QIcon:
    """Return the icon ``name``, a key of :data:`SHAPES`, greyed out when its button is off."""
    result = QIcon()
    for mode, shade in (
        (QIcon.Mode.Normal, colour or theme.palette().text),
        (QIcon.Mode.Disabled, theme.palette().faint),
    ):
        result.addPixmap(QPixmap.fromImage(_image(name, shade)), mode)
    return result


@lru_cache(maxsize=128)
def _image(name: str, colour: str) -> QImage:
    image = QImage(SIZE * FINE, SIZE * FINE, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    image.setDevicePixelRatio(FINE)
    ink = QColor(colour)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(QPen(ink, 1.6, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap, Qt.PenJoinStyle.RoundJoin))
    SHAPES[name](painter, ink)
    painter.end()
    return image


def _fill(painter: QPainter, colour: QColor) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(colour)


def _play(painter: QPainter, colour: QColor) -> None:
    _fill(painter, colour)
    painter.drawPolygon(QPolygonF([QPointF(5, 3), QPointF(15, 9), QPointF(5, 15)]))


def _pause(painter: QPainter, colour: QColor) -> None:
    _fill(painter, colour)
    for left in (4.5, 10.5):
        painter.drawRoundedRect(QRectF(left, 3.5, 3.4, 11), 1.2, 1.2)


def _stop(painter: QPainter, colour: QColor) -> None:
    _fill(painter, colour)
    painter.drawRoundedRect(QRectF(4, 4, 10, 10), 1.5, 1.5)


def _record(painter: QPainter, colour: QColor) -> None:
    _fill(painter, colour)
    painter.drawEllipse(QPointF(9, 9), 5.5, 5.5)


def _camera(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(2, 5, 14, 10), 2, 2)
    painter.drawEllipse(QPointF(9, 10), 2.7, 2.7)
    painter.drawPolyline(QPolygonF([QPointF(6, 5), QPointF(7.2, 3), QPointF(10.8, 3), QPointF(12, 5)]))


def _source(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(1.5, 5, 10.5, 8.5), 2, 2)
    painter.drawPolygon(QPolygonF([QPointF(12, 8.2), QPointF(16.2, 6), QPointF(16.2, 12.5), QPointF(12, 10.3)]))


def _mirror(painter: QPainter, colour: QColor) -> None:
    painter.drawLine(QPointF(9, 2.5), QPointF(9, 15.5))
    painter.drawPolygon(QPolygonF([QPointF(6.4, 5), QPointF(6.4, 13), QPointF(2, 13)]))
    painter.setBrush(colour)
    painter.drawPolygon(QPolygonF([QPointF(11.6, 5), QPointF(11.6, 13), QPointF(16, 13)]))


def _keys(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(1.5, 4.5, 15, 9.5), 2, 2)
    for x in (5, 9, 13):
        painter.drawPoint(QPointF(x, 7.8))
    painter.drawLine(QPointF(6, 11), QPointF(12, 11))


def _sessions(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(2, 3, 14, 12), 2, 2)
    for x in (5.5, 12.5):
        painter.drawLine(QPointF(x, 3), QPointF(x, 15))
    for y in (7.0, 11.0):
        painter.drawLine(QPointF(2, y), QPointF(5.5, y))
        painter.drawLine(QPointF(12.5, y), QPointF(16, y))


def _lab(painter: QPainter, colour: QColor) -> None:
    painter.drawPolyline(QPolygonF([QPointF(2.5, 2.5), QPointF(2.5, 15.5), QPointF(15.5, 15.5)]))
    painter.drawPolyline(QPolygonF([QPointF(5, 11), QPointF(8, 7), QPointF(11, 9.5), QPointF(15, 4)]))


def _target(painter: QPainter, colour: QColor) -> None:
    painter.drawEllipse(QPointF(9, 9), 6.5, 6.5)
    painter.drawEllipse(QPointF(9, 9), 2.4, 2.4)
    for x1, y1, x2, y2 in ((9, 0.8, 9, 4), (9, 14, 9, 17.2), (0.8, 9, 4, 9), (14, 9, 17.2, 9)):
        painter.drawLine(QPointF(x1, y1), QPointF(x2, y2))


def _privacy(painter: QPainter, colour: QColor) -> None:
    painter.drawRoundedRect(QRectF(3.5, 8, 11, 7.5), 2, 2)
    painter.drawArc(QRectF(5.5, 2.5, 7, 9.5), 0, 180 * 16)
    painter.drawPoint(QPointF(9, 11.7))


def _share(painter: QPainter, colour: QColor) -> None:
    for x, y in ((4, 9), (14, 4), (14, 14)):
        painter.drawEllipse(QPointF(x, y), 2.1, 2.1)
    painter.drawLine(QPointF(5.9, 8.1), QPointF(12.1, 4.9))
    painter.drawLine(QPointF(5.9, 9.9), QPointF(12.1, 13.1))


def _preferences(painter: QPainter, colour: QColor) -> None:
    for y, knob in ((4.0, 11.5), (9.0, 6.0), (14.0, 12.5)):
        painter.drawLine(QPointF(2, y), QPointF(16, y))
        painter.setBrush(colour)
        painter.drawEllipse(QPointF(knob, y), 1.8, 1.8)
        painter.setBrush(Qt.BrushStyle.NoBrush)


SHAPES: dict[str, Callable[[QPainter, QColor], None]] = {
    "play": _play,
    "pause": _pause,
    "stop": _stop,
    "record": _record,
    "camera": _camera,
    "source": _source,
    "mirror": _mirror,
    "keys": _keys,
    "sessions": _sessions,
    "lab": _lab,
    "target": _target,
    "privacy": _privacy,
    "share": _share,
    "preferences": _preferences,
}
