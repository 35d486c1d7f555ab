"""The picture: the newest frame, landmarks over it, and the few words written on it."""

from __future__ import annotations

import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QEvent, QPointF, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QHideEvent, QImage, QMouseEvent, QPainter, QPaintEvent, QResizeEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui.presenters.compare import Comparison, Layout, Pane, compared, is_comparing
from app.gui.presenters.faces import face_at
from app.gui.presenters.picture import Picture, Placement
from app.gui.presenters.readouts import Hud
from app.gui.theme import theme
from app.gui.widgets.chips import (
    CHIP_HEIGHT,
    LEGEND,
    chip_width,
    draw_caption,
    draw_chip,
    draw_divider,
    draw_heat_legend,
    draw_modes,
    draw_notice,
    draw_tags,
)
from app.gui.widgets.overlay import OverlayStyle, Shown, draw_faces

MARGIN = 14.0
ROW_GAP = 8.0
"""Between words that lie beside or above each other."""
ROOM_FOR_LEGEND = 4 * LEGEND[1]
"""Height of the view from which on the legend of the points' colours leaves enough of the picture."""


class VideoView(QWidget):
    """Paints one :class:`Picture` as large as it fits; two modes on it as ``comparison`` says.

    Signals:
        painted: seconds of ``time.perf_counter`` when the frame was captured and when it was on the
            widget; once for every frame.
        resized: pictures are wanted in another size or of another part of the frame.
        face_clicked: the identity that the user clicked on, None beside all faces.
        divider_moved: where the user left the divider, as share of the width.
    """

    painted = Signal(float, float)
    resized = Signal()
    face_clicked = Signal(object)
    divider_moved = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.comparison = Comparison()
        self._picture: Picture | None = None
        self._image: QImage | None = None
        self._fresh = False
        self._hud = Hud()
        self._face: int | None = None
        self._heat: Mapping[str, NDArray[np.uint8]] | None = None
        self._comparing = False
        self._dragging = False
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(240, 120)
        self.setMouseTracking(True)
        self.setAccessibleName("Video with landmarks")

    def sizeHint(self) -> QSize:
        """Room for a 16:9 picture."""
        return QSize(960, 540)

    @property
    def picture(self) -> Picture | None:
        """What is shown."""
        return self._picture

    @property
    def hud(self) -> Hud:
        """What is written on the picture."""
        return self._hud

    @property
    def device_size(self) -> tuple[int, int]:
        """Width and height of the picture, or of each of two, in device pixels."""
        pane, ratio = self._layout().panes[0], self.devicePixelRatioF()
        return max(1, round(pane.width * ratio)), max(1, round(pane.height * ratio))

    @property
    def close_up(self) -> bool:
        """Whether pictures should show the face alone."""
        return self.comparison.close_up(self._comparing)

    def show_picture(self, picture: Picture | None) -> None:
        """Paint ``picture`` next; None clears the view."""
        before, self._picture = _captured(self._picture), picture
        self._fresh = _captured(picture) not in (None, before)
        self._image = None
        if picture is not None:
            height, width = picture.pixels.shape[:2]
            # The QImage borrows the array, which self._picture keeps alive.
            self._image = QImage(
                picture.pixels.data, width, height, picture.pixels.strides[0], QImage.Format.Format_RGB32
            )
            self._see_comparing(is_comparing(picture.result))
        self.update()

    def show_hud(self, hud: Hud) -> None:
        """Write ``hud`` on the picture."""
        if hud != self._hud:
            self._hud = hud
            said = hud.message, hud.notice, "" if hud.caption is None else hud.caption.text
            self.setAccessibleDescription(" ".join(filter(None, said)))
            self.update()

    def show_face(self, face: int | None) -> None:
        """Mark the identity whose figures the readouts show."""
        if face != self._face:
            self._face = face
            self.update()

    def show_heat(self, heat: Mapping[str, NDArray[np.uint8]] | None) -> None:
        """Colour that face's points by flicker levels (98,) for each mode; None shows their regions again."""
        switched = (heat is None) != (self._heat is None)
        self._heat = heat
        if switched:
            self.update()

    def set_compare_view(self, view: str) -> None:
        """Show two modes in another way; see :class:`app.gui.presenters.compare.CompareView`."""
        self.comparison.set_view(view)
        self.resized.emit()
        self.update()

    def toggle_close_up(self) -> None:
        """Look at the face alone, or at the whole picture again."""
        self.comparison.toggle_near()
        self.resized.emit()

    def set_divider(self, share: float) -> None:
        """Put the divider of the split view at a share of the width."""
        self.comparison.set_divider(share)
        self.update()

    def nudge_divider(self, steps: int) -> None:
        """Move the divider by keys, to the right if positive."""
        self.comparison.nudge(steps)
        self.divider_moved.emit(self.comparison.divider)
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

    def event(self, event: QEvent) -> bool:
        """Ask for pictures as fine as the screen is that the window is on by now."""
        if event.type() == QEvent.Type.DevicePixelRatioChange:
            self.resized.emit()
        return super().event(event)

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Ask for pictures of the new size."""
        self.resized.emit()

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Take the divider, or choose a face."""
        if event.button() != Qt.MouseButton.LeftButton or self._picture is None:
            return
        place = event.position()
        if self.comparison.grips(place.x(), self.width(), self._comparing):
            self._dragging = True
        else:
            self.face_clicked.emit(self._face_at(self._picture, place))

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Drag the divider; show where it, or a face, can be taken."""
        place = event.position()
        if self._dragging:
            self.set_divider(place.x() / max(1, self.width()))
            return
        shape = Qt.CursorShape.ArrowCursor
        if self.comparison.grips(place.x(), self.width(), self._comparing):
            shape = Qt.CursorShape.SplitHCursor
        elif self._picture is not None and len(self._picture.result.faces) > 1:
            over = self._face_at(self._picture, place) is not None
            shape = Qt.CursorShape.PointingHandCursor if over else shape
        if self.cursor().shape() != shape:
            self.setCursor(shape)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Let the divider go."""
        if self._dragging:
            self._dragging = False
            self.divider_moved.emit(self.comparison.divider)

    def hideEvent(self, event: QHideEvent) -> None:
        """Let the divider go, as when a key shows another page: the button is released elsewhere."""
        self._dragging = False

    def _see_comparing(self, comparing: bool) -> None:
        if comparing != self._comparing:
            before = self.device_size, self.close_up
            self._comparing = comparing
            if (self.device_size, self.close_up) != before:
                self.resized.emit()

    def _layout(self) -> Layout:
        return self.comparison.layout(self.width(), self.height(), self._comparing)

    def _face_at(self, picture: Picture, place: QPointF) -> int | None:
        for pane in self._layout().panes:
            inside = pane.left <= place.x() < pane.left + pane.width
            found = face_at(picture.result.faces, _placement(picture, pane), place.x(), place.y()) if inside else None
            if found is not None:
                return found
        return None

    def _paint_picture(self, painter: QPainter, picture: Picture, image: QImage) -> None:
        layout = self._layout()
        for pane in layout.panes:
            self._paint_image(painter, picture, image, pane)
        if len(layout.panes) == 2:
            for pane, shown in zip(layout.panes, (Shown.CHOSEN, Shown.BASELINE), strict=True):
                self._paint_faces(painter, picture, pane, QRectF(pane.left, pane.top, pane.width, pane.height), shown)
        elif layout.divider is not None:
            left = QRectF(0, 0, layout.divider, self.height())
            right = QRectF(layout.divider, 0, self.width() - layout.divider, self.height())
            for clip, shown in ((left, Shown.CHOSEN), (right, Shown.BASELINE)):
                self._paint_faces(painter, picture, layout.panes[0], clip, shown)
        else:
            self._paint_faces(painter, picture, layout.panes[0], QRectF(self.rect()), Shown.BOTH)
        if layout.divider is not None:
            draw_divider(painter, layout.divider, self.height())

    def _paint_image(self, painter: QPainter, picture: Picture, image: QImage, pane: Pane) -> None:
        ratio = self.devicePixelRatioF()
        target = _target(picture, pane)
        painter.save()
        painter.scale(1 / ratio, 1 / ratio)
        if abs(image.width() - target.width() * ratio) < 1 and abs(image.height() - target.height() * ratio) < 1:
            # Prepared for exactly this size: copy, which is many times faster than scaling.
            painter.drawImage(QPointF(round(target.left() * ratio), round(target.top() * ratio)), image)
        else:
            painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
            painter.drawImage(QRectF(target.topLeft() * ratio, target.size() * ratio), image)
        painter.restore()

    def _paint_faces(self, painter: QPainter, picture: Picture, pane: Pane, clip: QRectF, shown: Shown) -> None:
        faces = picture.result.faces
        placement = _placement(picture, pane)
        painter.save()
        painter.setClipRect(clip.intersected(_target(picture, pane)))
        draw_faces(painter, faces, placement, OverlayStyle(shown, self._face, self._heat))
        if len(faces) > 1:
            draw_tags(painter, faces, placement, self._face)
        painter.restore()

    def _paint_words(self, painter: QPainter) -> None:
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        hud, right, bottom = self._hud, self.width() - MARGIN, self.height() - MARGIN
        left = MARGIN
        if hud.demo:
            draw_chip(painter, left, MARGIN, "DEMO CLIP", "#201600", "#ffc24b", bold=True)
            left += chip_width("DEMO CLIP", bold=True) + ROW_GAP
        if hud.private:
            draw_chip(painter, left, MARGIN, "PRIVACY", "#ffffff", "#2d5f8f", bold=True)
            left += chip_width("PRIVACY", bold=True) + ROW_GAP
        if hud.recording:
            x = right - chip_width(hud.recording, bold=True, dot=True)
            y = MARGIN if x >= left else MARGIN + CHIP_HEIGHT + ROW_GAP
            draw_chip(painter, x, y, hud.recording, "#ffffff", "#c81e2b", bold=True, dot="#ffffff")
        names_end = self._paint_names(painter)
        named = names_end is not None
        if not named and hud.mode:
            draw_chip(painter, MARGIN, bottom - CHIP_HEIGHT, hud.mode, colours.text, colours.veil)
        legend = bool(self._heat) and self._picture is not None and self.height() >= ROOM_FOR_LEGEND
        over_names = names_end is not None and names_end + ROW_GAP > right - LEGEND[0]
        legend_bottom = bottom - (CHIP_HEIGHT + ROW_GAP if over_names else 0.0)
        if legend:
            draw_heat_legend(painter, right, legend_bottom)
        free = bottom - CHIP_HEIGHT
        if hud.notice:
            beside = max(0.0 if named else chip_width(hud.mode), LEGEND[0] if legend else 0.0) + ROW_GAP
            fits = not named and chip_width(hud.notice) / 2 + beside < self.width() / 2 - MARGIN
            above = (legend_bottom - LEGEND[1] if legend else bottom - CHIP_HEIGHT) - ROW_GAP
            free = draw_notice(painter, hud.notice, self.width() / 2, bottom if fits else above, right - MARGIN)
        if hud.caption is not None and self._picture is not None:
            draw_caption(painter, hud.caption, self.width() / 2, free - 12, right - MARGIN)
        if hud.message and self._picture is None:
            painter.setPen(QColor(colours.dim))
            painter.setFont(theme.figures(18, QFont.Weight.Normal))
            words = Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap
            painter.drawText(QRectF(self.rect()).adjusted(MARGIN, 0, -MARGIN, 0), words, hud.message)

    def _paint_names(self, painter: QPainter) -> float | None:
        """Name the modes left and right where two are side by side; return where that ends, None where they are not."""
        layout = self._layout()
        middle = layout.divider if layout.divider is not None else self.width() / 2
        if self._picture is None or (layout.divider is None and len(layout.panes) == 1):
            return None
        top = self.height() - MARGIN - CHIP_HEIGHT
        return draw_modes(painter, compared(self._picture.result), middle, top)


def _captured(picture: Picture | None) -> float | None:
    """Return when the frame of a picture was captured, None without one."""
    return None if picture is None else picture.result.frame.captured


def _placement(picture: Picture, pane: Pane) -> Placement:
    return picture.placement(pane.width, pane.height).moved(pane.left, pane.top)


def _target(picture: Picture, pane: Pane) -> QRectF:
    """Return where the picture's pixels belong in the view."""
    placement = _placement(picture, pane)
    if picture.region is None:
        return QRectF(placement.left, placement.top, placement.shown_width, placement.shown_height)
    width, height = picture.region.width * placement.scale, picture.region.height * placement.scale
    return QRectF(pane.left + (pane.width - width) / 2, pane.top + (pane.height - height) / 2, width, height)
