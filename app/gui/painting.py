"""What painting a frame costs: prepared as the live page does it, then painted as its view does it."""

from __future__ import annotations

import os
import time

from app.core.frame import FrameResult

SIZE = (1280, 720)


class Painting:
    """Paints into a picture in memory; needs no screen."""

    def __init__(self) -> None:
        os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
        from app.sources.opencv import forget_qt_plugins

        forget_qt_plugins()
        from PySide6.QtGui import QGuiApplication, QImage

        self._application = QGuiApplication.instance() or QGuiApplication([])
        self._canvas = QImage(*SIZE, QImage.Format.Format_RGB32)

    def paint(self, result: FrameResult) -> float:
        """Paint a result and return the seconds it took."""
        from PySide6.QtCore import QRectF
        from PySide6.QtGui import QImage, QPainter

        from app.gui.presenters.picture import prepare
        from app.gui.widgets.overlay import draw_faces

        started = time.perf_counter()
        picture = prepare(result, SIZE, mirrored=False)
        height, width = picture.pixels.shape[:2]
        image = QImage(picture.pixels.data, width, height, 4 * width, QImage.Format.Format_RGB32)
        placement = picture.placement(*SIZE)
        painter = QPainter(self._canvas)
        where = QRectF(placement.left, placement.top, placement.shown_width, placement.shown_height)
        painter.drawImage(where, image)
        draw_faces(painter, result.faces, placement)
        painter.end()
        return time.perf_counter() - started
