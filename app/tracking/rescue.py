"""Solves faces with an engine that may fail: then another one takes its place, within the same frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from app.core.errors import EXIT_FAILURE, UserError
from app.core.events import EngineReplaced, TrackingEvent
from app.core.settings import TrackingSettings
from app.tracking.faces import FaceSolver, FollowedFace, Solutions
from model.engine.base import Engine
from model.engine.fallback import EngineSupply, OpenEngine
from model.errors import ModelError, in_short
from model.geometry import Crop
from model.repair.ghcu import Ghcu
from model.solvers import StopReason

ENGINE_REPLACED = "engine replaced"
NO_NUMBERS = "it gave no numbers"
SICK_FRAMES = 3
"""Frames in a row in which no solve gave numbers after which the engine counts as failed."""

Solved = list[tuple[Crop, Solutions]]


class Rescue:
    """The solver in use, and what happens when its engine fails.

    Args:
        engine: runs the model.
        open_ghcu: opens what repairs covered landmarks, the first time the settings want it.
        open_spare: opens an engine that takes the place of one that failed; without it a failure ends the run.
    """

    def __init__(self, engine: Engine, open_ghcu: Callable[[], Ghcu] | None, open_spare: OpenEngine | None) -> None:
        self._supply = EngineSupply(engine, open_spare)
        self._open_ghcu = open_ghcu
        self._sick = 0
        self.solver = FaceSolver(engine, open_ghcu)

    @property
    def engine(self) -> Engine:
        """What runs the model now."""
        return self._supply.engine

    def close(self) -> None:
        """End what runs beside the solver."""
        self.solver.close()

    def solve(
        self,
        work: Callable[[], Solved],
        faces: Sequence[FollowedFace],
        settings: TrackingSettings,
        events: list[TrackingEvent],
    ) -> Solved:
        """Return what ``work`` returns; where the engine fails in it, what it returns with another one.

        Args:
            work: solves ``faces`` with :attr:`solver`, as it is when it is called.
            faces: every face that is followed; they lose their memory with the engine.
            settings: in force for this frame.
            events: what happened is added to it.

        Raises:
            UserError: engines fail one after the other, or the spare one cannot be opened.
        """
        while True:
            try:
                solved = work()
            except (UserError, ModelError):
                raise
            except Exception as error:  # libraries raise many types of their own
                if self._supply.alone:
                    raise
                self._replace(str(error) or type(error).__name__, faces, settings, events)
                continue
            reports = [answers[settings.mode].report for _, answers in solved]
            if reports:
                self._sick = self._sick + 1 if all(report.stopped == StopReason.NOT_FINITE for report in reports) else 0
            if self._sick < SICK_FRAMES or self._supply.alone:
                return solved
            self._replace(NO_NUMBERS, faces, settings, events)

    def _replace(
        self, reason: str, faces: Sequence[FollowedFace], settings: TrackingSettings, events: list[TrackingEvent]
    ) -> None:
        failed, reason = self.engine.name, in_short(reason)
        try:
            engine = self._supply.replace(reason)
        except ModelError as error:
            raise UserError(f"The model cannot be used any more: {error}.", EXIT_FAILURE) from error
        self._sick = 0
        self.solver.close()
        self.solver = FaceSolver(engine, self._open_ghcu)
        events.append(EngineReplaced(failed, reason, engine.name))
        for face in faces:  # their states are of the old engine's kind, and perhaps on a device that is gone
            fresh = FollowedFace.begin(face.track, engine, settings)
            face.recurrence, face.meter = fresh.recurrence, fresh.meter
            face.recurrence.reset(ENGINE_REPLACED)
