"""The recurrence objective: one evaluation of the cell, pulled towards the last frame's fixed point.

Around an iterate z_k, with f taken as constant, the minimum of |f - z|^2 + sum_l w_l |z_l - ref_l|^2 is
(f + w ref) / (1 + w); see :mod:`model.rwr.recurrence`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from array_api_compat import array_namespace
from numpy.typing import NDArray

from model.engine.base import Engine, State
from model.geometry import Crop
from model.motion import fit_similarity
from model.rwr.reference import MovedReference
from model.rwr.warm_start import Memory, alike
from model.rwr.weight import AdaptiveWeight


class RecurrenceTerm:
    """The recurrence term of one frame: pulls each landmark's heatmap towards the reference.

    Attributes:
        fresh_spreads: (n,) in crop units, of each state that was pulled, before that.
    """

    def __init__(
        self,
        engine: Engine,
        crop: Crop,
        memory: Memory,
        base: float,
        weight: AdaptiveWeight | None,
        moved: MovedReference | None,
        start: State,
    ) -> None:
        self._engine, self._crop, self._memory = engine, crop, memory
        self._base, self._weight = base, weight
        self._motion = None if moved is None else moved.motion
        self._doubt = None if moved is None else moved.doubt / crop.side
        self._reference = start
        self._weights: NDArray[np.float64] | None = None
        self.fresh_spreads: list[NDArray[np.float32]] = []

    def __call__(self, new: State, landmarks: NDArray[np.float32], spread: NDArray[np.float32]) -> State:
        """Return (f + w ref) / (1 + w) for a state f (1, n, h, h), whose landmarks (n, 2) and spread (n,) these are."""
        self.fresh_spreads.append(spread)
        found = self._crop.to_frame(landmarks).astype(np.float64)
        if self._motion is None:
            self._motion = _head_motion(found, self._memory.landmarks.astype(np.float64), self._pixel)
            self._reference = self._memory.warped(self._crop, self._engine.config.half_pixel, self._motion)
        if self._weights is None:
            self._weights = np.full(len(found), self._base)
            if self._weight is not None:
                expected = self._memory.landmarks + self._motion
                self._weights = self._weight.update((found - expected) / self._crop.side, spread, self._doubt)
        share = alike((1 / (1 + self._weights)).astype(np.float32)[None, :, None, None], new)
        pulled = new - self._reference
        pulled *= share  # in place: each new array of this size costs as much as the arithmetic
        pulled += self._reference
        return pulled

    @property
    def _pixel(self) -> float:
        """A pixel of the crop in frame pixels."""
        return self._crop.side / self._engine.config.input_size


@dataclass(frozen=True, slots=True, eq=False)
class WarmProblem:
    """One face's warm solve: its start and its recurrence term.

    Attributes:
        start: the last frame's fixed point in this frame's crop (1, n, h, h).
        term: None if the recurrence weight is 0.
    """

    start: State
    term: RecurrenceTerm | None

    def fresh_spread(self, evaluations: int) -> NDArray[np.float32] | None:
        """Return the spread (n,) of the last of the face's own ``evaluations``, before it was pulled.

        A batch goes on while one of its faces has not settled. None without a recurrence term.
        """
        return None if self.term is None else self.term.fresh_spreads[evaluations - 1]


def weighted_step(engine: Engine, starts: Sequence[WarmProblem], new: State) -> State:
    """Apply each face's recurrence term to one evaluation f(z) (faces, n, h, h).

    All faces are decoded at once, since on a GPU the processor waits for the decode.
    """
    if all(start.term is None for start in starts):
        return new
    landmarks, spread = engine.decode(new)
    states = []
    for i, start in enumerate(starts):
        own = new[i : i + 1]
        states.append(own if start.term is None else start.term(own, landmarks[i], spread[i]))
    return states[0] if len(states) == 1 else array_namespace(new).concat(states)


def _head_motion(now: NDArray[np.float64], before: NDArray[np.float64], pixel: float) -> NDArray[np.float64]:
    """Return the motion (n, 2) of the similarity that most landmarks follow, frame pixels.

    Args:
        now: landmarks of this frame (n, 2), frame pixels.
        before: of the last frame.
        pixel: unit of the fit's least residual, frame pixels.
    """
    return fit_similarity(before / pixel, (now - before) / pixel, np.ones(len(now))) * pixel
