"""The on/off switch, and the rows it stands in."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Property, QEasingCurve, QPropertyAnimation, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QLabel, QWidget

from app.core.modes import Mode
from app.gui.presenters.actions import Action
from app.gui.theme import theme
from app.gui.widgets.controls import label, small_label
from app.gui.widgets.drawing import smooth_painter
from app.gui.widgets.layouts import in_column, in_row

WIDTH, HEIGHT = 36, 20
RING = 2
"""Room around the switch for the ring that shows the keyboard."""

SLIDE_MS = 120


class Toggle(QAbstractButton):
    """A sliding on/off switch; Space and Return change it, ``clicked`` tells what the user did.

    Args:
        name: for screen readers.
        colour: returns the colour of "on", asked whenever it is painted.
    """

    def __init__(self, name: str, colour: Callable[[], str] = lambda: theme.palette().modes[Mode.RWR]) -> None:
        super().__init__()
        self._colour = colour
        self._position = 0.0
        self._slide = QPropertyAnimation(self, b"position", self)
        self._slide.setDuration(SLIDE_MS)
        self._slide.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedSize(self.sizeHint())
        self.toggled.connect(self._move)

    def sizeHint(self) -> QSize:
        """A fixed small size."""
        return QSize(WIDTH + 2 * RING, HEIGHT + 2 * RING)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take Return as well as Space."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def _move(self, on: bool) -> None:
        self._slide.stop()
        self._slide.setEndValue(1.0 if on else 0.0)
        self._slide.start()

    def _get_position(self) -> float:
        return self._position

    def _set_position(self, value: float) -> None:
        self._position = value
        self.update()

    position = Property(float, _get_position, _set_position)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint track and knob between off and on, and a ring where the keyboard is."""
        colours, share = theme.palette(), self._position
        painter = smooth_painter(self)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.tones["info"]), 1.5))
            ring = QRectF(self.rect()).adjusted(0.75, 0.75, -0.75, -0.75)
            painter.drawRoundedRect(ring, ring.height() / 2, ring.height() / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setOpacity(1.0 if self.isEnabled() else 0.45)
        painter.setBrush(_mix(QColor(colours.line), QColor(self._colour()), share))
        painter.drawRoundedRect(QRectF(RING, RING, WIDTH, HEIGHT), HEIGHT / 2, HEIGHT / 2)
        painter.setBrush(_mix(QColor(colours.dim), QColor("#ffffff"), share))
        side = HEIGHT - 6
        painter.drawEllipse(QRectF(RING + 3 + (WIDTH - 6 - side) * share, RING + 3, side, side))


class ToggleRow(QWidget):
    """A :class:`Toggle` with its name and a note below it; a click anywhere changes it.

    Signals:
        changed: the user switched it; carries whether it is on.
    """

    changed = Signal(bool)

    def __init__(self, name: str, note: str = "") -> None:
        super().__init__()
        self.toggle = Toggle(name)
        self.toggle.clicked.connect(self.changed)
        self._name = QLabel(name)
        self._note = small_label(note)
        words = in_column(self._name, self._note, spacing=1)
        layout = in_row((words, 1), self.toggle, on=self, spacing=12)
        layout.setAlignment(self.toggle, Qt.AlignmentFlag.AlignTop)
        self.toggle.setAccessibleDescription(note)
        self._note.setVisible(bool(note))  # now that it has a parent: without one it would be a window for a moment

    def show_state(self, on: bool, free: bool = True, note: str | None = None) -> None:
        """Show whether it is on and can be changed, and another note where one is given."""
        self.toggle.setChecked(on)
        self.toggle.setEnabled(free)
        if note is not None and note != self._note.text():
            self._note.setText(note)
            self._note.setVisible(bool(note))
            self.toggle.setAccessibleDescription(note)

    def mouseReleaseEvent(self, event: QMouseEvent) -> None:
        """Change it as a click on the switch does."""
        if event.button() == Qt.MouseButton.LeftButton and self.rect().contains(event.position().toPoint()):
            self.toggle.click()


class ActionRow(QWidget):
    """A :class:`Toggle` with the text and the key of its action. A click leaves the keyboard where it is."""

    def __init__(self, action: Action, text: str, colour: Callable[[], str]) -> None:
        super().__init__()
        self.toggle = Toggle(text, colour)
        self.toggle.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.toggle.setToolTip(action.tooltip)
        self.setToolTip(action.tooltip)
        in_row(QLabel(text), label("key", action.key), None, self.toggle, on=self, spacing=8)

    def show_state(self, on: bool) -> None:
        """Show what is in force."""
        if self.toggle.isChecked() != on:
            self.toggle.setChecked(on)


def _mix(first: QColor, second: QColor, share: float) -> QColor:
    def between(a: float, b: float) -> float:
        return a + (b - a) * share

    return QColor.fromRgbF(
        between(first.redF(), second.redF()),
        between(first.greenF(), second.greenF()),
        between(first.blueF(), second.blueF()),
    )
