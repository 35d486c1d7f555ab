"""Separates motion from noise in a hold-still test: slow head motion, blinks, and the rest, which is noise.

Landmarks are complex numbers here, x + i y, so that the path of a point is one curve to smooth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.geometry import from_complex, to_complex
from model.motion import fit_similarity
from model.signals.face import LEFT_EYE, LEFT_LIDS, RIGHT_EYE, RIGHT_LIDS
from model.topology import LEFT_EYE_OUTER, RIGHT_EYE_OUTER

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]
Flags = NDArray[np.bool_]

FOLLOW_SECONDS = 0.5
"""Width of the window that follows the head: what is slower than about 2 Hz and common to all points is the head."""
LEAST_FRAMES = 6
"""That window holds at least so many frames, or it would follow the noise of single frames; slow trackers widen it."""
SPEED_SECONDS = 1.0
"""Width of the window that the head's speed is read from; wider, so that landmark noise does not read as speed."""
MOVING_SPEED = 5.0
"""Speed of the head in % of the inter-ocular distance a second from which a frame does not count as still.

Motion of a head added to landmarks of the demo's still part (benchmarks/hold_still.py): sway at 4 %/s raises the
wander by less than a tenth, a quick shake at 4 %/s by a half."""
FIT_INTER_OCULAR = 60.0
"""Faces are scaled to this inter-ocular distance, in pixels, for the fit of the head; that of the live flow's crop."""
BLINK_OPENING = 0.7
"""Lids closer than this share of their usual distance are a blink."""
BLINK_MARGIN_SECONDS = 0.1
MOST_BLINKING = 0.4
"""Above this share of frames the lids are too uncertain, and no frame is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class HeadPath:
    """Where the head was in n frames.

    Attributes:
        landmarks: (n, 98) complex, where the points of a rigid face would have been, frame pixels.
        speed: (n,) of the head's centre, pixels a second.
        centre: (n,) complex, of the head, frame pixels.
        reach: seconds around a frame that its place was read from.
    """

    landmarks: Complex
    speed: Array
    centre: Complex
    reach: float


def follow_head(times: Array, faces: Complex) -> HeadPath:
    """Follow the slow similarity motion of a face.

    Args:
        times: (n,) seconds, increasing.
        faces: (n, 98) complex landmarks, frame pixels.
    """
    rigid = _rigid(faces)
    width = max(FOLLOW_SECONDS, LEAST_FRAMES * float(np.median(np.diff(times))))
    slow, _ = smooth(times, rigid, width)
    centres = rigid.mean(axis=1, keepdims=True)
    _, velocity = smooth(times, centres, max(SPEED_SECONDS, width))
    return HeadPath(slow, np.abs(velocity[:, 0]), slow.mean(axis=1), width / 2)


def _rigid(faces: Complex) -> Complex:
    """Return each frame's face as if it were rigid: the mean face moved by the similarity most points follow.

    A plain least-squares fit would let a mouth that moves pull the whole head along.
    """
    shape = faces.mean(axis=0)
    unit = FIT_INTER_OCULAR / max(float(np.abs(shape[RIGHT_EYE_OUTER] - shape[LEFT_EYE_OUTER])), 1e-6)
    points = from_complex(shape) * unit
    trust = np.ones(len(shape))
    motion = np.array([fit_similarity(points, from_complex(face - shape) * unit, trust) for face in faces]) / unit
    return shape + to_complex(motion)


def smooth(times: Array, values: Complex, width: float) -> tuple[Complex, Complex]:
    """Fit a line to the neighbourhood of every sample, weighted with a Hann window ``width`` seconds wide.

    Unlike a plain average a line has no bias at the ends nor under steady motion.

    Args:
        times: (n,) seconds.
        values: (n, k).
        width: of the window, seconds.

    Returns:
        The lines' values and slopes at the samples, both (n, k); where a sample has no neighbour, itself and 0.
    """
    distance = times[None, :] - times[:, None]
    weight = np.where(np.abs(distance) < width / 2, np.cos(np.pi * distance / width) ** 2, 0.0)
    s0, s1, s2 = weight.sum(axis=1), (weight * distance).sum(axis=1), (weight * distance**2).sum(axis=1)
    t0, t1 = weight @ values, (weight * distance) @ values
    determinant = s0 * s2 - s1**2
    alone = determinant <= 1e-12
    safe = np.where(alone, 1.0, determinant)[:, None]
    level = np.where(alone[:, None], t0 / s0[:, None], (s2[:, None] * t0 - s1[:, None] * t1) / safe)
    slope = np.where(alone[:, None], 0.0, (s0[:, None] * t1 - s1[:, None] * t0) / safe)
    return level, slope


def widened(times: Array, flags: Flags, margin: float) -> Flags:
    """Return ``flags`` with every sample within ``margin`` seconds of a flagged one flagged as well."""
    if not flags.any():
        return flags
    marked = times[flags]
    after = np.searchsorted(marked, times)
    left = np.abs(times - marked[np.maximum(after - 1, 0)])
    right = np.abs(times - marked[np.minimum(after, len(marked) - 1)])
    return np.asarray(np.minimum(left, right) <= margin)


def blinking(times: Array, faces: Complex) -> Flags:
    """Return which of the frames (n,) lie in or close to a blink."""
    openings = _openings(faces)
    closed = widened(times, openings < BLINK_OPENING * np.median(openings), BLINK_MARGIN_SECONDS)
    return np.zeros_like(closed) if closed.mean() > MOST_BLINKING else closed


def _openings(faces: Complex) -> Array:
    """Return how far the lids are apart, mean of both eyes, as a share of the eye's width."""
    openings = []
    for (upper, lower), (left, right) in ((LEFT_LIDS, LEFT_EYE), (RIGHT_LIDS, RIGHT_EYE)):
        apart = np.abs(faces[:, upper] - faces[:, lower]).mean(axis=1)
        openings.append(apart / np.maximum(np.abs(faces[:, left] - faces[:, right]), 1e-6))
    return np.asarray(np.mean(openings, axis=0))
