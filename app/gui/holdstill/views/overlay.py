"""The hold-still test on the picture: a ring that fills in ten seconds, and one sentence of advice."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QPushButton, QWidget

from app.gui.holdstill.presenters.hold_still import HoldStill, HoldStillStage, HoldStillView
from app.gui.theme import theme
from app.gui.widgets.drawing import smooth_painter
from app.gui.widgets.layouts import in_column, in_row

TICK_MS = 50
SIZE = QSize(580, 124)
BESIDE = 14
"""The panel stays so far from the edges of the video."""
ROOM_FOR_RING = 400
"""Where the panel is narrower, the seconds stand behind the headline instead of in a ring."""
RING = 84.0
EDGE = 20.0
BUTTONS = 104.0
_WORDS = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap


class HoldStillOverlay(QWidget):
    """A small panel over the video while the test runs; not modal, Esc or its button ends the test.

    Args:
        parent: the video, over which it lies at the top.
        test: what it shows and moves on.

    Signals:
        finished: the card is ready.
        closed: the test ended without one.
    """

    finished = Signal()
    closed = Signal()

    def __init__(self, parent: QWidget, test: HoldStill) -> None:
        super().__init__(parent)
        self._room = parent
        self._test = test
        self._view = HoldStillView()
        self._face: int | None = None
        self.repeat = self._button("Repeat", "Measure again")
        self.close_button = self._button("Close", "End the test (Esc)")
        self.repeat.clicked.connect(lambda _checked=False: self.start(self._face))
        self.close_button.clicked.connect(lambda _checked=False: self.cancel())
        buttons = in_column(None, self.repeat, self.close_button, None, spacing=8)
        in_row(None, buttons, on=self, margins=(0, 12, round(EDGE), 12))
        self.place()
        self.setAccessibleName("Hold-still test")
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.refresh)
        self.hide()

    def start(self, face: int | None = None) -> None:
        """Begin the test, of ``face`` or of the largest one."""
        self._face = face
        self._test.start(face)
        self._timer.start()
        self.refresh()

    def cancel(self) -> None:
        """End the test."""
        self._test.cancel()
        self.refresh()

    def refresh(self) -> None:
        """Move the test on and show how it goes."""
        self._test.tick()
        view = self._test.view()
        if view.stage in (HoldStillStage.DONE, HoldStillStage.IDLE):
            if not self.isHidden():
                self._timer.stop()
                self.hide()
                (self.finished if view.stage == HoldStillStage.DONE else self.closed).emit()
            return
        if view.stage == HoldStillStage.FAILED:
            self._timer.stop()
        if view == self._view and self.isVisible():
            return
        self._view = view
        self.repeat.setVisible(view.stage == HoldStillStage.FAILED)
        self.close_button.setText("Close" if view.stage == HoldStillStage.FAILED else "Cancel")
        self.close_button.setVisible(view.stage != HoldStillStage.WORKING)
        self.setAccessibleDescription(f"{view.headline}. {view.advice}")
        self.place()
        self.show()
        self.raise_()
        self.update()

    def place(self) -> None:
        """Lie at the top of the parent, in the middle, as large as the words need and as there is room."""
        width = min(SIZE.width(), self._room.width() - 2 * BESIDE)
        self.setFixedWidth(width)
        self.setFixedHeight(max(SIZE.height(), round(sum(self._heights())) + 2 * BESIDE))
        self.move((self._room.width() - width) // 2, BESIDE)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the panel, the ring and the words."""
        colours = theme.palette()
        painter = smooth_painter(self)
        painter.setPen(QPen(QColor(colours.line), 1.0))
        painter.setBrush(QColor(colours.veil))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 16, 16)
        first = colours.text if self._view.good or self._view.stage == HoldStillStage.FAILED else colours.demo
        self._write(painter, first, colours.dim)
        if not self._has_ring:
            return
        ring = QRectF(EDGE, (self.height() - RING) / 2, RING, RING)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.line), 7.0))
        painter.drawEllipse(ring)
        tone = colours.tones["good"] if self._view.good else colours.demo
        painter.setPen(QPen(QColor(tone), 7.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        # Qt counts sixteenths of a degree, against the clock.
        painter.drawArc(ring, 90 * 16, -round(self._view.progress * 360 * 16))
        painter.setPen(QColor(colours.text))
        painter.setFont(theme.figures(32, QFont.Weight.DemiBold))
        painter.drawText(ring, Qt.AlignmentFlag.AlignCenter, self._view.count)

    @property
    def _has_ring(self) -> bool:
        return self._view.stage != HoldStillStage.FAILED and self.width() >= ROOM_FOR_RING

    def _words(self) -> tuple[tuple[str, QFont], tuple[str, QFont]]:
        """Return the headline and the advice."""
        beside = bool(self._view.count) and not self._has_ring
        headline = f"{self._view.headline}  \u00b7  {self._view.count}" if beside else self._view.headline
        large, small = theme.figures(17, QFont.Weight.DemiBold), theme.figures(13, QFont.Weight.Normal)
        return (headline, large), (self._view.advice, small)

    def _text_box(self) -> tuple[float, float]:
        """Return where the words begin, and how wide they may be."""
        left = 2 * EDGE + RING if self._has_ring else EDGE
        return left, self.width() - BUTTONS - left - 12

    def _heights(self) -> list[float]:
        """Return how high headline and advice are, with the gap below each."""
        room = QRectF(0, 0, self._text_box()[1], 1000)
        return [QFontMetricsF(font).boundingRect(room, int(_WORDS), text).height() + 4 for text, font in self._words()]

    def _write(self, painter: QPainter, first: str, second: str) -> None:
        """Write the headline and the advice below it, in the middle of the height."""
        left, width = self._text_box()
        heights = self._heights()
        top = (self.height() - sum(heights)) / 2
        for (text, font), colour, height in zip(self._words(), (first, second), heights, strict=True):
            painter.setFont(font)
            painter.setPen(QColor(colour))
            painter.drawText(QRectF(left, top, width, height), _WORDS, text)
            top += height

    def _button(self, text: str, tooltip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName("offer")
        button.setToolTip(tooltip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button
