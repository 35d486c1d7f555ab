"""What a person drags onto the window."""

from __future__ import annotations

from enum import StrEnum

from PySide6.QtCore import QMimeData, QUrl

from app.sessions.form import is_session
from app.sources.spec import PathSpec, StreamSpec

STREAMS = ("http", "https", "rtsp", "rtmp", "srt", "udp")


class DroppedKind(StrEnum):
    """What can be done with it."""

    SESSION = "session"
    SESSIONS = "sessions"
    SOURCE = "source"


def dropped_sources(data: QMimeData) -> list[PathSpec | StreamSpec]:
    """Return the files, folders and streams that are dragged."""
    return [
        # Encoded as it came: servers are asked for the address as it is written, and "%20" is not a space there.
        PathSpec(url.toLocalFile())
        if url.isLocalFile()
        else StreamSpec(url.toString(QUrl.ComponentFormattingOption.FullyEncoded))
        for url in data.urls()
        if url.isLocalFile() or url.scheme() in STREAMS
    ]


def kind_of(source: PathSpec | StreamSpec) -> DroppedKind:
    """Tell a recorded session, and a folder of some, from what can be played; reads the disk."""
    if isinstance(source, StreamSpec):
        return DroppedKind.SOURCE
    path = source.path
    try:
        if is_session(path):
            return DroppedKind.SESSION
        if path.is_dir() and any(is_session(inside) for inside in path.iterdir()):
            return DroppedKind.SESSIONS
    except OSError:
        pass  # opening it will say what is wrong
    return DroppedKind.SOURCE
