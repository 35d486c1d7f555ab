"""A slider with its name and its value in words."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QKeyEvent, QMouseEvent, QPaintEvent, QWheelEvent
from PySide6.QtWidgets import QSlider, QWidget

from app.gui.theme import theme
from app.gui.widgets.controls import label
from app.gui.widgets.drawing import smooth_painter
from app.gui.widgets.layouts import in_column, in_row

KNOB = 14
GROOVE = 4
OWN_KEYS = (
    *(Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down),
    *(Qt.Key.Key_PageUp, Qt.Key.Key_PageDown, Qt.Key.Key_Home, Qt.Key.Key_End),
)


class _Slider(QSlider):
    """A slider in the window's colours that jumps to where it is clicked, with a mark at its default."""

    def __init__(self, lowest: int, highest: int, default: int) -> None:
        super().__init__(Qt.Orientation.Horizontal)
        self._default = default
        self.setRange(lowest, highest)
        self.setPageStep(max(1, (highest - lowest) // 8))
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)

    def sizeHint(self) -> QSize:
        """Low and as wide as there is room."""
        return QSize(160, KNOB + 6)

    def event(self, event: QEvent) -> bool:
        """Keep the keys that move the knob from the window's shortcuts while the keyboard is here."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in OWN_KEYS:
            event.accept()
            return True
        return super().event(event)

    def mousePressEvent(self, event: QMouseEvent) -> None:
        """Go where the mouse is; the style would take a page step."""
        self._follow(event)

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        """Follow the mouse."""
        self._follow(event)

    def wheelEvent(self, event: QWheelEvent) -> None:
        """Leave the wheel to what scrolls, unless the keyboard is here."""
        if self.hasFocus():
            super().wheelEvent(event)
        else:
            event.ignore()

    def _follow(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton:
            share = (event.position().x() - KNOB / 2) / max(1, self.width() - KNOB)
            self.setValue(round(self.minimum() + share * (self.maximum() - self.minimum())))
            event.accept()

    def _place(self, value: int) -> float:
        share = (value - self.minimum()) / max(1, self.maximum() - self.minimum())
        return KNOB / 2 + share * (self.width() - KNOB)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint groove, default and knob."""
        colours = theme.palette()
        accent = QColor(colours.tones["info"] if self.isEnabled() else colours.faint)
        painter = smooth_painter(self)
        painter.setPen(Qt.PenStyle.NoPen)
        middle, x = self.height() / 2, self._place(self.value())
        painter.setBrush(QColor(colours.raised))
        painter.drawRoundedRect(QRectF(0, middle - GROOVE / 2, self.width(), GROOVE), GROOVE / 2, GROOVE / 2)
        painter.setBrush(accent)
        painter.drawRoundedRect(QRectF(0, middle - GROOVE / 2, x, GROOVE), GROOVE / 2, GROOVE / 2)
        painter.setBrush(QColor(colours.faint))
        painter.drawRect(QRectF(self._place(self._default) - 1, middle - KNOB / 2 - 1, 2, KNOB + 2))
        if self.hasFocus():
            halo = QColor(accent)
            halo.setAlpha(90)
            painter.setBrush(halo)
            painter.drawEllipse(QRectF(x - KNOB / 2 - 3, middle - KNOB / 2 - 3, KNOB + 6, KNOB + 6))
        painter.setBrush(accent)
        painter.drawEllipse(QRectF(x - KNOB / 2, middle - KNOB / 2, KNOB, KNOB))
        painter.setBrush(QColor(colours.card))
        painter.drawEllipse(QRectF(x - 2.5, middle - 2.5, 5, 5))


class SliderRow(QWidget):
    """A named slider over whole steps; what a step means is the caller's.

    Args:
        name: above the slider, on the left.
        tooltip: one or two sentences.
        steps: the first and the last step.
        default: marked on the groove.
        text: what a step is called, above the slider on the right.

    Signals:
        moved: the step that the user chose.
    """

    moved = Signal(int)

    def __init__(self, name: str, tooltip: str, steps: tuple[int, int], default: int, text: Callable[[int], str]):
        super().__init__()
        self._text = text
        self.slider = _Slider(*steps, default)
        self.slider.setAccessibleName(name)
        self._value = label("value")
        self._value.setFont(theme.figures(12))
        self.setToolTip(tooltip)
        in_column(in_row(label("name", name), None, self._value), self.slider, on=self, spacing=1)
        self.slider.valueChanged.connect(self._changed)
        self._value.setText(text(self.slider.value()))

    def show_step(self, step: int, text: str = "") -> None:
        """Show the current step, with other words where the value lies between two steps; emits no signal."""
        self.slider.blockSignals(True)
        self.slider.setValue(step)
        self.slider.blockSignals(False)
        self._value.setText(text or self._text(step))

    def _changed(self, step: int) -> None:
        self._value.setText(self._text(step))
        self.moved.emit(step)
