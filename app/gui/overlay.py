"""Draws landmarks with QPainter: the same look on screen and in saved pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QBrush, QColor, QPainter, QPen, QPolygonF

from app.gui.picture import Placement
from app.pipeline.frame import Estimate, FaceResult
from model.topology import REGION_OF_POINT, REGIONS

LINE_ALPHA = 120
HALO_ALPHA = 130
"""Alpha of the halo of a point whose uncertainty is 1.5 % of the crop; twice as unsure is half as strong."""

HALO_FLOOR = 0.015
OTHER_ALPHA = 235


def draw_faces(painter: QPainter, faces: Sequence[FaceResult], placement: Placement) -> None:
    """Draw every face: halos, lines, then points; the other mode's points as rings."""
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    for face in faces:
        unit = _unit(face, placement)
        _draw_halos(painter, face.estimate, placement, face.crop.side)
        _draw_lines(painter, placement.place(face.estimate.landmarks), unit)
        if face.other is not None:
            _draw_rings(painter, placement.place(face.other.landmarks), unit)
        _draw_points(painter, placement.place(face.estimate.landmarks), unit)


def _unit(face: FaceResult, placement: Placement) -> float:
    """Return a stroke width in view units that suits the size at which the face is shown."""
    return float(np.clip(face.crop.side * placement.scale / 320, 0.55, 2.2))


def _draw_halos(painter: QPainter, estimate: Estimate, placement: Placement, side: float) -> None:
    painter.setPen(Qt.PenStyle.NoPen)
    centres = placement.place(estimate.landmarks)
    for point, ((x, y), spread) in enumerate(zip(centres.tolist(), estimate.uncertainty.tolist(), strict=True)):
        if not np.isfinite(spread):
            continue
        strength = min(1.0, HALO_FLOOR / max(spread / side, 1e-6))
        colour = QColor(*REGIONS[REGION_OF_POINT[point]].colour, int(HALO_ALPHA * strength))
        painter.setBrush(QBrush(colour))
        radius = spread * placement.scale
        painter.drawEllipse(QPointF(x, y), radius, radius)


def _draw_lines(painter: QPainter, points: NDArray[np.float64], unit: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    for region in REGIONS:
        painter.setPen(QPen(QColor(*region.colour, LINE_ALPHA), 1.1 * unit))
        for path in region.paths:
            painter.drawPolyline(_polygon(points, path))


def _draw_points(painter: QPainter, points: NDArray[np.float64], unit: float) -> None:
    for region in REGIONS:
        polygon = _polygon(points, region.points)
        # A dark rim keeps the points readable on bright skin.
        for colour, width in ((QColor(0, 0, 0, 130), 6.0), (QColor(*region.colour), 4.4)):
            painter.setPen(QPen(colour, width * unit, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
            painter.drawPoints(polygon)


def _draw_rings(painter: QPainter, points: NDArray[np.float64], unit: float) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    radius = 3.8 * unit
    for region in REGIONS:
        light = QColor(*region.colour).lighter(130)
        light.setAlpha(OTHER_ALPHA)
        painter.setPen(QPen(light, 0.9 * unit))
        for x, y in points[list(region.points)].tolist():
            painter.drawEllipse(QPointF(x, y), radius, radius)


def _polygon(points: NDArray[np.float64], indices: Sequence[int]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in points[list(indices)].tolist()])
