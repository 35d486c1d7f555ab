"""The list of keys."""

from __future__ import annotations

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFrame, QGridLayout, QLabel, QWidget

from app.gui.presenters.actions import ACTIONS


class KeyList(QFrame):
    """Every action with its key, over the picture."""

    def __init__(self, parent: QWidget) -> None:
        super().__init__(parent)
        self.setObjectName("keys")
        grid = QGridLayout(self)
        grid.setContentsMargins(24, 20, 28, 22)
        grid.setHorizontalSpacing(18)
        grid.setVerticalSpacing(9)
        title = QLabel("Keys")
        title.setObjectName("title")
        grid.addWidget(title, 0, 0, 1, 2)
        for line, action in enumerate(ACTIONS, start=1):
            key = QLabel(action.key)
            key.setObjectName("key")
            key.setAlignment(Qt.AlignmentFlag.AlignCenter)
            grid.addWidget(key, line, 0)
            grid.addWidget(QLabel(action.help), line, 1)
        self.hide()
