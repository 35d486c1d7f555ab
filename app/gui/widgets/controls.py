"""Controls of the sheets: a switch with an explanation, one choice out of a few, a line of text with what is wrong."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPainter, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from app.gui.presenters.options import Option
from app.gui.theme import theme
from app.gui.widgets.segments import Segments

TRACK_WIDTH, TRACK_HEIGHT, RING = 36, 20, 3


class Toggle(QAbstractButton):
    """An on/off switch that takes the keyboard; Space and Return change it, ``clicked`` tells what a person did."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setAccessibleName(name)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        self.setFixedSize(self.sizeHint())

    def sizeHint(self) -> QSize:
        """A fixed small size, with room for the ring that shows the keyboard."""
        return QSize(TRACK_WIDTH + 2 * RING, TRACK_HEIGHT + 2 * RING)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take Return as well as Space."""
        if event.key() in (Qt.Key.Key_Return, Qt.Key.Key_Enter):
            self.click()
        else:
            super().keyPressEvent(event)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint track and knob, and a ring where the keyboard is."""
        colours, on = theme.palette(), self.isChecked()
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        track = QRectF(RING, RING, TRACK_WIDTH, TRACK_HEIGHT)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.tones["info"]), 2))
            painter.drawRoundedRect(QRectF(self.rect()).adjusted(1, 1, -1, -1), self.height() / 2, self.height() / 2)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setOpacity(1.0 if self.isEnabled() else 0.45)
        painter.setBrush(QColor(colours.modes["rwr"] if on else colours.faint))
        painter.drawRoundedRect(track, TRACK_HEIGHT / 2, TRACK_HEIGHT / 2)
        painter.setBrush(QColor(colours.card))
        side = TRACK_HEIGHT - 6
        left = track.right() - 3 - side if on else track.left() + 3
        painter.drawEllipse(QRectF(left, track.top() + 3, side, side))


class ToggleRow(QWidget):
    """A :class:`Toggle` with its name and a note below it; a click anywhere changes it.

    Signals:
        changed: a person switched it; carries whether it is on.
    """

    changed = Signal(bool)

    def __init__(self, name: str, note: str = "") -> None:
        super().__init__()
        self.toggle = Toggle(name)
        self.toggle.clicked.connect(self.changed)
        self._name = QLabel(name)
        self._note = small_label(note)
        words = QVBoxLayout()
        words.setSpacing(1)
        words.addWidget(self._name)
        words.addWidget(self._note)
        self._note.setVisible(bool(note))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addLayout(words, 1)
        layout.addWidget(self.toggle, 0, Qt.AlignmentFlag.AlignTop)

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


class ChoiceRow(QWidget):
    """A name with one choice out of a few beside it.

    Signals:
        changed: a person chose; carries the option's name.
    """

    changed = Signal(str)

    def __init__(self, name: str, options: Sequence[Option]) -> None:
        super().__init__()
        self.segments = Segments(name)
        self.segments.chosen.connect(self.changed)
        self._options = tuple(options)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(12)
        layout.addWidget(QLabel(name), 1)
        layout.addWidget(self.segments)

    def show_choice(self, name: str) -> None:
        """Show what is in force."""
        self.segments.show_options(self._options, name)


def small_label(text: str = "", name: str = "small") -> QLabel:
    """Return a line of small print that breaks where it has to."""
    label = QLabel(text)
    label.setObjectName(name)
    label.setWordWrap(True)
    label.setTextFormat(Qt.TextFormat.PlainText)
    return label


def heading(text: str) -> QLabel:
    """Return a heading between groups of controls."""
    label = QLabel(text.upper())
    label.setObjectName("heading")
    return label


def push_button(text: str, name: str = "offer") -> QPushButton:
    """Return a button that Return presses, too."""
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAutoDefault(True)
    return button
