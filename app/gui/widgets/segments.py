"""A few options beside each other, one of which is on."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QEvent, QRectF, QSize, Qt, Signal
from PySide6.QtGui import QColor, QFont, QKeyEvent, QPaintEvent, QPen
from PySide6.QtWidgets import QAbstractButton, QButtonGroup, QSizePolicy, QWidget

from app.gui.presenters.options import Option
from app.gui.theme import theme
from app.gui.widgets.drawing import draw_plate, smooth_painter
from app.gui.widgets.layouts import in_row

HEIGHT = 28
PADDING = 12
ARROWS = (Qt.Key.Key_Left, Qt.Key.Key_Right, Qt.Key.Key_Up, Qt.Key.Key_Down)
CHOOSING = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class Segments(QWidget):
    """Shows options and tells which one the user chose; arrow keys work once Tab has reached it.

    Signals:
        chosen: an option's name, when the user chose it.
    """

    chosen = Signal(str)

    def __init__(self, name: str) -> None:
        super().__init__()
        self._options: tuple[Option, ...] = ()
        self.buttons: dict[str, _Segment] = {}
        """By the option's name."""
        self._group = QButtonGroup(self)
        self._layout = in_row(on=self, margins=(2, 2, 2, 2), spacing=0)
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setAccessibleName(name)

    @property
    def current(self) -> str:
        """The option that is on, "" if none is."""
        return next((name for name, button in self.buttons.items() if button.isChecked()), "")

    def show_options(self, options: Sequence[Option], current: str) -> None:
        """Show ``options`` with ``current`` on; "" leaves all of them off."""
        if tuple(options) != self._options:
            self._options = tuple(options)
            if [option.name for option in options] != list(self.buttons):
                self._fill()
            for place, option in enumerate(options):
                self.buttons[option.name].show_option(option)
                self._layout.setStretch(place, self.buttons[option.name].sizeHint().width())
        if current == self.current:
            return
        # A group that insists on one choice could not be emptied.
        self._group.setExclusive(False)
        for name, button in self.buttons.items():
            button.setChecked(name == current)
        self._group.setExclusive(True)

    def _fill(self) -> None:
        for button in self.buttons.values():
            self._group.removeButton(button)
            self._layout.removeWidget(button)
            button.deleteLater()
        self.buttons = {option.name: _Segment() for option in self._options}
        for name, button in self.buttons.items():
            self._group.addButton(button)
            self._layout.addWidget(button)
            button.clicked.connect(lambda _checked=False, name=name: self.chosen.emit(name))

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the groove that holds the options."""
        painter = smooth_painter(self)
        draw_plate(painter, QRectF(self.rect()), QColor(theme.palette().raised), 8)


class _Segment(QAbstractButton):
    def __init__(self) -> None:
        super().__init__()
        self.setCheckable(True)
        self.setCursor(Qt.CursorShape.PointingHandCursor)
        # Clicks leave the keyboard where it was; Tab brings it here.
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)

    def show_option(self, option: Option) -> None:
        """Show the words of an option."""
        self.setText(option.label)
        self.setToolTip(option.tooltip)
        self.updateGeometry()

    def sizeHint(self) -> QSize:
        """As wide as the label needs."""
        return QSize(self.fontMetrics().horizontalAdvance(self.text()) + 2 * PADDING, HEIGHT - 4)

    def event(self, event: QEvent) -> bool:
        """Keep the keys that choose from the window's shortcuts while the keyboard is here."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            chooses = event.key() in ARROWS or (event.key() in CHOOSING and not self.isChecked())
            if chooses:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Choose this one, or the neighbour with the arrow keys, which Qt alone would only focus."""
        if event.key() in CHOOSING and not self.isChecked():
            self.click()
            return
        if event.key() not in ARROWS:
            super().keyPressEvent(event)
            return
        siblings = self.group().buttons() if self.group() is not None else []
        if not siblings:
            return
        step = -1 if event.key() in (Qt.Key.Key_Left, Qt.Key.Key_Up) else 1
        other = siblings[(siblings.index(self) + step) % len(siblings)]
        other.setFocus(Qt.FocusReason.TabFocusReason)
        other.click()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the label, on a plate when it is on."""
        colours = theme.palette()
        painter = smooth_painter(self)
        box = QRectF(self.rect())
        on = self.isChecked()
        if on or self.underMouse():
            draw_plate(painter, box, QColor(colours.pressed if on else colours.hover), 6)
        if self.hasFocus():
            painter.setPen(QPen(QColor(colours.tones["info"]), 1.5))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawRoundedRect(box.adjusted(1, 1, -1, -1), 6, 6)
        painter.setPen(QColor((colours.text if on else colours.dim) if self.isEnabled() else colours.faint))
        painter.setFont(theme.figures(12, QFont.Weight.DemiBold if on else QFont.Weight.Medium))
        painter.drawText(box, Qt.AlignmentFlag.AlignCenter, self.text())
