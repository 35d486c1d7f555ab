"""The list of recorded sessions without its widget; the disk is read in the background."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.gui.presenters.background import Background, in_background
from app.gui.presenters.playback import clock_text
from app.sessions.form import SessionState
from app.sessions.listing import SessionEntry, list_sessions

log = logging.getLogger(__name__)

ListSessions = Callable[[Path], Sequence[SessionEntry]]


@dataclass(frozen=True, slots=True)
class SessionRow:
    """One session in the list.

    Attributes:
        folder: the session.
        title: its source.
        detail: when it was recorded and how long it is.
        badge: what is special about it: "recording", "cut off", "privacy", "damaged"; "" normally.
        tooltip: the folder, and why it cannot be opened.
        thumbnail: a small picture; None where there is none.
        usable: whether it can be opened.
    """

    folder: Path
    title: str
    detail: str
    badge: str
    tooltip: str
    thumbnail: Path | None
    usable: bool


@dataclass(frozen=True, slots=True)
class LibraryList:
    """What the library shows.

    Attributes:
        folder: that is listed.
        rows: the newest session first.
        text: what to say where there are none, "" otherwise.
        reading: the disk is being read.
    """

    folder: Path
    rows: tuple[SessionRow, ...] = ()
    text: str = ""
    reading: bool = False


class Library:
    """Lists the sessions of one folder.

    Args:
        folder: to begin with; it need not exist.
        background: runs work in the background.
        listing: lists a folder's sessions.
        recording: returns the session that is being recorded, None while none is.
    """

    def __init__(
        self,
        folder: Path,
        background: Background = in_background,
        listing: ListSessions = list_sessions,
        recording: Callable[[], Path | None] = lambda: None,
    ) -> None:
        self._changed: Callable[[], None] = lambda: None
        self._recording = recording
        self._background = background
        self._listing = listing
        self._lock = threading.Lock()
        self._run = 0
        self._view = LibraryList(folder)

    def listen(self, changed: Callable[[], None]) -> None:
        """Call ``changed``, on any thread, whenever the list is another one."""
        self._changed = changed

    @property
    def view(self) -> LibraryList:
        """What is to be seen now."""
        with self._lock:
            return self._view

    def open(self, folder: Path) -> None:
        """List another folder."""
        with self._lock:
            if folder != self._view.folder:
                self._view = LibraryList(folder)
        self.refresh()

    def refresh(self) -> None:
        """Read the folder again; the list stays until that is done."""
        with self._lock:
            self._run += 1
            run, view = self._run, self._view
            self._view = LibraryList(view.folder, view.rows, view.text, reading=True)
        self._background(lambda: self._read(view.folder, run))
        self._changed()

    def _read(self, folder: Path, run: int) -> None:
        try:
            recording = self._recording()
            rows = tuple(session_row(entry, running=entry.folder == recording) for entry in self._listing(folder))
            text = "" if rows else "No sessions here yet. Press Space in the live view to record one."
        except Exception:
            log.exception("%s could not be listed", folder)
            rows, text = (), "This folder cannot be read; choose another one."
        with self._lock:
            if run != self._run:
                return
            self._view = LibraryList(folder, rows, text)
        self._changed()


def session_row(entry: SessionEntry, *, running: bool = False) -> SessionRow:
    """Return how a session is shown in the list; ``running`` while it is being recorded."""
    length = "" if entry.seconds is None else f"  \u00b7  {clock_text(entry.seconds)}"
    badge = ""
    if entry.error:
        badge = "damaged"
    elif running:
        badge = "recording"
    elif entry.state != SessionState.COMPLETE:
        badge = "cut off"
    elif entry.privacy:
        badge = "privacy"
    return SessionRow(
        entry.folder,
        entry.source or entry.name,
        f"{entry.started:%d %B %Y, %H:%M}{length}",
        badge,
        f"{entry.folder}\n{entry.error}".rstrip(),
        entry.thumbnail,
        not entry.error,
    )
