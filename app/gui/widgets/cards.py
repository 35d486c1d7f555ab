"""Cards of the panels, and the labels in them."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QLabel, QVBoxLayout, QWidget


def label(name: str, text: str = "") -> QLabel:
    """Return a label of plain text with a name that the style sheet knows."""
    made = QLabel(text)
    made.setObjectName(name)
    made.setTextFormat(Qt.TextFormat.PlainText)
    return made


def show_text(label: QLabel, text: str) -> None:
    """Show ``text`` on a label; one that shows it already is left alone."""
    if label.text() != text:
        label.setText(text)


def card(heading: str, *widgets: QWidget) -> QFrame:
    """Return a card with widgets below each other, under a heading where there is one."""
    made = QFrame()
    made.setObjectName("card")
    layout = QVBoxLayout(made)
    layout.setContentsMargins(14, 12, 14, 12)
    layout.setSpacing(9)
    if heading:
        layout.addWidget(label("heading", heading))
    for widget in widgets:
        layout.addWidget(widget)
    return made
