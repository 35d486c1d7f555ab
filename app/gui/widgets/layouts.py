"""Rows and columns of widgets, each laid out by one call."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtWidgets import QBoxLayout, QHBoxLayout, QLayout, QVBoxLayout, QWidget

Item = QWidget | QLayout | tuple[QWidget | QLayout, int] | int | None
"""A widget or a layout, in a pair with its stretch factor; a number is a fixed gap, None one that stretches."""

L = TypeVar("L", bound=QBoxLayout)


def in_row(
    *items: Item,
    on: QWidget | None = None,
    margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    spacing: int | None = None,
) -> QHBoxLayout:
    """Return a layout of items side by side.

    Args:
        items: from left to right.
        on: the widget that is laid out; None for a part of another layout.
        margins: left, top, right and bottom.
        spacing: between items; None for the style's own.
    """
    return _filled(QHBoxLayout() if on is None else QHBoxLayout(on), items, margins, spacing)


def in_column(
    *items: Item,
    on: QWidget | None = None,
    margins: tuple[int, int, int, int] = (0, 0, 0, 0),
    spacing: int | None = None,
) -> QVBoxLayout:
    """Return a layout of items below each other; arguments as for :func:`in_row`."""
    return _filled(QVBoxLayout() if on is None else QVBoxLayout(on), items, margins, spacing)


def fill(layout: QBoxLayout, *items: Item) -> None:
    """Add items to a layout."""
    for item in items:
        part, stretch = item if isinstance(item, tuple) else (item, 0)
        if isinstance(part, QWidget):
            layout.addWidget(part, stretch)
        elif isinstance(part, QLayout):
            layout.addLayout(part, stretch)
        elif part is None:
            layout.addStretch(1)
        else:
            layout.addSpacing(part)


def _filled(layout: L, items: tuple[Item, ...], margins: tuple[int, int, int, int], spacing: int | None) -> L:
    layout.setContentsMargins(*margins)
    if spacing is not None:
        layout.setSpacing(spacing)
    fill(layout, *items)
    return layout
