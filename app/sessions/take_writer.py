"""Writes the results of one tracking run: frames, landmarks (CSV and Parquet) and events."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

from app.core.errors import RecordingError
from app.core.frame import FrameResult
from app.media.tables import open_table
from app.sessions.events import Event, EventKind, EventLog, Watcher
from app.sessions.form import EVENTS, FRAMES, LANDMARKS_CSV, LANDMARKS_PARQUET
from app.sessions.frames import FramesFile


class TakeWriter:
    """Open tables in a folder that exists. Used by one thread.

    Raises:
        RecordingError: if they cannot be created.
    """

    def __init__(self, folder: Path) -> None:
        self._watcher = Watcher()
        self._rows = self._faults = 0
        self._last: tuple[float, int, int] = (0.0, 0, 0)
        with ExitStack() as opened:
            self._frames = FramesFile(folder / FRAMES)
            opened.callback(self._frames.close)
            self._events = EventLog(folder / EVENTS)
            opened.callback(self._events.close)
            self._csv = open_table(folder / LANDMARKS_CSV)
            opened.callback(self._csv.close)
            self._parquet = open_table(folder / LANDMARKS_PARQUET)
            opened.pop_all()

    @property
    def faults(self) -> int:
        """How often a part of the tracker failed so far."""
        return self._faults

    def write(self, result: FrameResult, time: float, picture: int | None, row: int | None = None) -> None:
        """Write one frame: its row, what happened in it, its landmarks.

        Args:
            result: what the pipeline returned; its picture's size counts, not its content.
            time: playing time, seconds, later than the last.
            picture: number of its picture in the clean video; None if it has none.
            row: of the frame in the session; None: the next one.

        Raises:
            RecordingError: if it cannot be written; what was written stays.
        """
        row = self._rows if row is None else row
        self._last = (time, row, result.frame.index)
        for event in self._watcher.watch(result, time, row):
            self._events.write(event)
            self._faults += event.kind == EventKind.FAULT
        # The frame goes first, so that after a kill no landmarks lack their frame.
        self._rows += 1  # what a full disk does not take of a row is completed with the next one
        self._frames.write(result, time, picture)
        self._csv.write(result, time)
        self._parquet.write(result, time)

    def note(self, kind: str, **data: Any) -> None:
        """Write an event of the newest frame.

        Raises:
            RecordingError: if it cannot be written.
        """
        time, row, index = self._last
        self._events.write(Event(time, row, index, kind, data))

    def close(self) -> None:
        """Finish every file, even if one of them fails; safe to call twice.

        Raises:
            RecordingError: for the first file whose end could not be written.
        """
        problem: RecordingError | None = None
        for file in (self._events, self._frames, self._csv, self._parquet):
            try:
                file.close()
            except RecordingError as error:
                problem = problem or error
        if problem is not None:
            raise problem
