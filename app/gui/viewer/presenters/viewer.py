"""The session viewer without widgets: what is open, which takes are shown, which part is chosen, what is being made.

Reading a session, its takes and comparing them happens in the background; the window asks for :meth:`Viewer.view` a
few times a second and whenever ``changed`` was called.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.core.errors import UserError
from app.core.frame import FrameResult
from app.core.settings import EngineSettings
from app.core.slot import LatestSlot
from app.gui.presenters.background import Background, in_background
from app.gui.presenters.banner import NOTICE_SECONDS
from app.gui.viewer.presenters import readouts
from app.gui.viewer.presenters.jobs import Job, JobView, Outcome, TrackAgain, clip_job, replay_job
from app.gui.viewer.presenters.player import SessionPlayer
from app.gui.viewer.presenters.readouts import Opened, Part, ViewerFacts, ViewerStage, facts_of
from app.gui.viewer.presenters.takes import load_takes, part_figures
from app.gui.viewer.presenters.timeline import timeline_of
from app.sessions.compare import compare_takes
from app.sessions.form import RECORDED
from app.sessions.replay import replay
from app.sessions.session import Session, open_session

log = logging.getLogger(__name__)

SHORTEST_PART = 0.05
"""Seconds; a shorter selection is a click that slipped."""


class Viewer:
    """Shows one session at a time.

    Args:
        engine: returns what computes replays.
        background: runs work in the background.
        track_again: computes them; tests pass their own.
        recording: returns the session that is being recorded, None while none is.
    """

    def __init__(
        self,
        engine: Callable[[], EngineSettings],
        background: Background = in_background,
        track_again: TrackAgain = replay,
        recording: Callable[[], Path | None] = lambda: None,
    ) -> None:
        self._engine, self._recording, self._track_again = engine, recording, track_again
        self._changed: Callable[[], None] = lambda: None
        self._background = background
        self._lock = threading.RLock()
        self._run = 0
        self._stage, self._problem = ViewerStage.EMPTY, ""
        self._folder: Path | None = None
        self._opened: Opened | None = None
        self._part: Part | None = None
        self._asked: Path | None = None
        self._read = (RECORDED, "")
        """The takes that are drawn: those chosen last, once they are read."""
        self._job: Job | None = None
        self._message: Outcome | None = None
        self._said = 0.0
        self.player: SessionPlayer | None = None

    def listen(self, changed: Callable[[], None]) -> None:
        """Call ``changed``, on any thread, whenever there is something new to show."""
        self._changed = changed

    @property
    def results(self) -> LatestSlot[FrameResult] | None:
        """Where the newest picture comes in; None while nothing is open."""
        player = self.player
        return player.results if player is not None else None

    @property
    def folder(self) -> Path | None:
        """The open session's folder."""
        return self._folder

    def open(self, folder: Path) -> None:
        """Open a session instead of the one that is open."""
        self.close()
        with self._lock:
            self._stage, self._folder = ViewerStage.OPENING, folder
            run = self._run
        self._background(lambda: self._open(folder, run))
        self._changed()

    def close(self) -> None:
        """Close the session; what is being made of it goes on."""
        with self._lock:
            self._run += 1
            player = self.player
            self.player, self._opened = None, None
            self._stage, self._folder, self._problem = ViewerStage.EMPTY, None, ""
            self._part, self._message = None, None
        if player is not None:
            player.stop(0)  # its thread ends by itself after the picture it is decoding
        self._changed()

    def end(self) -> Job | None:
        """Close the session and cancel what is being made; return that, since it still has to clean up."""
        job = self._job
        self.cancel()
        self.close()
        return job

    def show(self, name: str) -> None:
        """Show a take as points; if it is the one compared with, they change places."""
        with self._lock:
            opened = self._opened
            if opened is None or name == opened.first:
                return
            second = opened.first if name == opened.second else opened.second
        self._choose(name, second)

    def compare_with(self, name: str) -> None:
        """Show a take as rings beside the first; "" or the same one again compares with none."""
        with self._lock:
            opened = self._opened
            if opened is None or name == opened.first:
                return
            second = "" if name == opened.second else name
            first = opened.first
        self._choose(first, second)

    def compare_with_session(self, folder: Path | None) -> None:
        """Set the first take's figures beside those of another session's recording; None leaves that."""
        with self._lock:
            opened, run, self._asked = self._opened, self._run, folder
        if opened is None or opened.first not in opened.known:
            return
        if folder is None:
            self._update(run, other=None)
            return
        first = opened.known[opened.first].take

        def work() -> None:
            try:
                session = open_session(folder)
                comparison = compare_takes(first, session.recorded)
            except UserError as error:
                self._say(run, Outcome(str(error), good=False))
                return
            b = replace(comparison.b, name=session.name)
            with self._lock:
                if self._asked == folder:  # and nothing else meanwhile
                    self._update(run, other=replace(comparison, b=b))

        self._background(work)

    def choose_part(self, start: float, end: float) -> None:
        """Choose a part; one that is too short to mean anything chooses the whole session."""
        with self._lock:
            duration = self.player.duration if self.player is not None else 0.0
            low, high = sorted((min(max(0.0, start), duration), min(max(0.0, end), duration)))
            self._part = (low, high) if high - low >= SHORTEST_PART else None
        self._measure()

    def begin_part(self) -> None:
        """Let the part begin where the playhead is."""
        player, part = self.player, self._part
        if player is not None:
            now = player.playback.position
            end = part[1] if part is not None and part[1] > now else player.duration
            self.choose_part(now, end)

    def end_part(self) -> None:
        """Let the part end where the playhead is."""
        player, part = self.player, self._part
        if player is not None:
            now = player.playback.position
            self.choose_part(part[0] if part is not None and part[0] < now else 0.0, now)

    def replay(self, way: str, baseline: str) -> None:
        """Track the session again, in one ``jobs.Way`` beside one ``jobs.Beside``."""
        opened = self._opened
        if opened is not None and self._job is None:
            ended = partial(self._ended, opened.session)
            self._begin(replay_job(opened.session, self._engine(), way, baseline, ended, self._track_again))

    def export(self, kind: str) -> None:
        """Write the chosen part beside the session, as one of ``jobs.CLIPS``."""
        opened = self._opened
        if opened is None or self._job is not None or opened.first not in opened.known:
            return
        part = self._part or (0.0, opened.session.seconds)
        take = opened.known[opened.first].take
        self._begin(clip_job(opened.session, take, part, kind, partial(self._ended, opened.session)))

    def cancel(self) -> None:
        """Stop what is being made."""
        job = self._job
        if job is not None:
            job.cancel()

    def dismiss(self) -> None:
        """Dismiss the message."""
        self._message = None
        self._changed()

    def view(self) -> ViewerFacts:
        """Return what is to be seen now."""
        with self._lock:
            opened, part = self._opened, self._part
            stage, problem = self._stage, self._problem
            message = None if self._seen_long_enough() else self._message
        job = self.job
        name = self._folder.name if self._folder is not None else ""
        if opened is None:
            return ViewerFacts(stage, name, problem=problem, job=job, message=message)
        player = self.player
        problem = player.problem if player is not None else ""
        return facts_of(opened, name, problem, part, job, message)

    @property
    def job_of(self) -> Path | None:
        """The session from which something is being made, None if there is none."""
        job = self._job
        return None if job is None else job.session

    @property
    def job(self) -> JobView | None:
        """What is being made, also of a session that is not open any more; None if nothing."""
        with self._lock:
            return None if self._job is None else self._job_view(self._job)

    def take_message(self) -> Outcome | None:
        """Return how work ended, if nobody was told, for a page on which the session is not seen."""
        with self._lock:
            message, self._message = self._message, None
        return message

    def _open(self, folder: Path, run: int) -> None:
        running = folder == self._recording()
        try:
            session = open_session(folder)
            known = load_takes(session, (RECORDED,))
            shown = (known[RECORDED],)
            timeline = timeline_of(session.seconds, shown, session.events)
            figures = part_figures(shown, 0.0, session.seconds)
            subtitle, pictures = readouts.subtitle(session, running=running), session.video_path is not None
            opened = Opened(session, session.take_names, known, RECORDED, "", timeline, subtitle, pictures, figures)
        except UserError as error:
            self._fail(run, str(error))
            return
        except Exception as error:
            log.exception("%s could not be opened", folder)
            self._fail(run, f"{folder.name} cannot be opened ({error!r}); the log has the details.")
            return
        with self._lock:
            if run != self._run:
                return
            self._opened, self._stage, self._read = opened, ViewerStage.OPEN, (RECORDED, "")
            self.player = SessionPlayer(session, shown)
            self.player.start()
        self._changed()

    def _choose(self, first: str, second: str) -> None:
        """Show other takes, read in the background where they were not yet."""
        with self._lock:
            opened, run, self._asked = self._opened, self._run, None
        if opened is None:
            return
        self._update(run, first=first, second=second, comparison=None, other=None)

        def work() -> None:
            try:
                missing = tuple(name for name in (first, second) if name and name not in opened.known)
                known = opened.known | load_takes(opened.session, missing)
            except UserError as error:
                with self._lock:
                    if self._still_chosen(run, first, second):
                        self._update(run, first=self._read[0], second=self._read[1])
                self._say(run, Outcome(str(error), good=False))
                return
            shown, duration = tuple(known[name] for name in (first, second) if name), opened.session.seconds
            comparison = compare_takes(shown[0].take, shown[1].take) if len(shown) > 1 else None
            timeline = timeline_of(duration, shown, shown[0].take.events)
            with self._lock:
                if not self._still_chosen(run, first, second):
                    return  # others are being read, or were read sooner
                figures = part_figures(shown, *(self._part or (0.0, duration)))
                self._update(run, known=known, timeline=timeline, figures=figures, comparison=comparison)
                self._read = first, second
                if self.player is not None:
                    self.player.show(shown)

        self._background(work)

    def _still_chosen(self, run: int, first: str, second: str) -> bool:
        """Whether these takes of the open session are those to be shown; called with the lock held."""
        opened = self._opened
        return run == self._run and opened is not None and (opened.first, opened.second) == (first, second)

    def _measure(self) -> None:
        """Work out the figures of the chosen part; a few array operations."""
        with self._lock:
            opened, run, part = self._opened, self._run, self._part
        if opened is not None:
            self._update(run, figures=part_figures(opened.shown, *(part or (0.0, opened.session.seconds))))

    def _begin(self, job: Job) -> None:
        with self._lock:
            self._job, self._message = job, None
        self._background(job.run)
        self._changed()

    def _job_view(self, job: Job) -> JobView:
        """Return a job's progress, with the name of its session where another one is open; with the lock held."""
        view, opened = job.view, self._opened
        if opened is not None and opened.session.folder == job.session:
            return view
        return replace(view, label=f"{view.label} of {job.session.name}")

    def _ended(self, session: Session, outcome: Outcome | None) -> None:
        with self._lock:
            self._job, self._said = None, time.monotonic()
            opened = self._opened
            here = opened is not None and opened.session.folder == session.folder
            if outcome is not None and not here:
                outcome = replace(outcome, text=f"{session.name}: {outcome.text}")
            self._message = outcome
            if opened is not None and here:
                self._opened = replace(opened, names=opened.session.take_names)
        self._changed()
        if opened is not None and here and outcome is not None and outcome.take:
            self._choose(opened.first, outcome.take)

    def _update(self, run: int, **changes: object) -> None:
        with self._lock:
            if run != self._run or self._opened is None:
                return
            self._opened = replace(self._opened, **changes)  # type: ignore[arg-type]
        self._changed()

    def _say(self, run: int, outcome: Outcome) -> None:
        with self._lock:
            if run != self._run:
                return
            self._message, self._said = outcome, time.monotonic()
        self._changed()

    def _seen_long_enough(self) -> bool:
        """Whether the message is good news without a way out, and a few seconds old."""
        message = self._message
        if message is None or not message.good or message.path is not None:
            return False
        return time.monotonic() - self._said > NOTICE_SECONDS

    def _fail(self, run: int, sentence: str) -> None:
        with self._lock:
            if run != self._run:
                return
            self._stage, self._problem = ViewerStage.FAILED, sentence
        self._changed()
