"""The lines of the performance card."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QLabel, QWidget

from app.gui.presenters.readouts import Row
from app.gui.theme import theme
from app.gui.widgets.controls import label, show_text

VALUE_WIDTH = 186


class RowTable(QWidget):
    """Names on the left, values on the right; long values end in an ellipsis and live on in the tooltip.

    Args:
        value_width: room for a value, in pixels.
    """

    def __init__(self, value_width: int = VALUE_WIDTH) -> None:
        super().__init__()
        self._value_width = value_width
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(5)
        self._grid.setColumnStretch(1, 1)
        self._labels: dict[str, tuple[QLabel, QLabel]] = {}
        self._shown: tuple[Row, ...] = ()

    def show_rows(self, rows: Sequence[Row]) -> None:
        """Show the lines; labels are made once and only changed ones are touched."""
        if tuple(rows) == self._shown:
            return
        self._shown = tuple(rows)
        for row in rows:
            name, value = self._labels.get(row.name) or self._add(row)
            text = value.fontMetrics().elidedText(row.value, Qt.TextElideMode.ElideRight, self._value_width)
            show_text(value, text)
            tooltip = row.tooltip if text == row.value else f"{row.value}\n{row.tooltip}"
            if value.toolTip() != tooltip:
                name.setToolTip(tooltip)
                value.setToolTip(tooltip)

    def _add(self, row: Row) -> tuple[QLabel, QLabel]:
        line = len(self._labels)
        name, value = label("name", row.name), label("value")
        value.setFont(theme.figures(12))
        value.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._grid.addWidget(name, line, 0)
        self._grid.addWidget(value, line, 1)
        self._labels[row.name] = name, value
        return name, value
