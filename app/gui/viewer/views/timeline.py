"""The timeline of a session: flicker of the shown takes, what happened, the chosen part and the playhead."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QHideEvent, QMouseEvent, QPainter, QPaintEvent, QPen, QPixmap, QPolygonF
from PySide6.QtWidgets import QSizePolicy, QToolTip, QWidget

from app.gui.presenters.palettes import Palette
from app.gui.presenters.playback import clock_text
from app.gui.theme import theme
from app.gui.viewer.presenters.timeline import (
    KIND_NAMES,
    Curve,
    Marker,
    MarkerKind,
    Timeline,
    columns,
    marker_text,
    nearest_marker,
    ticks,
)
from app.gui.widgets.charts import draw_curve
from app.gui.widgets.drawing import AT_RIGHT, CENTRED, draw_plate

HEIGHT = 148
LEFT, RIGHT, TOP = 48.0, 14.0, 8.0
LANE, LABELS = 18.0, 18.0
DRAG_PIXELS = 4.0
"""A press that moves less is a click."""


def take_colour(mode: str, second: bool, modes: Sequence[str], palette: Palette) -> str:
    """Return a take's colour: its mode's, but for a second take of the same mode, which needs another."""
    if second and len(modes) > 1 and modes[0] == modes[1]:
        return palette.tones["info"]
    return palette.modes.get(mode, palette.text)


class TimelineView(QWidget):
    """A click moves the playhead, a drag chooses a part, a double click chooses the whole session again.

    Signals:
        sought: where to, in seconds.
        part_chosen: beginning and end of the chosen part in seconds; the same twice for the whole session.
    """

    sought = Signal(float)
    part_chosen = Signal(float, float)

    def __init__(self) -> None:
        super().__init__()
        self._timeline = Timeline(0.0)
        self._part: tuple[float, float] | None = None
        self._position = 0.0
        self._drawn_at = -1.0
        self._still: QPixmap | None = None
        self._still_as: tuple[int, int, float, str] | None = None
        self._pressed: float | None = None
        self._dragged: float | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setFixedHeight(HEIGHT)
        self.setMinimumWidth(240)
        self.setMouseTracking(True)
        self.setAccessibleName("Timeline")

    def sizeHint(self) -> QSize:
        """Wide and low."""
        return QSize(900, HEIGHT)

    def show_timeline(self, timeline: Timeline) -> None:
        """Show another session or other takes."""
        if timeline is not self._timeline:
            self._timeline, self._still = timeline, None
            self.update()

    def show_part(self, part: tuple[float, float] | None) -> None:
        """Mark the chosen part; None marks none."""
        if part != self._part:
            self._part = part
            self.update()

    def show_position(self, seconds: float) -> None:
        """Move the playhead; paints the two thin strips that change and nothing else."""
        self._position = seconds
        x = round(self._x(seconds))
        if x != self._drawn_at:
            for edge in (x, self._drawn_at):
                self.update(QRectF(edge - 5, 0, 10, self.height()).toAlignedRect())
            self._drawn_at = x

    def paintEvent(self, event: QPaintEvent) -> None:
        """Copy the cached picture and paint the selection and the playhead over it."""
        colours = theme.palette()
        painter = QPainter(self)
        painter.drawPixmap(0, 0, self._picture(colours))
        if self._timeline.duration <= 0:
            return
        area = self._area
        part = self._part
        if self._pressed is not None and self._dragged is not None:
            part = (min(self._pressed, self._dragged), max(self._pressed, self._dragged))
        if part is not None:
            left, right = self._x(part[0]), self._x(part[1])
            shade = QColor(colours.tones["info"])
            shade.setAlpha(46)
            painter.fillRect(QRectF(left, area.top(), right - left, area.height() + LANE), shade)
            painter.setPen(QPen(QColor(colours.tones["info"]), 1.5))
            for x in (left, right):
                painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom() + LANE))
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        x = round(self._x(self._position)) + 0.5
        painter.setPen(QPen(QColor(colours.text), 1.4))
        painter.drawLine(QPointF(x, area.top() - 2), QPointF(x, area.bottom() + LANE))
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(colours.text))
        painter.drawPolygon(QPolygonF([QPointF(x - 4, 1), QPointF(x + 4, 1), QPointF(x, 8)]))

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Begin a click or a drag."""
        if event.button() == Qt.MouseButton.LeftButton and self._timeline.duration > 0:
            self._pressed = self._seconds(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Choose a part while dragging, otherwise say what happened under the pointer."""
        seconds = self._seconds(event.position().x())
        if self._pressed is not None:
            if self._dragged is not None or abs(seconds - self._pressed) > DRAG_PIXELS * self._seconds_per_pixel:
                self._dragged = seconds
                self.update()
            return
        text = marker_text(self._timeline, seconds, self._seconds_per_pixel)
        if text:
            QToolTip.showText(event.globalPosition().toPoint(), text, self)
        else:
            QToolTip.hideText()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """End a click, which seeks, or a drag, which chooses."""
        if self._pressed is None or event.button() != Qt.MouseButton.LeftButton:
            return
        pressed, dragged = self._pressed, self._dragged
        self._pressed = self._dragged = None
        if dragged is not None:
            self.part_chosen.emit(min(pressed, dragged), max(pressed, dragged))
        else:
            marker = nearest_marker(self._timeline, pressed, self._seconds_per_pixel)
            in_lane = event.position().y() > self._area.bottom()
            self.sought.emit(marker.time if marker is not None and in_lane else pressed)
        self.update()

    def hideEvent(self, event: QHideEvent) -> None:
        """End a drag, as when a key shows another page: the button is released elsewhere."""
        self._pressed = self._dragged = None

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:
        """Choose the whole session."""
        self._pressed = self._dragged = None
        self.part_chosen.emit(0.0, 0.0)

    def leaveEvent(self, event: QEvent) -> None:
        """Take the tooltip away."""
        QToolTip.hideText()

    @property
    def _area(self) -> QRectF:
        return QRectF(LEFT, TOP + 4, max(1.0, self.width() - LEFT - RIGHT), HEIGHT - TOP - 4 - LANE - LABELS)

    @property
    def _seconds_per_pixel(self) -> float:
        return self._timeline.duration / self._area.width()

    def _x(self, seconds: float) -> float:
        duration = self._timeline.duration
        return LEFT + (self._area.width() * seconds / duration if duration > 0 else 0.0)

    def _seconds(self, x: float) -> float:
        return min(max(0.0, (x - LEFT) * self._seconds_per_pixel), self._timeline.duration)

    def _picture(self, colours: Palette) -> QPixmap:
        """Return the static part, redrawn only for another size, theme or content."""
        ratio = self.devicePixelRatioF()
        key = (round(self.width() * ratio), round(HEIGHT * ratio), ratio, colours.name)
        if self._still is None or key != self._still_as:
            self._still, self._still_as = QPixmap(max(1, key[0]), max(1, key[1])), key
            self._still.setDevicePixelRatio(ratio)
            self._still.fill(QColor(colours.card))
            painter = QPainter(self._still)
            painter.setRenderHint(QPainter.RenderHint.Antialiasing)
            self._draw_axes(painter, colours)
            modes = [curve.mode for curve in self._timeline.curves]
            for curve in reversed(self._timeline.curves):
                self._draw_curve(painter, curve, take_colour(curve.mode, curve.second, modes, colours))
            self._draw_markers(painter, colours)
            painter.end()
        return self._still

    def _draw_axes(self, painter: QPainter, colours: Palette) -> None:
        area, top = self._area, self._timeline.top
        painter.setFont(theme.figures(10, QFont.Weight.Normal))
        for value in (0.0, top / 2, top):
            y = area.bottom() - area.height() * value / top
            painter.setPen(QPen(QColor(colours.line), 1.0))
            painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y))
            painter.setPen(QColor(colours.dim))
            painter.drawText(QRectF(0, y - 8, LEFT - 6, 16), AT_RIGHT, f"{value:.3g}" + (" %" if value == top else ""))
        duration = self._timeline.duration
        if duration <= 0:
            return
        for time in ticks(duration):
            text = clock_text(time) if duration >= 10 else f"{time:g} s"
            x = min(self._x(time), self.width() - 22.0)
            painter.drawText(QRectF(x - 30, HEIGHT - LABELS, 60, LABELS), CENTRED, text)

    def _draw_curve(self, painter: QPainter, curve: Curve, colour: str) -> None:
        area, top = self._area, self._timeline.top
        if self._timeline.duration <= 0:
            return
        times, values = columns(curve, self._timeline.duration, int(area.width() / 2))
        painter.save()
        painter.setClipRect(area.adjusted(0, -2, 0, 2))
        painter.setPen(QPen(QColor(colour), 1.4))
        x = LEFT + times * (area.width() / self._timeline.duration)
        draw_curve(painter, x, area.bottom() - values * (area.height() / top))
        painter.restore()

    def _draw_markers(self, painter: QPainter, colours: Palette) -> None:
        tones = {
            MarkerKind.TOGGLE: colours.text,
            MarkerKind.COLD: colours.tones["info"],
            MarkerKind.FACE: colours.demo,
            MarkerKind.TROUBLE: colours.record,
        }
        middle = self._area.bottom() + LANE / 2
        draw_plate(painter, QRectF(LEFT, middle - 6, self._area.width(), 12), QColor(colours.raised), 6)
        last: dict[str, float] = {}
        for marker in self._timeline.markers:
            x = self._x(marker.time)
            if x - last.get(marker.kind, -9.0) < 2.0:
                continue  # consecutive cold starts need no mark each
            last[marker.kind] = x
            painter.setBrush(QColor(tones[marker.kind]))
            _draw_marker(painter, x, middle, marker)


def _draw_marker(painter: QPainter, x: float, y: float, marker: Marker) -> None:
    """Draw a different shape for every kind, so that they differ by more than colour."""
    if marker.kind == MarkerKind.TOGGLE:
        painter.drawPolygon(QPolygonF([QPointF(x, y - 5), QPointF(x + 5, y), QPointF(x, y + 5), QPointF(x - 5, y)]))
    elif marker.kind == MarkerKind.COLD:
        painter.drawRect(QRectF(x - 1, y - 5, 2, 10))
    elif marker.kind == MarkerKind.FACE:
        painter.drawEllipse(QPointF(x, y), 3.5, 3.5)
    else:
        painter.drawPolygon(QPolygonF([QPointF(x, y - 5), QPointF(x + 5, y + 4), QPointF(x - 5, y + 4)]))


LEGEND = "Diamonds: {toggle}. Bars: {cold}. Dots: {face}. Triangles: {trouble}.".format(**KIND_NAMES)
"""What the shapes mean, for the tooltip of the heading."""
