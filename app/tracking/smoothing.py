"""The well-known filters, with one set of settings: baselines of RwR in the window and in ``evaluate``."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.core.modes import Mode
from model.errors import ModelError
from model.filters import Ema, LandmarkFilter, OneEuro
from model.topology import inter_ocular

FRAME_SECONDS = 1 / 30
LONGEST_SECONDS = 10.0
"""A longer gap means that the clock jumped."""


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """The filters of modes ``ema`` and ``one-euro``, see :mod:`model.filters`.

    Attributes:
        alpha: weight of the new frame in the moving average.
        min_cutoff: cut-off of the 1 euro filter at rest, in Hz.
        beta: increase of that cut-off per inter-ocular distance a second of speed, in Hz.
        d_cutoff: cut-off of the speed, in Hz.
    """

    alpha: float = 0.5
    min_cutoff: float = 4.0
    beta: float = 5.0
    d_cutoff: float = 1.0

    def __post_init__(self) -> None:
        try:
            Ema(self.alpha)
            OneEuro(self.min_cutoff, self.beta, self.d_cutoff)
        except ModelError as error:
            raise UserError(f"The filter cannot be used: {error}.") from error


def make_filter(mode: str, smoothing: SmoothingSettings | None = None) -> LandmarkFilter | None:
    """Return the filter of a mode; None for modes that are not filters."""
    smoothing = smoothing or SmoothingSettings()
    if mode == Mode.EMA:
        return Ema(smoothing.alpha)
    if mode == Mode.ONE_EURO:
        return OneEuro(smoothing.min_cutoff, smoothing.beta, smoothing.d_cutoff)
    return None


class FaceSmoother:
    """A filter over one face's landmarks, in units of its first frame's inter-ocular distance.

    That way one ``beta`` of the 1 euro filter suits faces of any size.
    """

    def __init__(self, smoothing: LandmarkFilter) -> None:
        self._filter = smoothing
        self._unit: float | None = None
        self._last: float | None = None
        self._shift = 0.0

    def update(self, landmarks: NDArray[np.float32], seconds: float) -> NDArray[np.float32]:
        """Return the filtered landmarks (98, 2), in frame pixels, of the frame at ``seconds``."""
        if self._unit is None:
            if not np.isfinite(landmarks).all():
                return landmarks
            self._unit = max(float(inter_ocular(landmarks)), 1.0)
        unit, time = self._unit, self._time(seconds)
        smooth: NDArray[np.float32] = self._filter.update(landmarks / unit, time) * np.float32(unit)
        return smooth

    def reset(self) -> None:
        """Forget the face."""
        self._filter.reset()
        self._unit = self._last = None
        self._shift = 0.0

    def _time(self, seconds: float) -> float:
        """Return the filter's own time, which advances by one frame if the source's clock stands still or jumps.

        Given no progress, or years, a filter would freeze until the clock has caught up, or for ever.
        """
        last = self._last
        time = seconds + self._shift
        if last is not None and not 0 < time - last <= LONGEST_SECONDS:
            time = last + FRAME_SECONDS
        if not math.isfinite(time):  # the face's first frame has no time
            time = 0.0
        if math.isfinite(seconds):
            self._shift = 0.0 if time == seconds else time - seconds
        self._last = time
        return time
