"""Face detection with MediaPipe, and the crop in which a detected face is solved first."""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from app.core.errors import EXIT_FAILURE, UserError
from app.core.places import FULL_RANGE_DETECTOR, SHORT_RANGE_DETECTOR
from app.core.system_libraries import DETECTOR_LIBRARIES, libraries_problem
from app.tracking.face_box import BoxModel, landmark_box
from app.tracking.native_messages import native_messages_hidden
from app.tracking.parts import SMALLEST_FACE, Part
from app.tracking.usage_metrics import turn_usage_metrics_off, without_certificates
from model.errors import in_short
from model.geometry import Crop, wrapped

log = logging.getLogger(__name__)

T = TypeVar("T")

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
SURE_BESIDE_UPRIGHT = 0.8
"""Confidence asked of a face that is seen in a turned picture only, where upright ones are seen."""
SURE_IN_PART = 0.6
"""Confidence asked of a face found in a part of the picture: many parts are many chances to be wrong."""
PART_MARGIN = 0.02
"""Share of a part's side: a box that reaches nearer to the part's edge than this may be cut off there."""
CLOSE_VIEW, WIDE_VIEW = 2.6, 3.0
"""Sides of the views in which the short-range and the full-range model confirm a face, over the landmark box's."""
VIEW_SIZE = 256
"""Side of those views in pixels."""
TURNS = tuple(range(0, 360, 45))
"""Degrees by which a face's view is turned to find its roll. At each the short-range model sees faces that are turned
by 25 degrees and more from it, but takes one that hangs for an upright one. What most of eight views agree on is the
roll."""
SURE_UPRIGHT, UPRIGHT = 0.8, 15.0
"""Confidence and roll in degrees of a face in the view that is not turned at which no other view is looked at. That is
so for 59 % of upright validation faces; of 602 views of faces turned by 0 to 180 degrees none ended with another
verdict for it."""

VOTE_SHARPNESS, VOTELESS, UPRIGHT_FAVOUR, AGREEMENT = 4.0, 0.3, 0.05, 45.0
"""How views vote for a face's angle: concentration of the von Mises kernel of a vote (4 is a deviation of about 30
degrees), the confidence that counts nothing, how much more the votes for an upright face count, and within how many
degrees a view agrees with an angle. Of 399 detections of faces turned by quarters 5 end more than 60 degrees off, none
of an upright face; the surest view alone has 9 and 3. Sharpness 4 to 8 and favour 0.05 to 0.1 do as well."""
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
        angle: degrees by which the square is turned about its centre, clockwise, to be upright for the face; the edges
            are those before that turn.
        others: what may be the same face, seen in other positions of the picture.
    """

    x1: float
    y1: float
    x2: float
    y2: float
    confidence: float
    angle: float = 0.0
    others: tuple[Detection, ...] = ()

    def crop(self, scale: float) -> Crop:
        """Return the crop to solve first: ``scale`` times the expected landmark box."""
        return replace(Crop.around_box(self.x1, self.y1, self.x2, self.y2, scale), angle=self.angle)

    @property
    def area(self) -> float:
        """Area of the box in square pixels."""
        return (self.x2 - self.x1) * (self.y2 - self.y1)

    def moved(self, x: float, y: float) -> Detection:
        """Return the same face ``x`` pixels further right and ``y`` further down."""
        return replace(self, x1=self.x1 + x, y1=self.y1 + y, x2=self.x2 + x, y2=self.y2 + y)

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


class TurnedBox(NamedTuple):
    """Where a face is, and how it is turned.

    Attributes:
        box: of its landmarks, turned as the face is.
        confidence: in [0, 1].
    """

    box: Crop
    confidence: float


class Detector(Protocol):
    """Finds faces in a frame."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces in an RGB image (h, w, 3), largest first."""
        ...

    def detect_turned(self, image: NDArray[np.uint8], quarters: int) -> list[Detection]:
        """Return the faces of an RGB image (h, w, 3) that are turned clockwise by ``quarters`` x 90 degrees."""
        ...

    def search(self, image: NDArray[np.uint8], parts: Sequence[Part]) -> list[Detection]:
        """Return the faces that these parts of an RGB image (h, w, 3) show, largest first, each confirmed from near."""
        ...

    def sees(self, image: NDArray[np.uint8], box: Crop) -> bool:
        """Return whether there is a face at ``box``, the square of its landmarks' box, in an RGB image (h, w, 3)."""
        ...

    def turned_box(self, image: NDArray[np.uint8], box: Crop) -> TurnedBox | None:
        """Return the landmarks' box of the face at ``box``, turned as the face is; None where that cannot be seen."""
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
        return self._attempt(lambda: self._detector.detect(image))

    def detect_turned(self, image: NDArray[np.uint8], quarters: int) -> list[Detection] | None:
        """Return the faces turned clockwise by ``quarters`` x 90 degrees; None and errors as for :meth:`detect`."""
        return self._attempt(lambda: self._detector.detect_turned(image, quarters))

    def search(self, image: NDArray[np.uint8], parts: Sequence[Part]) -> list[Detection] | None:
        """Return the faces that these parts of the image show; None and errors as for :meth:`detect`."""
        return self._attempt(lambda: self._detector.search(image, parts))

    def sees(self, image: NDArray[np.uint8], box: Crop) -> bool | None:
        """Return whether there is a face at ``box``; None and errors as for :meth:`detect`."""
        return self._attempt(lambda: self._detector.sees(image, box))

    def turned_box(self, image: NDArray[np.uint8], box: Crop) -> TurnedBox | None:
        """Return the turned box of the face at ``box``; errors as for :meth:`detect`."""
        return self._attempt(lambda: self._detector.turned_box(image, box))

    def _attempt(self, look: Callable[[], T]) -> T | None:
        try:
            found = look()
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
        """Release the detector; one that failed may fail at that, too."""
        try:
            self._detector.close()
        except Exception:
            log.exception("the face detector could not be closed")


class MediaPipeDetector:
    """BlazeFace: the short-range model for faces near the camera, the full-range one where that is not confident."""

    def __init__(self) -> None:
        """Load both models.

        Raises:
            UserError: a model file is missing, or a library of the system is.
        """
        self._short = BlazeFace(SHORT_RANGE_DETECTOR)
        self._full = BlazeFace(FULL_RANGE_DETECTOR)

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces in an RGB image (h, w, 3), largest first."""
        found = [sighting.expected(SHORT_RANGE_BOX) for sighting in self._short.look(image)]
        if not found or min(face.confidence for face in found) < SURE:
            found += [sighting.expected(FULL_RANGE_BOX) for sighting in self._full.look(image)]
        return largest_first(found)

    def detect_turned(self, image: NDArray[np.uint8], quarters: int) -> list[Detection]:
        """Return the faces of an RGB image (h, w, 3) that are turned clockwise by ``quarters`` x 90 degrees."""
        height, width = image.shape[:2]
        return [turned_back(face, quarters, width, height) for face in self.detect(np.rot90(image, quarters))]

    def search(self, image: NDArray[np.uint8], parts: Sequence[Part]) -> list[Detection]:
        """Return the faces that these parts of an RGB image (h, w, 3) show, largest first, each confirmed from near."""
        found = largest_first([face for part in parts for face in self._in_part(image, part)])
        return [face for face in found if self.sees(image, face.crop(1.0))]

    def sees(self, image: NDArray[np.uint8], box: Crop) -> bool:
        """Return whether one of the models is sure of a face at ``box`` of an RGB image (h, w, 3), seen from near.

        ``box`` is the square of the landmarks' box, turned with the face.
        """
        for model, scale, box_model in (
            (self._short, CLOSE_VIEW, SHORT_RANGE_BOX),
            (self._full, WIDE_VIEW, FULL_RANGE_BOX),
        ):
            low, high = VIEW_SIZE / 2 * (1 - 1 / scale), VIEW_SIZE / 2 * (1 + 1 / scale)
            expected = Detection(low, low, high, high, 1.0)
            seen = model.look(_view(box, scale, box.angle).extract(image, VIEW_SIZE))
            if any(
                sighting.confidence >= SURE and sighting.expected(box_model).overlap(expected) > SAME_FACE
                for sighting in seen
            ):
                return True
        return False

    def turned_box(self, image: NDArray[np.uint8], box: Crop) -> TurnedBox | None:
        """Return the landmarks' box of the face at ``box``, turned as the face is; None where no turned view shows it.

        The angle is in (-180, 180] degrees.
        """
        seen = []
        for turn in TURNS:
            view = _view(box, CLOSE_VIEW, turn)
            for sighting in self._short.look(view.extract(image, VIEW_SIZE))[:1]:
                face = sighting.expected(SHORT_RANGE_BOX).crop(1.0)
                x, y = view.to_frame(np.array([face.centre_x, face.centre_y]) / VIEW_SIZE).tolist()
                angle = wrapped(turn + sighting.roll)
                found = TurnedBox(Crop(x, y, face.side / VIEW_SIZE * view.side, angle), sighting.confidence)
                if turn == 0 and found.confidence >= SURE_UPRIGHT and abs(angle) <= UPRIGHT:
                    return found
                seen.append(found)
        return most_agreed(seen)

    def _in_part(self, image: NDArray[np.uint8], part: Part) -> Iterator[Detection]:
        height, width = image.shape[:2]
        margin = PART_MARGIN * part.side
        view = image[part.y : part.y + part.height, part.x : part.x + part.width]
        for sighting in self._full.look(view):
            left, top, right, bottom = sighting.box
            cut = (
                (part.x > 0 and left < margin)
                or (part.y > 0 and top < margin)
                or (part.x + part.width < width and right > part.width - margin)
                or (part.y + part.height < height and bottom > part.height - margin)
            )
            face = sighting.expected(FULL_RANGE_BOX).moved(part.x, part.y)
            if sighting.confidence >= SURE_IN_PART and not cut and face.x2 - face.x1 >= SMALLEST_FACE:
                yield face

    def close(self) -> None:
        """Release both models."""
        self._short.close()
        self._full.close()


def most_agreed(seen: Sequence[TurnedBox]) -> TurnedBox | None:
    """Return the surest of those that agree with the angle that most vote for, None where there are none.

    A view votes for an angle by how sure it is and how near its own is, see :data:`VOTE_SHARPNESS`. The surest alone
    takes some faces of which little is to be seen for hanging ones.
    """
    if not seen:
        return None
    confidence = np.array([found.confidence for found in seen])
    angles = np.radians([found.box.angle for found in seen])
    nearness = np.cos(angles[:, None] - angles)
    support = np.exp(VOTE_SHARPNESS * (nearness - 1)) @ (confidence - VOTELESS)
    votes = support * (1 + UPRIGHT_FAVOUR * np.cos(angles))
    agrees = nearness[np.argmax(votes)] >= math.cos(math.radians(AGREEMENT))
    return seen[int(np.argmax(np.where(agrees, confidence, -np.inf)))]


def _view(box: Crop, scale: float, angle: float) -> Crop:
    return Crop(box.centre_x, box.centre_y, box.side * scale, angle)


def turned_back(face: Detection, quarters: int, width: int, height: int) -> Detection:
    """Return where a face lies in a picture (width, height), given where it is in ``np.rot90(picture, quarters)``.

    There it is upright.
    """
    x, y = (face.x1 + face.x2) / 2, (face.y1 + face.y2) / 2
    half_width, half_height = (face.x2 - face.x1) / 2, (face.y2 - face.y1) / 2
    x, y = ((x, y), (width - y, x), (width - x, height - y), (y, height - x))[quarters % 4]
    left, top, right, bottom = x - half_width, y - half_height, x + half_width, y + half_height
    return Detection(left, top, right, bottom, face.confidence, 90.0 * quarters)


def with_turned(upright: Sequence[Detection], turned: Sequence[Detection]) -> list[Detection]:
    """Return the faces seen in a picture as it is and turned, those seen for sure first, then the largest.

    Upside down, a face is often taken for one that hangs; so where one is seen in several positions, the upright one is
    returned and keeps the others in mind. A face seen in a turned picture only must be seen for sure, the more so
    beside upright ones, and must not share any place with one that is seen better.
    """
    faces = [
        replace(face, others=tuple(other for other in turned if other.overlap(face) > SAME_FACE)) for face in upright
    ]
    known = [other for face in faces for other in face.others]
    least = SURE_BESIDE_UPRIGHT if upright else SURE
    faces += [
        face
        for face in largest_first(turned)
        if face not in known
        and face.confidence >= least
        and face.x2 - face.x1 >= SMALLEST_FACE
        and all(face.confidence > other.confidence for other in upright if face.overlap(other) > 0)
    ]

    def rank(face: Detection) -> tuple[bool, float]:
        return max(each.confidence for each in (face, *face.others)) >= SURE, face.area

    return sorted(faces, key=rank, reverse=True)


def largest_first(detections: Sequence[Detection]) -> list[Detection]:
    """Return different faces only, the largest first."""
    return sorted(without_nested(without_twins(detections)), key=lambda face: face.area, reverse=True)


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

    @property
    def roll(self) -> float:
        """By how many degrees the line of the eyes is turned, clockwise."""
        right, down = self.keypoints[1] - self.keypoints[0]
        return math.degrees(math.atan2(down, right))

    def expected(self, model: BoxModel) -> Detection:
        """Return the detection whose box is the one expected around the landmarks."""
        return Detection(*landmark_box(self.box, self.keypoints, model), self.confidence)


class BlazeFace:
    """One of the two BlazeFace models."""

    def __init__(self, path: Path) -> None:
        """Load a model and run it once, since the first run is slow.

        Raises:
            UserError: the file is missing, or a library of the system is.
        """
        if not path.is_file():
            raise UserError(f"The face detector {path} is missing; restore it from the repository.")
        problem = libraries_problem(DETECTOR_LIBRARIES, "The face detector") if sys.platform == "linux" else None
        if problem is not None:
            raise UserError(problem)
        turn_usage_metrics_off()
        with native_messages_hidden():
            from mediapipe.tasks.python import BaseOptions, vision

            options = vision.FaceDetectorOptions(
                # The bytes, not the path: MediaPipe cannot open every path that Windows allows.
                base_options=without_certificates(BaseOptions)(model_asset_buffer=path.read_bytes()),
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
