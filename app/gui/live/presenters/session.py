"""Starts, stops, changes and records the source: one thread brings the actual state to the wanted one.

The window only states what it wants, which never waits. The session's thread compares that with the actual state, and
closes, opens, starts and finishes until both agree, so any order of clicks has a defined result.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from app.core.frame import FrameResult
from app.core.memory import give_back
from app.core.settings import TrackingSettings
from app.core.slot import LatestSlot
from app.gui.live.presenters.choices import Change
from app.gui.live.presenters.recording import FINISH_SECONDS, ActiveRecording, MakeRecorder
from app.gui.live.presenters.state import Live, RecordingPlan, SessionState
from app.sessions.plan import RecordingChoices
from app.sessions.recorder import RecordingSummary
from app.sources.base import Playable
from app.sources.spec import DemoSpec, SourceSpec
from app.tracking.live import Consumer, LiveState

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1
STOP_SECONDS = 5.0
TIDY_SECONDS = 60.0
"""How often free memory is given back while something plays; it takes some milliseconds."""


@dataclass(frozen=True, slots=True)
class SessionParts:
    """What a session is made of.

    Attributes:
        live: builds a pipeline for a source.
        recorder: builds a recorder.
        cameras: lists the sources to try when none was chosen, best first; may take a while.
    """

    live: Callable[[SourceSpec, TrackingSettings], Live]
    recorder: MakeRecorder
    cameras: Callable[[], Sequence[SourceSpec]]


@dataclass(frozen=True, slots=True)
class _Wanted:
    source: SourceSpec | None
    play: int
    playing: bool
    tracking: TrackingSettings
    record: Path | None = None
    recordings: int = 0
    choices: RecordingChoices | None = None
    closed: bool = False


class LiveSession:
    """Owns the pipeline and the recorder of one window.

    Args:
        parts: how to make them.
        tracking: settings to begin with.
        consumers: called with every processed frame, on the pipeline's worker.
        changed: called after anything in :attr:`state` changed, on the thread that changed it.
        emptied: called when the last source has delivered its last frame, on the session's thread.
    """

    def __init__(
        self,
        parts: SessionParts,
        tracking: TrackingSettings,
        consumers: Sequence[Consumer] = (),
        changed: Callable[[], None] = lambda: None,
        emptied: Callable[[], None] = lambda: None,
    ) -> None:
        self._parts = parts
        self._consumers = tuple(consumers)
        self._changed = changed
        self._emptied = emptied
        self._condition = threading.Condition()
        self._wanted = _Wanted(source=None, play=0, playing=False, tracking=tracking)
        self._state = SessionState(tracking=tracking)
        self._stir = False
        # Below: used by the session's thread alone, but for _live, which readers take as a whole.
        self._live: Live | None = None
        self._play = 0
        self._candidates: list[SourceSpec] = []
        self._applied = tracking
        self._recording: ActiveRecording | None = None
        self._recordings = 0
        self._hanging: list[Live] = []
        self._thread = threading.Thread(target=self._run, name="live-session", daemon=True)
        self._thread.start()

    @property
    def state(self) -> SessionState:
        """What the session is doing right now."""
        with self._condition:
            state, live, wanted = self._state, self._live, self._wanted
        # What the user switched shows at once; everything else is what really happened.
        state = replace(state, tracking=wanted.tracking, playing=wanted.playing)
        if wanted.play != state.play:
            source = wanted.source if wanted.playing else state.source
            return replace(state, source=source, no_camera=False, refusal="", problem="")
        return replace(state, status=live.status) if live is not None else state

    @property
    def left_behind(self) -> bool:
        """Whether a source hangs inside its driver and still holds a thread."""
        return self._thread.is_alive() or not all(live.stop(0) for live in self._hanging)

    @property
    def live(self) -> Live | None:
        """The pipeline that runs; None when nothing plays."""
        return self._live

    @property
    def playable(self) -> Playable | None:
        """What steers the source that plays; None when nothing plays and for sources that cannot be steered."""
        live = self._live
        return live.playable if live is not None else None

    @property
    def results(self) -> LatestSlot[FrameResult] | None:
        """Where the newest result comes in; None when nothing plays."""
        live = self._live
        return live.results if live is not None else None

    def play(self, source: SourceSpec | None) -> None:
        """Play ``source`` instead of what plays now; None looks for a camera and falls back to the demo."""
        self._want(lambda w: replace(w, source=source, play=w.play + 1, playing=True, record=None))

    def stop(self) -> None:
        """Stop the source; a recording is finished first."""
        self._want(lambda w: replace(w, play=w.play + 1, playing=False, record=None))

    def configure(self, change: Change) -> tuple[TrackingSettings, TrackingSettings]:
        """Use what ``change`` makes of the settings from the next frame on; return those before and after it."""
        before, after = self._want(lambda w: replace(w, tracking=change(w.tracking)))
        return before.tracking, after.tracking

    def record(self, path: Path, choices: RecordingChoices | None = None) -> None:
        """Record what plays into the folder ``path``, or beside it if it is taken; nothing happens while nothing plays.

        One that runs is finished first, also if it was asked for under the same name.
        """
        self._want(
            lambda w: replace(w, record=path if w.playing else None, recordings=w.recordings + 1, choices=choices)
        )

    def finish_recording(self) -> bool:
        """End the recording and keep its file; return whether there was one, or one was about to begin."""
        before, _ = self._want(lambda w: replace(w, record=None))
        return before.record is not None

    def close(self) -> None:
        """Finish the recording, stop everything and end the thread; returns at once, see :meth:`join`."""
        self._want(lambda w: replace(w, play=w.play + 1, playing=False, record=None, closed=True))

    def join(self, timeout: float = STOP_SECONDS + FINISH_SECONDS) -> bool:
        """Wait for the end after :meth:`close`; return whether it came in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _want(self, change: Callable[[_Wanted], _Wanted]) -> tuple[_Wanted, _Wanted]:
        with self._condition:  # two threads that change something at once must not undo each other's
            before = self._wanted
            if before.closed:
                return before, before
            self._wanted = after = change(before)
            self._stir = True
            self._condition.notify_all()
        self._changed()
        return before, after

    def _run(self) -> None:
        tidied = time.monotonic()
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._stir, POLL_SECONDS)
                self._stir = False
                wanted = self._wanted
            try:
                self._reconcile(wanted)
            except Exception as error:
                # The window must stay usable whatever a driver or library raises on this thread.
                log.exception("the session could not do what was asked")
                self._publish(problem=f"The source could not be started ({error}); choose another one.")
            if wanted.closed:
                self._publish(closed=True)
                return
            if time.monotonic() - tidied > TIDY_SECONDS:
                tidied = time.monotonic()
                give_back()

    def _reconcile(self, wanted: _Wanted) -> None:
        if wanted.tracking != self._applied:  # first: what begins to play begins with them
            self._applied = wanted.tracking
            if self._live is not None:
                self._live.configure(wanted.tracking)
        if wanted.play != self._play:
            self._play = wanted.play
            self._finish()
            self._stop_live()
            source = wanted.source if wanted.playing else self._state.source
            self._publish(play=wanted.play, source=source, no_camera=False, refusal="", problem="")
            if wanted.playing:
                self._begin(wanted)
        self._watch_source()
        self._watch_recording(wanted)

    def _begin(self, wanted: _Wanted) -> None:
        if wanted.source is not None:
            self._candidates = []
            self._start_live(wanted.source)
            return
        self._candidates = [*self._find_cameras(), DemoSpec()]
        self._start_next_candidate()

    def _find_cameras(self) -> list[SourceSpec]:
        try:
            return list(self._parts.cameras())
        except Exception:
            log.exception("listing cameras failed")
            return []

    def _start_next_candidate(self) -> None:
        source = self._candidates.pop(0)
        self._start_live(source, no_camera=not self._candidates)

    def _start_live(self, source: SourceSpec, no_camera: bool = False) -> None:
        live = self._parts.live(source, self._applied)
        for consumer in self._consumers:
            live.add_consumer(consumer)
        live.start()
        with self._condition:  # together: nobody may see what plays under the name of what played before
            self._live = live
            self._state = replace(self._state, source=source, no_camera=no_camera)
        self._changed()

    def _stop_live(self) -> None:
        live = self._live
        if live is None:
            return
        with self._condition:
            self._live = None
        # One that has stopped since is dropped, with the engine and the pictures that it holds.
        self._hanging = [late for late in self._hanging if not late.stop(0)]
        if not live.stop(STOP_SECONDS):
            log.warning("%s did not stop within %g seconds", self._state.source, STOP_SECONDS)
            self._hanging.append(live)
        for consumer in self._consumers:
            live.remove_consumer(consumer)  # a source that hangs must not report into the next one's meters
        self._emptied()
        give_back()

    def _watch_source(self) -> None:
        """Try the next camera when one that was chosen automatically does not open."""
        if not self._candidates or self._live is None:
            return
        status = self._live.status
        if status.state == LiveState.FAILED and status.info is None:
            self._stop_live()
            if not self._state.refusal:
                self._publish(refusal=status.error)
            self._start_next_candidate()
        elif status.info is not None:
            self._candidates = []

    def _watch_recording(self, wanted: _Wanted) -> None:
        over = self.state.stage in (LiveState.ENDED, LiveState.FAILED) or (
            self._recording is not None and self._recording.broken
        )
        unwanted = wanted.record is None or wanted.recordings != self._recordings
        if self._recording is not None and (over or unwanted):
            self._finish()
        if over:
            self._forget_record(wanted)
        elif self._recording is not None:
            if self._recording.state != self._state.recording:
                self._publish(recording=self._recording.state)
        elif wanted.record is not None and self.state.can_record:
            self._start_recording(wanted, wanted.record)

    def _start_recording(self, wanted: _Wanted, path: Path) -> None:
        live, state = self._live, self.state
        if live is None or state.source is None or state.info is None or state.status is None:
            return
        choices = wanted.choices or RecordingChoices()
        plan = RecordingPlan(path, state.source, state.info, state.status.engine, choices)
        self._recordings = wanted.recordings
        recording = ActiveRecording.start(self._parts.recorder, live, plan)
        if isinstance(recording, RecordingSummary):
            self._publish(finished=recording)
            self._forget_record(wanted)
            return
        self._recording = recording
        self._publish(recording=recording.state)

    def _finish(self) -> None:
        if self._recording is not None:
            summary = self._recording.finish()
            self._recording = None
            self._publish(recording=None, finished=summary)

    def _forget_record(self, seen: _Wanted) -> None:
        with self._condition:
            if self._wanted.recordings == seen.recordings:
                self._wanted = replace(self._wanted, record=None)

    def _publish(self, **changes: object) -> None:
        with self._condition:
            self._state = replace(self._state, **changes)  # type: ignore[arg-type]
        self._changed()
