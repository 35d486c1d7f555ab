"""Figures for people as plain text: counted things, and tables that are the same in a terminal, a pipe and a file."""

from __future__ import annotations

import io
from collections.abc import Sequence

WIDEST = 10_000
"""Characters; a table is never wrapped, so that a line of it is always a row."""


def counted(number: int, thing: str) -> str:
    """Return "1 frame" or "2 frames"."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


def listed(names: Sequence[str]) -> str:
    """Return the first three of some names: "a, b, c, ..."."""
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1) -> str:
    """Return an aligned table without colours.

    Args:
        header: titles of the columns.
        rows: at most as many cells each.
        left: so many columns are aligned to the left, the others to the right.
    """
    from rich.box import Box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    blank = "    \n"
    plain = Box(blank * 2 + " -  \n" + blank * 5, ascii=True)
    made = Table(box=plain, show_edge=False, pad_edge=False, padding=(0, 1), collapse_padding=True, header_style="")
    for place, title in enumerate(header):
        made.add_column(Text(title), justify="left" if place < left else "right", no_wrap=True)
    for row in rows:
        made.add_row(*(Text(cell) for cell in row))
    stream = io.StringIO()
    Console(file=stream, width=WIDEST, color_system=None, legacy_windows=False).print(made)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())
