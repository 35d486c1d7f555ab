"""The tour: a card beside what it explains, and a ring around that. The window stays usable all the while."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from PySide6.QtCore import QPoint, QRect, QRectF, Qt, Signal
from PySide6.QtGui import QColor, QPaintEvent, QPen, QRegion
from PySide6.QtWidgets import QLabel, QWidget

from app.gui.live.presenters.tour import Box, Tour, TourTarget, card_place
from app.gui.theme import theme
from app.gui.widgets.controls import label, push_button
from app.gui.widgets.drawing import smooth_painter
from app.gui.widgets.layouts import fill, in_row
from app.gui.widgets.sheet import Sheet

WIDTH = 340
RING_GAP, RING_WIDTH, RING_RADIUS = 6, 3, 12


class TourCard(Sheet):
    """Shows the steps of :class:`Tour`.

    Args:
        parent: the window's central widget; the card may lie anywhere on it.
        targets: the widget that each step points at, by the step's target.
        find_message: returns where a message is shown that the card must not cover, in the parent's coordinates; an
            empty box where there is none.

    Signals:
        finished: the tour was finished or skipped; it need not be shown again.
    """

    finished = Signal()

    def __init__(
        self, parent: QWidget, targets: Mapping[TourTarget, QWidget], find_message: Callable[[], QRect] = QRect
    ) -> None:
        super().__init__(parent, "Tour", WIDTH)
        self.targets = targets
        self._find_message = find_message
        self._tour = Tour()
        self._beside = QRect(), QRect()
        self.ring = _Ring(parent)
        self._progress = label("step")
        self._text = QLabel()
        self._text.setWordWrap(True)
        self.skip = push_button("Skip", "quiet")
        self.go_on = push_button("Next")
        fill(self.body, self._text, in_row(self._progress, None, self.skip, self.go_on))
        self.skip.clicked.connect(self.hide)
        self.go_on.clicked.connect(self._next)
        self.closed.connect(self._end)

    def begin(self) -> None:
        """Show the first step."""
        self._tour.begin()
        self._show_step()
        self.show()
        self.raise_()

    def first_control(self) -> QWidget:
        """Return the button that continues."""
        return self.go_on

    def follow(self) -> None:
        """Stay beside the step's target and off the message, which may have moved, been hidden or shown again."""
        if self.isVisible() and (self._target_box(), self._find_message()) != self._beside:
            self.fit()

    def fit(self) -> None:
        """Place the card beside the step's target."""
        super().fit()
        self._beside = box, message = self._target_box(), self._find_message()
        if box.isEmpty():
            self.ring.hide()
            return
        ground = self._ground
        left, top = card_place(
            _as_box(box), (self.width(), self.height()), (ground.width(), ground.height()), _as_box(message)
        )
        self.move(left, top)
        self.ring.surround(box)
        self.raise_()

    def _target_box(self) -> QRect:
        """Return where the step's target is on the ground; an empty box if it is not to be seen."""
        step = self._tour.step
        target = self.targets.get(step.target) if step is not None else None
        if target is None or not target.isVisible():
            return QRect()
        return QRect(target.mapTo(self._ground, QPoint(0, 0)), target.size()).intersected(self._ground.rect())

    def _next(self) -> None:
        self._tour.go_on()
        if self._tour.step is None:
            self.hide()
        else:
            self._show_step()

    def _show_step(self) -> None:
        step = self._tour.step
        if step is not None:
            self._heading.setText(step.title)
            self.setAccessibleName(f"Tour: {step.title}")
            self.setAccessibleDescription(step.text)
            self._text.setText(step.text)
            self._progress.setText(self._tour.progress)
            self.go_on.setText(self._tour.next_label)
            self.skip.setVisible(not self._tour.last)
            self.fit()

    def _end(self) -> None:
        self._tour.skip()
        self.ring.hide()
        self.finished.emit()


class _Ring(QWidget):
    """A ring around a part of the window; clicks go through it."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
        self.hide()

    def surround(self, box: QRect) -> None:
        """Show the ring around ``box``."""
        self.setGeometry(box.adjusted(-RING_GAP, -RING_GAP, RING_GAP, RING_GAP))
        # Only the ring itself: what lies inside is not painted together with it.
        inner = self.rect().adjusted(RING_WIDTH + 2, RING_WIDTH + 2, -RING_WIDTH - 2, -RING_WIDTH - 2)
        self.setMask(QRegion(self.rect()) - QRegion(inner) + _corners(self.rect()))
        self.show()
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the ring."""
        painter = smooth_painter(self)
        painter.setPen(QPen(QColor(theme.palette().tones["info"]), RING_WIDTH))
        edge = RING_WIDTH / 2
        painter.drawRoundedRect(QRectF(self.rect()).adjusted(edge, edge, -edge, -edge), RING_RADIUS, RING_RADIUS)


def _as_box(box: QRect) -> Box:
    return box.x(), box.y(), box.width(), box.height()


def _corners(box: QRect) -> QRegion:
    """Return the squares in which the ring turns."""
    side = RING_RADIUS + RING_WIDTH
    lefts, tops = (box.left(), box.right() - side + 1), (box.top(), box.bottom() - side + 1)
    region = QRegion()
    for left in lefts:
        for top in tops:
            region += QRegion(left, top, side, side)
    return region
