"""Watches for the key or click that ends the first look."""

from __future__ import annotations

from PySide6.QtCore import QEvent, QObject, Signal
from PySide6.QtWidgets import QApplication, QWidget

_PRESSES = (QEvent.Type.KeyPress, QEvent.Type.MouseButtonPress, QEvent.Type.TouchBegin)


class FirstPress(QObject):
    """Reports presses anywhere in a window, before they do what they mean. Shortcuts do not pass here.

    Args:
        window: whose presses count.
        spared: a part of it whose presses do not.

    Signals:
        pressed: for every press.
    """

    pressed = Signal()

    def __init__(self, window: QWidget, spared: QWidget) -> None:
        super().__init__(window)
        self._window = window
        self._spared = spared

    def watch(self, watching: bool) -> None:
        """Begin to watch, or stop."""
        application = QApplication.instance()
        if application is not None:
            application.removeEventFilter(self)
            if watching:
                application.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Report the press, and let it pass."""
        if event.type() in _PRESSES and isinstance(watched, QWidget) and self._counts(watched):
            self.pressed.emit()
        return False

    def _counts(self, widget: QWidget) -> bool:
        spared = widget is self._spared or self._spared.isAncestorOf(widget)
        return widget.window() is self._window and not spared
