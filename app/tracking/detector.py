"""Face detection with MediaPipe, and the crop in which a detected face is solved first."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from app.core.errors import EXIT_FAILURE, UserError
from app.core.places import FULL_RANGE_DETECTOR, SHORT_RANGE_DETECTOR
from app.tracking.face_box import BoxModel, landmark_box
from app.tracking.native_messages import native_messages_hidden
from model.errors import in_short
from model.geometry import Crop

log = logging.getLogger(__name__)

Box = tuple[float, float, float, float]
"""x1, y1, x2, y2 in frame pixels."""

MIN_CONFIDENCE = 0.5
SURE = 0.7
"""Confidence below which the short-range model is not trusted alone: of its boxes of training faces pasted into
scenes, 4.6 % are then off by more than 0.3 of the face, otherwise 0.1 % (benchmarks/detector_box.py)."""
SAME_FACE = 0.3
"""Boxes whose intersection over union exceeds this are one face; the models themselves use the same threshold."""
NESTED = 0.9
"""A box that lies by more than this share inside a larger one is not a face of its own."""
FAILURES_IN_A_ROW = 15
"""Consecutive failures that end a run; with no face to follow, half a second at 30 frames per second."""

# Fitted by: python -m benchmarks.detector_box --data FACES
# Of these faces 4432 have a known box and are found by the short-range model, 4336 by the full-range one.
SHORT_RANGE_BOX = BoxModel(
    right=(0.340, -0.175, -0.099, -0.075, -0.056, -0.040),
    down=(0.039, 0.012, 0.280, -0.044, 0.556, -0.022, 0.319, 0.141, -4.679),
    log_growth=(-0.287, -0.376, 1.795, -2.089, 1.179, 0.829, -0.978, 1.837, 8.578),
)
FULL_RANGE_BOX = BoxModel(
    right=(0.456, -0.106, -0.528, 0.419, 0.477, 0.048),
    down=(0.008, -0.007, 0.414, -0.193, 0.553, 0.085, 0.031, 0.410, -5.212),
    log_growth=(-0.357, -1.126, 1.516, -1.820, 1.516, 1.094, -0.118, 1.594, 9.822),
)


@dataclass(frozen=True, slots=True)
class Detection:
    """One detected face.

    Attributes:
        x1: left edge of the square expected around the landmarks, in frame pixels; it may reach outside the frame.
        y1: top edge.
        x2: right edge.
        y2: bottom edge.
        confidence: in [0, 1].
    """

    x1: float
    y1: float
    x2: float
    y2: float
    confidence: float

    def crop(self, scale: float) -> Crop:
        """Return the crop to solve first: ``scale`` times the expected landmark box."""
        return Crop.around_box(self.x1, self.y1, self.x2, self.y2, scale)

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def overlap(self, other: Detection) -> float:
        """Return the intersection over union of the two boxes."""
        shared = self._shared(other)
        return shared / (self.area + other.area - shared)

    def inside(self, other: Detection) -> float:
        """Return the share of this box that lies inside the other."""
        return self._shared(other) / self.area

    def _shared(self, other: Detection) -> float:
        width = min(self.x2, other.x2) - max(self.x1, other.x1)
        height = min(self.y2, other.y2) - max(self.y1, other.y1)
        return max(0.0, width) * max(0.0, height)


class Detector(Protocol):
    """Finds faces in a frame."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces in an RGB image (h, w, 3), largest first."""
        ...

    def close(self) -> None:
        """Release the detector."""
        ...


class FaultTolerantDetector:
    """Tolerates brief failures of another detector: known faces are followed without it meanwhile.

    Args:
        detector: closed with this one.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._failures = 0

    def detect(self, image: NDArray[np.uint8]) -> list[Detection] | None:
        """Return the faces in an RGB image (h, w, 3), largest first; None where the detector failed.

        Raises:
            UserError: it failed :data:`FAILURES_IN_A_ROW` times in a row.
        """
        try:
            found = self._detector.detect(image)
        except Exception as error:  # native code raises many types
            self._failures += 1
            if self._failures == 1:
                log.exception("the face detector failed")
            if self._failures >= FAILURES_IN_A_ROW:
                reason = in_short(str(error) or type(error).__name__)
                raise UserError(
                    f"The face detector fails again and again ({reason}): start again; doctor shows what is wrong.",
                    EXIT_FAILURE,
                ) from error
            return None
        self._failures = 0
        return found

    def close(self) -> None:
        """Release the detector."""
        self._detector.close()


class MediaPipeDetector:
    """BlazeFace: the short-range model for faces near the camera, the full-range one where that is not confident."""

    def __init__(self) -> None:
        """Load both models.

        Raises:
            UserError: a model file is missing.
        """
        self._short = BlazeFace(SHORT_RANGE_DETECTOR)
        self._full = BlazeFace(FULL_RANGE_DETECTOR)

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces in an RGB image (h, w, 3), largest first."""
        found = [sighting.expected(SHORT_RANGE_BOX) for sighting in self._short.look(image)]
        if not found or min(face.confidence for face in found) < SURE:
            found += [sighting.expected(FULL_RANGE_BOX) for sighting in self._full.look(image)]
        return sorted(without_nested(without_twins(found)), key=lambda face: face.area, reverse=True)

    def close(self) -> None:
        """Release both models."""
        self._short.close()
        self._full.close()


def without_twins(detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections without those that overlap a more confident one."""
    kept: list[Detection] = []
    for detection in sorted(detections, key=lambda face: face.confidence, reverse=True):
        if all(detection.overlap(other) <= SAME_FACE for other in kept):
            kept.append(detection)
    return kept


def without_nested(detections: Sequence[Detection]) -> list[Detection]:
    """Return the detections without those inside a larger one, such as a nose or a print taken for a face."""
    return [
        detection
        for detection in detections
        if not any(other.area > detection.area and detection.inside(other) > NESTED for other in detections)
    ]


@dataclass(frozen=True, slots=True, eq=False)
class Sighting:
    """One face as one model sees it.

    Attributes:
        box: its square box, in frame pixels.
        keypoints: (6, 2) in frame pixels, see :mod:`app.tracking.face_box`.
        confidence: in [0, 1].
    """

    box: Box
    keypoints: NDArray[np.float64]
    confidence: float

    def expected(self, model: BoxModel) -> Detection:
        """Return the detection whose box is the one expected around the landmarks."""
        return Detection(*landmark_box(self.box, self.keypoints, model), self.confidence)


class BlazeFace:
    """One of the two BlazeFace models."""

    def __init__(self, path: Path) -> None:
        """Load a model and run it once, since the first run is slow.

        Raises:
            UserError: the file is missing.
        """
        if not path.is_file():
            raise UserError(f"The face detector {path} is missing; restore it from the repository.")
        with native_messages_hidden():
            from mediapipe.tasks.python import BaseOptions, vision

            options = vision.FaceDetectorOptions(
                # The bytes, not the path: MediaPipe cannot open every path that Windows allows.
                base_options=BaseOptions(model_asset_buffer=path.read_bytes()),
                min_detection_confidence=MIN_CONFIDENCE,
            )
            self._model = vision.FaceDetector.create_from_options(options)
            self.look(np.zeros((128, 128, 3), np.uint8))

    def look(self, image: NDArray[np.uint8]) -> list[Sighting]:
        """Return the faces in an RGB image (h, w, 3), the most confident first."""
        import mediapipe as mp

        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        found = self._model.detect(picture).detections
        height, width = image.shape[:2]
        sightings = []
        for item in found:
            box = item.bounding_box
            if box.width > 0 and box.height > 0:
                edges = (box.origin_x, box.origin_y, box.origin_x + box.width, box.origin_y + box.height)
                keypoints = np.array([(point.x * width, point.y * height) for point in item.keypoints])
                sightings.append(Sighting(edges, keypoints, float(item.categories[0].score)))
        return sorted(sightings, key=lambda sighting: sighting.confidence, reverse=True)

    def close(self) -> None:
        """Release the model."""
        with native_messages_hidden():
            self._model.close()
