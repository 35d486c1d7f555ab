"""Solves the faces of a frame in all the modes asked for, and replaces the engine if it fails."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from app.core.errors import EXIT_FAILURE, UserError
from app.core.events import EngineReplaced, ResetReason
from app.core.frame import Frame
from app.core.modes import FILTERS, Mode
from app.core.settings import TrackingSettings
from app.tracking.background_worker import BackgroundWorker
from app.tracking.consistency import CONVINCING, DOUBTFUL, HANGING, mirror_gap
from app.tracking.smoothing import FaceSmoother, make_filter
from app.tracking.stages import StageTimes
from app.tracking.tracker import Policy, Track, centred_crop
from model.engine.base import Asynchronous, Engine, State
from model.engine.symmetric import one_sided
from model.errors import ModelError, in_short
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerMeter
from model.motion import FlowMotion
from model.repair.ghcu import Ghcu
from model.rwr.batch import solve_batch
from model.rwr.cold import cold_solutions
from model.rwr.recurrence import Recurrence, calculated
from model.rwr.solution import Solution, disc_radii
from model.signals.track import ReadSignals, SignalTracker
from model.solvers import StopReason
from model.uncertainty import Calibration

NO_NUMBERS = "it gave no numbers"
NOT_FINITE_FRAMES = 3
"""Frames in a row without any finite solve after which the engine counts as failed."""
MOST_REPLACEMENTS = 3
"""Replacements in one run. An engine that fails more often has a lasting cause that no other engine removes."""

Solutions = dict[Mode, Solution]
"""One face's answers by mode."""

log = logging.getLogger(__name__)


class FollowedFace:
    """Everything remembered about one face.

    Args:
        track: where it is.
        engine: runs the model.
        settings: in force.

    Attributes:
        track: where it is.
        recurrence: its last fixed point.
        meter: its last landmarks, to measure flicker.
    """

    def __init__(self, track: Track, engine: Engine, settings: TrackingSettings) -> None:
        self.track = track
        self._smoothers: dict[Mode, FaceSmoother] = {}
        self._signals: dict[Mode, SignalTracker] = {}
        self._begin(engine, settings)

    def _begin(self, engine: Engine, settings: TrackingSettings) -> None:
        flow = FlowMotion()  # the picture's motion is measured once for both
        self.recurrence, self.meter = Recurrence(engine, settings.recurrence, flow), FlickerMeter(flow)

    def use_engine(self, engine: Engine, settings: TrackingSettings) -> None:
        """Start again with another engine: the states are of the old one's kind, and maybe on a device that is gone."""
        self._begin(engine, settings)
        self.recurrence.reset(ResetReason.ENGINE_REPLACED)

    def configure(self, old: TrackingSettings, new: TrackingSettings) -> None:
        """Apply other settings; a mode that was not in use until now starts without memory."""
        if Mode.RWR in new.modes and Mode.RWR not in old.modes:
            self.recurrence.reset(ResetReason.RWR_ON)
        self.recurrence.configure(new.recurrence)
        if not new.measure_flicker:
            self.meter.reset()
        self._smoothers = {mode: smoother for mode, smoother in self._smoothers.items() if mode in new.modes}
        self._signals = {mode: tracker for mode, tracker in self._signals.items() if mode in new.modes}

    def smoothed(self, mode: Mode, cold: Solution, seconds: float) -> Solution:
        """Return the answer of the filter ``mode`` over a cold solve of the frame at ``seconds``."""
        if mode not in self._smoothers:
            smoothing = make_filter(mode)
            assert smoothing is not None, mode
            self._smoothers[mode] = FaceSmoother(smoothing)
        return replace(cold, landmarks=self._smoothers[mode].update(cold.landmarks, seconds))

    def signals(self, mode: Mode, solution: Solution, frame: Frame) -> ReadSignals:
        """Return what tells, when it is read, what the face does in ``frame`` according to a mode's answer."""
        tracker = self._signals.setdefault(mode, SignalTracker())
        return tracker.update(solution.landmarks, frame.size, frame.timestamp)


@dataclass(frozen=True, slots=True, eq=False)
class SolvedFace:
    """One face's answers on a frame.

    Attributes:
        crop: the square that was solved.
        solutions: by mode, the chosen one first.
    """

    crop: Crop
    solutions: Solutions


class FaceSolver:
    """Crops, encodes and solves the faces of a frame; owns the engine, and replaces it when it fails.

    RwR measures how the picture moved before it needs the network, which encodes the crops meanwhile: an asynchronous
    engine by itself, any other on a background thread, which then goes on with the cold solve if one is wanted too.

    Args:
        engine: runs the model.
        policy: of the tracker.
        open_ghcu: opens the GHCU, which repairs covered landmarks, when the settings first ask for it.
        open_spare: opens an engine to replace one that failed; without it a failure ends the run.
        calibration: tells how far off landmarks may be; without it that is not known.
    """

    def __init__(
        self,
        engine: Engine,
        policy: Policy,
        open_ghcu: Callable[[], Ghcu] | None = None,
        open_spare: Callable[[], Engine] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        self._use(engine)
        self._calibration = calibration
        self._policy = policy
        self._open_ghcu = open_ghcu
        self._open_spare = open_spare
        self._ghcu: Ghcu | None = None
        self._worker = BackgroundWorker("encoding")
        self._replacements = 0
        self._not_finite = 0

    def _use(self, engine: Engine) -> None:
        # Asked once: a protocol is compared method by method, which takes 50 us.
        self._engine, self._asynchronous = engine, isinstance(engine, Asynchronous)
        self._one_sided = one_sided(engine)

    @property
    def engine(self) -> Engine:
        """What runs the model now."""
        return self._engine

    def close(self) -> None:
        """End the background thread."""
        self._worker.close()

    def open_ghcu(self) -> Ghcu | None:
        """Return the GHCU, opened if it was not yet; None if there is none."""
        if self._ghcu is None and self._open_ghcu is not None:
            self._ghcu = self._open_ghcu()
        return self._ghcu

    def solve(
        self, frame: Frame, faces: Sequence[FollowedFace], settings: TrackingSettings, times: StageTimes
    ) -> tuple[list[SolvedFace], list[EngineReplaced]]:
        """Solve every face; if the engine fails, replace it and solve all faces again without memory.

        Args:
            frame: to solve.
            faces: every face that is followed; those without landmarks yet come last.
            settings: in force for this frame.
            times: the stages' times are added to it.

        Returns:
            Each face's answers in the same order, and which engines were replaced.

        Raises:
            UserError: engines fail one after the other, or the spare one cannot be opened.
        """
        replaced: list[EngineReplaced] = []
        while True:
            try:
                solved = self._attempt(frame, faces, settings, times)
            except (UserError, ModelError):
                raise
            except Exception as error:  # libraries raise errors of many types
                if self._open_spare is None:
                    raise
                replaced.append(self._replace_engine(error))
            else:
                if self._open_spare is None or not self._gives_no_numbers(solved, settings.mode):
                    return solved, replaced
                replaced.append(self._replace_engine(NO_NUMBERS))
            for face in faces:
                face.use_engine(self._engine, settings)

    def _attempt(
        self, frame: Frame, faces: Sequence[FollowedFace], settings: TrackingSettings, times: StageTimes
    ) -> list[SolvedFace]:
        known = [face for face in faces if face.track.landmarks is not None]
        solved = self._solve_together(frame, known, [face.track.crop for face in known], settings, times)
        return solved + [self._solve_first(frame, face, settings, times) for face in faces[len(known) :]]

    def _solve_together(
        self,
        frame: Frame,
        faces: Sequence[FollowedFace],
        crops: Sequence[Crop],
        settings: TrackingSettings,
        times: StageTimes,
    ) -> list[SolvedFace]:
        """Solve faces in one batch."""
        if not faces:
            return []
        pictures, modes = self._pictures(frame.image, crops, times), settings.modes
        beside = Mode.RWR in modes and not self._asynchronous
        u = self._encode_beside(pictures, times) if beside else self._encode(self._engine, pictures, times)
        by_mode: dict[Mode, list[Solution]] = {}
        with times.timed("solve"):
            cold = self._solve_cold_later(u, crops, beside) if modes != (Mode.RWR,) else None
            if Mode.RWR in modes:
                recurrences = [face.recurrence for face in faces]
                by_mode[Mode.RWR] = solve_batch(self._engine, recurrences, u, crops, frame.image, frame.timestamp)
            if cold is not None:
                by_mode[Mode.COLD] = cold()
        if settings.ghcu:
            self._repair(by_mode, crops, times)
        if self._calibration is not None:
            with times.timed("solve"):
                self._add_radii(self._calibration, by_mode, calculated(u), crops)
        for mode in modes:
            if mode in FILTERS:
                pairs = zip(faces, by_mode[Mode.COLD], strict=True)
                by_mode[mode] = [face.smoothed(mode, cold, frame.timestamp) for face, cold in pairs]
        return [SolvedFace(crop, {mode: by_mode[mode][i] for mode in modes}) for i, crop in enumerate(crops)]

    def _solve_first(
        self, frame: Frame, face: FollowedFace, settings: TrackingSettings, times: StageTimes
    ) -> SolvedFace:
        """Solve a new face three times: the detector's box is rougher than the box of its landmarks.

        The first crop may cut a turned face so that even the second is a tenth too small.
        Where the detector says that the face is not upright, the network decides between the crops.
        """
        crops = [face.track.crop, *face.track.other_crops]
        answers = self._solve_cold(frame.image, crops, times)
        crop, first = crops[0], answers[0]
        if len(crops) > 1:
            crop, first = self._most_consistent(frame.image, crops, answers, face.track.crops_beside, times)
        crop = self._centred(crop, first)
        # A turned face is centred for the third time then; twice gives 1.002 x [0.999, 1.007] the error.
        (second,) = self._solve_cold(frame.image, [crop], times)
        crop = self._centred(crop, second)
        (last,) = self._solve_together(frame, [face], [crop], settings, times)
        extra = first.report.evaluations + second.report.evaluations
        counted = {
            mode: replace(solution, report=replace(solution.report, evaluations=solution.report.evaluations + extra))
            for mode, solution in last.solutions.items()
        }
        return SolvedFace(crop, counted)

    def _most_consistent(
        self,
        image: NDArray[np.uint8],
        crops: Sequence[Crop],
        answers: Sequence[Solution],
        beside: Sequence[Crop],
        times: StageTimes,
    ) -> tuple[Crop, Solution]:
        """Return the crop of a new face, and its answer, for which mirroring the picture matters least.

        What the network makes of a face turned by 90 or 180 degrees it does not make of its mirror image: of 513 such
        crops of the validation faces none is more consistent than the upright one, while in 11 of them the network is
        surer of itself. Few faces hang, so one that seems to is believed only where no upright crop beside it shows a
        face as well.
        """
        gap, crop, answer = self._consistency(image, crops, answers, times)
        hangs = abs(crop.angle) > HANGING
        if beside and (hangs or gap > DOUBTFUL):
            found = self._consistency(image, beside, self._solve_cold(image, beside, times), times)
            if found[0] < (min(gap, DOUBTFUL) if hangs else CONVINCING * gap):
                return found[1:]
        return crop, answer

    def _consistency(
        self, image: NDArray[np.uint8], crops: Sequence[Crop], answers: Sequence[Solution], times: StageTimes
    ) -> tuple[float, Crop, Solution]:
        """Return the smallest mirror gap of crops, each of which is centred first, with its crop and answer.

        Crops can be compared only where the face is in the middle of each.
        """
        crops = [self._centred(crop, answer) for crop, answer in zip(crops, answers, strict=True)]
        pictures = self._pictures(image, crops, times)
        answers = self._solve_pictures(pictures, crops, times)
        mirrored = self._solve_pictures(np.ascontiguousarray(pictures[:, :, ::-1]), crops, times)
        gaps = [mirror_gap(*each) for each in zip(crops, answers, mirrored, strict=True)]
        best = int(np.argmin(gaps))
        return gaps[best], crops[best], answers[best]

    def _solve_cold(self, image: NDArray[np.uint8], crops: Sequence[Crop], times: StageTimes) -> list[Solution]:
        return self._solve_pictures(self._pictures(image, crops, times), crops, times)

    def _solve_pictures(self, pictures: NDArray[np.uint8], crops: Sequence[Crop], times: StageTimes) -> list[Solution]:
        """Solve crops that only have to be compared or centred; a symmetric engine has the same answer mirrored."""
        u = self._encode(self._one_sided, pictures, times)
        with times.timed("solve"):
            return cold_solutions(self._one_sided, u, crops)

    def _centred(self, crop: Crop, answer: Solution) -> Crop:
        """Return the crop with the face in its middle, or as it is where the answer shows none: no size, no numbers."""
        extent = np.ptp(answer.landmarks, axis=0).max()
        return centred_crop(crop, answer.landmarks, self._policy) if 0 < extent < np.inf else crop

    def _pictures(self, image: NDArray[np.uint8], crops: Sequence[Crop], times: StageTimes) -> NDArray[np.uint8]:
        with times.timed("crop"):
            return np.stack([crop.extract(image, self._engine.config.input_size) for crop in crops])

    @staticmethod
    def _encode(engine: Engine, pictures: NDArray[np.uint8], times: StageTimes) -> State:
        with times.timed("encode"):
            return engine.encode(pictures)

    def _encode_beside(self, pictures: NDArray[np.uint8], times: StageTimes) -> Callable[[], State]:
        engine = self._engine
        with times.timed("encode"):  # handing over; waiting counts as solving
            return self._worker.submit(lambda: engine.encode(pictures)).result

    def _solve_cold_later(
        self, u: State | Callable[[], State], crops: Sequence[Crop], beside: bool
    ) -> Callable[[], list[Solution]]:
        """Return what returns the cold answers, which the background thread calculates already if ``beside``."""
        engine = self._engine

        def solve() -> list[Solution]:
            return cold_solutions(engine, calculated(u), crops)

        return self._worker.submit(solve).result if beside else solve

    def _repair(self, by_mode: dict[Mode, list[Solution]], crops: Sequence[Crop], times: StageTimes) -> None:
        """Let the GHCU repair the reported landmarks; the states that the next frame starts from stay as they are."""
        ghcu = self.open_ghcu()
        if ghcu is None:
            return
        with times.timed("repair"):
            for mode, solutions in by_mode.items():
                by_mode[mode] = [
                    ghcu.repair_solution(solution, crop) for solution, crop in zip(solutions, crops, strict=True)
                ]

    @staticmethod
    def _add_radii(
        calibration: Calibration, by_mode: dict[Mode, list[Solution]], u: State, crops: Sequence[Crop]
    ) -> None:
        """Enter the radii of the discs that hold a landmark with a probability of 80 %."""
        for mode, solutions in by_mode.items():
            by_mode[mode] = [
                replace(solution, radius80=disc_radii(calibration, solution, crop, u[i], 80))
                for i, (solution, crop) in enumerate(zip(solutions, crops, strict=True))
            ]

    def _gives_no_numbers(self, solved: Sequence[SolvedFace], mode: Mode) -> bool:
        """Count frames in a row in which no face's solve is finite; return whether there were too many."""
        reports = [face.solutions[mode].report for face in solved]
        if reports:
            none_finite = all(report.stopped == StopReason.NOT_FINITE for report in reports)
            self._not_finite = self._not_finite + 1 if none_finite else 0
        return self._not_finite >= NOT_FINITE_FRAMES

    def _replace_engine(self, problem: Exception | str) -> EngineReplaced:
        """Put the spare engine in the place of the one that failed.

        Raises:
            UserError: it cannot be opened, or engines were replaced too often already.
        """
        failed, reason = self._engine.name, in_short(str(problem) or type(problem).__name__)
        trouble, advice = (
            f"The model cannot be used any more: {failed} failed ({reason})",
            ("start again, or choose another with --engine or --device."),
        )
        if self._open_spare is None or self._replacements >= MOST_REPLACEMENTS:
            raise UserError(f"{trouble}; {advice}", EXIT_FAILURE)
        self._replacements += 1
        self._not_finite = 0
        try:
            engine = self._open_spare()
        except Exception as error:
            raise UserError(
                f"{trouble} and nothing can take its place ({in_short(str(error))}); {advice}", EXIT_FAILURE
            ) from error
        log.warning("%s failed (%s) and was replaced by %s", failed, reason, engine.name)
        self._worker.close()
        self._use(engine)
        self._ghcu, self._worker = None, BackgroundWorker("encoding")
        return EngineReplaced(failed, reason, engine.name)
