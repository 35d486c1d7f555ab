"""What landmarks are due to move for the flicker measure: the product's estimate and others, to be compared."""

from __future__ import annotations

from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from model.geometry import Crop
from model.metrics.flicker_meter import explained
from model.motion import CROP_SIZE, EXPRESSION_LIMIT, Array, FlowMotion, Image, fit_similarity

LK_WINDOW = (21, 21)
LK_LEVELS = 3
LK_AGREEMENT = 0.5
"""Forward and backward flow must return to within this many pixels of the grey crop."""
EVERY_POINT = np.ones(98)


class MotionEstimate(Protocol):
    """Estimates the motion of a face's points from one frame to the next."""

    def due(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> tuple[Array, Array] | None:
        """Return the motion (98, 2) and the variance of its error (98,); arguments as for ``FlowMotion.parts``."""
        ...


class Sure:
    """A motion estimate that knows nothing of its error."""

    def due(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> tuple[Array, Array] | None:
        """Return the motion."""
        motion = self.between(old, new, crop, before, after)
        return None if motion is None else (motion, np.zeros(len(motion)))

    def between(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> Array | None:
        """Return the motion (98, 2)."""
        raise NotImplementedError


class Product:
    """The head's motion, what is likely of an expression's, and the error of the latter."""

    def __init__(self) -> None:
        self._flow = FlowMotion()

    def due(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> tuple[Array, Array] | None:
        """Return what the flicker meter takes."""
        motion = self._flow.parts(old, new, crop, before, after)
        return None if motion is None else explained(motion)


class Measured(Sure):
    """The head's motion and what was measured against it, as far as it is believed."""

    def __init__(self, expression_limit: float = EXPRESSION_LIMIT) -> None:
        self._flow = FlowMotion(expression_limit)

    def between(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> Array | None:
        """Return all that was measured."""
        motion = self._flow.parts(old, new, crop, before, after)
        return None if motion is None else motion.head + motion.local


class Likely(Sure):
    """The head's motion and what is likely of an expression's, its error left out."""

    def __init__(self) -> None:
        self._flow = FlowMotion()

    def between(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> Array | None:
        """Return what RwR's reference follows."""
        motion = self._flow.parts(old, new, crop, before, after)
        return None if motion is None else motion.head + motion.likely


class NoMotion(Sure):
    """Every landmark motion is flicker."""

    def between(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> Array:
        """Return zeros."""
        return np.zeros(before.shape)


class LandmarkSimilarity(Sure):
    """The face moves as most of its landmarks do; the image is not looked at."""

    def between(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> Array:
        """Return the robust similarity of the landmarks' own motion."""
        return fit_similarity(before, after - before, EVERY_POINT)


class SparseFlow(Sure):
    """Pyramidal Lucas-Kanade at the landmarks; those that fail the backward check follow the others."""

    def between(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> Array:
        """Return the tracked motion, the similarity of the good points where it is bad."""
        first, second = (self._grey(image, crop) for image in (old, new))
        pixel = crop.side / CROP_SIZE
        points = crop.to_crop(before) * CROP_SIZE - np.float32(0.5)
        there = self._track(first, second, points)
        back = self._track(second, first, there)
        motion = (there - points).astype(np.float64)
        good = (np.linalg.norm(back - points, axis=1) < LK_AGREEMENT).astype(np.float64)
        if good.sum() < 6:
            return np.zeros(before.shape)
        others = fit_similarity(points.astype(np.float64), motion, good)
        return np.asarray(np.where(good[:, None] > 0, motion, others) * pixel)

    @staticmethod
    def _grey(image: Image, crop: Crop) -> Image:
        return np.asarray(cv2.cvtColor(crop.extract(image, CROP_SIZE), cv2.COLOR_RGB2GRAY), np.uint8)

    @staticmethod
    def _track(old: Image, new: Image, points: NDArray[np.float32]) -> NDArray[np.float32]:
        tracked, found, _ = cv2.calcOpticalFlowPyrLK(
            old, new, points, points.copy(), winSize=LK_WINDOW, maxLevel=LK_LEVELS
        )
        return np.where(np.asarray(found) > 0, np.asarray(tracked, np.float32), np.float32(1e4))
