"""The flicker figures: now and over the last seconds, one column per mode."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.core.modes import MODE_NAMES
from app.gui.live.presenters.flicker import NOW_SECONDS, FlickerView
from app.gui.live.presenters.readouts import FlickerTexts, flicker_texts
from app.gui.presenters.colour_scale import RECENT_SECONDS
from app.gui.presenters.readouts import NOTHING
from app.gui.theme import theme

HEIGHT = 78


class FlickerNumbers(QWidget):
    """Two columns, one per mode of the pair; a mode that is not solved is dimmed."""

    def __init__(self) -> None:
        super().__init__()
        self._texts: dict[str, FlickerTexts] = {mode: FlickerTexts(NOTHING, NOTHING) for mode in FlickerView().pair}
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip(
            "Landmark motion that the picture does not explain, in % of the distance between the outer eye corners. "
            f"Large: the last {NOW_SECONDS:g} s. Small: the last {RECENT_SECONDS:g} s."
        )

    def sizeHint(self) -> QSize:
        """As high as a column needs."""
        return QSize(260, HEIGHT)

    def show_flicker(self, flicker: FlickerView) -> None:
        """Show the figures of the pair's modes."""
        texts = {mode: flicker_texts(flicker, mode) for mode in flicker.pair}
        if texts != self._texts:
            self._texts = texts
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint both columns."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        width = self.width() / len(self._texts)
        for column, mode in enumerate(self._texts):
            self._paint_column(painter, QRectF(column * width, 0, width, HEIGHT), mode)

    def _paint_column(self, painter: QPainter, box: QRectF, mode: str) -> None:
        texts = self._texts[mode]
        measured = texts.recent != NOTHING
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(theme.palette().modes[mode] if measured else theme.palette().line))
        painter.drawRoundedRect(QRectF(box.left(), 3, 4, 12), 2, 2)
        left = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
        painter.setFont(theme.figures(12, QFont.Weight.DemiBold))
        painter.setPen(QColor(theme.palette().text if measured else theme.palette().faint))
        painter.drawText(QRectF(box.left() + 11, 0, box.width() - 11, 18), left, MODE_NAMES[mode])
        painter.setFont(theme.figures(30, QFont.Weight.DemiBold))
        painter.drawText(QRectF(box.left(), 20, box.width(), 36), left, texts.now)
        if measured:
            advance = painter.fontMetrics().horizontalAdvance(texts.now)
            painter.setPen(QColor(theme.palette().dim))
            painter.setFont(theme.figures(13))
            painter.drawText(QRectF(box.left() + advance + 4, 29, 30, 24), left, "%")
        painter.setPen(QColor(theme.palette().dim if measured else theme.palette().faint))
        painter.setFont(theme.figures(12, QFont.Weight.Normal))
        text = f"{texts.recent} % over {RECENT_SECONDS:g} s" if measured else "not solved"
        painter.drawText(QRectF(box.left(), 58, box.width(), 18), left, text)
