"""The hold-still test on the picture: a ring that fills in ten seconds, and one sentence of advice."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QFontMetricsF, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from app.gui.holdstill.presenters.hold_still import HoldStill, HoldStillStage, HoldStillView
from app.gui.theme import theme

TICK_MS = 50
SIZE = QSize(580, 124)
RING = 84.0
EDGE = 20.0
BUTTONS = 104.0


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
        self._test = test
        self._view = HoldStillView()
        self.repeat = self._button("Repeat", "Measure again")
        self.close_button = self._button("Close", "End the test (Esc)")
        self.repeat.clicked.connect(lambda _checked=False: self.start())
        self.close_button.clicked.connect(lambda _checked=False: self.cancel())
        layout = QVBoxLayout(self)
        layout.setContentsMargins(round(SIZE.width() - BUTTONS), 12, round(EDGE), 12)
        layout.setSpacing(8)
        layout.addStretch(1)
        layout.addWidget(self.repeat)
        layout.addWidget(self.close_button)
        layout.addStretch(1)
        self.setFixedSize(SIZE)
        self.setAccessibleName("Hold-still test")
        self._timer = QTimer(self)
        self._timer.setInterval(TICK_MS)
        self._timer.timeout.connect(self.refresh)
        self.hide()

    def start(self, face: int | None = None) -> None:
        """Begin the test, of ``face`` or of the largest one."""
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
            if self._timer.isActive():
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
        """Lie at the top of the parent, in the middle."""
        parent = self.parentWidget()
        if parent is not None:
            self.move((parent.width() - self.width()) // 2, 14)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the panel, the ring and the words."""
        colours = theme.palette()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(QPen(QColor(colours.line), 1.0))
        painter.setBrush(QColor(colours.veil))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), 16, 16)
        if self._view.stage == HoldStillStage.FAILED:
            self._write(painter, EDGE, colours.text, colours.dim)
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
        self._write(painter, ring.right() + EDGE, colours.text if self._view.good else colours.demo, colours.dim)

    def _write(self, painter: QPainter, left: float, first: str, second: str) -> None:
        """Write the headline and the advice below it, in the middle of the height."""
        width = self.width() - BUTTONS - left - 12
        painter.setFont(theme.figures(17, QFont.Weight.DemiBold))
        words = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        head, small = painter.fontMetrics().height(), theme.figures(13, QFont.Weight.Normal)
        room = QFontMetricsF(small).boundingRect(QRectF(0, 0, width, 200), int(words), self._view.advice).height()
        top = (self.height() - head - 4 - room) / 2
        painter.setPen(QColor(first))
        painter.drawText(QRectF(left, top, width, head), words, self._view.headline)
        painter.setFont(small)
        painter.setPen(QColor(second))
        painter.drawText(QRectF(left, top + head + 4, width, room + 4), words, self._view.advice)

    def _button(self, text: str, tooltip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName("offer")
        button.setToolTip(tooltip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button
