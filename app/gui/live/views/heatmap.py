"""The heat map: the flicker of 98 points on the canonical face, one face per mode."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.heatmap import TOOLTIP, HeatKind, HeatPane, HeatView, heat_view
from app.gui.presenters.canonical_face import canonical_face, heat_field
from app.gui.presenters.colour_scale import LEVELS
from app.gui.theme import theme
from app.gui.widgets.charts import draw_scale_bar
from model.topology import REGIONS

TITLE_HEIGHT = 34
LEGEND_HEIGHT = 30
LEGEND_WIDTH = 260
FIELD_OPACITY = 0.62
LINE_ALPHA = 70
LEAST_SECONDS = 0.2
"""Means over five seconds need no more than five pictures a second."""

SMALLEST_POINT, LARGEST_POINT = 1.4, 3.4
"""Radii for a face 160 px high: size repeats what colour says, for colour-blind readers."""
RIM = 0.6


class HeatMapView(QWidget):
    """Paints a :class:`HeatView`; only what changed its look is painted again."""

    def __init__(self) -> None:
        super().__init__()
        self._what: str = HeatKind.FLICKER
        self._view = heat_view(FlickerView())
        self._shown = -math.inf
        self._fields: dict[int, QImage] = {}
        self._sketch = QPixmap()
        self._sketch_key: tuple[int, int, float, str] = (0, 0, 0.0, "")
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(160, 190)
        self.setToolTip(TOOLTIP)
        self.setAccessibleName("Heat map of flicker")

    def sizeHint(self) -> QSize:
        """Room for two faces."""
        return QSize(380, 250)

    def show_what(self, what: str) -> None:
        """Show "flicker" by mode or the "change" between the modes, from the next flicker on."""
        self._what, self._shown = what, -math.inf

    def show_flicker(self, flicker: FlickerView) -> None:
        """Show the last seconds of the pair's modes."""
        if not self.isVisible() or abs(flicker.now - self._shown) < LEAST_SECONDS:
            return
        self._shown = flicker.now
        view = heat_view(flicker, self._what)
        if not view.same(self._view):
            self._view = view
            self._fields.clear()
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the faces side by side, and the scale below."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = self.width() / len(self._view.panes)
        height = self.height() - LEGEND_HEIGHT
        for column, pane in enumerate(self._view.panes):
            box = QRectF(column * width, 0, width, height)
            self._paint_title(painter, box, pane)
            self._paint_face(painter, box.adjusted(4, TITLE_HEIGHT + 4, -4, -4), column, pane)
        legend = min(LEGEND_WIDTH, self.width() - 40)
        left = (self.width() - legend) / 2
        draw_scale_bar(painter, left, height + 6, legend, self._view.colours, self._view.ticks)

    def _paint_title(self, painter: QPainter, box: QRectF, pane: HeatPane) -> None:
        colours = theme.palette()
        centre = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.figures(12, QFont.Weight.DemiBold))
        painter.setPen(QColor(colours.text if pane.levels is not None else colours.faint))
        painter.drawText(QRectF(box.left(), 0, box.width(), 17), centre, f"{pane.title}   {pane.figure}")
        painter.setFont(theme.figures(11, QFont.Weight.Normal))
        painter.setPen(QColor(colours.dim))
        text = f"most: {pane.worst}" if pane.worst else "not measured yet"
        painter.drawText(QRectF(box.left(), 17, box.width(), 16), centre, text)

    def _paint_face(self, painter: QPainter, box: QRectF, column: int, pane: HeatPane) -> None:
        field = heat_field()
        scale = min(box.width() / field.width, box.height() / field.height)
        if scale <= 0:
            return
        width, height = field.width * scale, field.height * scale
        left, top = box.center().x() - width / 2, box.center().y() - height / 2
        points = (canonical_face() - (field.left, field.top)) * scale + (left, top)
        if pane.levels is not None:
            ratio = self.devicePixelRatioF()
            size = max(1, round(width * ratio)), max(1, round(height * ratio))
            image = self._fields.get(column)
            if image is None or (image.width(), image.height()) != size:
                image = self._fields[column] = _field_image(pane.levels, self._view, size)
                image.setDevicePixelRatio(ratio)
            painter.drawImage(QPointF(left, top), image)
        painter.drawPixmap(QPointF(left, top), self._lines(width, height, scale))
        if pane.levels is None:
            return
        unit = height / 160
        radii = unit * (SMALLEST_POINT + (LARGEST_POINT - SMALLEST_POINT) * pane.levels / (LEVELS - 1))
        circles = list(zip(points.tolist(), radii.tolist(), pane.levels.tolist(), strict=True))
        painter.setPen(Qt.PenStyle.NoPen)
        # Rims are discs below: a stroked circle takes ten times as long.
        painter.setBrush(QColor(0, 0, 0, 150))
        for (x, y), radius, _ in circles:
            painter.drawEllipse(QPointF(x, y), radius + RIM, radius + RIM)
        brushes = [QColor(*colour) for colour in self._view.colours.tolist()]
        for (x, y), radius, level in circles:
            painter.setBrush(brushes[level])
            painter.drawEllipse(QPointF(x, y), radius, radius)

    def _lines(self, width: float, height: float, scale: float) -> QPixmap:
        """Return the face's outlines; kept, because thin smooth lines are the slowest thing here."""
        ratio, colour = self.devicePixelRatioF(), theme.palette().text
        key = (round(width * ratio), round(height * ratio), ratio, colour)
        if key != self._sketch_key:
            sketch = QPixmap(max(1, key[0]), max(1, key[1]))
            sketch.fill(Qt.GlobalColor.transparent)
            sketch.setDevicePixelRatio(ratio)
            line = QColor(colour)
            line.setAlpha(LINE_ALPHA)
            painter = QPainter(sketch)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(line, 1.0))
            field = heat_field()
            points = (canonical_face() - (field.left, field.top)) * scale
            for region in REGIONS:
                for path in region.paths:
                    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points[list(path)].tolist()]))
            painter.end()
            self._sketch, self._sketch_key = sketch, key
        return self._sketch


def _field_image(levels: NDArray[np.uint8], view: HeatView, size: tuple[int, int]) -> QImage:
    """Return the coloured area of one face, ``size`` device pixels wide and high."""
    field = heat_field()
    spread = np.rint(field.spread(levels)).astype(np.intp)
    cover = (field.cover * FIELD_OPACITY)[..., None]
    small = np.concatenate([view.colours[spread][..., ::-1] * cover, 255 * cover], axis=-1).astype(np.uint8)
    # Qt would scale with every painting, and many times slower.
    pixels = np.ascontiguousarray(cv2.resize(small, size, interpolation=cv2.INTER_LINEAR))
    # A copy that owns its memory: the array goes when this function ends.
    return QImage(pixels.data, *size, 4 * size[0], QImage.Format.Format_ARGB32_Premultiplied).copy()
