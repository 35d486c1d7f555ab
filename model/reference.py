"""Where the last frame's landmarks are in this frame, as far as the two pictures tell.

The picture's motion at a landmark is measured with an error of its own. With a prior that a face moves on as it
did, the most likely motion minimises

    (v - measured)^2 / measurement variance + (v - v_last)^2 / acceleration variance,

which is v = gain * measured + (1 - gain) * v_last. Heads are heavier than lids and lips: the head's motion is
given a smaller gain than what a landmark does by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.geometry import Crop
from model.motion import FlowMotion

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class MotionGains:
    """How much of a newly measured motion is believed; 1 believes all of it, and nothing of the last frame's.

    Attributes:
        head: of the similarity that most landmarks follow.
        local: of each landmark's motion against the head.
    """

    head: float = 0.72
    local: float = 0.8

    def __post_init__(self) -> None:
        if not (0 < self.head <= 1 and 0 < self.local <= 1):
            raise ModelError(f"the gains of the motion must be above 0 and at most 1, not {self.head} and {self.local}")


class ReferenceMotion:
    """Follows one face's motion in the picture from frame to frame."""

    def __init__(self, gains: MotionGains) -> None:
        self._gains = gains
        self._flow = FlowMotion()
        self._image: Image | None = None
        self._head: Array | None = None
        self._local: Array | None = None

    def note(self, image: Image | None) -> None:
        """Begin at ``image``: the next motion is measured from there, and none is known before."""
        self._image, self._head, self._local = image, None, None

    def to(self, image: Image, crop: Crop, landmarks: Array) -> Array | None:
        """Return how far ``landmarks`` (n, 2) of the last frame have moved, frame pixels; None where unknown.

        Args:
            image: this frame, RGB (h, w, 3).
            crop: the square around the face in it.
            landmarks: where they were in the last frame.
        """
        old, self._image = self._image, image
        measured = None
        if old is not None and old.shape == image.shape:
            expected = landmarks if self._head is None else landmarks + self._head
            measured = self._flow.parts(old, image, crop, landmarks, expected)
        if measured is None:
            self._head = self._local = None
            return None
        head, local = measured
        self._head = _blend(self._head, head, self._gains.head)
        self._local = _blend(self._local, local, self._gains.local)
        return np.asarray(self._head + self._local)


def _blend(last: Array | None, new: Array, gain: float) -> Array:
    return new if last is None else np.asarray((1 - gain) * last + gain * new)
