"""The hold-still test without widgets: ten guided seconds, then a report card that is saved, repeated and compared.

The tracker's thread only hands frames over (:meth:`HoldStill.consume`), the window's thread moves the test on
(:meth:`HoldStill.tick`), and everything that takes long, figures, checksums, files, runs on a thread of its own.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from app.core.errors import UserError
from app.core.frame import FrameResult
from app.core.settings import TrackingSettings
from app.gui.presenters.background import Background, in_background
from app.holdstill.card import Card, Circumstances, camera_of, make_card
from app.holdstill.card_file import CardFile, card_path, list_cards, write_card, write_new_card
from app.holdstill.measurement import measure
from app.holdstill.samples import TEST_SECONDS, Sampler
from app.holdstill.text import CardSheet, ComparisonSheet, Sheet, card_sheet, comparison_sheet
from app.sources.base import SourceInfo
from app.tracking.live import LiveState, LiveStatus

log = logging.getLogger(__name__)


class HoldStillStage(StrEnum):
    """Where a hold-still test stands."""

    IDLE = "idle"
    COUNTDOWN = "countdown"
    MEASURING = "measuring"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


MOST_CHOICES = 12
COUNTDOWN_SECONDS = 2.0
PATIENCE_SECONDS = 4.0
"""So much longer than the test may take in all; then the source has stalled."""


@dataclass(frozen=True, slots=True)
class HoldStillView:
    """What is to be seen of the test.

    Attributes:
        stage: where the test stands.
        headline: a few words, large.
        advice: one sentence below.
        count: seconds to go, in the ring; "" where there is nothing to wait for.
        progress: share of the ten seconds, 0 to 1.
        good: whether nothing needs to change in front of the camera.
        sheet: the card, or two compared, once done.
        path: where the card lies; None where it could not be saved.
        problem: one sentence about what could not be saved or read, "" normally.
        note: one sentence about what was saved, "" before.
        others: cards that this one can be compared with, newest first.
    """

    stage: HoldStillStage = HoldStillStage.IDLE
    headline: str = ""
    advice: str = ""
    count: str = ""
    progress: float = 0.0
    good: bool = True
    sheet: Sheet | None = None
    path: Path | None = None
    problem: str = ""
    note: str = ""
    others: tuple[CardFile, ...] = ()

    @property
    def running(self) -> bool:
        """Whether the overlay is to be shown on the picture."""
        return self.stage in (
            HoldStillStage.COUNTDOWN,
            HoldStillStage.MEASURING,
            HoldStillStage.WORKING,
            HoldStillStage.FAILED,
        )


class SessionState(Protocol):
    """The part of a session's state that the test needs."""

    @property
    def stage(self) -> LiveState: ...
    @property
    def info(self) -> SourceInfo | None: ...
    @property
    def status(self) -> LiveStatus | None: ...
    @property
    def tracking(self) -> TrackingSettings: ...


class Session(Protocol):
    """The part of a session that the test needs."""

    @property
    def state(self) -> SessionState: ...
    def configure(self, change: Callable[[TrackingSettings], TrackingSettings]) -> object: ...


SavePicture = Callable[[Sheet, Path], None]


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the background has found; replaced as a whole."""

    sheet: CardSheet | None = None
    shown: Sheet | None = None
    path: Path | None = None
    problem: str = ""
    note: str = ""
    failure: str = ""
    others: tuple[CardFile, ...] = ()


class HoldStill:
    """One window's hold-still test.

    Args:
        session: what plays, and how it tracks.
        chosen: returns how the user wants it to track, which is in force again after a test.
        weights: returns the weights' file in use.
        folder: where cards are kept, asked when one is saved.
        save_picture: writes a sheet as PNG; called in the background.
        changed: called on any thread when the view is another one.
        background: runs work in the background.
        clock: seconds, as ``time.perf_counter``.
    """

    def __init__(
        self,
        session: Session,
        chosen: Callable[[], TrackingSettings],
        weights: Callable[[], Path],
        folder: Callable[[], Path],
        save_picture: SavePicture,
        changed: Callable[[], None] = lambda: None,
        background: Background = in_background,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self._session = session
        self._chosen = chosen
        self._weights = weights
        self._folder = folder
        self._save_picture = save_picture
        self._changed = changed
        self._background = background
        self._clock = clock
        self._stage = HoldStillStage.IDLE
        self._started = 0.0
        self._switched = False
        self._face: int | None = None
        self._sampler: Sampler | None = None
        self._seen = (0.0, False)
        self._run = 0
        self._lock = threading.Lock()
        self._outcome = _Outcome()

    def start(self, face: int | None = None) -> None:
        """Begin the countdown, also while a test runs; ``face`` is the one to measure, the largest if not given."""
        state = self._session.state
        if state.stage != LiveState.RUNNING or state.info is None:
            self._fail("Nothing plays; start a camera first and then the test.")
            return
        self._switched = True
        self._session.configure(lambda tracking: replace(tracking, compare=True, measure_flicker=True))
        self._face = face
        self._sampler = None
        self._started = self._clock()
        self._run += 1
        self._seen = (0.0, False)
        self._publish(_Outcome())
        self._go(HoldStillStage.COUNTDOWN)

    def cancel(self) -> None:
        """End the test or close its card; what was saved stays."""
        self._restore()
        self._sampler = None
        self._run += 1
        self._go(HoldStillStage.IDLE)

    def consume(self, result: FrameResult) -> None:
        """Take a frame, on the tracker's thread; costs nothing while no test runs."""
        stage, sampler = self._stage, self._sampler
        if stage == HoldStillStage.COUNTDOWN:
            self._seen = (result.frame.captured, bool(result.faces))
        elif stage == HoldStillStage.MEASURING and sampler is not None:
            sampler.add(result, self._clock())

    def tick(self) -> None:
        """Move the test on; called by the window a few times a second."""
        if self._stage not in (HoldStillStage.COUNTDOWN, HoldStillStage.MEASURING):
            return
        passed = self._clock() - self._started
        if self._session.state.stage != LiveState.RUNNING:
            self._fail("The source stopped; start it again and repeat the test.")
        elif self._stage == HoldStillStage.COUNTDOWN and passed >= COUNTDOWN_SECONDS:
            self._sampler = Sampler(face=self._face)
            self._go(HoldStillStage.MEASURING)
        elif self._stage == HoldStillStage.MEASURING and self._sampler is not None and self._sampler.progress >= 1.0:
            self._finish(self._sampler)
        elif passed > COUNTDOWN_SECONDS + TEST_SECONDS + PATIENCE_SECONDS:
            self._fail("No more frames arrive; check the source and repeat the test.")

    @property
    def running(self) -> bool:
        """Whether frames are needed or a result is on its way."""
        return self.view().running

    def view(self) -> HoldStillView:
        """Return what is to be seen now."""
        with self._lock:
            outcome = self._outcome
        stage = self._stage
        if stage == HoldStillStage.WORKING and outcome.failure:
            stage = HoldStillStage.FAILED
        elif stage == HoldStillStage.WORKING and outcome.sheet is not None:
            stage = HoldStillStage.DONE
        if stage == HoldStillStage.COUNTDOWN:
            captured, face = self._seen
            return countdown_view(COUNTDOWN_SECONDS - (self._clock() - self._started), face or not captured)
        if stage == HoldStillStage.MEASURING and self._sampler is not None:
            return measuring_view(self._sampler)
        if stage == HoldStillStage.WORKING:
            return HoldStillView(HoldStillStage.WORKING, "Thank you", "Working out the figures\u2026", progress=1.0)
        if stage == HoldStillStage.FAILED:
            return HoldStillView(HoldStillStage.FAILED, "No report card", outcome.failure, good=False)
        if stage == HoldStillStage.DONE:
            return HoldStillView(
                HoldStillStage.DONE,
                sheet=outcome.shown,
                path=outcome.path,
                problem=outcome.problem,
                note=outcome.note,
                others=tuple(file for file in outcome.others if file.path != outcome.path),
            )
        return HoldStillView()

    def save(self, label: str) -> None:
        """Save the card again under a label, over itself; where two are compared, save a picture of both."""
        with self._lock:
            outcome, run = self._outcome, self._run
        shown = outcome.shown
        if isinstance(shown, ComparisonSheet):
            self._background(lambda: self._keep_comparison(shown, outcome.path, run))
        elif outcome.sheet is not None:
            sheet = replace(outcome.sheet, card=outcome.sheet.card.labelled(label))
            self._background(lambda: self._keep(sheet, outcome.path, run))

    def compare(self, path: Path | None) -> None:
        """Show the card beside the one in ``path``; None shows it alone again."""
        with self._lock:
            outcome = self._outcome
        sheet = outcome.sheet
        if sheet is None:
            return
        if path is None:
            self._publish(replace(outcome, shown=sheet, note=""))
            return
        first = next((file.card for file in outcome.others if file.path == path), None)
        if first is not None:
            second, run = sheet.card, self._run
            self._background(lambda: self._update(run, shown=comparison_sheet(first, second), note=""))

    def _finish(self, sampler: Sampler) -> None:
        try:
            facts = self._circumstances()
        except UserError as error:
            self._fail(str(error))
            return
        self._restore()
        self._go(HoldStillStage.WORKING)
        run = self._run

        def job() -> None:
            try:
                card = make_card(measure(sampler.sitting()), facts)
                self._keep(card_sheet(card), None, run)
            except UserError as error:
                self._update(run, failure=str(error))
            except Exception:
                log.exception("the hold-still test failed")
                text = "The figures could not be worked out; repeat the test, and the log has the details."
                self._update(run, failure=text)

        self._background(job)

    def _circumstances(self) -> Circumstances:
        state = self._session.state
        info, status = state.info, state.status
        if info is None or status is None:
            raise UserError("The source is gone; start it again and repeat the test.")
        return Circumstances(camera_of(info), status.engine, self._weights(), state.tracking)

    def _keep(self, sheet: CardSheet, path: Path | None, run: int) -> None:
        """Write the card and its picture; a card that cannot be written is shown all the same."""
        problem = note = ""
        folder = self._folder()
        try:
            if path is None:
                path = write_new_card(folder, sheet.card)
            else:
                write_card(path, sheet.card)
            self._save_picture(sheet, path.with_suffix(".png"))
            note = f"Saved as {path.name}, and as a picture beside it."
        except UserError as error:
            problem = str(error)
        others = list_cards(folder)
        self._update(run, sheet=sheet, shown=sheet, path=path, problem=problem, note=note, others=others)

    def _keep_comparison(self, sheet: ComparisonSheet, path: Path | None, run: int) -> None:
        """Write the picture of two cards beside the newer one."""
        beside = path or card_path(self._folder(), sheet.comparison.second)
        picture = beside.with_name(f"{beside.stem} compared.png")
        try:
            self._save_picture(sheet, picture)
        except UserError as error:
            self._update(run, problem=str(error), note="")
        else:
            self._update(run, problem="", note=f"Saved as {picture.name}.")

    def _update(self, run: int, **changes: object) -> None:
        """Publish what the background found, unless another test has begun meanwhile."""
        with self._lock:
            if run != self._run:
                return
            self._outcome = replace(self._outcome, **changes)  # type: ignore[arg-type]
        self._changed()

    def _publish(self, outcome: _Outcome) -> None:
        with self._lock:
            self._outcome = outcome
        self._changed()

    def _fail(self, sentence: str) -> None:
        self._restore()
        self._sampler = None
        self._run += 1
        self._publish(_Outcome(failure=sentence))
        self._go(HoldStillStage.FAILED)

    def _go(self, stage: HoldStillStage) -> None:
        self._stage = stage
        self._changed()

    def _restore(self) -> None:
        """Undo what the test switched on, as far as the user did not choose it meanwhile."""
        if self._switched:
            self._switched = False
            own = self._chosen()
            self._session.configure(
                lambda tracking: replace(tracking, compare=own.compare, measure_flicker=own.measure_flicker)
            )


def countdown_view(left: float, face: bool) -> HoldStillView:
    """Return what is seen ``left`` seconds before the test begins; ``face`` tells whether one is in view."""
    count = str(max(1, math.ceil(left)))
    if face:
        return HoldStillView(HoldStillStage.COUNTDOWN, "Get ready", "Look at the camera and keep still.", count)
    return HoldStillView(HoldStillStage.COUNTDOWN, "No face in view", "Sit in front of the camera.", count, good=False)


def measuring_view(sampler: Sampler) -> HoldStillView:
    """Return what is seen while frames are collected."""
    progress = sampler.progress
    count = str(max(1, math.ceil((1 - progress) * TEST_SECONDS)))
    if progress > 0 and not sampler.face_in_view:
        return HoldStillView(
            HoldStillStage.MEASURING, "No face in view", "Come back into the picture.", count, progress, good=False
        )
    if sampler.restless:
        return HoldStillView(
            HoldStillStage.MEASURING, "You are moving", "Hold still; lean on something.", count, progress, good=False
        )
    return HoldStillView(
        HoldStillStage.MEASURING, "Hold still", "Good. Breathe calmly; blinking is fine.", count, progress
    )


def card_choices(others: tuple[CardFile, ...]) -> list[tuple[str, Path]]:
    """Return the labels and paths of the cards to compare with, newest first."""
    return [(_choice(file.card), file.path) for file in others[:MOST_CHOICES]]


def _choice(card: Card) -> str:
    label = f"{card.label}, {card.camera.name}" if card.label else card.camera.name
    return f"{card.when:%d %b %H:%M}   {label}"
