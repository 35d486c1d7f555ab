"""Background jobs of the session viewer: replays and clips, one at a time, with progress and cancellation."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from app.core.errors import UserError
from app.core.files import unique_path
from app.core.modes import Baseline, Mode
from app.core.presets import PRESETS, PresetName
from app.core.settings import EngineSettings, TrackingSettings
from app.gui.presenters.filters import FILTERS
from app.gui.presenters.options import Option
from app.sessions.export import export_clip
from app.sessions.replay import replay
from app.sessions.session import Session
from app.sessions.take import Take
from model.errors import ModelError

log = logging.getLogger(__name__)


class Way(StrEnum):
    """How a session can be tracked again."""

    AS_RECORDED = "as-recorded"
    CALM = PresetName.CALM
    BALANCED = PresetName.BALANCED
    FAST = PresetName.FAST
    COLD = Mode.COLD


WAYS: tuple[Option, ...] = (
    Option(Way.AS_RECORDED, "As recorded", "The recorded settings, changed at the same frames"),
    *(Option(preset.name, f"RwR, {preset.label.lower()}", preset.help) for preset in PRESETS),
    Option(Way.COLD, "RwR off", "Every frame solved on its own"),
)


class Beside(StrEnum):
    """What to solve beside it."""

    NOTHING = "none"
    OPPOSITE = Baseline.OPPOSITE
    EMA = Baseline.EMA
    ONE_EURO = Baseline.ONE_EURO


BASELINES: tuple[Option, ...] = (
    Option(Beside.NOTHING, "Nothing", "Solve every frame in one way only"),
    Option(Beside.OPPOSITE, "The other mode", "RwR beside cold, or cold beside RwR"),
    *FILTERS,
)


class ClipKind(StrEnum):
    """What a part of a session is written as."""

    VIDEO = "video"
    ANNOTATED = "annotated"
    SESSION = "session"


CLIPS: tuple[Option, ...] = (
    Option(ClipKind.ANNOTATED, "Video with landmarks", "The pictures with the first take's landmarks drawn in"),
    Option(ClipKind.VIDEO, "Clean video", "The pictures as they were recorded"),
    Option(ClipKind.SESSION, "Session", "A session of its own: pictures, landmarks and events of this part"),
)
"""What a part of a session can be written as."""


TrackAgain = Callable[..., Take | None]
"""As :func:`app.sessions.replay.replay`."""


@dataclass(frozen=True, slots=True)
class JobView:
    """The progress of a job.

    Attributes:
        label: what it does.
        progress: share done, 0 to 1.
    """

    label: str
    progress: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a job ended.

    Attributes:
        text: one sentence.
        good: whether it did what it should.
        take: name of the take it made, "" if none.
        path: what it wrote, None if nothing.
    """

    text: str
    good: bool = True
    take: str = ""
    path: Path | None = None


class Job:
    """One background job with progress and cancellation; runs on a thread of its own.

    Args:
        label: what it does, for people.
        session: folder of the session that it works on.
        work: does it, given a function to tell progress to and an event that ends it early.
        ended: called on the job's thread with how it ended; None where it was stopped.
    """

    def __init__(
        self,
        label: str,
        session: Path,
        work: Callable[[Callable[[int, int], None], threading.Event], Outcome | None],
        ended: Callable[[Outcome | None], None],
    ) -> None:
        self._label = label
        self.session = session
        self._work = work
        self._ended = ended
        self._progress = 0.0
        self._stop = threading.Event()
        self._over = threading.Event()

    @property
    def view(self) -> JobView:
        """Its progress."""
        return JobView(self._label, self._progress)

    def cancel(self) -> None:
        """Cancel it; what it has written so far is removed."""
        self._stop.set()

    def wait(self, timeout: float) -> bool:
        """Wait until it has ended and cleaned up; return whether it has."""
        return self._over.wait(timeout)

    def run(self) -> None:
        """Do the work, on the calling thread."""
        outcome: Outcome | None
        try:
            outcome = self._work(self._tell, self._stop)
        except (UserError, ModelError) as error:
            outcome = Outcome(str(error), good=False)
        except Exception as error:
            log.exception("%s failed", self._label)
            outcome = Outcome(f"{self._label} failed ({error!r}); the log has the details.", good=False)
        self._over.set()
        self._ended(outcome)

    def _tell(self, done: int, total: int) -> None:
        self._progress = done / total if total else 1.0


def replay_settings(recorded: TrackingSettings, way: str, baseline: str) -> TrackingSettings:
    """Return the settings of a replay; faces and the search for them stay as recorded.

    Args:
        recorded: in the session's first frame.
        way: a word of :class:`Way`; those that are no preset keep the recurrence.
        baseline: a word of :class:`Beside`.
    """
    recurrence = next((preset.settings for preset in PRESETS if preset.name == way), recorded.recurrence)
    compare = baseline != Beside.NOTHING
    return TrackingSettings(
        rwr=way != Way.COLD,
        compare=compare,
        baseline=Baseline(baseline) if compare else recorded.baseline,
        max_faces=recorded.max_faces,
        follow=recorded.follow,
        measure_flicker=True,
        detect_every=recorded.detect_every,
        recurrence=recurrence,
        ghcu=recorded.ghcu,
    )


def replay_job(
    session: Session,
    engine: EngineSettings,
    way: str,
    baseline: str,
    ended: Callable[[Outcome | None], None],
    track_again: TrackAgain = replay,
) -> Job:
    """Return the job that tracks a session again, in one :class:`Way`, beside one :class:`Beside`."""
    label = next(option.label for option in WAYS if option.name == way)
    settings = replay_settings(session.metadata.tracking, way, baseline)

    def work(progress: Callable[[int, int], None], stop: threading.Event) -> Outcome | None:
        take = track_again(session, settings, engine, as_recorded=way == Way.AS_RECORDED, progress=progress, stop=stop)
        return None if take is None else Outcome(f"Replayed: {take.name}.", take=take.name)

    return Job(f"Replay: {label}", session.folder, work, ended)


def clip_job(
    session: Session, take: Take, part: tuple[float, float], kind: str, ended: Callable[[Outcome | None], None]
) -> Job:
    """Return the job that writes a part of a session beside it, as one of :data:`CLIPS`."""
    start, end = part

    def work(progress: Callable[[int, int], None], stop: threading.Event) -> Outcome | None:
        # Without dots: what follows the last one would be taken for the kind of file.
        stem = f"{session.name}-clip-{start:.0f}-to-{end:.0f}s".replace(".", "_")
        destination = unique_path(session.folder.parent, stem, "" if kind == ClipKind.SESSION else ".mp4")
        path = export_clip(
            session, take, start, end, destination, kind == ClipKind.ANNOTATED, progress=progress, stop=stop
        )
        return None if path is None else Outcome(f"Saved {path.name}.", path=path)

    return Job("Export clip", session.folder, work, ended)
