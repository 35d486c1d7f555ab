"""The reference: where the last frame's landmarks are in this frame, estimated from the two pictures.

The picture's motion at a landmark is measured with an error of its own. With a prior that a face moves on as it
did, the most likely motion minimises

    (v - measured)^2 / measurement variance + (v - v_last)^2 / acceleration variance,

which is v = gain * measured + (1 - gain) * v_last. The head's motion, fitted to all points, is measured more exactly
than what a landmark does by itself. Where frames were skipped, v_last is scaled to the longer
time and weighted less: under random acceleration the variance of a predicted motion grows with the cube of the time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.geometry import Crop
from model.motion import FlowMotion

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


FRAME_SECONDS = 1 / 25
"""Time between frames for which the gains are given; more of a motion is believed after a longer time, not less after
a shorter."""
LONGEST_SECONDS = 10.0
"""A motion this old is ignored; so are clocks that jump."""
LOCAL_ERROR = 0.3
"""Error of a motion against the head over its length, standard deviation."""


@dataclass(frozen=True, slots=True, eq=False)
class MovedReference:
    """Where the last frame's landmarks are.

    Attributes:
        motion: how they have moved (n, 2), frame pixels.
        doubt: standard deviation of its error (n,), frame pixels, besides the one it has while the face rests.
    """

    motion: Array
    doubt: Array


@dataclass(frozen=True, slots=True)
class MotionGains:
    """How much of a newly measured motion is believed; 1 believes all of it, and nothing of the last frame's.

    Attributes:
        head: of the similarity that most landmarks follow.
        local: of each landmark's motion against the head.
    """

    head: float = 0.9
    local: float = 0.9

    def __post_init__(self) -> None:
        if not (0 < self.head <= 1 and 0 < self.local <= 1):
            raise ModelError(f"the gains of the motion must be above 0 and at most 1, not {self.head} and {self.local}")


class ReferenceMotion:
    """Follows one face's motion in the picture from frame to frame."""

    def __init__(self, gains: MotionGains, flow: FlowMotion | None = None) -> None:
        self._gains = gains
        self._flow = flow or FlowMotion()
        self._image: Image | None = None
        self._seconds: float | None = None
        self._elapsed = FRAME_SECONDS
        self._head: Array | None = None
        self._local: Array | None = None

    def note(self, image: Image | None, seconds: float | None = None) -> None:
        """Begin at ``image``: the next motion is measured from there, and none is known before."""
        self._image, self._seconds, self._head, self._local = image, seconds, None, None

    def forget_speed(self) -> None:
        """Begin anew at the last image."""
        self._head = self._local = None

    def to(self, image: Image, crop: Crop, landmarks: Array, seconds: float | None = None) -> MovedReference | None:
        """Return how ``landmarks`` (n, 2) of the last frame have moved; None if unknown.

        Args:
            image: this frame, RGB (h, w, 3).
            crop: the square around the face in it.
            landmarks: where they were in the last frame.
            seconds: when the frame was taken; without it all frames are equally far apart.
        """
        old, self._image = self._image, image
        longer = self._time_passes(seconds)
        measured = None
        if old is not None and old.shape == image.shape:
            expected = landmarks if self._head is None else landmarks + longer * self._head
            measured = self._flow.parts(old, image, crop, landmarks, expected)
        if measured is None:
            self._head = self._local = None
            return None
        doubt = np.hypot(LOCAL_ERROR * np.sqrt((measured.likely**2).sum(axis=1)), measured.unbelieved)
        self._head = self._blend(self._head, measured.head, self._gains.head, longer)
        self._local = self._blend(self._local, measured.likely, self._gains.local, longer)
        return MovedReference(self._head + self._local, doubt)

    def _time_passes(self, seconds: float | None) -> float:
        """Return the time since the last frame over the time between the two frames before it."""
        before, self._seconds = self._seconds, seconds
        passed = math.nan if seconds is None or before is None else seconds - before
        if not 0 < passed <= LONGEST_SECONDS:  # also where a clock gives no numbers
            self._elapsed = FRAME_SECONDS
            if passed > LONGEST_SECONDS:
                self.forget_speed()
            return 1.0
        last, self._elapsed = self._elapsed, passed
        return passed / last

    def _blend(self, last: Array | None, new: Array, gain: float, longer: float) -> Array:
        if last is None:
            return new
        predicted = gain * max(self._elapsed / FRAME_SECONDS, 1.0) ** 3
        gain = predicted / (1 - gain + predicted)
        return np.asarray((1 - gain) * longer * last + gain * new)
