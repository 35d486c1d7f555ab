"""An on/off switch with a name and its key."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import Property, QEasingCurve, QPropertyAnimation, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QPainter, QPaintEvent
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QWidget

from app.gui.presenters.actions import Action
from app.gui.theme import theme

WIDTH, HEIGHT = 40, 22
SLIDE_MS = 120


class Switch(QAbstractButton):
    """A sliding switch; ``clicked`` tells what a person did.

    Args:
        colour: returns the colour of "on", asked whenever it is painted.
    """

    def __init__(self, colour: Callable[[], str]) -> None:
        super().__init__()
        self._colour = colour
        self._position = 0.0
        self._slide = QPropertyAnimation(self, b"position", self)
        self._slide.setDuration(SLIDE_MS)
        self._slide.setEasingCurve(QEasingCurve.Type.InOutCubic)
        self.setCheckable(True)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.toggled.connect(self._move)

    def sizeHint(self) -> QSize:
        """A fixed small size."""
        return QSize(WIDTH, HEIGHT)

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
        """Paint track and knob between off and on."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(_mix(QColor(theme.palette().line), QColor(self._colour()), self._position))
        painter.drawRoundedRect(QRectF(0, 0, WIDTH, HEIGHT), HEIGHT / 2, HEIGHT / 2)
        painter.setBrush(_mix(QColor(theme.palette().dim), QColor("#ffffff"), self._position))
        side = HEIGHT - 6
        painter.drawEllipse(QRectF(3 + (WIDTH - 6 - side) * self._position, 3, side, side))


class SwitchRow(QWidget):
    """A switch with its label and key; the whole row explains itself on hover."""

    def __init__(self, action: Action, label: str, colour: Callable[[], str]) -> None:
        super().__init__()
        self.switch = Switch(colour)
        self.switch.setToolTip(action.tooltip)
        self.switch.setAccessibleName(label)
        self.setToolTip(action.tooltip)
        key = QLabel(action.key)
        key.setObjectName("key")
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(8)
        layout.addWidget(QLabel(label))
        layout.addWidget(key)
        layout.addStretch(1)
        layout.addWidget(self.switch)

    def show_state(self, on: bool) -> None:
        """Show what is in force."""
        if self.switch.isChecked() != on:
            self.switch.setChecked(on)


def _mix(first: QColor, second: QColor, share: float) -> QColor:
    def between(a: float, b: float) -> float:
        return a + (b - a) * share

    return QColor.fromRgbF(
        between(first.redF(), second.redF()),
        between(first.greenF(), second.greenF()),
        between(first.blueF(), second.blueF()),
    )
