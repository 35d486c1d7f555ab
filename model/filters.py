"""Causal filters over landmarks: the baselines that RwR has to beat.

Both smooth every coordinate on its own and know nothing of the image, so they trade flicker for lag.
"""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError

Points = NDArray[np.float32]
Array = NDArray[np.float64]


class LandmarkFilter(Protocol):
    """A causal filter: fed one face's landmarks frame by frame, it answers for the same frame."""

    def update(self, landmarks: NDArray[np.floating], time: float) -> Points:
        """Return the filtered landmarks of the frame at ``time``.

        Args:
            landmarks: (n, 2), any unit. Where not finite, nothing is learnt and the input is returned.
            time: seconds on any clock that does not run backwards.
        """
        ...

    def reset(self) -> None:
        """Forget the past: the next landmarks are returned as they are."""
        ...


class Ema:
    """Exponential moving average, y_t = alpha x_t + (1 - alpha) y_t-1.

    ``alpha`` is the weight of the new landmarks: 1 does nothing, small values smooth and lag by
    (1 - alpha) / alpha frames. It is per frame, whatever the frame rate.
    """

    def __init__(self, alpha: float) -> None:
        if not 0.0 < alpha <= 1.0:
            raise ModelError(f"the weight of an exponential moving average must be above 0 and at most 1, not {alpha}")
        self.alpha = alpha
        self._smooth: Array | None = None

    def update(self, landmarks: NDArray[np.floating], time: float) -> Points:
        """Return the average of the landmarks (n, 2) so far; ``time`` is not used."""
        new = landmarks.astype(np.float64)
        if not np.isfinite(new).all():
            return landmarks.astype(np.float32)
        if self._smooth is None:
            self._smooth = new
        else:
            self._smooth = self.alpha * new + (1.0 - self.alpha) * self._smooth
        return self._smooth.astype(np.float32)

    def reset(self) -> None:
        """Forget the past."""
        self._smooth = None


class OneEuro:
    """The 1 euro filter (Casiez, Roussel and Vogel, CHI 2012), one for each coordinate.

    A low-pass filter whose cut-off rises with the speed of the smoothed coordinate,
    f = min_cutoff + beta |speed|: steady at rest, quick in motion. With the time step T since the last
    frame and tau = 1 / (2 pi f), the weight of the new value is 1 / (1 + tau / T). The speed is the
    difference to the last filtered value, itself filtered at ``d_cutoff``.

    Args:
        min_cutoff: cut-off at rest in Hz; lower is steadier.
        beta: how fast the cut-off rises, in Hz per (unit of the landmarks / s); higher lags less.
        d_cutoff: cut-off of the speed in Hz.
    """

    def __init__(self, min_cutoff: float = 1.0, beta: float = 0.0, d_cutoff: float = 1.0) -> None:
        if not (min_cutoff > 0.0 and d_cutoff > 0.0 and beta >= 0.0):
            raise ModelError(
                "the 1 euro filter needs cut-offs above 0 Hz and a beta of at least 0, "
                f"not min_cutoff {min_cutoff}, beta {beta}, d_cutoff {d_cutoff}"
            )
        self.min_cutoff = min_cutoff
        self.beta = beta
        self.d_cutoff = d_cutoff
        self._smooth: Array | None = None
        self._speed: Array = np.zeros(0)
        self._time = 0.0

    def update(self, landmarks: NDArray[np.floating], time: float) -> Points:
        """Return the filtered landmarks (n, 2); a frame without a later ``time`` changes nothing."""
        new = landmarks.astype(np.float64)
        if not np.isfinite(new).all():
            return landmarks.astype(np.float32)
        if self._smooth is None:
            self._smooth, self._speed, self._time = new, np.zeros_like(new), time
            return new.astype(np.float32)
        step = time - self._time
        if step <= 0.0:
            return self._smooth.astype(np.float32)
        self._time = time
        speed_weight = _weight(np.full_like(new, self.d_cutoff), step)
        self._speed = self._speed + speed_weight * ((new - self._smooth) / step - self._speed)
        weight = _weight(self.min_cutoff + self.beta * np.abs(self._speed), step)
        self._smooth = self._smooth + weight * (new - self._smooth)
        return self._smooth.astype(np.float32)

    def reset(self) -> None:
        """Forget the past."""
        self._smooth = None


def _weight(cutoff: Array, step: float) -> Array:
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff * step))
