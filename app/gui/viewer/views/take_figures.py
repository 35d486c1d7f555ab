"""Figures of one or two takes: a small table and bars by region."""

from __future__ import annotations

import math
from collections.abc import Sequence

from PySide6.QtCore import QRectF, QSize, Qt
from PySide6.QtGui import QPainter, QPaintEvent
from PySide6.QtWidgets import QGridLayout, QLabel, QSizePolicy, QWidget

from app.gui.theme import theme
from app.gui.viewer.presenters.readouts import RegionSeries, TableRow
from app.gui.viewer.views.timeline import take_colour
from app.gui.widgets.region_bars import Series, draw_bars
from model.topology import REGIONS

COLUMN_WIDTH = 92
LINE_HEIGHT = 32


class FigureTable(QWidget):
    """Names on the left and a column for each take; labels are made once and only changed ones are touched."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setVerticalSpacing(5)
        self._grid.setColumnStretch(0, 1)
        self._labels: dict[tuple[int, int], QLabel] = {}

    def show_table(self, columns: Sequence[str], rows: Sequence[TableRow]) -> None:
        """Show the rows under the columns' names."""
        cells = {(0, column + 1): (name, name, "dim") for column, name in enumerate(columns[:2])}
        for line, row in enumerate(rows, start=1):
            for column, text in enumerate((row.name, row.first, row.second)):
                cells[line, column] = (text, row.tooltip, "name" if column == 0 else "value")
        for place in self._labels.keys() | cells.keys():
            text, tooltip, kind = cells.get(place, ("", "", "name"))
            self._show(place, text, tooltip, kind)

    def _show(self, place: tuple[int, int], text: str, tooltip: str, kind: str) -> None:
        label = self._labels.get(place)
        if label is None:
            label = self._labels[place] = QLabel()
            label.setObjectName(kind)
            label.setTextFormat(Qt.TextFormat.PlainText)
            if place[1]:
                label.setFixedWidth(COLUMN_WIDTH)
                label.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            if kind == "value":
                label.setFont(theme.figures(12))
            self._grid.addWidget(label, *place)
        shown = label.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, COLUMN_WIDTH) if place[1] else text
        if label.text() != shown:
            label.setText(shown)
        label.setVisible(bool(shown))  # an empty column takes no room
        label.setToolTip(tooltip)


class TakeBars(QWidget):
    """Flicker by region of one or two takes."""

    def __init__(self) -> None:
        super().__init__()
        self._bars: tuple[RegionSeries, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setToolTip("Flicker by region over the chosen part, in % of the distance between the eyes")
        self.setAccessibleName("Flicker by region")

    def sizeHint(self) -> QSize:
        """A line for each region."""
        return QSize(280, LINE_HEIGHT * len(REGIONS))

    def show_bars(self, bars: tuple[RegionSeries, ...]) -> None:
        """Show the takes' regions."""
        if bars != self._bars:
            self._bars = bars
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint every region's bars."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme.palette()
        modes = [one.mode for one in self._bars]
        series = [
            Series(
                one.title,
                take_colour(one.mode, one.second, modes, colours),
                tuple(value if math.isfinite(value) else 0.0 for value in one.regions),
            )
            for one in self._bars
        ]
        if series:
            draw_bars(painter, QRectF(self.rect()), series, colours)
