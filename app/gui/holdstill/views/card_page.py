"""The page with the report card: name it, save it, repeat the test, compare it with an earlier one."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QPointF, QSize, Qt, Signal
from PySide6.QtGui import QAccessible, QPainter, QPaintEvent, QPixmap, QShowEvent
from PySide6.QtWidgets import QLineEdit, QMenu, QSizePolicy, QVBoxLayout, QWidget

from app.gui.holdstill.presenters.hold_still import HoldStill, HoldStillStage, card_choices
from app.gui.holdstill.views.card_drawing import HEIGHT, WIDTH, draw_sheet
from app.gui.theme import theme
from app.gui.widgets.controls import menu_text, rename, small_label
from app.gui.widgets.layouts import in_column, in_row
from app.gui.widgets.page_button import PageButton
from app.gui.widgets.recording_sign import RecordingSign
from app.holdstill.text import CardSheet, Sheet, card_lines, comparison_lines

LONGEST_LABEL = 48


class CardView(QWidget):
    """A report card, as large as it fits; drawn once for a size and then copied."""

    def __init__(self) -> None:
        super().__init__()
        self._sheet: Sheet | None = None
        self._drawn: QPixmap | None = None
        self._drawn_as: tuple[int, int, float, str] | None = None
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Expanding)
        self.setMinimumSize(WIDTH // 4, HEIGHT // 4)
        self.setAccessibleName("Report card")

    def sizeHint(self) -> QSize:
        """The card as it is drawn."""
        return QSize(WIDTH, HEIGHT)

    def show_sheet(self, sheet: Sheet | None) -> None:
        """Show a card, or two compared; None clears the view."""
        if sheet is not self._sheet:
            self._sheet, self._drawn = sheet, None
            if QAccessible.isActive():
                self.setAccessibleDescription("\n".join(_lines(sheet)))
            self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Paint the card in the middle."""
        if self._sheet is None:
            return
        scale = min(self.width() / WIDTH, self.height() / HEIGHT)
        drawn = self._picture(self._sheet, scale)
        painter = QPainter(self)
        painter.drawPixmap(QPointF((self.width() - WIDTH * scale) / 2, (self.height() - HEIGHT * scale) / 2), drawn)

    def _picture(self, sheet: Sheet, scale: float) -> QPixmap:
        ratio = self.devicePixelRatioF()
        key = (round(WIDTH * scale * ratio), round(HEIGHT * scale * ratio), ratio, theme.palette().name)
        if self._drawn is None or key != self._drawn_as:
            self._drawn, self._drawn_as = QPixmap(max(1, key[0]), max(1, key[1])), key
            self._drawn.setDevicePixelRatio(ratio)
            painter = QPainter(self._drawn)
            painter.scale(scale, scale)
            draw_sheet(painter, sheet, theme.palette())
            painter.end()
        return self._drawn


def _lines(sheet: Sheet | None) -> list[str]:
    """Return what a screen reader says of a card, or of two compared."""
    if sheet is None:
        return []
    return card_lines(sheet.card) if isinstance(sheet, CardSheet) else comparison_lines(sheet.comparison)


class CardPage(QWidget):
    """The card with what can be done with it; a page among the window's pages.

    Args:
        test: whose card it is.

    Signals:
        repeat: measure again.
        show_folder: carries the folder in which the card lies.
        closed: back to the live picture.
    """

    repeat = Signal()
    show_folder = Signal(Path)
    closed = Signal()

    def __init__(self, test: HoldStill) -> None:
        super().__init__()
        self.setObjectName("ground")
        self.sign = RecordingSign(self.closed.emit)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self._test = test
        self.card = CardView()
        self.label = QLineEdit()
        self.label.setPlaceholderText("Name this card, for example: Ada, by the window")
        self.label.setMaxLength(LONGEST_LABEL)
        self.label.setAccessibleName("Name of the card")
        self.label.setMinimumWidth(80)
        self.label.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.label.returnPressed.connect(self._save)
        self.save = PageButton(
            "Save again", "Save the card again under this name; where two are compared, a picture of both", self._save
        )
        self.again = PageButton("Repeat", "Measure again", self.repeat.emit)
        self.compare = PageButton("Compare with\u2026", "Set this card against an earlier one")
        self.menu = QMenu(self)
        self.menu.aboutToShow.connect(self._fill_menu)
        self.compare.setMenu(self.menu)
        self.folder = PageButton("Show folder", "Show where the card was saved", self._show_folder)
        self.close_button = PageButton("Close", "Back to the live picture (Esc)", self.closed.emit)
        self.problem = small_label()
        buttons = (self.save, self.again, self.compare, self.folder, self.close_button)
        top = in_row((self.label, 1), *buttons, spacing=8)
        corner = QVBoxLayout(self.card)
        corner.addWidget(self.sign, 0, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
        in_column(top, self.problem, (self.card, 1), on=self, margins=(18, 14, 18, 14), spacing=10)
        self._shown: Sheet | None = None
        self.refresh()

    def showEvent(self, event: QShowEvent) -> None:
        """Take the keyboard focus; otherwise the name field would have it and swallow the window's shortcuts."""
        self.setFocus()

    def refresh(self) -> None:
        """Show what the test has to show; called whenever it changed."""
        view = self._test.view()
        if view.stage != HoldStillStage.DONE:
            return
        self.card.show_sheet(view.sheet)
        if isinstance(view.sheet, CardSheet) and view.sheet is not self._shown:
            self._shown = view.sheet
            if not self.label.hasFocus():
                self.label.setText(view.sheet.card.label)
        self.problem.setText(view.problem or view.note)
        rename(self.problem, "wrong" if view.problem else "small")
        self.compare.setEnabled(bool(view.others))
        self.folder.setEnabled(view.path is not None)

    def _save(self) -> None:
        self.label.clearFocus()
        self._test.save(self.label.text())

    def _show_folder(self) -> None:
        path = self._test.view().path
        if path is not None:
            self.show_folder.emit(path.parent)

    def _fill_menu(self) -> None:
        view = self._test.view()
        self.menu.clear()
        for label, path in card_choices(view.others):
            entry = self.menu.addAction(menu_text(label))
            entry.triggered.connect(lambda _checked=False, path=path: self._test.compare(path))
        if not isinstance(view.sheet, CardSheet):
            self.menu.addSeparator()
            self.menu.addAction("This card alone").triggered.connect(lambda _checked=False: self._test.compare(None))
