"""The synchronous pipeline from a frame to landmarks; the live window, ``track``, benchmarks and tests all use it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.core.events import (
    DetectorFailed,
    FaceFound,
    FaceLost,
    LossReason,
    PictureSizeChanged,
    ResetReason,
    SceneCut,
    TrackingEvent,
    TrackingRestarted,
)
from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.settings import EngineSettings, FollowChoice, TrackingSettings
from app.tracking.consistency import crops_beside
from app.tracking.detector import Detection, Detector, FaultTolerantDetector, MediaPipeDetector, with_turned
from app.tracking.engine import engine_of, spare_engine_of
from app.tracking.face_solver import FaceSolver, FollowedFace, SolvedFace
from app.tracking.parts import Part, parts_of
from app.tracking.scene import CutDetector
from app.tracking.stages import StageTimes
from app.tracking.tracker import (
    Identities,
    Policy,
    Track,
    agrees,
    box_of,
    crop_angle,
    doubt,
    drop_overlapping,
    in_order,
    loss,
    match,
    next_crop,
    policy_for,
    too_wide,
    watch_motion,
)
from model.config import LANDMARKS
from model.engine.base import Engine
from model.errors import ModelError
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerReading
from model.repair.ghcu import Ghcu
from model.uncertainty import Calibration, read_calibration
from model.weights import read_card

FRAMES_A_PART = 2
"""Frames of a video in which one part of the picture is searched for small faces."""

log = logging.getLogger(__name__)


class Pipeline:
    """Follows faces through frames that are given to it in order. Used by one thread at a time."""

    def __init__(
        self,
        engine: Engine,
        detector: Detector,
        settings: TrackingSettings,
        policy: Policy | None = None,
        open_ghcu: Callable[[], Ghcu] | None = None,
        open_spare: Callable[[], Engine] | None = None,
        calibration: Calibration | None = None,
    ) -> None:
        """Assemble the pipeline.

        Args:
            engine: runs the model.
            detector: finds faces; closed with the pipeline.
            settings: in force until :meth:`configure` changes them.
            policy: of the tracker; None for the defaults.
            open_ghcu: opens the GHCU, which repairs covered landmarks, when the settings first ask for it.
            open_spare: opens an engine to replace one that failed; without it a failure ends the run.
            calibration: tells how far off landmarks may be; without it results have no ``radius80``.
        """
        # OpenCV's worker threads spin while they wait, 5.6 ms of CPU time per frame; a face is too small to gain by
        # them.
        cv2.setNumThreads(1)
        self._policy = policy or policy_for(engine.config)
        self._solver = FaceSolver(engine, self._policy, open_ghcu, open_spare, calibration)
        self._detector = FaultTolerantDetector(detector)
        self._settings = settings
        self._cuts = CutDetector()
        self._faces: list[FollowedFace] = []
        self._identities = Identities()
        self._since_look = 0
        self._anew = False
        self._size = (0, 0)
        self._parts: tuple[Part, ...] = ()
        self._frames = 0
        self._times = StageTimes()

    @property
    def engine_name(self) -> str:
        """Library and device in use."""
        return self._solver.engine.name

    @property
    def settings(self) -> TrackingSettings:
        """The settings in force."""
        return self._settings

    def configure(self, settings: TrackingSettings) -> None:
        """Use ``settings`` from the next frame on."""
        for face in self._faces:
            face.configure(self._settings, settings)
        self._settings = settings

    def open_ghcu(self) -> Ghcu | None:
        """Return the GHCU, opened if it was not yet; None if this pipeline has none.

        Raises:
            ModelError: it is missing, damaged, or belongs to other weights.
        """
        return self._solver.open_ghcu()

    def forget(self) -> None:
        """Drop every face, as before the first frame: for a new source, or another position in this one."""
        self._frames = 0
        self._faces.clear()
        self._identities.forget()
        self._cuts = CutDetector()
        self._since_look = 0
        self._anew = True

    def close(self) -> None:
        """Release the detector and end the threads."""
        self._detector.close()
        self._solver.close()

    def process(self, frame: Frame) -> FrameResult:
        """Find and solve the faces of one frame."""
        self._times = StageTimes()
        events: list[TrackingEvent] = [TrackingRestarted()] if self._anew else []
        self._anew = False
        self._begin(frame, events)
        self._keep_wanted(frame, events)
        newcomers = self._look(frame, events)
        self._faces += newcomers
        newcomers = self._search(frame, events)
        self._faces += newcomers
        solved, replaced = self._solver.solve(frame, self._faces, self._settings, self._times)
        events += replaced
        results = []
        for face, answers in zip(list(self._faces), solved, strict=True):
            result = self._accept(frame, face, answers, events)
            if result is not None:
                results.append(result)
        self._remove_twins(frame, events)
        alive = {face.track.face for face in self._faces}
        results = [result for result in results if result.face in alive]
        places = [(result.face, result.crop) for result in results]
        results = [results[index] for index in in_order(self._settings.follow, places, *frame.size)]
        return FrameResult(frame, tuple(results), self._times.finish(), tuple(events), self._settings)

    def _begin(self, frame: Frame, events: list[TrackingEvent]) -> None:
        """Drop the faces of the frame before where this one does not continue it."""
        if not frame.continues:
            self.forget()
            self._anew = False
        self._frames += 1
        if frame.size != self._size:
            if frame.continues and self._parts:
                events.append(PictureSizeChanged(*frame.size))
                self._cuts = CutDetector()
                self._drop_faces(events)
            self._size, self._parts = frame.size, parts_of(*frame.size)
        if self._cuts.is_cut(frame.image):
            events.append(SceneCut())
            self._drop_faces(events)

    def _keep_wanted(self, frame: Frame, events: list[TrackingEvent]) -> None:
        """Drop the faces that the settings have no room for any more; the preferred ones stay."""
        room = self._settings.max_faces
        if len(self._faces) <= room:
            return
        places = [(face.track.face, face.track.crop) for face in self._faces]
        order = in_order(self._settings.follow, places, *frame.size)
        for index in order[room:]:
            self._lose(self._faces[index], frame, LossReason.NOT_WANTED, events)
        self._faces = [self._faces[index] for index in sorted(order[:room])]

    def _drop_faces(self, events: list[TrackingEvent]) -> None:
        """Drop every face: none is in this frame where it was in the last one."""
        events += [FaceLost(face.track.face, LossReason.PICTURE_REPLACED) for face in self._faces]
        self._faces.clear()
        self._identities.forget_places()
        self._frames = 1

    def _search(self, frame: Frame, events: list[TrackingEvent]) -> list[FollowedFace]:
        """Look at parts of the frame for faces that are too small for :meth:`_look`; return newcomers.

        In a video a part is visited every other frame, which takes 2 ms a frame at 3 ms a look; after a second or
        two all have been. A picture that stands alone is searched whole, and so is the first one of a file.
        """
        room = self._settings.max_faces - len(self._faces)
        if room < 1 or (self._settings.max_faces == 1 and (frame.continues or self._faces)):
            return []
        at_once = not frame.continues or (self._settings.search_at_once and self._frames == 1)
        turn, rest = divmod(self._frames, FRAMES_A_PART)
        if not at_once and rest:
            return []
        parts = self._parts if at_once else (self._parts[turn % len(self._parts)],)
        with self._times.timed("detect"):
            detections = self._detector.search(frame.image, parts)
        if detections is None:
            events.append(DetectorFailed())
            return []
        _, strangers = match([face.track for face in self._faces], detections, self._policy)
        return self._newcomers(frame, strangers, room, events)

    def _look(self, frame: Frame, events: list[TrackingEvent]) -> list[FollowedFace]:
        """Run the detector if a track needs it, drop the faces it no longer finds, and return new ones."""
        self._since_look += 1
        due = self._since_look >= self._settings.detect_every
        tracks = [face.track for face in self._faces]
        doubted = any(track.doubt or track.misses or track.disputes or track.hazy for track in tracks)
        if self._faces and not doubted and not due:
            return []
        self._since_look = 0
        with self._times.timed("detect"):
            detections = self._detect(frame)
        if detections is None:
            events.append(DetectorFailed())
            return []
        owned, strangers = match([face.track for face in self._faces], detections, self._policy)
        kept = []
        for face in self._faces:
            reason = self._verdict(frame, face, owned.get(face.track.face))
            if reason:
                self._lose(face, frame, reason, events)
            else:
                kept.append(face)
        self._faces = kept
        room = self._settings.max_faces - len(self._faces)
        return self._newcomers(frame, strangers, max(0, room), events)

    def _detect(self, frame: Frame) -> list[Detection] | None:
        """Return the faces in the whole picture; where there are none, also those that lie or hang.

        A picture that stands alone is looked at in all four positions. In a video another one is tried each time.
        """
        detections = self._detector.detect(frame.image)
        if detections is None or (frame.continues and (detections or self._faces)):
            return detections
        positions = (1 + self._frames % 3,) if frame.continues else (1, 2, 3)
        turned = [self._detector.detect_turned(frame.image, quarters) for quarters in positions]
        return with_turned(detections, [face for found in turned for face in found or ()])

    def _lose(self, face: FollowedFace, frame: Frame, reason: LossReason, events: list[TrackingEvent]) -> None:
        """Report a face as lost, and remember where it was."""
        events.append(FaceLost(face.track.face, reason))
        self._identities.lose(face.track.face, face.track.sure or face.track.crop, frame.timestamp)

    def _verdict(self, frame: Frame, face: FollowedFace, detection: Detection | None) -> LossReason | None:
        """Return why a face is lost after a run of the detector, None if it is kept."""
        track = face.track
        if detection is None and not self._seen_from_near(frame, track):
            track.misses += 1
            if track.doubt and track.misses >= self._policy.doubted_misses:
                return track.doubt
            return LossReason.NOT_SEEN if track.misses >= self._policy.misses else None
        track.misses = 0
        if detection is not None and not agrees(track.crop, detection, self._policy):
            track.disputes += 1
            if not track.doubt and track.disputes < self._policy.disputes:
                return None
            track.crop = replace(detection.crop(self._policy.crop_scale), angle=track.crop.angle)
            face.recurrence.reset(track.doubt or ResetReason.DRIFTED)
        track.disputes, track.doubt, track.trust = 0, None, self._policy.trust
        return None

    def _seen_from_near(self, frame: Frame, track: Track) -> bool:
        """Return whether the detector, which does not see this face in the whole picture, sees it from near."""
        if track.landmarks is None:
            return False
        with self._times.timed("detect"):
            seen = self._detector.sees(frame.image, Crop.around_points(track.landmarks, 1.0, track.crop.angle))
        return seen is not False

    def _newcomers(
        self, frame: Frame, strangers: list[Detection], room: int, events: list[TrackingEvent]
    ) -> list[FollowedFace]:
        """Follow as many of the faces without a track as there is room for: the largest, or the most central."""
        if self._settings.follow == FollowChoice.CENTRE:
            places = [(0, detection.crop(1.0)) for detection in strangers]
            strangers = [strangers[index] for index in in_order(FollowChoice.CENTRE, places, *frame.size)]
        return [self._newcomer(frame, detection, events) for detection in strangers[:room]]

    def _newcomer(self, frame: Frame, detection: Detection, events: list[TrackingEvent]) -> FollowedFace:
        crops = [face.crop(self._policy.crop_scale) for face in (detection, *detection.others)]
        beside = crops_beside(crops[0]) if self._frames == 1 else ()
        with self._times.timed("detect"):
            turned = self._detector.turned_box(frame.image, detection.crop(1.0))
        if turned is not None and (detection.angle or abs(turned.box.angle) > self._policy.turn_slack):
            angle = crop_angle(0.0, turned.box.angle, self._policy)
            crop = replace(turned.box, side=turned.box.side * self._policy.crop_scale, angle=angle)
            crops.insert(0, crop)
        track = Track(self._identities.of(crops[0], frame.timestamp), crops[0], tuple(crops[1:]), beside)
        events.append(FaceFound(track.face))
        return FollowedFace(track, self._solver.engine, self._settings)

    def _accept(
        self, frame: Frame, face: FollowedFace, solved: SolvedFace, events: list[TrackingEvent]
    ) -> FaceResult | None:
        """Turn a face's solutions into its result and next crop; None if it is lost."""
        mode, track, crop, solutions = self._settings.mode, face.track, solved.crop, solved.solutions
        main = solutions[mode]
        track.crop = crop
        box = box_of(main.landmarks)
        gone = loss(box, *frame.size, self._policy)
        if gone:
            self._lose(face, frame, gone, events)
            self._faces.remove(face)
            return None
        readings: dict[str, FlickerReading | None] = {}
        if self._settings.measure_flicker:
            with self._times.timed("flicker"):
                landmarks: dict[str, NDArray[np.float32]] = {
                    name: solution.landmarks for name, solution in solutions.items()
                }
                readings = face.meter.measure(frame.image, crop, landmarks)
        reason = doubt(track.box, box, main.fresh_spread, self._policy)
        if not reason:
            track.sure = crop
        track.hazy = not track.trust and too_wide(main.uncertainty, box, self._policy)
        track.doubt = None if track.trust and reason is LossReason.UNCERTAIN else reason
        track.trust = max(0, track.trust - 1)
        watch_motion(track, box, self._policy)
        track.landmarks, track.box = main.landmarks, box
        track.crop = next_crop(crop, main.landmarks, self._policy)
        with self._times.timed("signals"):
            signals = {name: face.signals(name, solution, frame) for name, solution in solutions.items()}
        estimates = {
            name: Estimate(
                name,
                solution.landmarks,
                solution.uncertainty,
                solution.report,
                readings.get(name),
                signals[name],
                solution.radius80,
            )
            for name, solution in solutions.items()
        }
        other = next((estimate for name, estimate in estimates.items() if name != mode), None)
        return FaceResult(track.face, crop, estimates[mode], other)

    def _remove_twins(self, frame: Frame, events: list[TrackingEvent]) -> None:
        """Drop the tracks whose face another one covers, and report them as lost."""
        if len(self._faces) < 2:
            return
        kept = {track.face for track in drop_overlapping([face.track for face in self._faces], self._policy)}
        for face in self._faces:
            if face.track.face not in kept:
                self._lose(face, frame, LossReason.COVERED, events)
        self._faces = [face for face in self._faces if face.track.face in kept]


def calibration_of(weights: Path) -> Calibration | None:
    """Return how uncertain the landmarks of some weights are; say so where that is not known."""
    found = read_calibration(read_card(weights))
    if found is None:
        log.warning(
            "%s has no calibrated uncertainty: tables and messages lack the radii of the 80 %% discs, and the discs "
            "are drawn as wide as the heatmaps. train-uncertainty adds it.",
            weights.with_suffix(".json").name,
        )
    return found


def build_pipeline(engine: EngineSettings, tracking: TrackingSettings) -> Pipeline:
    """Open the engine and the detector, and return a pipeline of them.

    Raises:
        UserError: the detector's model is missing, or the model has other landmarks than the application.
        ModelError: unusable weights or devices, or a GHCU that is asked for but missing.
    """
    opened = engine_of(engine)
    if opened.config.landmarks != LANDMARKS:
        raise UserError(
            f"{engine.weights.name} finds {opened.config.landmarks} points, faces are followed by {LANDMARKS}; use it "
            "with evaluate 300w, or choose other --weights."
        )
    pipeline = Pipeline(
        opened,
        MediaPipeDetector(),
        tracking,
        open_ghcu=partial(Ghcu, engine.weights, engine.threads),
        # A lost GPU costs speed, but not the recording.
        open_spare=partial(spare_engine_of, engine),
        calibration=calibration_of(engine.weights),
    )
    if tracking.ghcu:
        try:
            pipeline.open_ghcu()
        except ModelError:
            pipeline.close()
            raise
    return pipeline
