"""The heat map: the flicker of 98 points on the canonical face, one face per mode."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, QRectF, QSize, Qt, QTimer
from PySide6.QtGui import QColor, QFont, QImage, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui.live.presenters.flicker import FlickerView
from app.gui.live.presenters.heatmap import TOOLTIP, HeatKind, HeatPane, HeatView, heat_view
from app.gui.presenters.canonical_face import canonical_face, heat_field
from app.gui.theme import theme
from app.gui.widgets.charts import draw_scale_bar
from app.gui.widgets.drawing import CENTRED, smooth_painter
from app.gui.widgets.overlay import draw_heat
from model.topology import REGIONS

TITLE_GAP = 10
"""Least distance between the titles of two faces."""
TITLE_HEIGHT = 34
LEGEND_HEIGHT = 30
LEGEND_WIDTH = 260
FIELD_OPACITY = 0.62
LINE_ALPHA = 70
LEAST_SECONDS = 0.2
"""Means over five seconds need no more than five pictures a second."""

POINT = 0.0275
"""Diameter of an ordinary point, as share of the face's height."""

REDRAW_MS = 40
"""From a change of size until the faces are drawn for it."""


@dataclass(frozen=True, slots=True)
class Look:
    """What a picture of a face depends on, beside its levels.

    Attributes:
        width: in device pixels.
        height: in device pixels.
        ratio: device pixels per pixel.
        colour: of its lines.
    """

    width: int
    height: int
    ratio: float
    colour: str

    def blank(self) -> QPixmap:
        """Return an empty picture to draw on."""
        picture = QPixmap(self.width, self.height)
        picture.fill(Qt.GlobalColor.transparent)
        picture.setDevicePixelRatio(self.ratio)
        return picture


class HeatMapView(QWidget):
    """Paints a :class:`HeatView`; only what changed its look is drawn again.

    While the window changes its size, the faces drawn last are stretched, and drawn anew in a turn of the event loop
    of their own: the whole window is painted in one turn, of which they would take the largest part.
    """

    def __init__(self) -> None:
        super().__init__()
        self._what: str = HeatKind.FLICKER
        self._view = heat_view(FlickerView())
        self._shown = -math.inf
        self._faces: dict[int, tuple[Look, QPixmap]] = {}
        self._sketch = QPixmap()
        self._sketch_look: Look | None = None
        self._redrawing = QTimer(self, singleShot=True, interval=REDRAW_MS)
        self._redrawing.timeout.connect(self._redraw)
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
            self._redraw()

    def _redraw(self) -> None:
        self._faces.clear()
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the faces side by side, and the scale below."""
        painter = smooth_painter(self)
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
        painter.setFont(theme.figures(12, QFont.Weight.DemiBold))
        painter.setPen(QColor(colours.text if pane.levels is not None else colours.faint))
        title, text = f"{pane.title}   {pane.figure}", f"most: {pane.worst}" if pane.worst else "not measured yet"
        if painter.fontMetrics().horizontalAdvance(title) > box.width() - TITLE_GAP:
            title, text = pane.title, pane.figure  # there is no room for the region
        painter.drawText(QRectF(box.left(), 0, box.width(), 17), CENTRED, title)
        painter.setFont(theme.figures(11, QFont.Weight.Normal))
        painter.setPen(QColor(colours.dim))
        painter.drawText(QRectF(box.left(), 17, box.width(), 16), CENTRED, text)

    def _paint_face(self, painter: QPainter, box: QRectF, column: int, pane: HeatPane) -> None:
        field = heat_field()
        scale = min(box.width() / field.width, box.height() / field.height)
        if scale <= 0:
            return
        width, height = field.width * scale, field.height * scale
        place = QRectF(box.center().x() - width / 2, box.center().y() - height / 2, width, height)
        ratio = self.devicePixelRatioF()
        look = Look(max(1, round(width * ratio)), max(1, round(height * ratio)), ratio, theme.palette().text)
        if column not in self._faces:
            self._faces[column] = look, self._drawn_face(pane, scale, look)
        drawn, face = self._faces[column]
        if drawn == look:
            painter.drawPixmap(place.topLeft(), face)
        else:
            painter.drawPixmap(place, face, QRectF(face.rect()))
            if not self._redrawing.isActive():
                self._redrawing.start()

    def _drawn_face(self, pane: HeatPane, scale: float, look: Look) -> QPixmap:
        """Return the coloured face; ``scale`` is pixels per unit of the canonical face."""
        face = look.blank()
        painter = QPainter(face)
        painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.SmoothPixmapTransform)
        if pane.levels is not None:
            image = _field_image(pane.levels, self._view, (look.width, look.height))
            image.setDevicePixelRatio(look.ratio)
            painter.drawImage(QPointF(0, 0), image)
        painter.drawPixmap(QPointF(0, 0), self._lines(scale, look))
        if pane.levels is not None:
            size = POINT * heat_field().height * scale
            draw_heat(painter, _points(scale), size, pane.levels, self._view.colours)
        painter.end()
        return face

    def _lines(self, scale: float, look: Look) -> QPixmap:
        """Return the face's outlines; kept, because thin smooth lines are the slowest thing here."""
        if look != self._sketch_look:
            self._sketch, self._sketch_look = look.blank(), look
            line = QColor(look.colour)
            line.setAlpha(LINE_ALPHA)
            painter = QPainter(self._sketch)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            painter.setPen(QPen(line, 1.0))
            points = _points(scale)
            for region in REGIONS:
                for path in region.paths:
                    painter.drawPolyline(QPolygonF([QPointF(x, y) for x, y in points[list(path)].tolist()]))
            painter.end()
        return self._sketch


def _points(scale: float) -> NDArray[np.float64]:
    """Return the canonical face's points (98, 2) from the corner of the heat field, in pixels."""
    field = heat_field()
    return (canonical_face() - (field.left, field.top)) * scale


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
