"""Building blocks of panels and sheets: cards, labels, buttons, and one choice out of a few."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QLabel, QPushButton, QWidget

from app.gui.presenters.options import Option
from app.gui.theme import theme
from app.gui.widgets.layouts import in_column, in_row
from app.gui.widgets.segments import Segments


def label(name: str, text: str = "") -> QLabel:
    """Return a label of plain text with a name that the style sheet knows."""
    made = QLabel(text)
    made.setObjectName(name)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made


def show_text(target: QLabel | QPushButton, text: str) -> None:
    """Show ``text`` on a label or a button; one that shows it already is left alone."""
    if target.text() != text:
        target.setText(text)


def rename(widget: QWidget, name: str) -> None:
    """Give a widget another name, and the look that the style sheet has for it."""
    if widget.objectName() != name:
        widget.setObjectName(name)
        theme.polish(widget)


def menu_text(text: str) -> str:
    """Return ``text`` as an entry of a menu, where Qt would take an & for the mark of a key."""
    return text.replace("&", "&&")


def card(heading: str, *widgets: QWidget) -> QFrame:
    """Return a card with widgets below each other, under a heading where there is one."""
    made = QFrame()
    made.setObjectName("card")
    parts = (label("heading", heading), *widgets) if heading else widgets
    in_column(*parts, on=made, margins=(14, 12, 14, 12), spacing=9)
    return made


class ChoiceRow(QWidget):
    """A name with one choice out of a few beside it.

    Signals:
        changed: the user chose; carries the option's name.
    """

    changed = Signal(str)

    def __init__(self, name: str, options: Sequence[Option]) -> None:
        super().__init__()
        self.segments = Segments(name)
        self.segments.chosen.connect(self.changed)
        self._options = tuple(options)
        in_row((QLabel(name), 1), self.segments, on=self, spacing=12)

    def show_choice(self, name: str) -> None:
        """Show what is in force."""
        self.segments.show_options(self._options, name)


def small_label(text: str = "", name: str = "small") -> QLabel:
    """Return a line of small print that breaks where it has to."""
    made = label(name, text)
    made.setWordWrap(True)
    return made


def heading(text: str) -> QLabel:
    """Return a heading between groups of controls."""
    return label("heading", text.upper())


def push_button(text: str, name: str = "offer") -> QPushButton:
    """Return a button that Return presses, too."""
    button = QPushButton(text)
    button.setObjectName(name)
    button.setAutoDefault(True)
    return button
