"""A card over the picture: not modal, closed by Esc, usable with the keyboard alone."""

from __future__ import annotations

import math
from collections.abc import Callable

from PySide6.QtCore import QEvent, QObject, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QHideEvent, QKeyEvent, QPaintEvent, QPen, QRegion, QShowEvent
from PySide6.QtWidgets import (
    QAbstractButton,
    QFrame,
    QScrollArea,
    QWidget,
)

from app.gui.theme import theme
from app.gui.widgets.controls import label, push_button
from app.gui.widgets.drawing import smooth_painter
from app.gui.widgets.layouts import in_column, in_row

MARGIN = 12
"""Least distance between a sheet and the edge of its parent."""

RADIUS = 12
SAME_ROW = 8
"""Controls whose centres differ by less than this many pixels are in one row."""


class Sheet(QFrame):
    """A card in the middle of its parent, with a title, a way to close it, and what subclasses put into :attr:`body`.

    It paints all of its area, so that the picture below goes on without the card being painted again. While the
    keyboard is in it, Tab stays in it and :attr:`own_keys` do what its controls say, not what the window says.

    Signals:
        closed: it was hidden, for whatever reason.
    """

    closed = Signal()

    own_keys: frozenset[Qt.Key] = frozenset(
        {
            Qt.Key.Key_Space,
            Qt.Key.Key_Return,
            Qt.Key.Key_Enter,
            Qt.Key.Key_Left,
            Qt.Key.Key_Right,
            Qt.Key.Key_Up,
            Qt.Key.Key_Down,
            Qt.Key.Key_Escape,
        }
    )

    def __init__(self, parent: QWidget, title: str, width: int) -> None:
        super().__init__(parent)
        self.setObjectName("sheet")
        self.setAccessibleName(title)
        self.setAttribute(Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._ground = parent
        self._find_room: Callable[[], QRect] = parent.rect
        self._fitted = QRect()
        self._preferred = width
        self._heading = label("title", title)
        self._close = push_button("✕", "quiet")
        self._close.setToolTip("Close (Esc)")
        self._close.setAccessibleName(f"Close {title}")
        self._close.clicked.connect(self.hide)
        self._head = in_row((self._heading, 1), self._close, margins=(22, 14, 12, 0))
        self._content = QWidget()
        self.body = in_column(on=self._content, margins=(22, 4, 22, 20), spacing=10)
        self._scroll = QScrollArea()
        self._scroll.setWidget(self._content)
        self._scroll.setWidgetResizable(True)
        self._scroll.setFrameShape(QFrame.Shape.NoFrame)
        self._scroll.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._layout = in_column(self._head, (self._scroll, 1), on=self, margins=(1, 1, 1, 8), spacing=6)
        parent.installEventFilter(self)
        self._content.installEventFilter(self)
        self.hide()

    def toggle(self) -> None:
        """Show it, or hide it."""
        self.setVisible(not self.isVisible())

    def lie_over(self, find_room: Callable[[], QRect]) -> None:
        """Lie in the middle of what ``find_room`` returns, in the parent's coordinates, instead of the whole parent."""
        self._find_room = find_room

    def follow(self) -> None:
        """Fit the content again if the room has changed."""
        if self.isVisible() and self._fitted != self.room():
            self.fit()

    def room(self) -> QRect:
        """Return where the sheet may lie, in the parent's coordinates."""
        return self._find_room()

    def fit(self) -> None:
        """Fit the content within the room, centred."""
        room = self._fitted = self.room()
        width = min(self._preferred, room.width() - 2 * MARGIN)
        self.body.activate()  # takes in what was just shown or hidden; does nothing otherwise
        wanted = self.body.totalHeightForWidth(width - 2)
        if wanted < 0:
            wanted = self.body.totalSizeHint().height()
        wanted += self._frame_height()
        height = min(wanted, room.height() - 2 * MARGIN)
        # With a bar beside it the content is narrower and may be higher, so that the bar would seem to be needed.
        bar = Qt.ScrollBarPolicy.ScrollBarAlwaysOff if height == wanted else Qt.ScrollBarPolicy.ScrollBarAsNeeded
        self._scroll.setVerticalScrollBarPolicy(bar)
        left, top = room.x() + (room.width() - width) // 2, room.y() + (room.height() - height) // 2
        box = QRect(left, top, width, height)
        if box != self.geometry() or self.mask().isEmpty():
            self.setGeometry(box)
            # The corners are cut out rather than left clear: what is opaque is not painted with the picture below.
            self.setMask(rounded(self.rect(), RADIUS))

    def first_control(self) -> QWidget:
        """Return what gets the keyboard when the sheet opens: of several options, the one in force."""
        chain = self._chain()
        first = next((widget for widget in chain if widget is not self._close), self._close)
        row = first.parentWidget() or self
        options = [widget for widget in row.children() if isinstance(widget, QAbstractButton)]
        return next((option for option in options if option in chain and option.isChecked()), first)

    def showEvent(self, event: QShowEvent) -> None:
        """Raise it above everything and take the keyboard focus."""
        super().showEvent(event)
        self.fit()
        self.raise_()
        self.first_control().setFocus(Qt.FocusReason.PopupFocusReason)

    def hideEvent(self, event: QHideEvent) -> None:
        """Return the keyboard focus to the window; a sheet hidden only because its page is hidden stays open."""
        super().hideEvent(event)
        if self.isHidden():
            self.window().setFocus()
            self.closed.emit()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Follow the size of the parent and of the content."""
        kind = QEvent.Type.LayoutRequest if watched is self._content else QEvent.Type.Resize
        if event.type() == kind and self.isVisible():
            self.fit()
        return False

    def event(self, event: QEvent) -> bool:
        """Keep keys that controls understand from being taken as the window's shortcuts."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            held = event.modifiers() & ~(Qt.KeyboardModifier.KeypadModifier | Qt.KeyboardModifier.ShiftModifier)
            if event.key() in self.own_keys and held == Qt.KeyboardModifier.NoModifier:
                event.accept()
                return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Close on Esc; scroll by what no control took."""
        bar = self._scroll.verticalScrollBar()
        steps = {
            Qt.Key.Key_Up: -bar.singleStep(),
            Qt.Key.Key_Down: bar.singleStep(),
            Qt.Key.Key_PageUp: -bar.pageStep(),
            Qt.Key.Key_PageDown: bar.pageStep(),
        }
        if event.key() == Qt.Key.Key_Escape:
            self.hide()
        elif event.key() in steps:
            bar.setValue(bar.value() + steps[Qt.Key(event.key())])
        else:
            super().keyPressEvent(event)

    def focusNextPrevChild(self, forwards: bool) -> bool:
        """Cycle Tab within the sheet."""
        chain = self._chain()
        now = self.focusWidget()
        if not chain:
            return False
        step = 1 if forwards else -1
        index = (chain.index(now) + step) % len(chain) if now in chain else 0
        reason = Qt.FocusReason.TabFocusReason if forwards else Qt.FocusReason.BacktabFocusReason
        chain[index].setFocus(reason)
        self._scroll.ensureWidgetVisible(chain[index])
        return True

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the card."""
        painter = smooth_painter(self)
        painter.fillRect(self.rect(), QColor(theme.palette().line))
        painter.setPen(QPen(QColor(theme.palette().line), 1))
        painter.setBrush(QColor(theme.palette().card))
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(0.5, 0.5, -0.5, -0.5), RADIUS, RADIUS)

    def _frame_height(self) -> int:
        """Return the height of everything but the content."""
        margins = self._layout.contentsMargins()
        return self._head.sizeHint().height() + self._layout.spacing() + margins.top() + margins.bottom()

    def _chain(self) -> list[QWidget]:
        """Return the tab order: row by row from the left, the close button last."""
        found = [
            widget
            for widget in self.findChildren(QWidget)
            if widget.focusPolicy() & Qt.FocusPolicy.TabFocus and widget.isVisible() and widget.isEnabled()
        ]
        places = {widget: widget.mapTo(self, widget.rect().center()) for widget in found}
        found.sort(key=lambda widget: places[widget].y())
        rows: dict[QWidget, int] = {}
        top = -SAME_ROW
        for widget in found:
            top = places[widget].y() if places[widget].y() - top >= SAME_ROW else top
            rows[widget] = top
        return sorted(found, key=lambda widget: (widget is self._close, rows[widget], places[widget].x()))


def rounded(box: QRect, radius: int) -> QRegion:
    """Return ``box`` without what lies outside its rounded corners."""
    region = QRegion(box)
    for row in range(radius):
        inset = radius - round(math.sqrt(radius**2 - (radius - row - 0.5) ** 2))
        for y in (box.top() + row, box.bottom() - row):
            region -= QRegion(box.left(), y, inset, 1)
            region -= QRegion(box.right() - inset + 1, y, inset, 1)
    return region


class Sheets:
    """The sheets of one window: one at a time, made when it opens and deleted when it closes.

    A change of the theme polishes every widget there is, seen or not, and hundreds of closed ones would make it last.

    Args:
        find_room: returns where they may lie, in their parent's coordinates.

    Attributes:
        opened: the sheet that is open, also while its page is out of sight; None while all are closed.
    """

    def __init__(self, find_room: Callable[[], QRect]) -> None:
        self._find_room = find_room
        self.opened: Sheet | None = None
        self._make: Callable[[], Sheet] | None = None

    def has_opened(self, make: Callable[[], Sheet]) -> bool:
        """Whether the sheet that ``make`` makes is open."""
        return self.opened is not None and make == self._make

    def toggle(self, make: Callable[[], Sheet]) -> None:
        """Show the sheet that ``make`` makes instead of any other, or close it if it is the one that is open."""
        again = self.has_opened(make)
        self.close()
        if not again:
            self._make, self.opened = make, make()
            self.opened.lie_over(self._find_room)
            self.opened.closed.connect(self._delete)
            self.opened.show()

    def close(self) -> bool:
        """Close the one that is open; return whether one was."""
        if self.opened is None:
            return False
        self.opened.hide()
        self._delete()  # a sheet whose page is out of sight does not notice that it was hidden
        return True

    def _delete(self) -> None:
        if self.opened is not None:
            self.opened.deleteLater()
            self.opened = None
