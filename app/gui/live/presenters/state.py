"""What a live session is doing, as frozen facts; and what it needs from pipelines and recorders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from app.core.frame import FrameResult
from app.core.settings import TrackingSettings
from app.core.slot import LatestSlot
from app.sessions.plan import RecordingChoices
from app.sessions.recorder import RecordingSummary
from app.sources.base import Playable, SourceInfo
from app.sources.spec import SourceSpec
from app.tracking.live import LiveState, LiveStatus


class Live(Protocol):
    """The part of ``app.tracking.live.LivePipeline`` that the session drives."""

    @property
    def results(self) -> LatestSlot[FrameResult]: ...
    @property
    def status(self) -> LiveStatus: ...
    @property
    def playable(self) -> Playable | None: ...
    def start(self) -> None: ...
    def stop(self, timeout: float = 5.0) -> bool: ...
    def configure(self, settings: TrackingSettings) -> None: ...
    def add_consumer(self, consumer: Callable[[FrameResult], None]) -> None: ...
    def restart_tracking(self) -> None: ...
    def rest(self, resting: bool) -> None: ...
    def remove_consumer(self, consumer: Callable[[FrameResult], None]) -> None: ...


@dataclass(frozen=True, slots=True)
class RecordingPlan:
    """What is to be recorded.

    Attributes:
        path: the session's folder.
        source: the source as the person named it.
        info: facts about the open source.
        engine: library and device that run.
        choices: what to keep.
    """

    path: Path
    source: SourceSpec
    info: SourceInfo
    engine: str
    choices: RecordingChoices


class Recording(Protocol):
    """The part of ``app.sessions.recorder.SessionRecorder`` that the session drives; it runs once made."""

    @property
    def dropped(self) -> int: ...
    @property
    def error(self) -> str | None: ...
    def offer(self, result: FrameResult) -> None: ...
    def stop(self, timeout: float = 10.0) -> RecordingSummary: ...


@dataclass(frozen=True, slots=True)
class RecordingState:
    """A recording that runs.

    Attributes:
        path: the file.
        started: ``time.perf_counter()`` when it began.
        dropped: frames the encoder could not keep up with.
    """

    path: Path
    started: float
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class SessionState:
    """Everything the window needs to know about the session.

    Attributes:
        source: what plays, or played last; None while the session still looks for a camera.
        play: counts starts, so that the same failure twice is two failures.
        playing: the user wants the source to run (it may have failed or ended all the same).
        status: of the pipeline; None when none was started or it was stopped.
        tracking: the settings in force.
        recording: the recording that runs, if any.
        finished: the recording that ended last, if any.
        no_camera: the demo plays because no camera could be opened.
        refusal: why the first camera that there is could not be opened, one sentence; "" where there is none.
        problem: why nothing could be started at all, "" normally.
        closed: everything is released; nothing will happen any more.
    """

    source: SourceSpec | None = None
    play: int = 0
    playing: bool = False
    status: LiveStatus | None = None
    tracking: TrackingSettings = field(default_factory=TrackingSettings)
    recording: RecordingState | None = None
    finished: RecordingSummary | None = None
    no_camera: bool = False
    refusal: str = ""
    problem: str = ""
    closed: bool = False

    @property
    def stage(self) -> LiveState:
        """Where the session stands."""
        if not self.playing:
            return LiveState.STOPPED
        if self.problem:
            return LiveState.FAILED
        return self.status.state if self.status is not None else LiveState.OPENING

    @property
    def info(self) -> SourceInfo | None:
        """Facts about the source once it is open."""
        return self.status.info if self.status is not None else None

    @property
    def active(self) -> bool:
        """Whether a source is opening or running, so that "stop" means something."""
        return self.stage in (LiveState.OPENING, LiveState.RUNNING)

    @property
    def can_record(self) -> bool:
        """Whether a recording could start now."""
        return self.stage == LiveState.RUNNING and self.info is not None
