"""The live pipeline: a capture thread, an inference thread, and a slot with the newest result."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum

from app.core.errors import UserError
from app.core.event_texts import event_text
from app.core.events import EngineReplaced
from app.core.frame import Frame, FrameResult
from app.core.settings import TrackingSettings
from app.core.slot import LatestSlot
from app.core.system_libraries import runtime_problem
from app.sources.base import Playable, Playback, Source, SourceInfo
from app.sources.capture import CaptureThread
from app.tracking.pipeline import Pipeline
from model.errors import ModelError

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.2
STOP_SECONDS = 2.0
NEWS_SECONDS = 20.0
"""How long the replacement of an engine is shown, in place of the usual text."""

Consumer = Callable[[FrameResult], None]


class LiveState(StrEnum):
    """State of a live run."""

    OPENING = "opening"
    RUNNING = "running"
    ENDED = "ended"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """What a live run is doing.

    Attributes:
        state: of the run.
        info: facts about the source once it is open.
        engine: library and device in use, "" until known.
        error: one sentence when failed, "" otherwise.
        captured: frames read from the source.
        processed: frames solved.
        skipped: frames replaced by a newer one before they were solved, or that arrived while resting.
        note: a message about the source, such as a lost connection or how its pictures are taken, or about an engine
            that was replaced; "" if there is none.
        playback: state of a file that plays in real time; None for cameras, streams and files that are solved as fast
            as possible.
    """

    state: LiveState
    info: SourceInfo | None = None
    engine: str = ""
    error: str = ""
    captured: int = 0
    processed: int = 0
    skipped: int = 0
    note: str = ""
    playback: Playback | None = None


class LivePipeline:
    """Runs one source through one pipeline on its own threads, until stopped, ended or failed.

    Live sources are captured on a thread of their own and only their newest frame is solved; files are solved frame by
    frame. :attr:`playable` steers a source that can be played back, from any thread and without waiting.

    Consumers are called on the inference thread with every result and must not block. The window takes the newest
    result from :attr:`results`. An object runs once; create a new one to start again.
    """

    def __init__(
        self, open_source: Callable[[], Source], build: Callable[[], Pipeline], settings: TrackingSettings
    ) -> None:
        self.results: LatestSlot[FrameResult] = LatestSlot()
        self._open_source = open_source
        self._build = build
        self._lock = threading.Lock()
        self._settings = settings
        self._consumers: tuple[Consumer, ...] = ()
        self._state: LiveState = LiveState.OPENING
        self._info: SourceInfo | None = None
        self._engine = self._note = ""
        self._noted = 0.0
        self._error = ""
        self._processed = 0
        self._read_from_file = 0
        self._last_index = -1
        self._fresh_start = self._resting = False
        self._rested = 0
        self._frames: LatestSlot[Frame] = LatestSlot()
        self._source: Source | None = None
        self._playable: Playable | None = None
        self._capture: CaptureThread | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="inference", daemon=True)

    @property
    def status(self) -> LiveStatus:
        """A snapshot of the run."""
        playable = self._playable
        playback = playable.playback if playable is not None else None
        with self._lock:
            captured = self._capture.captured if self._capture else self._read_from_file
            return LiveStatus(
                self._state,
                self._info,
                self._engine,
                self._error,
                captured,
                self._processed,
                self._frames.replaced + self._rested,
                (self._source.note if self._source is not None else "") or self._fresh_note(),
                playback if self._state == LiveState.RUNNING else None,
            )

    def start(self) -> None:
        """Start the threads, which open the source and the engine."""
        self._thread.start()

    def configure(self, settings: TrackingSettings) -> None:
        """Use ``settings`` from the next frame on; while paused, the current frame is solved again with them.

        Which face is preferred changes no solution: for that alone nothing is solved again, which would renumber faces.
        """
        with self._lock:
            changed = replace(settings, follow=self._settings.follow) != self._settings
            self._settings = settings
        if changed and (playable := self._playable) is not None:
            playable.show_again()

    @property
    def playable(self) -> Playable | None:
        """What steers the playback of the source; None unless it runs and can be steered."""
        return self._playable if self._state == LiveState.RUNNING else None

    def restart_tracking(self) -> None:
        """Solve the next frame without memory, as if it were the first."""
        with self._lock:
            self._fresh_start = True

    def rest(self, resting: bool) -> None:
        """Stop solving frames of a live source while they are not needed, or resume; files are not affected."""
        self._resting = resting

    def add_consumer(self, consumer: Consumer) -> None:
        """Call ``consumer`` with every result from now on; it must not block."""
        with self._lock:
            self._consumers = (*self._consumers, consumer)

    def remove_consumer(self, consumer: Consumer) -> None:
        """Stop calling ``consumer``; ignored if it was not added."""
        with self._lock:
            self._consumers = tuple(known for known in self._consumers if known != consumer)

    def stop(self, timeout: float = 5.0) -> bool:
        """End the threads, waiting up to ``timeout`` seconds; safe to call twice.

        Returns:
            Whether they ended; a source that hangs in its driver is left on its daemon thread.
        """
        self._stop.set()
        self._frames.close()
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)
        self.results.close()
        return not self._thread.is_alive()

    def _run(self) -> None:
        source: Source | None = None
        pipeline: Pipeline | None = None
        try:
            source = self._open_source()
            with self._lock:
                self._info, self._source = source.info, source
                self._playable = source if isinstance(source, Playable) else None
            if self._stop.is_set():
                return  # another source plays by now, and needs the processors that loading a model would take
            # The engine before the first frame: frames captured while it loads would be outdated.
            pipeline = self._build()
            with self._lock:
                self._engine, self._state = pipeline.engine_name, LiveState.RUNNING
                self._note, self._noted = source.info.remark, time.monotonic()
            if source.info.live:
                self._follow_live(pipeline, source)
            else:
                self._follow_file(pipeline, source)
        except (UserError, ModelError) as error:
            self._fail(str(error))
        except Exception as error:
            log.exception("the live pipeline failed")
            internal = f"Tracking stopped because of an internal error ({error!r}); the log has the details."
            self._fail(runtime_problem(error) or internal)
        finally:
            if source is not None:
                source.close()
            if pipeline is not None:
                pipeline.close()
            with self._lock:
                if self._state in (LiveState.OPENING, LiveState.RUNNING):
                    self._state = LiveState.STOPPED if self._stop.is_set() else LiveState.ENDED
            self.results.close()

    def _fresh_note(self) -> str:
        """Return how the source is taken or which engine was replaced, as long as that is news."""
        return self._note if time.monotonic() - self._noted < NEWS_SECONDS else ""

    def _fail(self, message: str) -> None:
        with self._lock:
            self._state, self._error = LiveState.FAILED, message

    def _follow_live(self, pipeline: Pipeline, source: Source) -> None:
        """Solve the newest frame, again and again; frames that arrive meanwhile are skipped."""
        capture = CaptureThread(source, self._frames)
        with self._lock:
            self._capture = capture
        capture.start()
        try:
            while not self._stop.is_set():
                frame = self._frames.take(WAIT_SECONDS)
                if frame is not None and self._resting:
                    with self._lock:
                        self._rested += 1
                elif frame is not None:
                    self._solve(pipeline, frame)
                elif self._frames.closed:
                    if capture.error is not None:
                        raise capture.error
                    return
        finally:
            capture.stop(timeout=STOP_SECONDS)

    def _follow_file(self, pipeline: Pipeline, source: Source) -> None:
        """Solve every frame, as fast as possible."""
        while not self._stop.is_set():
            frame = source.read()
            if frame is None:
                return
            with self._lock:
                self._read_from_file += 1
            self._solve(pipeline, frame)

    def _solve(self, pipeline: Pipeline, frame: Frame) -> None:
        playable = self._playable
        broken = playable is not None and playable.broken_between(self._last_index, frame.index)
        with self._lock:
            settings, consumers = self._settings, self._consumers
            broken, self._fresh_start = broken or self._fresh_start, False
        self._last_index = frame.index
        if broken:
            pipeline.forget()
        if settings != pipeline.settings:
            pipeline.configure(settings)
        result = pipeline.process(frame)
        with self._lock:
            self._processed += 1
            self._engine = pipeline.engine_name
            for event in result.events:
                if isinstance(event, EngineReplaced):
                    self._note, self._noted = f"{event_text(event)}.", time.monotonic()
        self.results.put(result)
        for consumer in consumers:
            try:
                consumer(result)
            except Exception:
                log.exception("a consumer of results failed and is dropped")
                self.remove_consumer(consumer)
