"""Asks for a file or a folder; the window stays usable meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

from app.sources.spec import PICTURE_SUFFIXES, VIDEO_SUFFIXES

SUFFIXES = VIDEO_SUFFIXES | PICTURE_SUFFIXES | {".gif"}
"""Of what the dialog shows at first."""


def ask_for_file(parent: QWidget, start: Path, chosen: Callable[[str], None]) -> None:
    """Show the system's file dialog, ``start`` first, and call ``chosen`` with the path, unless it is cancelled."""
    dialog = QFileDialog(parent, "Open a video or a picture", str(start))
    dialog.setOption(QFileDialog.Option.HideNameFilterDetails)  # there are forty
    patterns = " ".join(f"*{suffix}" for suffix in sorted(SUFFIXES))
    dialog.setNameFilters([f"Videos and pictures ({patterns})", "All files (*)"])
    dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
    _show(dialog, chosen)


def ask_for_folder(parent: QWidget, title: str, start: str, chosen: Callable[[str], None]) -> None:
    """Show the system's dialog for folders, ``start`` first, and call ``chosen`` with the path, unless cancelled."""
    dialog = QFileDialog(parent, title, start)
    dialog.setFileMode(QFileDialog.FileMode.Directory)
    dialog.setOption(QFileDialog.Option.ShowDirsOnly)
    _show(dialog, chosen)


def _show(dialog: QFileDialog, chosen: Callable[[str], None]) -> None:
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
    dialog.setModal(False)
    dialog.fileSelected.connect(chosen)
    dialog.show()
