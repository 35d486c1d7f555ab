"""Whether two engines give the same landmarks: on noise, since a picture without detail has no answer to agree on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.engine.base import Engine


def noise_crops(size: int) -> NDArray[np.uint8]:
    """Return the same crop of noise each time, a batch of one (1, size, size, 3)."""
    return np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)


def landmarks_on_noise(engine: Engine, evaluations: int = 1) -> NDArray[np.float32]:
    """Return the landmarks (1, n, 2) in crop sides after so many evaluations from z = 0."""
    u, z = engine.encode(noise_crops(engine.config.input_size)), engine.zero_state(1)
    for _ in range(evaluations):
        z = engine.evaluate(z, u)
    return engine.decode(z)[0]


def mean_distance(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Return the mean distance of landmarks (..., 2); infinite if some are not finite."""
    apart = float(np.linalg.norm(first - second, axis=-1).mean())
    return apart if np.isfinite(apart) else float("inf")
