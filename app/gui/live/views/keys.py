"""The list of keys."""

from __future__ import annotations

from PySide6.QtCore import QRect, QRectF, QSize, Qt
from PySide6.QtGui import QColor, QFont, QFontMetrics, QPaintEvent
from PySide6.QtWidgets import QSizePolicy, QWidget

from app.gui.live.presenters.key_list import KeyGroup, columns, key_groups, shown_key
from app.gui.theme import theme
from app.gui.widgets.controls import heading
from app.gui.widgets.drawing import AT_LEFT, draw_plate, smooth_painter
from app.gui.widgets.layouts import in_column, in_row
from app.gui.widgets.sheet import MARGIN, Sheet

COLUMN_WIDTH = 480
WIDTH = 2 * COLUMN_WIDTH + 60
LEAST_WIDTH = 720
"""Two columns need so much; their sentences then take two lines."""

KEY_WIDTH, KEY_PIXELS, KEY_PADDING, KEY_RADIUS = 62, 11, 6, 4
KEY_GAP, LINE_GAP = 12, 5
_WORDS = AT_LEFT | Qt.TextFlag.TextWordWrap


class KeyList(Sheet):
    """Every action with its key, in two columns where there is room for them."""

    own_keys = frozenset({Qt.Key.Key_Escape, Qt.Key.Key_Up, Qt.Key.Key_Down, Qt.Key.Key_PageUp, Qt.Key.Key_PageDown})

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent, "Keys", WIDTH)
        self._groups = key_groups()
        self._shown = 0
        self._table: QWidget | None = None
        self._deal(2)

    def first_control(self) -> QWidget:
        """Return the list itself, to be scrolled."""
        return self

    def fit(self) -> None:
        """Use one column in a narrow window."""
        self._deal(2 if self.room().width() - 2 * MARGIN >= LEAST_WIDTH else 1)
        super().fit()

    def _deal(self, count: int) -> None:
        if count == self._shown:
            return
        self._shown = count
        if self._table is not None:
            self.body.removeWidget(self._table)
            self._table.deleteLater()
        self._table = QWidget()
        row = in_row(on=self._table, spacing=36)
        for column in columns(self._groups, count):
            parts = [part for group in column for part in (heading(group.name), _Lines(group), 12)]
            row.addLayout(in_column(*parts, None, spacing=4), 1)
        self.body.addWidget(self._table)
        self._table.show()  # now, so that it counts when the card is fitted


class _Lines(QWidget):
    """The keys of a group, each with what it does.

    It paints them all: with two labels for each, the list would have a hundred widgets to make, and to restyle when the
    theme changes.
    """

    def __init__(self, group: KeyGroup) -> None:
        super().__init__()
        self._lines = tuple((shown_key(action.key), action.help) for action in group.actions)
        self._boxes: dict[tuple[int, str], tuple[tuple[int, int], ...]] = {}
        """By a width that a layout asked about, as it does again and again, and the font: where each sentence begins,
        and how high its line is."""
        self.setAccessibleName(group.name)
        self.setAccessibleDescription("\n".join(f"{key}: {words}" for key, words in self._lines))
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        """Return the size at which a sentence takes about one line."""
        return QSize(COLUMN_WIDTH, self.heightForWidth(COLUMN_WIDTH))

    def minimumSizeHint(self) -> QSize:
        """Return the size at which every sentence is broken a few times."""
        return QSize(LEAST_WIDTH // 3, 0)

    def heightForWidth(self, width: int) -> int:
        """Return the height of all lines."""
        return sum(height for _, height in self._laid_out(width)) + LINE_GAP * (len(self._lines) - 1)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint each key as a chip beside its sentence."""
        colours, chip = theme.palette(), self._chip()
        font, small = self.font(), self._key_font()
        painter = smooth_painter(self)
        top = 0
        for (key, words), (left, height) in zip(self._lines, self._laid_out(self.width()), strict=True):
            box = QRect(0, top, left - KEY_GAP, chip.height())
            draw_plate(painter, QRectF(box), QColor(colours.raised), KEY_RADIUS)
            painter.setFont(small)
            painter.setPen(QColor(colours.dim))
            painter.drawText(box, Qt.AlignmentFlag.AlignCenter, key)
            painter.setFont(font)
            painter.setPen(QColor(colours.text))
            painter.drawText(QRect(left, top, self.width() - left, height), _WORDS, words)
            top += height + LINE_GAP

    def _key_font(self) -> QFont:
        font = QFont(self.font())
        font.setPixelSize(KEY_PIXELS)
        return font

    def _chip(self) -> QSize:
        """Return the size of the widest key."""
        metrics = QFontMetrics(self._key_font())
        widest = max(metrics.horizontalAdvance(key) for key, _ in self._lines)
        return QSize(max(KEY_WIDTH, widest + 2 * KEY_PADDING), metrics.height() + 2)

    def _laid_out(self, width: int) -> tuple[tuple[int, int], ...]:
        asked = width, self.font().key()
        if asked not in self._boxes:
            chip, metrics = self._chip(), self.fontMetrics()
            left = chip.width() + KEY_GAP
            room = QRect(0, 0, max(1, width - left), 10_000)
            heights = (metrics.boundingRect(room, _WORDS, words).height() for _, words in self._lines)
            self._boxes[asked] = tuple((left, max(chip.height(), height)) for height in heights)
        return self._boxes[asked]
