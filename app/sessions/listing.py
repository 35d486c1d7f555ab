"""Lists the sessions in a folder by reading only their metadata."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from app.sessions.form import METADATA, THUMBNAIL, SessionError, SessionState
from app.sessions.metadata import SessionMetadata, read_metadata


@dataclass(frozen=True, slots=True)
class SessionEntry:
    """One line of the list.

    Attributes:
        folder: the session.
        name: of its folder.
        started: when, in local time.
        seconds: playing time; None if the recording was cut off.
        source: name of the camera or file.
        state: "complete" or "recovered".
        privacy: it holds no pictures.
        thumbnail: a small picture of its first frame; None if there is none.
        error: why it cannot be opened, "" if it can.
    """

    folder: Path
    name: str
    started: datetime
    seconds: float | None
    source: str
    state: SessionState
    privacy: bool = False
    thumbnail: Path | None = None
    error: str = ""


def list_sessions(folder: Path) -> list[SessionEntry]:
    """Return the sessions in ``folder``, the newest first; a folder that is not there has none.

    Damaged ones are listed with the reason. Reads one small file for each.
    """
    try:
        found = [path.parent for path in folder.glob(f"*/{METADATA}")]
    except OSError:
        return []
    return sorted(map(_entry, found), key=lambda entry: (entry.started, entry.name), reverse=True)


def _entry(folder: Path) -> SessionEntry:
    try:
        facts = read_metadata(folder)
    except SessionError as error:
        return SessionEntry(folder, folder.name, _modified(folder), None, "", SessionState.RECOVERED, error=str(error))
    complete = facts.state == SessionState.COMPLETE
    thumbnail = folder / THUMBNAIL
    return SessionEntry(
        folder,
        folder.name,
        _started(facts, folder),
        facts.seconds if facts.ended is not None else None,
        facts.source.name,
        SessionState.COMPLETE if complete else SessionState.RECOVERED,
        facts.privacy,
        thumbnail if thumbnail.is_file() else None,
    )


def _started(facts: SessionMetadata, folder: Path) -> datetime:
    try:
        return datetime.fromisoformat(facts.started).astimezone()
    except (ValueError, OverflowError, OSError):  # no date, or one that this system's calendar does not reach
        return _modified(folder)


def _modified(folder: Path) -> datetime:
    try:
        return datetime.fromtimestamp((folder / METADATA).stat().st_mtime, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return datetime.fromtimestamp(0, UTC).astimezone()
