"""Asks for a file or a folder; the window stays usable meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QFileDialog, QWidget

VIDEOS = "*.mp4 *.mov *.mkv *.avi *.webm *.m4v"
PICTURES = "*.jpg *.jpeg *.png *.webp *.bmp"


def ask_for_file(parent: QWidget, chosen: Callable[[str], None]) -> None:
    """Show the system's file dialog and call ``chosen`` with the path, unless it is cancelled."""
    dialog = QFileDialog(parent, "Open a video or a picture", str(Path.home()))
    dialog.setNameFilters([f"Videos and pictures ({VIDEOS} {PICTURES})", "All files (*)"])
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
