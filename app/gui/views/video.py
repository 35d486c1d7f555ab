"""The picture: the newest frame, landmarks over it, and the few words written on it."""

from __future__ import annotations

import time

from PySide6.QtCore import QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QImage, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui import theme
from app.gui.overlay import draw_faces
from app.gui.picture import Picture, Placement
from app.gui.presenters.readouts import Hud

MARGIN = 14.0
CHIP_HEIGHT = 26.0


class VideoView(QWidget):
    """Paints one :class:`Picture` as large as it fits.

    Signals:
        painted: seconds of ``time.perf_counter`` when the frame was captured and when it was on the
            widget; once for every new picture.
        resized: the view has another size in device pixels.
    """

    painted = Signal(float, float)
    resized = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._picture: Picture | None = None
        self._image: QImage | None = None
        self._fresh = False
        self._hud = Hud()
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(320, 240)
        self.setAccessibleName("Video with landmarks")

    def sizeHint(self) -> QSize:
        """Room for a 16:9 picture."""
        return QSize(960, 540)

    @property
    def picture(self) -> Picture | None:
        """What is shown."""
        return self._picture

    @property
    def device_size(self) -> tuple[int, int]:
        """Width and height in device pixels."""
        ratio = self.devicePixelRatioF()
        return max(1, round(self.width() * ratio)), max(1, round(self.height() * ratio))

    def show_picture(self, picture: Picture | None) -> None:
        """Paint ``picture`` next; None clears the view."""
        self._picture = picture
        self._fresh = picture is not None
        self._image = None
        if picture is not None:
            height, width = picture.pixels.shape[:2]
            # The QImage borrows the array, which self._picture keeps alive.
            self._image = QImage(
                picture.pixels.data, width, height, picture.pixels.strides[0], QImage.Format.Format_RGB32
            )
        self.update()

    def show_hud(self, hud: Hud) -> None:
        """Write ``hud`` on the picture."""
        if hud != self._hud:
            self._hud = hud
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint picture, landmarks and words."""
        painter = QPainter(self)
        painter.fillRect(self.rect(), QColor(theme.palette().stage))
        if self._picture is not None and self._image is not None:
            self._paint_picture(painter, self._picture, self._image)
        self._paint_words(painter)
        painter.end()
        if self._fresh and self._picture is not None:
            self._fresh = False
            self.painted.emit(self._picture.result.frame.captured, time.perf_counter())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Tell who prepares pictures."""
        self.resized.emit()

    def _paint_picture(self, painter: QPainter, picture: Picture, image: QImage) -> None:
        height, width = picture.result.frame.image.shape[:2]
        placement = Placement.fit(width, height, self.width(), self.height(), picture.mirrored)
        ratio = self.devicePixelRatioF()
        target = QRectF(placement.left, placement.top, placement.shown_width, placement.shown_height)
        painter.save()
        painter.scale(1 / ratio, 1 / ratio)
        if abs(image.width() - target.width() * ratio) < 1 and abs(image.height() - target.height() * ratio) < 1:
            # Prepared for exactly this size: copy, which is many times faster than scaling.
            painter.drawImage(QPointF(round(target.left() * ratio), round(target.top() * ratio)), image)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(target.topLeft() * ratio, target.size() * ratio), image)
        painter.restore()
        painter.save()
        painter.setClipRect(target)
        draw_faces(painter, picture.result.faces, placement)
        painter.restore()

    def _paint_words(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        hud, right, bottom = self._hud, self.width() - MARGIN, self.height() - MARGIN
        if hud.demo:
            _chip(painter, MARGIN, MARGIN, "DEMO CLIP", "#201600", theme.palette().demo, bold=True)
        if hud.recording:
            width = _chip_width(hud.recording, bold=True, dot=True)
            _chip(painter, right - width, MARGIN, hud.recording, "#ffffff", "#c81e2b", bold=True, dot="#ffffff")
        if hud.mode:
            _chip(painter, MARGIN, bottom - CHIP_HEIGHT, hud.mode, theme.palette().text, "#b40b0e13")
        if hud.notice:
            width = _chip_width(hud.notice)
            _chip(
                painter, (self.width() - width) / 2, bottom - CHIP_HEIGHT, hud.notice, theme.palette().text, "#d2161b23"
            )
        if hud.message and self._picture is None:
            painter.setPen(QColor(theme.palette().dim))
            painter.setFont(theme.figures(18, QFont.Weight.Normal))
            painter.drawText(QRectF(self.rect()), Qt.AlignmentFlag.AlignCenter, hud.message)


def _font(bold: bool) -> QFont:
    return theme.figures(12, QFont.Weight.Bold if bold else QFont.Weight.Medium)


def _chip_width(text: str, bold: bool = False, dot: bool = False) -> float:
    return QFontMetricsF(_font(bold)).horizontalAdvance(text) + 22 + (14 if dot else 0)


def _chip(
    painter: QPainter, x: float, y: float, text: str, ink: str, ground: str, bold: bool = False, dot: str = ""
) -> None:
    box = QRectF(x, y, _chip_width(text, bold, bool(dot)), CHIP_HEIGHT)
    painter.setPen(Qt.PenStyle.NoPen)
    painter.setBrush(QColor(ground))
    painter.drawRoundedRect(box, CHIP_HEIGHT / 2, CHIP_HEIGHT / 2)
    left = 11.0
    if dot:
        painter.setBrush(QColor(dot))
        painter.drawEllipse(QPointF(x + 15, box.center().y()), 4.2, 4.2)
        left += 14
    painter.setPen(QColor(ink))
    painter.setFont(_font(bold))
    painter.drawText(box.adjusted(left, 0, 0, 0), Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft, text)
