"""One recording from its start to its summary."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from app.core.errors import NameTaken, UserError
from app.core.files import dated_name, failure, unique_path
from app.gui.live.presenters.state import Live, Recording, RecordingPlan, RecordingState
from app.sessions.recorder import RecordingSummary
from model.files import is_there

log = logging.getLogger(__name__)

FINISH_SECONDS = 20.0

MakeRecorder = Callable[[RecordingPlan], Recording]


def wished_path(folder: Path) -> Path:
    """Return a name for a new session without looking whether it is free: a folder on a network may hang."""
    return folder / dated_name("session")


def _free_path(folder: Path) -> Path:
    return unique_path(folder, "session", "")


class ActiveRecording:
    """A recorder that a pipeline feeds; made by :meth:`start`, ended by :meth:`finish`."""

    def __init__(self, recorder: Recording, live: Live, path: Path) -> None:
        self._recorder = recorder
        self._live = live
        self._path = path
        self._started = time.perf_counter()

    @classmethod
    def start(cls, make: MakeRecorder, live: Live, plan: RecordingPlan) -> ActiveRecording | RecordingSummary:
        """Begin to record ``live`` as planned, under another name if that is taken; may wait for the disk.

        Returns:
            The recording; where it cannot be, a summary that says why.
        """
        try:
            if is_there(plan.path):
                plan = replace(plan, path=_free_path(plan.path.parent))
            plan.path.parent.mkdir(parents=True, exist_ok=True)
            try:
                recorder = make(plan)
            except NameTaken:  # by another window that began in the same second
                plan = replace(plan, path=_free_path(plan.path.parent))
                recorder = make(plan)
        except (UserError, OSError) as error:
            return _failed(error, plan.path)
        live.add_consumer(recorder.offer)
        if plan.choices.exact:
            live.restart_tracking()  # only what began without memory can be replayed bit for bit
        return cls(recorder, live, plan.path)

    @property
    def path(self) -> Path:
        """The session's folder; another than was planned if that name was taken."""
        return self._path

    @property
    def broken(self) -> bool:
        """Whether nothing more can be recorded."""
        return self._recorder.error is not None

    @property
    def state(self) -> RecordingState:
        """Its progress."""
        return RecordingState(self._path, self._started, self._recorder.dropped)

    def finish(self) -> RecordingSummary:
        """Write what waits and close the files. Never raises: what went wrong is in the summary."""
        self._live.remove_consumer(self._recorder.offer)
        try:
            return self._recorder.stop(FINISH_SECONDS)
        except Exception as error:
            log.exception("%s could not be finished", self._path)
            return _failed(error, self._path)


def _failed(error: Exception, path: Path) -> RecordingSummary:
    if isinstance(error, OSError):
        error = failure(path, error)
    return RecordingSummary(path, 0, 0, 0.0, str(error) or f"Cannot write {path}; choose another place.")
