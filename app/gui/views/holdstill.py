"""The hold-still test on the picture: a ring that fills in ten seconds and a sentence that helps."""

from __future__ import annotations

from PySide6.QtCore import QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QFont, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QHBoxLayout, QPushButton, QVBoxLayout, QWidget

from app.gui import theme
from app.gui.presenters.holdstill import HoldStill
from app.gui.presenters.holdstill_view import DONE, FAILED, IDLE, WORKING, HoldStillView

TICK_MS = 50
SIZE = QSize(400, 236)
RING = 104.0
TOP = 16.0


class HoldStillOverlay(QWidget):
    """A small panel over the video while the test runs; never modal, Esc or its button ends the test.

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
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addStretch(1)
        buttons.addWidget(self.repeat)
        buttons.addWidget(self.close_button)
        buttons.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(16, 0, 16, 12)
        layout.addStretch(1)
        layout.addLayout(buttons)
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
        if view.stage in (DONE, IDLE):
            if self._timer.isActive():
                self._timer.stop()
                self.hide()
                (self.finished if view.stage == DONE else self.closed).emit()
            return
        if view.stage == FAILED:
            self._timer.stop()
        if view == self._view and self.isVisible():
            return
        self._view = view
        self.repeat.setVisible(view.stage == FAILED)
        self.close_button.setText("Close" if view.stage == FAILED else "Cancel")
        self.close_button.setVisible(view.stage != WORKING)
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
        if self._view.stage == FAILED:
            self._paint_failure(painter)
            return
        ring = QRectF((self.width() - RING) / 2, TOP, RING, RING)
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.setPen(QPen(QColor(colours.line), 7.0))
        painter.drawEllipse(ring)
        tone = colours.tones["good"] if self._view.good else colours.demo
        painter.setPen(QPen(QColor(tone), 7.0, Qt.PenStyle.SolidLine, Qt.PenCapStyle.RoundCap))
        # Qt counts sixteenths of a degree, against the clock.
        painter.drawArc(ring, 90 * 16, -round(self._view.progress * 360 * 16))
        painter.setPen(QColor(colours.text))
        working = self._view.stage == WORKING
        painter.setFont(theme.figures(14 if working else 38, QFont.Weight.DemiBold))
        painter.drawText(ring, Qt.AlignmentFlag.AlignCenter, self._view.headline)
        painter.setFont(theme.figures(16, QFont.Weight.DemiBold))
        painter.setPen(QColor(colours.text if self._view.good else colours.demo))
        below = QRectF(16, ring.bottom() + 10, self.width() - 32, 44)
        painter.drawText(below, Qt.AlignmentFlag.AlignCenter | Qt.TextFlag.TextWordWrap, self._view.advice)

    def _paint_failure(self, painter: QPainter) -> None:
        colours = theme.palette()
        painter.setPen(QColor(colours.text))
        painter.setFont(theme.figures(18, QFont.Weight.DemiBold))
        painter.drawText(QRectF(24, 20, self.width() - 48, 28), Qt.AlignmentFlag.AlignCenter, self._view.headline)
        painter.setFont(theme.figures(14, QFont.Weight.Normal))
        painter.setPen(QColor(colours.dim))
        words = Qt.AlignmentFlag.AlignHCenter | Qt.AlignmentFlag.AlignTop | Qt.TextFlag.TextWordWrap
        painter.drawText(QRectF(24, 58, self.width() - 48, 112), words, self._view.advice)

    def _button(self, text: str, tooltip: str) -> QPushButton:
        button = QPushButton(text)
        button.setObjectName("offer")
        button.setToolTip(tooltip)
        button.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        return button
