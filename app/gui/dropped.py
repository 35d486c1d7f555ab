"""What a person drags onto the window."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from PySide6.QtCore import QMimeData

from app.sessions.form import is_session

STREAMS = ("http", "https", "rtsp", "rtmp", "srt", "udp")


class DroppedKind(StrEnum):
    """What can be done with it."""

    SESSION = "session"
    SESSIONS = "sessions"
    SOURCE = "source"


def dropped_names(data: QMimeData) -> list[str]:
    """Return the paths of files and folders and the addresses of streams that are dragged."""
    return [
        url.toLocalFile() if url.isLocalFile() else url.toString()
        for url in data.urls()
        if url.isLocalFile() or url.scheme() in STREAMS
    ]


def kind_of(name: str) -> DroppedKind:
    """Tell a recorded session, and a folder of some, from what can be played; reads the disk."""
    path = Path(name)
    try:
        if is_session(path):
            return DroppedKind.SESSION
        if path.is_dir() and any(is_session(inside) for inside in path.iterdir()):
            return DroppedKind.SESSIONS
    except OSError:
        pass  # opening it will say what is wrong
    return DroppedKind.SOURCE
