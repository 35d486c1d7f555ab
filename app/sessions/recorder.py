"""Records live results as a session on a thread of its own, so that the tracker never waits."""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import numpy as np

from app.core.errors import RecordingError
from app.core.events import FaceFound, TrackingRestarted
from app.core.frame import FrameResult
from app.core.priority import yield_to_others
from app.media.clock import RecordingClock
from app.sessions.plan import SessionPlan
from app.sessions.writer import SessionWriter

PICTURE_BYTES = 256 << 20
PICTURES_WAITING = 64
PICTURE_SECONDS = 0.7
"""While a picture has waited this long, new ones are refused: what waits is lost if the process is killed, and
together with what is not on the disk yet that must not exceed a second."""
EXACT_PATIENCE = 4
"""Factor by which more pictures may wait, and longer, in exact recordings, where every picture counts."""
ANNOTATED_WAITING = 2
"""With more pictures waiting than this, annotated ones are left out."""
RESULTS_WAITING = 5_000
"""Results without pictures that may wait, almost three minutes; beyond that the disk counts as unresponsive."""
FRESH_RESULTS = 90
"""Results that an exact recording waits through for one that was tracked without memory."""
QUICKLY_READ = 256 << 20
"""Bytes of video up to which stop() waits for the checksums; those of larger videos follow in the background."""
STOP_SECONDS = 10.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Item:
    """A waiting result; ``size`` is that of its picture, 0 if the picture was dropped or is not wanted."""

    result: FrameResult
    since: float
    size: int


@dataclass(frozen=True, slots=True)
class RecordingSummary:
    """What became of a recording.

    Attributes:
        path: the session's folder; it exists only if ``frames`` is not 0.
        frames: recorded frames.
        dropped: pictures that came faster than they could be encoded, and results after an error.
        seconds: playing time.
        error: one sentence, None if all went well. What was written before it can be used.
        damaged: results that could not be written for another reason and were left out.
    """

    path: Path
    frames: int
    dropped: int
    seconds: float
    error: str | None = None
    damaged: int = 0


class SessionRecorder:
    """Writes results into a session's folder, from its construction until :meth:`stop`.

    If the computer cannot keep up, annotated pictures are dropped first, then clean ones; landmarks, frames and
    events are always written. An exact recording begins with the first result that was tracked without memory
    (:meth:`app.tracking.live.LivePipeline.restart_tracking` causes one).

    Args:
        folder: must not exist yet.
        plan: what is recorded, and with what.

    Raises:
        RecordingError: the folder cannot be created.
    """

    def __init__(self, folder: Path, plan: SessionPlan) -> None:
        self._path = folder
        self._choices = plan.choices
        self._keeps_pictures = plan.choices.wants_clean or plan.choices.wants_annotated
        self._writer = SessionWriter(folder, plan, RecordingClock())
        self._changed = threading.Condition()
        self._waiting: deque[_Item] = deque()
        self._pictures_waiting = self._bytes_waiting = 0
        self._frames = self._dropped = self._damaged = 0
        exact = plan.choices.exact and plan.choices.wants_clean
        self._patience = EXACT_PATIENCE if exact else 1
        self._unfresh: int | None = 0 if exact else None
        self._seconds = 0.0
        self._error: str | None = None
        self._stopping = False
        self._finished = threading.Event()
        self._thread = threading.Thread(target=self._work, name="session-recorder", daemon=True)
        self._thread.start()

    @property
    def path(self) -> Path:
        """The session's folder."""
        return self._path

    @property
    def dropped(self) -> int:
        """Pictures missing from the clean video so far, and results after an error."""
        with self._changed:
            return self._dropped

    @property
    def frames(self) -> int:
        """Frames written so far."""
        with self._changed:
            return self._frames

    @property
    def error(self) -> str | None:
        """The sentence to show once the recording has failed; it must then be stopped."""
        with self._changed:
            return self._error

    def offer(self, result: FrameResult) -> None:
        """Queue a result, without waiting for the disk or an encoder; ignored after :meth:`stop`."""
        size = result.frame.image.nbytes if self._keeps_pictures else 0
        with self._changed:
            if self._stopping:
                return
            if self._error is not None:
                self._dropped += 1
                return
            if not self._is_fresh(result):
                return
            if len(self._waiting) >= RESULTS_WAITING:
                self._fail(f"{self._path} takes no more: the disk does not respond; choose another folder.")
                return
            if size and self._is_full(size):
                size = 0
                self._dropped += self._choices.wants_clean
            self._waiting.append(_Item(result if size else without_picture(result), monotonic(), size))
            self._pictures_waiting += bool(size)
            self._bytes_waiting += size
            self._changed.notify()

    def stop(self, timeout: float = STOP_SECONDS) -> RecordingSummary:
        """Write what is queued, finish the files and end the thread; safe to call twice.

        Checksums of large videos may be completed after it returns.

        Args:
            timeout: seconds to wait at most; after them the summary has an error, and the session holds what
                had been written.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify()
        done = self._finished.wait(timeout)
        with self._changed:
            error = self._error
            if error is None and not done:
                error = (
                    f"{self._path} was not finished within {timeout:g} seconds; it holds what was written until then."
                )
            return RecordingSummary(self._path, self._frames, self._dropped, self._seconds, error, self._damaged)

    def _is_fresh(self, result: FrameResult) -> bool:
        """Whether to record the result; an exact recording begins where tracking has no memory."""
        if self._unfresh is None:
            return True
        restarted = any(isinstance(event, TrackingRestarted) for event in result.events)
        found = {event.face for event in result.events if isinstance(event, FaceFound)}
        if restarted or (result.faces and all(face.face in found for face in result.faces)):
            self._unfresh = None
            return True
        self._unfresh += 1
        return self._unfresh > FRESH_RESULTS

    def _is_full(self, size: int) -> bool:
        """Whether a picture of ``size`` bytes must be dropped; called with the lock held."""
        if not self._pictures_waiting:
            return False
        late = monotonic() - self._waiting[0].since > PICTURE_SECONDS * self._patience
        many = self._pictures_waiting >= PICTURES_WAITING * self._patience
        return late or many or self._bytes_waiting + size > PICTURE_BYTES

    def _work(self) -> None:
        yield_to_others()  # tracking has priority; pictures that cannot be encoded in time are dropped and counted
        while (item := self._next()) is not None:
            self._record(item)
        self._finish()

    def _next(self) -> _Item | None:
        """Wait for the next item; return None once everything is written after :meth:`stop`."""
        with self._changed:
            while not self._waiting:
                if self._stopping:
                    return None
                self._changed.wait()
            return self._waiting[0]

    def _record(self, item: _Item) -> None:
        with self._changed:
            annotated = self._pictures_waiting <= ANNOTATED_WAITING
            late_start, self._unfresh = self._unfresh is not None, None
        try:
            if late_start:
                self._writer.lose_exactness("tracking had a memory when the recording began")
            self._writer.write(item.result, picture=item.size > 0, annotated=annotated)
        except RecordingError as error:
            with self._changed:
                self._fail(str(error))
        except Exception:  # one bad frame must not end a recording
            log.exception("frame %s could not be recorded", item.result.frame.index)
            with self._changed:
                self._damaged += 1
        with self._changed:
            self._waiting.popleft()
            self._pictures_waiting -= item.size > 0
            self._bytes_waiting -= item.size
            self._frames, self._seconds = self._writer.counts.frames, self._writer.seconds

    def _finish(self) -> None:
        try:
            self._writer.close(self.error or "stopped")
        except RecordingError as error:
            with self._changed:
                self._fail(str(error))
        except Exception:
            log.exception("%s could not be finished", self._path)
            with self._changed:
                self._fail(f"{self._path} could not be finished; it holds what was written until then.")
        if self._writer.video_bytes > QUICKLY_READ:
            self._finished.set()
        try:
            self._writer.add_checksums()
        except RecordingError as error:
            log.warning("no checksums of the videos: %s", error)
        self._finished.set()

    def _fail(self, sentence: str) -> None:
        """Record an error, with the lock held. Queued results are still written if possible."""
        if self._error is None:
            log.error(sentence)
            self._error = sentence


def without_picture(result: FrameResult) -> FrameResult:
    """Return the result with a picture that has a size but no content."""
    width, height = result.frame.size
    return replace(result, frame=replace(result.frame, image=np.empty((height, width, 0), np.uint8)))
