"""Where faces are: the MediaPipe face detector, and the crop its boxes ask for."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from app.errors import UserError
from app.settings import WEIGHTS_FOLDER
from model.geometry import Crop

SHORT_RANGE = WEIGHTS_FOLDER / "face_detection_short_range.tflite"
FULL_RANGE = WEIGHTS_FOLDER / "face_detection_full_range_sparse.tflite"
MIN_CONFIDENCE = 0.5

# Medians over labelled talking-head frames: the box of the 98 points against the detector's square box.
LANDMARK_BOX_DOWN = 0.03
LANDMARK_BOX_SIDE = 0.96


@dataclass(frozen=True, slots=True)
class Detection:
    """One face found.

    Attributes:
        x1: left edge of the box in frame pixels; the box may reach outside the frame.
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
        """Return the crop to solve first, ``scale`` x the landmark box expected from this box."""
        side = max(self.x2 - self.x1, self.y2 - self.y1)
        centre_y = (self.y1 + self.y2) / 2 + LANDMARK_BOX_DOWN * side
        return Crop((self.x1 + self.x2) / 2, centre_y, scale * LANDMARK_BOX_SIDE * side)


class Detector(Protocol):
    """Finds faces in a frame."""

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces in an RGB image (h, w, 3), largest first."""
        ...

    def close(self) -> None:
        """Release the detector."""
        ...


class MediaPipeDetector:
    """BlazeFace: the short-range model for faces near the camera, the full-range one where it finds none."""

    def __init__(self) -> None:
        """Load the short-range model; the other is loaded when first needed.

        Raises:
            UserError: where a model file is missing.
        """
        self._short = _load(SHORT_RANGE)
        self._full: Any = None

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        """Return the faces in an RGB image (h, w, 3), largest first."""
        import mediapipe as mp

        picture = mp.Image(image_format=mp.ImageFormat.SRGB, data=np.ascontiguousarray(image))
        found = self._short.detect(picture).detections
        if not found:
            if self._full is None:
                self._full = _load(FULL_RANGE)
            found = self._full.detect(picture).detections
        faces = []
        for item in found:
            box = item.bounding_box
            confidence = float(item.categories[0].score)
            x2, y2 = box.origin_x + box.width, box.origin_y + box.height
            if box.width > 0 and box.height > 0:
                faces.append(Detection(box.origin_x, box.origin_y, x2, y2, confidence))
        return sorted(faces, key=lambda face: (face.x2 - face.x1) * (face.y2 - face.y1), reverse=True)

    def close(self) -> None:
        """Release both models."""
        with _native_messages_hidden():
            for model in (self._short, self._full):
                if model is not None:
                    model.close()


def _load(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"The face detector {path} is missing; restore it from the repository.")
    with _native_messages_hidden():
        import mediapipe as mp
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceDetectorOptions(
            # The bytes, not the path: MediaPipe cannot open every path Windows allows.
            base_options=BaseOptions(model_asset_buffer=path.read_bytes()),
            min_detection_confidence=MIN_CONFIDENCE,
        )
        detector = vision.FaceDetector.create_from_options(options)
        # The first look is the slow one, and it writes a warning.
        detector.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=np.zeros((128, 128, 3), np.uint8)))
        return detector


_hiding = threading.Lock()
"""Two threads that redirect the same descriptor at once would leave it redirected."""


@contextlib.contextmanager
def _native_messages_hidden() -> Iterator[None]:
    """Silence the native library's log at start and end, dozens of lines that mean nothing to a user."""
    with _hiding, _standard_error_hidden():
        yield


@contextlib.contextmanager
def _standard_error_hidden() -> Iterator[None]:
    try:
        stderr = sys.__stderr__.fileno() if sys.__stderr__ else -1
        saved = os.dup(stderr)
    except (OSError, ValueError):
        yield
        return
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), stderr)
            yield
    finally:
        os.dup2(saved, stderr)
        os.close(saved)
