"""Landmarks for one labelled face per frame: with the data set's boxes, or with the tracker's own crops."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FaceResult, Frame
from app.core.settings import TrackingSettings
from app.lab.accuracy.settings import CropSource, EvaluationMode, EvaluationSettings
from app.tracking.engine import engine_of
from app.tracking.pipeline import Pipeline, build_pipeline
from app.tracking.smoothing import FaceSmoother, make_filter
from model.engine.base import Engine
from model.filters import LandmarkFilter
from model.geometry import Crop
from model.repair.ghcu import Ghcu
from model.rwr.cold import cold_solve
from model.rwr.recurrence import Recurrence
from model.rwr.settings import RELEASED, RwrSettings
from model.rwr.solution import Solution

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in frame pixels."""

MAX_FACES = 16
"""Most faces the tracker follows while the labelled one is looked for among them."""
OWN_FACE = 0.5
"""A tracked face is the labelled one if their centres are within this share of the box's larger side."""
NEW_SEQUENCE = "new sequence"


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """One frame's answer.

    Attributes:
        landmarks: (98, 2), frame pixels.
        evaluations: how often the cell was evaluated for it.
        face: identity; a change means that what came before belongs to another face.
    """

    landmarks: NDArray[np.float32]
    evaluations: int
    face: int = 0


class Predictor(Protocol):
    """Finds one labelled face's landmarks, frame by frame."""

    @property
    def engine_name(self) -> str:
        """Library and device that really run."""
        ...

    def start(self) -> None:
        """Forget everything: the next frame begins a new video or picture."""
        ...

    def predict(self, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
        """Return the landmarks of the face in ``box``; None if the tracker did not find it."""
        ...

    def close(self) -> None:
        """Release what was opened."""
        ...


class RectPredictor:
    """Solves the square around the given box."""

    def __init__(self, engine: Engine, scale: float, recurrence: RwrSettings | None, ghcu: Ghcu | None = None) -> None:
        self._engine = engine
        self._ghcu = ghcu
        self._scale = scale
        self._recurrence = None if recurrence is None else Recurrence(engine, recurrence)

    @property
    def engine_name(self) -> str:
        """Library and device that really run."""
        return self._engine.name

    def start(self) -> None:
        """Forget the last frame."""
        if self._recurrence is not None:
            self._recurrence.reset(NEW_SEQUENCE)

    def predict(self, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
        """Return the landmarks of the face in ``box``."""
        crop = Crop.around_box(*box, self._scale)
        solution = self._solve(image, crop, seconds)
        if self._ghcu is not None:
            solution = self._ghcu.repair_solution(solution, crop)
        return Prediction(solution.landmarks, solution.report.evaluations)

    def close(self) -> None:
        """Nothing to release: the engine goes with its last reference."""

    def _solve(self, image: NDArray[np.uint8], crop: Crop, seconds: float) -> Solution:
        u = self._engine.encode(crop.extract(image, self._engine.config.input_size)[None])
        if self._recurrence is None:
            return cold_solve(self._engine, u, crop)
        return self._recurrence.solve(u, crop, image, seconds)


class TrackPredictor:
    """Runs the live pipeline and takes, of the faces it follows, the one nearest to the given box."""

    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self._index = 0

    @property
    def engine_name(self) -> str:
        """Library and device that really run."""
        return self._pipeline.engine_name

    def start(self) -> None:
        """Drop every face."""
        self._pipeline.forget()
        self._index = 0

    def predict(self, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
        """Return the landmarks of the followed face nearest to ``box``; None if none is near it."""
        result = self._pipeline.process(Frame(self._index, seconds, image, time.perf_counter()))
        self._index += 1
        if not result.faces:
            return None
        face = min(result.faces, key=lambda face: _distance(face, box))
        if _distance(face, box) > OWN_FACE:
            return None
        return Prediction(face.estimate.landmarks, face.estimate.report.evaluations, face.face)

    def close(self) -> None:
        """Release the detector."""
        self._pipeline.close()


def _distance(face: FaceResult, box: Box) -> float:
    """Return how far a face's centre is from a box's, in larger sides of the box."""
    landmarks = face.estimate.landmarks
    centre = (landmarks.min(axis=0) + landmarks.max(axis=0)) / 2
    x1, y1, x2, y2 = box
    return float(np.hypot(centre[0] - (x1 + x2) / 2, centre[1] - (y1 + y2) / 2) / max(x2 - x1, y2 - y1, 1e-6))


class Smoother:
    """A predictor whose landmarks pass a filter that starts anew with every sequence, gap and identity."""

    def __init__(self, inner: Predictor, smoothing: LandmarkFilter) -> None:
        self._inner = inner
        self._filter = FaceSmoother(smoothing)
        self._face: int | None = None

    @property
    def engine_name(self) -> str:
        """Library and device that really run."""
        return self._inner.engine_name

    def start(self) -> None:
        """Forget everything."""
        self._inner.start()
        self._face = None

    def predict(self, image: NDArray[np.uint8], seconds: float, box: Box) -> Prediction | None:
        """Return the filtered landmarks."""
        raw = self._inner.predict(image, seconds, box)
        if raw is None:
            self._face = None
            return None
        if raw.face != self._face:
            self._filter.reset()
            self._face = raw.face
        return Prediction(self._filter.update(raw.landmarks, seconds), raw.evaluations, raw.face)

    def close(self) -> None:
        """Release what was opened."""
        self._inner.close()


def open_predictor(settings: EvaluationSettings) -> Predictor:
    """Open the engine, and the tracker where it is asked for.

    Raises:
        UserError: if the detector's model is missing.
        ModelError: for unusable weights, devices or filter settings, or a GHCU that is not there.
    """
    smoothing = make_filter(settings.mode, settings.smoothing)
    recurrence = {EvaluationMode.RWR: RwrSettings(), EvaluationMode.RWR_RELEASED: RELEASED}.get(settings.mode)
    wanted = settings.engine
    predictor: Predictor
    if settings.crop == CropSource.TRACK:
        tracking = TrackingSettings(
            rwr=recurrence is not None,
            max_faces=MAX_FACES,
            measure_flicker=False,
            recurrence=recurrence,
            ghcu=settings.ghcu,
        )
        predictor = TrackPredictor(build_pipeline(wanted, tracking))
    else:
        engine = engine_of(wanted)
        ghcu = Ghcu(wanted.weights, wanted.threads) if settings.ghcu else None
        predictor = RectPredictor(engine, settings.scale_of(engine.config), recurrence, ghcu)
    return predictor if smoothing is None else Smoother(predictor, smoothing)
