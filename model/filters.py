"""Causal filters over landmarks: the baselines that RwR has to beat.

They smooth every coordinate on its own and know nothing of the image, so they trade flicker for lag.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError

Points = NDArray[np.float32]
Array = NDArray[np.float64]

START_SPEED = 1.0
"""Standard deviation of a landmark's velocity before any is known, in inter-ocular distances a second."""


class LandmarkFilter(Protocol):
    """A causal filter: fed one face's landmarks frame by frame, it answers at once with smoother ones."""

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
        if not (min_cutoff > 0.0 and d_cutoff > 0.0 and 0.0 <= beta < math.inf):
            raise ModelError(
                "the 1 euro filter needs cut-offs above 0 Hz and a finite beta of at least 0, "
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


class SavitzkyGolay:
    """Savitzky and Golay's filter (Analytical Chemistry, 1964), causal: a polynomial through the last frames.

    At every frame a polynomial in time is fitted to the last ``window`` values by least squares and read off
    ``latency`` frames before the newest. With latency 0 that is the end point of the fit, which answers for the
    newest frame but keeps much of its jitter; in the middle of the window, latency (window - 1) / 2, it is the
    filter's usual form, far steadier, and the answer is for a frame that is so many frames old. Frames are taken
    as evenly spaced in time. Until the window is full the fit uses the frames so far, and reads the oldest frame
    where the wanted one is older still.

    Args:
        window: frames in the fit, more than ``degree``.
        degree: of the polynomial; 0 is a moving average.
        latency: age in frames of the frame that the answer is for, less than ``window``.
    """

    def __init__(self, window: int = 9, degree: int = 2, latency: int = 0) -> None:
        if not 0 <= degree < window:
            raise ModelError(
                f"a Savitzky-Golay filter needs more frames than its degree, not window {window}, degree {degree}"
            )
        if not 0 <= latency < window:
            raise ModelError(f"a Savitzky-Golay filter's latency must be less than its window {window}, not {latency}")
        self.window = window
        self.degree = degree
        self.latency = latency
        self._past: deque[Array] = deque(maxlen=window)
        self._weights = [polynomial_weights(n, min(degree, n - 1), min(latency, n - 1)) for n in range(1, window + 1)]

    def update(self, landmarks: NDArray[np.floating], time: float) -> Points:
        """Return the polynomial's landmarks (n, 2), ``latency`` frames ago; ``time`` is not used."""
        new = landmarks.astype(np.float64)
        if not np.isfinite(new).all():
            return landmarks.astype(np.float32)
        self._past.append(new)
        weights = self._weights[len(self._past) - 1]
        return np.asarray(np.tensordot(weights, np.stack(self._past), axes=1), np.float32)

    def reset(self) -> None:
        """Forget the past."""
        self._past.clear()


def polynomial_weights(window: int, degree: int, latency: int) -> Array:
    """Return the weights (window,), oldest first, that read a fitted polynomial ``latency`` frames before its end."""
    age = np.arange(window - 1, -1, -1.0)
    powers = (latency - age)[:, None] ** np.arange(degree + 1)
    return np.asarray(np.linalg.pinv(powers)[0])


class ConstantVelocity:
    """A Kalman filter (1960) for each coordinate whose model is motion at constant velocity.

    State: position and velocity. Over a step of T seconds the velocity takes a random kick from an acceleration
    that is constant during the step, of standard deviation ``acceleration``; position and velocity move with it
    (Bar-Shalom, Li and Kirubarajan, Estimation with Applications to Tracking, 2001, section 6.3.2). A landmark
    is measured with standard deviation ``jitter``. All coordinates have the same noise, hence one 2 x 2
    covariance and one pair of gains; they settle to values that depend only on acceleration T^2 / jitter.

    Args:
        jitter: of a measured landmark, in the unit of the landmarks: with landmarks in inter-ocular distances a
            fraction of it.
        acceleration: what the motion is allowed to do unforeseen, in that unit per second squared.
    """

    def __init__(self, jitter: float = 0.005, acceleration: float = 10.0) -> None:
        if not (0.0 < jitter < math.inf and 0.0 < acceleration < math.inf):
            raise ModelError(
                "a constant-velocity filter needs a jitter and an acceleration above 0, "
                f"not jitter {jitter}, acceleration {acceleration}"
            )
        self.jitter = jitter
        self.acceleration = acceleration
        self._position: Array | None = None
        self._velocity: Array = np.zeros(0)
        self._covariance: Array = np.zeros((2, 2))
        self._time = 0.0

    def update(self, landmarks: NDArray[np.floating], time: float) -> Points:
        """Return the estimated landmarks (n, 2); a frame without a later ``time`` changes nothing."""
        new = landmarks.astype(np.float64)
        if not np.isfinite(new).all():
            return landmarks.astype(np.float32)
        if self._position is None:
            self._position, self._velocity, self._time = new, np.zeros_like(new), time
            self._covariance = np.diag([self.jitter**2, START_SPEED**2])
            return new.astype(np.float32)
        step = time - self._time
        if step <= 0.0:
            return self._position.astype(np.float32)
        self._time = time
        move = np.array([[1.0, step], [0.0, 1.0]])
        kick = np.array([step**2 / 2, step]) * self.acceleration
        covariance = move @ self._covariance @ move.T + np.outer(kick, kick)
        gain = covariance[:, 0] / (covariance[0, 0] + self.jitter**2)
        self._covariance = covariance - np.outer(gain, covariance[0])
        foreseen = self._position + step * self._velocity
        surprise = new - foreseen
        self._position = foreseen + gain[0] * surprise
        self._velocity = self._velocity + gain[1] * surprise
        return self._position.astype(np.float32)

    def reset(self) -> None:
        """Forget the past."""
        self._position = None


def _weight(cutoff: Array, step: float) -> Array:
    return 1.0 / (1.0 + 1.0 / (2.0 * math.pi * cutoff * step))
