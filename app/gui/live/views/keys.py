"""The list of keys."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QVBoxLayout, QWidget

from app.gui.live.presenters.key_list import KeyGroup, columns, key_groups, shown_key
from app.gui.widgets.controls import heading
from app.gui.widgets.sheet import MARGIN, Sheet

COLUMN_WIDTH = 480
WIDTH = 2 * COLUMN_WIDTH + 60
LEAST_WIDTH = 720
"""Two columns need so much; their sentences then take two lines."""


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
        self._deal(2 if self._ground.width() - 2 * MARGIN >= LEAST_WIDTH else 1)
        super().fit()

    def _deal(self, count: int) -> None:
        if count == self._shown:
            return
        self._shown = count
        if self._table is not None:
            self.body.removeWidget(self._table)
            self._table.deleteLater()
        self._table = QWidget()
        row = QHBoxLayout(self._table)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(36)
        for column in columns(self._groups, count):
            stack = QVBoxLayout()
            stack.setSpacing(4)
            for group in column:
                stack.addWidget(heading(group.name))
                stack.addLayout(_lines(group))
                stack.addSpacing(12)
            stack.addStretch(1)
            row.addLayout(stack, 1)
        self.body.addWidget(self._table)


def _lines(group: KeyGroup) -> QGridLayout:
    grid = QGridLayout()
    grid.setHorizontalSpacing(12)
    grid.setVerticalSpacing(5)
    grid.setColumnMinimumWidth(0, 62)
    grid.setColumnStretch(1, 1)
    for line, action in enumerate(group.actions):
        key = QLabel(shown_key(action.key))
        key.setObjectName("key")
        key.setAlignment(Qt.AlignmentFlag.AlignCenter)
        words = QLabel(action.help)
        words.setWordWrap(True)
        grid.addWidget(key, line, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(words, line, 1)
    return grid
