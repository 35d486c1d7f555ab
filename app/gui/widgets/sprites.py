"""Dots, rings and halos painted once and then drawn as images at sub-pixel positions.

Qt's own smooth circles take 20 to 60 microseconds each once they are larger than some pixels, and there are hundreds in
every frame; a stamp takes 3.
"""

from __future__ import annotations

from functools import lru_cache

from PySide6.QtCore import QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QRadialGradient

Rgb = tuple[int, int, int]

RIM_ALPHA = 130
RIM = 0.27
"""The dark rim of a dot, as share of its radius: it keeps the dot readable on bright skin."""

HALO_CORE = 0.72
"""Up to this share of its radius a halo is even; beyond it fades out."""

HALO_SIDE = 64
COARSEST = 2
"""Sprites are made in steps of this many device pixels, and scaled when drawn."""

SMALLEST = 12
"""A smaller sprite would lose its rim or its hole."""


def dot(colour: Rgb, pixels: float) -> QImage:
    """Return a disc with a dark rim for about ``pixels`` device pixels."""
    return _dot(colour, _step(pixels))


def ring(colour: Rgb, alpha: int, pixels: float, width: float) -> QImage:
    """Return a ring with a line of ``width`` device pixels for about ``pixels`` device pixels."""
    side = _step(pixels)
    return _ring(colour, alpha, side, max(1, round(width * side / pixels)))


@lru_cache(maxsize=32)
def halo(colour: Rgb, alpha: int) -> QImage:
    """Return a soft disc, to be stamped at any size."""
    image, painter = _blank(HALO_SIDE)
    gradient = QRadialGradient(QPointF(HALO_SIDE / 2, HALO_SIDE / 2), HALO_SIDE / 2)
    gradient.setColorAt(HALO_CORE, QColor(*colour, alpha))
    gradient.setColorAt(1.0, QColor(*colour, 0))
    painter.setBrush(gradient)
    painter.drawEllipse(QRectF(0, 0, HALO_SIDE, HALO_SIDE))
    painter.end()
    return image


def stamp(painter: QPainter, sprite: QImage, x: float, y: float, size: float) -> None:
    """Draw a sprite with its centre at (x, y), ``size`` view units wide; the painter must scale smoothly."""
    painter.drawImage(QRectF(x - size / 2, y - size / 2, size, size), sprite)


@lru_cache(maxsize=512)
def _dot(colour: Rgb, side: int) -> QImage:
    image, painter = _blank(side)
    painter.setBrush(QColor(0, 0, 0, RIM_ALPHA))
    painter.drawEllipse(QRectF(0, 0, side, side))
    inset = RIM * side / 2
    painter.setBrush(QColor(*colour))
    painter.drawEllipse(QRectF(inset, inset, side - 2 * inset, side - 2 * inset))
    painter.end()
    return image


@lru_cache(maxsize=128)
def _ring(colour: Rgb, alpha: int, side: int, width: int) -> QImage:
    image, painter = _blank(side)
    painter.setBrush(Qt.BrushStyle.NoBrush)
    painter.setPen(QPen(QColor(*colour, alpha), width))
    inset = width / 2
    painter.drawEllipse(QRectF(inset, inset, side - 2 * inset, side - 2 * inset))
    painter.end()
    return image


def _step(pixels: float) -> int:
    return max(SMALLEST, COARSEST * round(pixels / COARSEST))


def _blank(side: int) -> tuple[QImage, QPainter]:
    image = QImage(side, side, QImage.Format.Format_ARGB32_Premultiplied)
    image.fill(Qt.GlobalColor.transparent)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    painter.setPen(Qt.PenStyle.NoPen)
    return image, painter
