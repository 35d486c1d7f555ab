"""Brings a session to the disk while it is recorded, so that a power failure costs little of it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path

from model.files import sync_file, sync_folder

SYNC_SECONDS = 1.0
"""Time between two syncs. A power failure costs what was written since the last one that ended."""
JOIN_SECONDS = 10.0
UNFINISHED = (".part", ".tmp")
"""Suffixes of files that get their name when they are complete. Until then they are of no use, and are left alone:
Windows renames no file that is open."""

log = logging.getLogger(__name__)


class FolderSync:
    """Syncs the files of a folder every :data:`SYNC_SECONDS`, on its own thread.

    On its own thread, because fsync may block for long and must not hold up the recording.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="session-sync", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End the thread; safe to call twice."""
        self._stop.set()
        self._thread.join(JOIN_SECONDS)

    def _work(self) -> None:
        told = False
        while not self._stop.wait(SYNC_SECONDS):
            try:
                sync_files(self._folder)
            except OSError as error:
                if not told:  # and not every second
                    log.warning("%s could not be synced: %s", self._folder, error)
                told = True
            else:
                told = False


def sync_files(folder: Path) -> None:
    """Bring the files that lie in ``folder``, but for :data:`UNFINISHED`, and their names to the disk.

    Raises:
        OSError: if the disk does not take them.
    """
    for path in folder.iterdir():
        if path.is_file() and path.suffix not in UNFINISHED:
            sync_file(path)
    sync_folder(folder)
