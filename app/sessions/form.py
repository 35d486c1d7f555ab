"""The format of a session folder: file names and version; ``docs/guide/session-format.md`` explains them."""

from __future__ import annotations

import reprlib
from enum import StrEnum
from pathlib import Path
from typing import Any

from app.core.errors import NameTaken, UserError
from app.core.files import check_new_folder, make_folder, write_json, writing
from model.files import is_file, sync_folder
from model.json_files import JsonError, read_json

SESSION_KIND = "ldeq-live session"
REPLAY_KIND = "ldeq-live replay"
VERSION = 1

METADATA = "session.json"
CLEAN_VIDEO = "video.mp4"
EXACT_VIDEO = "video.nut"
ANNOTATED_VIDEO = "annotated.mp4"
THUMBNAIL = "thumbnail.jpg"
LANDMARKS_CSV = "landmarks.csv"
LANDMARKS_PARQUET = "landmarks.parquet"
FRAMES = "frames.csv"
EVENTS = "events.jsonl"
REPLAYS = "replays"
REPLAY_METADATA = "replay.json"

RECORDED = "recorded"
"""Name of the take that was recorded live; replays have other names."""


class SessionState(StrEnum):
    """How far a recording came."""

    RECORDING = "recording"
    """It is being written, or was when the program was killed."""
    COMPLETE = "complete"
    """It was finished."""
    RECOVERED = "recovered"
    """It ended with an error, or is read back after a kill."""


class SessionError(UserError):
    """A session that cannot be read, replayed, compared or exported."""


def is_session(folder: Path) -> bool:
    """Return whether ``folder`` is a session."""
    return is_file(folder / METADATA)


def read_form(path: Path, kind: str) -> dict[str, Any]:
    """Read a JSON file of this format.

    Raises:
        SessionError: if it is missing, damaged, of another kind or of a newer version.
    """
    try:
        values = read_json(path)
    except FileNotFoundError as error:
        raise SessionError(
            f"{path.parent} is no session: it has no {path.name}; choose a recording's folder."
        ) from error
    except OSError as error:
        raise SessionError(f"{path} cannot be read: {error.strerror or error}; check the disk.") from error
    except JsonError as error:
        raise SessionError(f"{path} is damaged: {error}; restore it from a copy.") from error
    if not isinstance(values, dict) or values.get("format") != kind:
        raise SessionError(f"{path} does not describe a {kind.split()[-1]} of LDEQ Live; choose another folder.")
    if values.get("version") != VERSION:
        raise SessionError(
            f"{path} has version {reprlib.repr(values.get('version'))} and this LDEQ Live reads version {VERSION}; "
            "open it with the version that made it."
        )
    return values


def write_form(path: Path, kind: str, values: dict[str, Any]) -> None:
    """Write a JSON file of this format as a whole.

    Raises:
        RecordingError: if it cannot be written; the previous content stays.
    """
    write_json(path, {"format": kind, "version": VERSION, **values})


def create_folder(folder: Path) -> None:
    """Create a folder for a new session or replay. Of several programs that create it at once, one gets it.

    Raises:
        NameTaken: it exists and is not empty.
        RecordingError: it cannot be created.
    """
    check_new_folder(folder)
    make_folder(folder)
    with writing(folder):
        try:
            (folder / FRAMES).touch(exist_ok=False)
        except FileExistsError as error:
            raise NameTaken(f"Another program has just created {folder}; try again, or choose another name.") from error
    sync_folder(folder.parent)
