"""Buttons that Tab reaches, and that Space and Return press."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, Qt
from PySide6.QtGui import QKeyEvent
from PySide6.QtWidgets import QPushButton

PRESSING = (Qt.Key.Key_Space, Qt.Key.Key_Return, Qt.Key.Key_Enter)


class PageButton(QPushButton):
    """A push button that keeps the keys which press it from the window's shortcuts; a click leaves the keyboard.

    Args:
        text: on it.
        tooltip: one sentence.
        doing: called when it is pressed, if given.
    """

    def __init__(self, text: str, tooltip: str = "", doing: Callable[[], object] | None = None) -> None:
        super().__init__(text)
        self.setToolTip(tooltip)
        self.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        if doing is not None:
            self.clicked.connect(lambda _checked=False: doing())

    def event(self, event: QEvent) -> bool:
        """Take Space and Return while the keyboard is here."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent) and event.key() in PRESSING:
            event.accept()
            return True
        return super().event(event)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Press it, or open its menu."""
        if event.key() not in PRESSING:
            super().keyPressEvent(event)
        elif self.menu() is not None:
            self.showMenu()
        elif not event.isAutoRepeat():
            self.click()
