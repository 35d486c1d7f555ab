"""A still picture shown as a video: what a tracker with memory makes of a face that does not move.

Landmarks that a cold solve gets right must not get worse when the same picture comes again and again, with the
noise of a sensor and boxes that jitter. The truth is the same in every frame, so all movement is flicker.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.lab.accuracy.predict import Box

FRAMES_A_SECOND = 30.0
SEED = 0


@dataclass(frozen=True, slots=True)
class StillVideo:
    """How a still becomes a video.

    Attributes:
        frames: how often it is shown.
        noise: standard deviation of the sensor's noise in grey levels, fresh for every frame, pixel and channel.
        jitter: standard deviation by which each edge of the box moves from frame to frame, as a share of the
            box's larger side.
    """

    frames: int = 1
    noise: float = 0.0
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.frames < 1:
            raise UserError(f"A still must be shown at least once, not {self.frames} times.")
        if not 0 <= self.noise <= 255:
            raise UserError(f"The noise must be between 0 and 255 grey levels, not {self.noise}.")
        if not 0 <= self.jitter <= 0.2:
            raise UserError(f"The jitter must be between 0 and 0.2 of the box's side, not {self.jitter}.")

    def play(self, image: NDArray[np.uint8], box: Box, number: int) -> Iterator[tuple[float, NDArray[np.uint8], Box]]:
        """Yield time in seconds, picture and box of each frame.

        Args:
            image: RGB (h, w, 3).
            box: the face's.
            number: of the still; a still of the same number always gets the same noise and jitter, whatever is
                tracking it, so that two trackers can be compared face by face.
        """
        random = np.random.default_rng((SEED, number))
        side = max(box[2] - box[0], box[3] - box[1])
        for frame in range(self.frames):
            x1, y1, x2, y2 = (
                edge + move for edge, move in zip(box, random.normal(0, 1, 4) * self.jitter * side, strict=True)
            )
            yield frame / FRAMES_A_SECOND, self._seen(image, random), (x1, y1, x2, y2)

    def _seen(self, image: NDArray[np.uint8], random: np.random.Generator) -> NDArray[np.uint8]:
        if not self.noise:
            return image
        noise = random.standard_normal(image.shape, np.float32) * np.float32(self.noise)
        return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)
