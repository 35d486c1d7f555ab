"""The bar under the picture of a file: play and pause, where it is, and any other place of it."""

from __future__ import annotations

import time

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, QTimer, Signal
from PySide6.QtGui import QColor, QEnterEvent, QHideEvent, QKeyEvent, QMouseEvent, QPainter, QPaintEvent
from PySide6.QtWidgets import QMenu, QPushButton, QSizePolicy, QWidget

from app.gui.presenters.playback import (
    LONG_STEP_SECONDS,
    SPEEDS,
    STEP_SECONDS,
    SeekLimiter,
    fine_clock_text,
    moved_by,
    playback_view,
    position_now,
    speed_text,
)
from app.gui.theme import theme
from app.gui.widgets.controls import label
from app.gui.widgets.drawing import smooth_painter
from app.gui.widgets.icons import SIZE, icon
from app.gui.widgets.layouts import in_row
from app.sources.base import Playback

HEIGHT = 34
MOVE_MS = 50
"""How often the handle moves on by itself; the playback is asked for less often."""
GROOVE = 4.0
HANDLE = 6.0
MARGIN = 8
BESIDE = 14


class ScrubTrack(QWidget):
    """The line with the handle. A drag seeks about ten times a second.

    Signals:
        sought: where to, in seconds from the beginning.
        stepped: that many frames ahead, or back if negative.
    """

    sought = Signal(float)
    stepped = Signal(int)

    def __init__(self) -> None:
        super().__init__()
        self.setFixedHeight(HEIGHT)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMouseTracking(True)
        self.setFocusPolicy(Qt.FocusPolicy.ClickFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setAccessibleName("Position")
        self._playback: Playback | None = None
        self._asked_at = 0.0
        self._dragged: float | None = None
        self._hovered: float | None = None
        self._drawn = -1
        self._limiter = SeekLimiter()
        self._timer = QTimer(self)
        self._timer.setInterval(MOVE_MS)
        self._timer.timeout.connect(self._move_on)

    @property
    def position(self) -> float:
        """Seconds that the handle shows."""
        if self._dragged is not None:
            return self._dragged
        if self._playback is None:
            return 0.0
        return position_now(self._playback, time.perf_counter() - self._asked_at)

    def show_playback(self, playback: Playback) -> None:
        """Bring the handle up to date."""
        length_changed = self._playback is None or self._playback.duration != playback.duration
        self._playback, self._asked_at = playback, time.perf_counter()
        moving = not playback.paused and self._length > 0
        if moving != self._timer.isActive():
            if moving:
                self._timer.start()
            else:
                self._timer.stop()
        if length_changed:
            self.update()
        self._move_on()

    def paintEvent(self, event: QPaintEvent) -> None:
        colours = theme.palette()
        painter = smooth_painter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        middle, room = self.height() / 2, self.width() - 2 * MARGIN
        painter.setBrush(QColor(colours.hover))
        painter.drawRoundedRect(QRectF(MARGIN, middle - GROOVE / 2, room, GROOVE), GROOVE / 2, GROOVE / 2)
        if self._length <= 0:
            return
        x = self._x(self.position)
        self._drawn = round(x)
        painter.setBrush(QColor(colours.tones["info"]))
        painter.drawRoundedRect(QRectF(MARGIN, middle - GROOVE / 2, x - MARGIN, GROOVE), GROOVE / 2, GROOVE / 2)
        lively = self._dragged is not None or self._hovered is not None or self.hasFocus()
        painter.setBrush(QColor(colours.text if lively else colours.tones["info"]))
        radius = HANDLE + 1 if lively else HANDLE - 1
        painter.drawEllipse(QRectF(x - radius, middle - radius, 2 * radius, 2 * radius))
        if self._hovered is not None:
            self._draw_bubble(painter, self._hovered if self._dragged is None else self._dragged)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        if event.button() == Qt.MouseButton.LeftButton and self._length > 0:
            self._drag_to(event.position().x())

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        self._hovered = self._seconds(event.position().x()) if self._length > 0 else None
        if self._dragged is not None:
            self._drag_to(event.position().x())
        self.update()

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        if self._dragged is None or event.button() != Qt.MouseButton.LeftButton:
            return
        last = self._limiter.finish(time.perf_counter())
        if last is not None:
            self.sought.emit(last)
        self._dragged = None
        self.update()

    def hideEvent(self, event: QHideEvent) -> None:
        """End a drag, as when the source ends in it: the button is released elsewhere."""
        self._dragged = None
        self._limiter = SeekLimiter()

    def enterEvent(self, event: QEnterEvent) -> None:
        self._hovered = self._seconds(event.position().x()) if self._length > 0 else None
        self.update()

    def leaveEvent(self, event: QEvent) -> None:
        self._hovered = None
        self.update()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        shift = bool(event.modifiers() & Qt.KeyboardModifier.ShiftModifier)
        step = LONG_STEP_SECONDS if shift else STEP_SECONDS
        key = event.key()
        if key == Qt.Key.Key_Left:
            self.nudge(-step)
        elif key == Qt.Key.Key_Right:
            self.nudge(step)
        elif key in (Qt.Key.Key_Comma, Qt.Key.Key_Period):
            self.stepped.emit(-1 if key == Qt.Key.Key_Comma else 1)
        elif key in (Qt.Key.Key_Home, Qt.Key.Key_End) and self._length > 0:
            self.sought.emit(0.0 if key == Qt.Key.Key_Home else self._length)
        else:
            super().keyPressEvent(event)

    def nudge(self, seconds: float) -> None:
        """Seek so far on, or back if negative."""
        if self._playback is not None:
            self.sought.emit(moved_by(self._playback, seconds))

    @property
    def _length(self) -> float:
        return 0.0 if self._playback is None else self._playback.duration or 0.0

    def _drag_to(self, x: float) -> None:
        self._dragged = self._seconds(x)
        now = time.perf_counter()
        where = self._limiter.ask(self._dragged, now)
        if where is not None:
            self.sought.emit(where)
        else:
            self._timer.start()  # lets the place through a moment later, should the pointer rest there
        self.update()

    def _move_on(self) -> None:
        if self._dragged is not None:
            where = self._limiter.due(time.perf_counter())
            if where is not None:
                self.sought.emit(where)
            return
        x = round(self._x(self.position)) if self._length > 0 else -1
        if x != self._drawn:
            left, right = min(x, self._drawn) - HANDLE - 3, max(x, self._drawn) + HANDLE + 3
            self.update(QRectF(left, 0, right - left, self.height()).toAlignedRect())

    def _x(self, seconds: float) -> float:
        return MARGIN + (self.width() - 2 * MARGIN) * min(1.0, seconds / self._length)

    def _seconds(self, x: float) -> float:
        share = (x - MARGIN) / max(1, self.width() - 2 * MARGIN)
        return min(max(share, 0.0), 1.0) * self._length

    def _draw_bubble(self, painter: QPainter, seconds: float) -> None:
        colours = theme.palette()
        text = fine_clock_text(seconds)
        painter.setFont(theme.figures(11))
        width = painter.fontMetrics().horizontalAdvance(text) + 14
        # Beside the handle: the bar is too thin to have room above it.
        x = self._x(seconds) + BESIDE
        if x + width > self.width():
            x = self._x(seconds) - BESIDE - width
        box = QRectF(x, (self.height() - 20) / 2, width, 20)
        painter.setBrush(QColor(colours.veil))
        painter.drawRoundedRect(box, 6, 6)
        painter.setPen(QColor(colours.text))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, text)


class ScrubBar(QWidget):
    """Button, track, time and speed. Shown for what can be played back, hidden otherwise.

    Signals:
        pause_asked: True to hold still, False to play on.
        sought: where to, in seconds from the beginning.
        stepped: that many frames ahead, or back if negative.
        speed_chosen: one of ``presenters.playback.SPEEDS``.
    """

    pause_asked = Signal(bool)
    sought = Signal(float)
    stepped = Signal(int)
    speed_chosen = Signal(float)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("bar")
        self.track = ScrubTrack()
        self.button = QPushButton()
        self.button.setObjectName("quiet")
        self.button.setIconSize(QSize(SIZE, SIZE))
        self.button.setFixedSize(36, 30)
        self.time = label("small")
        self.time.setFont(theme.figures(12))
        self.speed = QPushButton()
        self.speed.setObjectName("quiet")
        self.speed.setFixedSize(58, 30)
        self.speed.setToolTip("How fast it plays")
        self.menu = QMenu(self)
        for speed in SPEEDS:
            entry = self.menu.addAction(speed_text(speed))
            entry.triggered.connect(lambda _checked=False, speed=speed: self.speed_chosen.emit(speed))
        self.speed.setMenu(self.menu)
        for button in (self.button, self.speed):
            button.setFocusPolicy(Qt.FocusPolicy.NoFocus)  # Space records, whatever was clicked last
        in_row(self.button, (self.track, 1), self.time, self.speed, on=self, margins=(10, 2, 8, 0), spacing=6)
        self._look: tuple[bool, str] | None = None
        self.button.clicked.connect(self._toggle)
        self.track.sought.connect(self.sought)
        self.track.stepped.connect(self.stepped)
        self.hide()

    def show_playback(self, playback: Playback | None) -> None:
        """Show where the source stands; None hides the bar."""
        view = playback_view(playback)
        self.setVisible(view is not None)
        if view is None or playback is None:
            return
        self.track.show_playback(playback)
        if self._look != (view.paused, theme.palette().name):
            self._look = (view.paused, theme.palette().name)
            self.button.setIcon(icon("play" if view.paused else "pause"))
            self.button.setToolTip(view.button_help)
            self.button.setAccessibleName(view.button_help)
        if self.time.text() != view.text:
            self.time.setText(view.text)
            widest = max(self.time.minimumWidth(), self.time.sizeHint().width())
            self.time.setMinimumWidth(widest)  # the track must not change its length with every second
        if self.speed.text() != view.speed_text:
            self.speed.setText(view.speed_text)
            self.speed.setAccessibleName(f"Speed: {view.speed_text}")

    def _toggle(self) -> None:
        self.pause_asked.emit(self._look is not None and not self._look[0])
