"""Fills the menu of sources, with a menu beside it for the resolution and for several screens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QMenu

from app.gui.live.presenters.chooser import Ask, Choice
from app.sources.spec import SourceSpec


def fill_source_menu(menu: QMenu, choices: Sequence[Choice], chosen: Callable[[SourceSpec | Ask], object]) -> None:
    """Replace the entries of ``menu``; ``chosen`` is called with ``Choice.opens`` of the one a person takes."""
    for beside in menu.findChildren(QMenu, options=Qt.FindChildOption.FindDirectChildrenOnly):
        beside.deleteLater()  # clear() alone would keep it for as long as the window lives
    menu.clear()
    for choice in choices:
        if choice.begins_group:
            menu.addSeparator()
        if choice.children:
            fill_source_menu(menu.addMenu(choice.label), choice.children, chosen)
            continue
        entry = menu.addAction(choice.label)
        entry.setEnabled(choice.opens is not None)
        entry.setCheckable(choice.checked)
        entry.setChecked(choice.checked)
        entry.triggered.connect(lambda _checked=False, opens=choice.opens: chosen(opens))
