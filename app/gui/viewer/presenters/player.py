"""Plays a session: a thread of its own decodes the picture that is due and puts it where the window takes it from."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.core.frame import FrameResult
from app.core.slot import LatestSlot
from app.gui.viewer.presenters.takes import ShownTake, together
from app.sessions.session import Session
from app.sessions.video import SessionVideo
from app.sources.base import Playback

log = logging.getLogger(__name__)

MOST_RATE = 60.0
"""Pictures a second at most; more than a screen shows would only take processor time."""
IDLE_SECONDS = 0.25
EMPTY_GREY = 28
"""Where a session has no picture, landmarks are shown on plain dark grey."""
NO_PICTURE = "This frame's picture was not recorded; the one before it is shown."
STOP_SECONDS = 2.0

Image = NDArray[np.uint8]
Due = tuple[int, tuple[ShownTake, ...]]


class SessionPlayer:
    """Plays, seeks and steps through the frames of one session; every method but ``stop`` returns at once.

    Args:
        session: what is played.
        shown: whose landmarks are drawn: one take, or two.
        clock: seconds, as ``time.perf_counter``.

    Attributes:
        results: the newest picture with its landmarks, as the live pipeline would give it.
    """

    def __init__(
        self, session: Session, shown: tuple[ShownTake, ...], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.results: LatestSlot[FrameResult] = LatestSlot()
        self._session = session
        self._clock = clock
        self._changed = threading.Condition()
        self._shown = shown
        self._position = 0.0
        self._since = 0.0
        self._playing = False
        self._speed = 1.0
        self._stale = True
        self._stopped = False
        self._problem = ""
        self._borrowed = False
        self._drawn: Due | None = None
        source = session.metadata.source
        self._empty = np.full((source.height, source.width, 3), EMPTY_GREY, np.uint8)
        self._held: Image | None = None
        self._thread = threading.Thread(target=self._run, name="session-player", daemon=True)

    def start(self) -> None:
        """Show the first frame."""
        self._thread.start()

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """End the thread; return whether it ended within ``timeout`` seconds, which may be 0."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self.results.close()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def duration(self) -> float:
        """Playing time at which the last frame begins, seconds."""
        times = self._session.frames.time
        return float(times[-1]) if len(times) else 0.0

    @property
    def problem(self) -> str:
        """Why there are no pictures, or why this one is not the frame's own, one sentence; "" normally."""
        with self._changed:
            # While it plays, the sentence would flash up for a moment and nobody could read it.
            return self._problem or (NO_PICTURE if self._borrowed and not self._playing else "")

    @property
    def playback(self) -> Playback:
        """Where it stands."""
        with self._changed:
            return Playback(self._now(), self.duration, not self._playing, self._speed)

    def show(self, shown: tuple[ShownTake, ...]) -> None:
        """Draw the landmarks of other takes."""
        with self._changed:
            self._shown = shown
            self._refresh()

    def pause(self, paused: bool) -> None:
        """Pause; or play on, from the beginning where the end is reached."""
        with self._changed:
            position = self._now()
            self._position = position if paused or position < self.duration else 0.0
            self._since, self._playing = self._clock(), not paused
            self._refresh()

    def seek_to(self, seconds: float) -> None:
        """Show the frame at ``seconds``, and go on from there if it plays."""
        with self._changed:
            self._position = min(max(0.0, seconds), self.duration)
            self._since = self._clock()
            self._refresh()

    def step(self, frames: int) -> None:
        """Pause and go that many frames ahead, or back if negative."""
        with self._changed:
            times = self._session.frames.time
            if len(times):
                row = int(np.clip(self._session.frames.row_at(self._now()) + frames, 0, len(times) - 1))
                self._position, self._playing = float(times[row]), False
                self._refresh()

    def set_speed(self, speed: float) -> None:
        """Play at ``speed`` times the recorded speed."""
        with self._changed:
            self._position, self._since, self._speed = self._now(), self._clock(), speed
            self._refresh()

    def _now(self) -> float:
        if not self._playing:
            return self._position
        return min(self.duration, self._position + (self._clock() - self._since) * self._speed)

    def _refresh(self) -> None:
        self._stale = True
        self._changed.notify_all()

    def _run(self) -> None:
        video: SessionVideo | None = None
        try:
            video = self._open()
            while (due := self._wait_for_next()) is not None:
                if self._is_new(due):
                    self.results.put(self._result(video, *due))
        except Exception:
            log.exception("playing the session failed")
            with self._changed:
                self._problem = "The session cannot be played any further; the log has the details."
        finally:
            if video is not None:
                video.close()

    def _open(self) -> SessionVideo | None:
        try:
            return self._session.open_video()
        except UserError as error:
            with self._changed:
                self._problem = str(error)
            return None

    def _wait_for_next(self) -> Due | None:
        """Return the row that is due and what to draw, None at the end of the thread."""
        with self._changed:
            if not self._stale and not self._stopped:
                self._changed.wait(1 / MOST_RATE if self._playing else IDLE_SECONDS)
            while not self._stopped:
                if (self._stale or self._playing) and len(self._session.frames):
                    self._stale = False
                    if self._playing and self._now() >= self.duration:
                        self._position, self._playing = self.duration, False
                    return self._session.frames.row_at(self._now()), self._shown
                self._changed.wait(IDLE_SECONDS)
            return None

    def _is_new(self, due: Due) -> bool:
        with self._changed:
            last, self._drawn = self._drawn, due
        return last is None or due[0] != last[0] or due[1] is not last[1]

    def _result(self, video: SessionVideo | None, row: int, shown: tuple[ShownTake, ...]) -> FrameResult:
        image = self._picture(video, row)
        first, *rest = (take.take.result(row, image) for take in shown)
        drawn = together(first, rest[0] if rest else None)
        return replace(drawn, frame=replace(drawn.frame, captured=time.perf_counter()))

    def _picture(self, video: SessionVideo | None, row: int) -> Image:
        """Return a frame's picture; where it was not recorded, the last one before it that was."""
        pictures = self._session.frames.picture
        number = int(pictures[: row + 1].max())
        self._borrowed = video is not None and number >= 0 and int(pictures[row]) < 0
        image = video.read(number) if video is not None and number >= 0 else None
        if image is None:
            image = self._empty if video is None or self._held is None else self._held
        self._held = image
        return image
