"""How strongly each landmark is pulled towards the last frame, frame by frame.

With the picture's answer y_l and the reference r_l (the last frame's x_l, moved to this frame), the recurrence
objective is a Gaussian fusion: its weight is the ratio of their variances, w_l = var(y_l) / var(r_l), so that the
picture's share is the gain of a Kalman filter,

    k_l = p_l / (1 + p_l),   p_l = var(r_l) / var(y_l) = k_l of the last frame + (rest + doubt_l^2) / var(y_l).

``rest`` is the error of a motion measured while nothing happens; it makes the base weight the one at which the filter
settles. ``doubt`` is what the measurement says of itself: fast expressions are measured less exactly. The picture's
variance is read off the heatmap: a landmark whose heatmap is wider than its neighbours' is ambiguous. Motion that was
missed altogether shows in the innovations y_l - r_l: noise changes sign from frame to frame, a motion that was missed
does not. The tracking signal |mean innovation|^2 over the variance that such a mean has under noise (Trigg and Leach,
1967) tells them apart; landmarks of a region share it, since lips and lids move together. An innovation larger than any
noise is followed at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.config import LANDMARKS
from model.errors import ModelError
from model.motion import median
from model.topology import REGIONS, region_points

Array = NDArray[np.float64]

JITTER = 0.004
"""Standard deviation of the picture's answer for a landmark of ordinary spread, in crop sides."""
FIRST_NOISE = 0.004
"""Innovation expected before any was seen, in crop sides."""
LEAST_NOISE = 0.002
"""Innovation below which nothing is taken for motion, in crop sides."""
OUTLIER = 3.0
"""Innovations count in the noise with at most so many times its present deviation."""
NOISE_GAIN = 0.05
"""What one frame counts in the noise."""
AMBIGUITY_LIMITS = (0.3, 3.0)
LARGEST_NOISE, SURE_JUMP = 0.1, 0.2
"""Innovations larger than noise, in crop sides: from the first on the picture gains, at the second it alone counts."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """How the weight adapts.

    Attributes:
        ambiguity: power of a heatmap's spread, over the median landmark's, in the picture's variance; 0 ignores it.
        memory: share of the newest innovation in the mean innovation, in (0, 1].
        noise: tracking signal up to which the weight stays as it is; noise alone has 1 on average.
        motion: tracking signal from which on the landmark surely moves.
        following: least share of the picture's answer in a landmark that surely moves.
        region: how much of the tracking signal is shared by the landmarks of a region, in [0, 1].
    """

    ambiguity: float = 1.0
    memory: float = 0.4
    noise: float = 2.0
    motion: float = 6.0
    following: float = 0.5
    region: float = 0.7

    def __post_init__(self) -> None:
        shares = (self.following, self.region)
        if self.ambiguity < 0 or not 0 < self.memory <= 1 or any(not 0 <= share <= 1 for share in shares):
            raise ModelError("the shares of the recurrence weight's adaptation must lie in [0, 1]")
        if not 0 <= self.noise < self.motion:
            raise ModelError(f"the noise limit must be below the motion limit, not {self.noise} and {self.motion}")


class AdaptiveWeight:
    """The weights of one face's landmarks."""

    def __init__(self, base: float, adaptation: Adaptation, landmarks: int = LANDMARKS) -> None:
        self._base = base
        self._adaptation = adaptation
        self._sharing = _sharing(landmarks, adaptation.region)
        self._landmarks = landmarks
        self.reset()

    def reset(self) -> None:
        """Forget all innovations; the last frame's solution was all picture."""
        self._share = np.ones(self._landmarks)
        self._mean = np.zeros((self._landmarks, 2))
        self._noise = np.full(self._landmarks, FIRST_NOISE**2)

    def update(self, innovation: Array, spread: NDArray[np.floating], doubt: Array | None = None) -> Array:
        """Return the weights (n,) of this frame.

        Args:
            innovation: (n, 2), the picture's answer minus the moved reference, in crop sides.
            spread: (n,) of the picture's heatmaps, any unit.
            doubt: (n,) standard deviation of the measured motion, in crop sides, beyond the one at rest.
        """
        how = self._adaptation
        self._mean = (1 - how.memory) * self._mean + how.memory * innovation
        share = _clipped((self._tracking_signal() - how.noise) / (how.motion - how.noise), 0.0, 1.0)
        kept = self._gain(spread, doubt)
        picture = kept + np.maximum(how.following - kept, 0.0) * share
        squared = _squared(innovation)
        distance = np.sqrt(self._sharing @ squared)
        jump = _clipped((distance - LARGEST_NOISE) / (SURE_JUMP - LARGEST_NOISE), 0.0, 1.0)
        picture = picture + (1 - picture) * jump
        seen = _clipped(squared, LEAST_NOISE**2, OUTLIER**2 * self._noise)
        self._noise = (1 - NOISE_GAIN) * self._noise + NOISE_GAIN * seen
        # Innovations that the solution followed no longer count as pending motion.
        self._mean = self._mean * (1 - picture)[:, None]
        self._share = picture
        return np.asarray(1 / picture - 1)

    def _gain(self, spread: NDArray[np.floating], doubt: Array | None) -> Array:
        """Return the picture's share of each landmark as its variance and the reference's demand, (n,)."""
        if self._base == 0:
            return np.ones(self._landmarks)
        moved = np.full(self._landmarks, 1 / (self._base * (1 + self._base)))  # settles at a share of 1 / (1 + base)
        if doubt is not None:
            moved += self._sharing @ (doubt / JITTER) ** 2
        reference = self._share + moved / self._ambiguity(spread)
        return np.asarray(reference / (1 + reference))

    def _tracking_signal(self) -> Array:
        memory = self._adaptation.memory
        squared = _squared(self._mean)
        expected = self._noise * memory / (2 - memory)
        return np.asarray((self._sharing @ squared) / (self._sharing @ expected))

    def _ambiguity(self, spread: NDArray[np.floating]) -> Array:
        typical = max(median(spread), 1e-12)
        return np.asarray(_clipped(spread / typical, *AMBIGUITY_LIMITS) ** self._adaptation.ambiguity)


def _clipped(values: NDArray[np.floating], least: float | Array, most: float | Array) -> Array:
    """Do as ``np.clip`` in half its time, which for 98 values is mostly its preparations."""
    return np.asarray(np.minimum(np.maximum(values, least), most))


def _squared(vectors: Array) -> Array:
    """Return the squared lengths (n,) of vectors (n, 2)."""
    return np.asarray(np.vecdot(vectors, vectors))


def _sharing(landmarks: int, share: float) -> Array:
    """Return the matrix (n, n) that mixes a landmark's value with its region's mean."""
    mixing = (1 - share) * np.eye(landmarks)
    for region in REGIONS:
        points = region_points(region, landmarks)
        if len(points):
            mixing[np.ix_(points, points)] += share / len(points)
    return mixing
