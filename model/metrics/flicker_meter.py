"""Flicker without ground truth: landmark motion that the image itself does not explain.

From frame t-1 to t landmark l moves by x_t,l - x_t-1,l. According to the image alone, this spot of the face
moved by h_t,l + e_t,l: with the head, and as an expression is likely to move it (:mod:`model.motion`). The
latter is known with an error s_t,l of half of its length. The live flicker measure is what is left,

    F_t = 100 / d_t * sqrt( mean_l ( |x_t,l - x_t-1,l - h_t,l - e_t,l|^2 + s_t,l^2 ) )      in % of the distance d_t

between the eyes. With the true motion this is the flicker that NMF sums up (:func:`model.metrics.flicker.nmf`),
up to the face size it divides by. Several modes of the same face (with RwR, without, filtered) are measured against
the same motion and error.

Limits:

- It does not measure accuracy: landmarks glued to the wrong spots of the face have no flicker, and drift that is slow
  against the frame rate adds almost nothing.
- It has an error of its own: motion that the flow misses (fast turns, blinks, an occluder over most of the
  face) counts as flicker, about 0.2 % per frame on a resting face and 0.5 % on a speaking one. Below that floor the
  true difference of modes is larger than that of their readings.
- It does not measure lag: a filter that trails behind the face reads low while the face moves evenly and
  high when it starts or stops. Readings of filters say nothing about how late their landmarks are.
- It favours trackers that move their points by the same flow: what the flow errs in counts for others only.

``docs/reports/flicker-ranking.md`` shows that it ranks trackers as NMF does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from model.geometry import Crop
from model.motion import FlowMotion, Motion
from model.topology import REGION_OF_POINT, REGIONS, inter_ocular

Image = NDArray[np.uint8]
Array = NDArray[np.float64]

METER = 2
"""Counted up when readings are no longer comparable with those of before; 1 took the measured motion for the truth."""
EXPRESSION_ERROR = 0.5
"""Error of the likely motion of an expression over its length, standard deviation, as it is in RwR's landmarks."""
SMALLEST_FACE = 0.1
"""The inter-ocular distance counts as at least this share of the crop's side; in full profile it vanishes."""


@dataclass(frozen=True, slots=True)
class FlickerReading:
    """Unexplained motion between two frames, in percent of the inter-ocular distance.

    Attributes:
        overall: root mean square over all landmarks.
        regions: root mean square per region, in the order of ``model.topology.REGIONS``.
        points: (98,) float32, each landmark's own; None for what is only known as a mean. Left out of comparisons.
    """

    overall: float
    regions: tuple[float, ...]
    points: NDArray[np.float32] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class _Seen:
    """The last frame and its landmarks; the image is a reference, not a copy."""

    image: Image
    landmarks: dict[str, Array]


_REGION_SIZES = np.bincount(REGION_OF_POINT, minlength=len(REGIONS))


def explained(motion: Motion) -> tuple[Array, Array]:
    """Return how landmarks were due to move (n, 2) and the variance of its error (n,), in the unit of ``motion``."""
    return motion.head + motion.likely, EXPRESSION_ERROR**2 * (motion.likely**2).sum(axis=-1)


def reading_of(
    motion: NDArray[np.floating], due: NDArray[np.floating], scale: float, variance: Array | float = 0.0
) -> FlickerReading:
    """Return the reading for landmarks that moved by ``motion`` (98, 2) where ``due`` (98, 2) was right.

    Args:
        motion: in frame pixels.
        due: in frame pixels.
        scale: inter-ocular distance in frame pixels.
        variance: of the error of ``due`` (98,), in squared frame pixels.
    """
    squared = (((motion.astype(np.float64) - due) ** 2).sum(axis=-1) + variance) * (100.0 / scale) ** 2
    regions = np.bincount(REGION_OF_POINT, weights=squared, minlength=len(REGIONS)) / _REGION_SIZES
    return FlickerReading(
        float(np.sqrt(squared.mean())),
        tuple(float(value) for value in np.sqrt(regions)),
        np.sqrt(squared).astype(np.float32),
    )


class FlickerMeter:
    """Measures the flicker of one face, frame by frame; see the module's docstring for what that means.

    Keeps a reference to the last frame's image, which therefore must not be written to. Used by one thread.
    Call :meth:`reset` where the next frame does not continue the last one (scene cut, seek, new identity).
    """

    def __init__(self, motion: FlowMotion | None = None) -> None:
        self._motion = motion or FlowMotion()
        self._last: _Seen | None = None

    def reset(self) -> None:
        """Forget the last frame: the next readings are None."""
        self._last = None

    def measure(
        self, image: Image, crop: Crop, estimates: Mapping[str, NDArray[np.floating]]
    ) -> dict[str, FlickerReading | None]:
        """Return one reading per mode for the motion since the last call.

        A reading is None on the first frame, after a change of frame size, for a mode that was not there in
        the last frame, for landmarks that are not finite now or then, and where too little of the face lay
        inside the last picture.

        Args:
            image: this frame, RGB (h, w, 3) uint8.
            crop: the square around the face in this frame.
            estimates: landmarks (98, 2) in frame pixels, by mode.
        """
        last = self._last
        finite = {
            mode: landmarks.astype(np.float64) for mode, landmarks in estimates.items() if np.isfinite(landmarks).all()
        }
        self._last = _Seen(image, finite)
        readings: dict[str, FlickerReading | None] = dict.fromkeys(estimates)
        if last is None or last.image.shape != image.shape:
            return readings
        judged = [mode for mode in finite if mode in last.landmarks]
        if not judged:
            return readings
        before, after = (
            np.add.reduce([seen[mode] for mode in judged]) / len(judged) for seen in (last.landmarks, finite)
        )
        motion = self._motion.parts(last.image, image, crop, before, after)
        if motion is None:
            return readings
        due, variance = explained(motion)
        scale = max(float(inter_ocular(after)), SMALLEST_FACE * crop.side)
        for mode in judged:
            readings[mode] = reading_of(finite[mode] - last.landmarks[mode], due, scale, variance)
        return readings


class FlickerWindow:
    """Root mean square of the readings of the last seconds, overall and per region.

    A ring buffer of fixed size: memory does not grow, and where readings come faster than
    ``capacity / seconds`` the window is shorter than asked for.
    """

    def __init__(self, seconds: float, capacity: int = 2048) -> None:
        self.seconds = seconds
        self._times = np.full(capacity, -np.inf)
        self._squares = np.zeros((capacity, 1 + len(REGIONS)))
        self._next = 0
        self._newest = -np.inf

    def add(self, time: float, reading: FlickerReading | None) -> None:
        """Note a reading at ``time`` in seconds; None only lets time pass. Time that runs back starts anew."""
        if time < self._newest:
            self.clear()
        self._newest = time
        if reading is None:
            return
        self._times[self._next] = time
        self._squares[self._next] = np.square((reading.overall, *reading.regions))
        self._next = (self._next + 1) % len(self._times)

    def clear(self) -> None:
        """Forget all readings."""
        self._times.fill(-np.inf)
        self._newest = -np.inf

    def reading(self) -> FlickerReading | None:
        """Return the root mean square over the window that ends at the last time noted; None if it is empty."""
        recent = self._times > self._newest - self.seconds
        if not recent.any():
            return None
        overall, *regions = np.sqrt(self._squares[recent].mean(axis=0))
        return FlickerReading(float(overall), tuple(float(value) for value in regions))
