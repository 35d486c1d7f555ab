"""Draws landmarks with QPainter: the same look on screen and in saved pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QPainter, QPen, QPolygonF

from app.core.frame import Estimate, FaceResult
from app.gui.presenters.colour_scale import HEAT_COLOURS, LEVELS
from app.gui.presenters.faces import identity_colour
from app.gui.presenters.picture import Placement
from app.gui.widgets.sprites import dot, halo, ring, stamp
from model.topology import REGION_OF_POINT, REGIONS

LINE_ALPHA = 140
HALO_ALPHA = 80
"""Alpha of the disc of a point whose radius is 3 % of the crop's side; twice as wide is half as strong."""

HALO_FLOOR = 0.03
OTHER_ALPHA = 235
DOT, RING = 6.0, 8.5
"""Diameters for a face of ordinary size, in view units."""

HEAT_SIZES = (0.8, 2.0)
"""Size of the steadiest and of the most flickering point, relative to an ordinary one."""


class Shown(StrEnum):
    """Whose landmarks are drawn: the chosen mode's as points with the baseline's as rings, or one of them as points."""

    BOTH = "both"
    CHOSEN = "chosen"
    BASELINE = "baseline"


@dataclass(frozen=True, slots=True, eq=False)
class OverlayStyle:
    """How faces are drawn.

    Attributes:
        shown: whose landmarks are drawn.
        face: the identity that the readouts are about; the one whose points ``heat`` colours.
        heat: by mode, levels (98,) uint8 of ``app.gui.live.presenters.heatmap`` that colour the points, which then have
            neither halos nor rings around them; None for the colours of the regions.
    """

    shown: Shown = Shown.BOTH
    face: int | None = None
    heat: Mapping[str, NDArray[np.uint8]] | None = None


PLAIN = OverlayStyle()


def draw_faces(
    painter: QPainter, faces: Sequence[FaceResult], placement: Placement, look: OverlayStyle = PLAIN
) -> None:
    """Draw every face: halos, lines, then points; a baseline's points as rings.

    One face has lines in its regions' colours, several have each its identity's.
    """
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
    for face in faces:
        own = face.other if look.shown == Shown.BASELINE else face.estimate
        if own is None or not np.isfinite(own.landmarks).all():
            continue
        unit = _unit(face, placement)
        points = placement.place(own.landmarks)
        heat = look.heat.get(own.mode) if look.heat is not None and face.face == look.face else None
        if heat is None:
            _draw_halos(painter, own, points, placement, face.crop.side)
        _draw_lines(painter, points, identity_colour(face.face) if len(faces) > 1 else "")
        baseline = face.other if look.shown == Shown.BOTH and heat is None else None
        if baseline is not None and np.isfinite(baseline.landmarks).all():
            _draw_rings(painter, placement.place(baseline.landmarks), unit)
        if heat is None:
            _draw_points(painter, points, unit)
        else:
            draw_heat(painter, points, DOT * unit, heat)


def draw_heat(
    painter: QPainter,
    points: NDArray[np.float64],
    size: float,
    levels: NDArray[np.uint8],
    colours: NDArray[np.uint8] = HEAT_COLOURS,
) -> None:
    """Draw points whose colour and size both tell their flicker.

    Args:
        painter: scales smoothly.
        points: (98, 2) in view units.
        size: the diameter of an ordinary point in view units.
        levels: (98,) rows of ``colours``.
        colours: (LEVELS, 3) RGB.
    """
    least, most = HEAT_SIZES
    pixel = hairline(painter)
    sizes = size * (least + (most - least) * levels / (LEVELS - 1))
    for (x, y), diameter, (red, green, blue) in zip(
        points.tolist(), sizes.tolist(), colours[levels].tolist(), strict=True
    ):
        stamp(painter, dot((red, green, blue), diameter / pixel), x, y, diameter)


def hairline(painter: QPainter) -> float:
    """Return the width of one device pixel: wider lines and rings take Qt's slow way, ten times as long."""
    return 1.0 / max(1.0, painter.device().devicePixelRatioF())


def _unit(face: FaceResult, placement: Placement) -> float:
    """Return a stroke width in view units that suits the size at which the face is shown."""
    return float(np.clip(face.crop.side * placement.scale / 320, 0.55, 2.2))


def _draw_halos(
    painter: QPainter, estimate: Estimate, points: NDArray[np.float64], placement: Placement, side: float
) -> None:
    for point, ((x, y), radius) in enumerate(zip(points.tolist(), estimate.drawn_radius.tolist(), strict=True)):
        if not np.isfinite(radius):
            continue
        painter.setOpacity(min(1.0, HALO_FLOOR / max(radius / side, 1e-6)))
        stamp(painter, halo(REGIONS[REGION_OF_POINT[point]].colour, HALO_ALPHA), x, y, 2 * radius * placement.scale)
    painter.setOpacity(1.0)


def _draw_lines(painter: QPainter, points: NDArray[np.float64], identity: str) -> None:
    painter.setBrush(Qt.BrushStyle.NoBrush)
    width = hairline(painter)
    for region in REGIONS:
        colour = QColor(identity) if identity else QColor(*region.colour)
        colour.setAlpha(LINE_ALPHA)
        painter.setPen(QPen(colour, width))
        for path in region.paths:
            painter.drawPolyline(_polygon(points, path))


def _draw_points(painter: QPainter, points: NDArray[np.float64], unit: float) -> None:
    size = DOT * unit
    pixels = size / hairline(painter)
    for region in REGIONS:
        sprite = dot(region.colour, pixels)
        for x, y in points[list(region.points)].tolist():
            stamp(painter, sprite, x, y, size)


def _draw_rings(painter: QPainter, points: NDArray[np.float64], unit: float) -> None:
    pixel = hairline(painter)
    size = RING * unit
    for region in REGIONS:
        light = QColor(*region.colour).lighter(130)
        sprite = ring((light.red(), light.green(), light.blue()), OTHER_ALPHA, size / pixel, 0.9 * unit / pixel)
        for x, y in points[list(region.points)].tolist():
            stamp(painter, sprite, x, y, size)


def _polygon(points: NDArray[np.float64], indices: Sequence[int]) -> QPolygonF:
    return QPolygonF([QPointF(x, y) for x, y in points[list(indices)].tolist()])
