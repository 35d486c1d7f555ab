"""Keeps the second click of a double click from the page that the first one opened."""

from __future__ import annotations

from collections import deque

from PySide6.QtCore import QEvent, QObject
from PySide6.QtWidgets import QStackedWidget, QWidget


class PageClicks(QObject):
    """Drops a double click on another page than the first press was on, where it would press whatever lies there.

    To be installed as an event filter of the window's handle, which sees few events beside those of the mouse.

    Args:
        pages: the window's pages.
    """

    def __init__(self, pages: QStackedWidget) -> None:
        super().__init__(pages)
        self._pages = pages
        self._pressed: deque[QWidget | None] = deque(maxlen=2)
        """The pages of the last presses. A double click follows a second press, of which widgets are not told."""

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Note a press; drop a second one that is meant for another page."""
        if event.type() == QEvent.Type.MouseButtonPress:
            self._pressed.append(self._pages.currentWidget())
        elif event.type() == QEvent.Type.MouseButtonDblClick and self._pressed:
            return self._pages.currentWidget() is not self._pressed[0]
        return False
