"""Beside a session's picture: its takes, figures of the chosen part, replays and clips."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QRectF, QSize, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import (
    QFrame,
    QGridLayout,
    QLabel,
    QMenu,
    QProgressBar,
    QScrollArea,
    QSizePolicy,
    QWidget,
)

from app.gui.presenters.options import Option
from app.gui.theme import theme
from app.gui.viewer.presenters.jobs import BASELINES, CLIPS, WAYS
from app.gui.viewer.presenters.readouts import RegionSeries, TableRow, TakeRow, ViewerFacts
from app.gui.viewer.views.timeline import LEGEND, take_colour
from app.gui.widgets.charts import Series, draw_bars
from app.gui.widgets.controls import card, label, menu_text, show_text
from app.gui.widgets.drawing import AT_RIGHT, smooth_painter
from app.gui.widgets.layouts import in_column, in_row
from app.gui.widgets.page_button import PageButton
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
        cell = self._labels.get(place)
        if cell is None:
            cell = self._labels[place] = label(kind)
            if place[1]:
                cell.setFixedWidth(COLUMN_WIDTH)
                cell.setAlignment(AT_RIGHT)
            if kind == "value":
                cell.setFont(theme.figures(12))
            self._grid.addWidget(cell, *place)
        shown = cell.fontMetrics().elidedText(text, Qt.TextElideMode.ElideMiddle, COLUMN_WIDTH) if place[1] else text
        show_text(cell, shown)
        cell.setVisible(bool(shown))  # an empty column takes no room
        cell.setToolTip(tooltip)


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
        painter = smooth_painter(self)
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


WIDTH = 350


class TakeList(QWidget):
    """The takes of a session, one of them shown, another one compared with it if wanted.

    Signals:
        shown: name of the take to show.
        compared: name of the take to compare with.
    """

    shown = Signal(str)
    compared = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._rows: tuple[TakeRow, ...] = ()
        self.buttons: dict[tuple[str, bool], PageButton] = {}
        """By the take's name, and whether the button compares with it."""
        self._layout = in_column(on=self, spacing=4)

    def show_rows(self, rows: tuple[TakeRow, ...]) -> None:
        """Show the list, rebuilt only where it changed."""
        if rows == self._rows:
            return
        self._rows = rows
        focused = next((which for which, button in self.buttons.items() if button.hasFocus()), None)
        self.buttons.clear()
        while (item := self._layout.takeAt(0)) is not None:
            widget = item.widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        for row in rows:
            self._layout.addWidget(self._line(row))
        if focused in self.buttons:
            self.buttons[focused].setFocus()

    def _line(self, row: TakeRow) -> QWidget:
        line = QWidget()
        take = PageButton(menu_text(row.title), f"Show {row.title} as points", lambda: self.shown.emit(row.name))
        take.setStyleSheet("text-align: left;")
        take.setCheckable(True)
        take.setChecked(row.first)
        take.clicked.connect(lambda _checked=False: take.setChecked(row.first))  # a click alone changes nothing
        self.buttons[row.name, False] = take
        layout = in_row((take, 1), on=line, spacing=6)
        if not row.first:
            baseline = PageButton(
                "Compared" if row.second else "Compare",
                "Show it as rings beside the other",
                lambda: self.compared.emit(row.name),
            )
            baseline.setObjectName("offer")
            baseline.setCheckable(True)
            baseline.setChecked(row.second)
            self.buttons[row.name, True] = baseline
            layout.addWidget(baseline)
        return line


class Choice(PageButton):
    """A button that shows which of several options is chosen and opens their menu."""

    def __init__(self, name: str, options: Sequence[Option]) -> None:
        super().__init__("")
        self.chosen = options[0].name
        self.setAccessibleName(name)
        self.setStyleSheet("text-align: left;")
        self._options = {option.name: option for option in options}
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for option in options:
            entry = menu.addAction(option.label)
            entry.setToolTip(option.tooltip)
            entry.triggered.connect(lambda _checked=False, name=option.name: self.choose(name))
        self.setMenu(menu)
        self.choose(self.chosen)

    def choose(self, name: str) -> None:
        """Choose an option."""
        self.chosen = name
        # Qt gives a button with a menu no padding on the left.
        self.setText(f"   {self.accessibleName()}: {self._options[name].label}   \u25be")
        self.setToolTip(self._options[name].tooltip)


class ViewerPanel(QScrollArea):
    """Everything beside the picture.

    Signals:
        shown: name of a take to show.
        compared: name of a take to compare with.
        other_session: folder of a session to compare with; None leaves that.
        begin_part: the part begins at the playhead.
        end_part: it ends there.
        whole: the whole session.
        replay_asked: how, and beside what.
        export_asked: as what.
        cancel_asked: stop what is being made.
    """

    shown = Signal(str)
    compared = Signal(str)
    other_session = Signal(object)
    begin_part = Signal()
    end_part = Signal()
    whole = Signal()
    replay_asked = Signal(str, str)
    export_asked = Signal(str)
    cancel_asked = Signal()

    def __init__(self, other_sessions: Callable[[], Sequence[tuple[str, Path]]]) -> None:
        super().__init__()
        self._other_sessions = other_sessions
        self.setFixedWidth(WIDTH)
        self.setWidgetResizable(True)
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.takes = TakeList()
        self.takes.shown.connect(self.shown)
        self.takes.compared.connect(self.compared)
        self.others = PageButton("Another session\u2026   \u25be", "Set the figures beside those of another session")
        self._menu = QMenu(self)
        self._menu.aboutToShow.connect(self._fill_menu)
        self.others.setMenu(self._menu)
        self._part = label("name")
        self._part.setToolTip(LEGEND)
        self._table = FigureTable()
        self._verdict = label("verdict")
        self._verdict.setWordWrap(True)
        self._bars = TakeBars()
        self.begin_button = PageButton("[  From here", "The part begins at the playhead ([)", self.begin_part.emit)
        self.end_button = PageButton("To here  ]", "The part ends at the playhead (])", self.end_part.emit)
        self.whole_button = PageButton("All", "The whole session", self.whole.emit)
        for each in (self.begin_button, self.end_button, self.whole_button):
            each.setObjectName("offer")
        self.way, self.baseline = Choice("Track", WAYS), Choice("Beside", BASELINES)
        self.start = PageButton("Replay", "Track the recorded pictures again", self._replay)
        self._progress = QProgressBar()
        self._progress.setTextVisible(False)
        self._progress.setFixedHeight(8)
        self._progress.setAccessibleName("Progress")
        self._doing = label("name")
        self.cancel = PageButton("Cancel", "Stop it; nothing is kept", self.cancel_asked.emit)
        self.export = PageButton("Export clip\u2026   \u25be", "Write the chosen part beside the session")
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        for option in CLIPS:
            entry = menu.addAction(option.label)
            entry.setToolTip(option.tooltip)
            entry.triggered.connect(lambda _checked=False, name=option.name: self.export_asked.emit(name))
        self.export.setMenu(menu)
        self._work = _column(self._doing, self._progress, self.cancel)
        self._work.hide()
        self._form = _column(self.way, self.baseline, self.start)
        self._lay_out()

    def show_view(self, view: ViewerFacts) -> None:
        """Update everything."""
        self.takes.show_rows(view.takes)
        show_text(self._part, view.part_text)
        self._table.show_table(view.columns, view.table)
        show_text(self._verdict, view.verdict)
        self._verdict.setVisible(bool(view.verdict))
        self._bars.show_bars(view.bars)
        self._bars.setVisible(bool(view.bars))
        self.whole_button.setEnabled(view.part is not None)
        self._show_work(view)
        self.export.setEnabled(view.job is None and bool(view.table))
        if view.job is not None:
            show_text(self._doing, f"{view.job.label}: {view.job.progress:.0%}")
            self._progress.setValue(round(100 * view.job.progress))

    def _show_work(self, view: ViewerFacts) -> None:
        """Show what is being made, or the form for a replay; the keyboard goes from one to the other."""
        shown, hidden, button = self._form, self._work, self.start
        if view.job is not None:
            shown, hidden, button = self._work, self._form, self.cancel
        focused = self.window().focusWidget()
        follows = focused is not None and hidden.isAncestorOf(focused)
        self.start.setEnabled(view.can_replay)
        hidden.hide()
        shown.show()
        if follows:
            button.setFocus()

    def _lay_out(self) -> None:
        part = QWidget()
        self.export.setObjectName("offer")
        in_row((self.begin_button, 1), (self.end_button, 1), self.whole_button, on=part, spacing=6)
        panel = QWidget()
        panel.setObjectName("panel")
        cards = (
            card("TAKES", self.takes, self.others),
            card("FLICKER", self._part, self._table, self._verdict, self._bars, part, self.export),
            card("REPLAY", self._form, self._work),
        )
        in_column(*cards, None, on=panel, margins=(6, 4, 14, 14), spacing=10)
        self.setWidget(panel)

    def _replay(self) -> None:
        self.replay_asked.emit(self.way.chosen, self.baseline.chosen)

    def _fill_menu(self) -> None:
        self._menu.clear()
        sessions = self._other_sessions()
        for name, folder in sessions:
            entry = self._menu.addAction(menu_text(name))
            entry.triggered.connect(lambda _checked=False, folder=folder: self.other_session.emit(folder))
        if not sessions:
            self._menu.addAction("There are no others in this folder").setEnabled(False)
        self._menu.addSeparator()
        none = self._menu.addAction("This session alone")
        none.triggered.connect(lambda _checked=False: self.other_session.emit(None))


def _column(*widgets: QWidget) -> QWidget:
    column = QWidget()
    in_column(*widgets, on=column, spacing=6)
    return column
