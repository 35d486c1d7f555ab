"""From heatmaps to points, the decode of LDEQ, and to the mirror image's heatmaps; for numpy and torch alike."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from model.topology import mirror_map

MASS_FLOOR = 1e-4
"""Added to the heatmap mass before dividing, as in the released decode."""


def cell_centres(size: int, half_pixel: bool, like: Any) -> Any:
    """Return the positions of ``size`` heatmap columns in [0, 1) as an array like ``like``."""
    if isinstance(like, np.ndarray):
        return _numpy_centres(size, half_pixel)
    xp = array_namespace(like)
    columns = xp.arange(size, dtype=xp.float32, device=device(like))
    return (columns + (0.5 if half_pixel else 0.0)) / size


@cache
def _numpy_centres(size: int, half_pixel: bool) -> NDArray[np.float32]:
    return (np.arange(size, dtype=np.float32) + np.float32(0.5 if half_pixel else 0.0)) / np.float32(size)


def decode(heatmaps: Any, half_pixel: bool) -> tuple[Any, Any]:
    """Read points and their spread off normalised heatmaps by soft-argmax.

    With p = z / (1e-4 + sum z), a coordinate is the mean of p over the columns (rows)
    and the spread is sqrt((var_x + var_y) / 2), the uncertainty of the LDEQ release.

    Args:
        heatmaps: z, shape (n, landmarks, size, size), non-negative.
        half_pixel: column j sits at (j + 0.5) / size instead of j / size.

    Returns:
        landmarks (n, landmarks, 2) as x, y in crop units [0, 1], and spread
        (n, landmarks) in the same units.
    """
    xp = np if isinstance(heatmaps, np.ndarray) else array_namespace(heatmaps)
    positions = cell_centres(heatmaps.shape[-1], half_pixel, heatmaps)
    marginals = _marginals(heatmaps)
    mass = MASS_FLOOR + xp.sum(marginals[..., :1, :], axis=-1)
    means = xp.sum(marginals * positions, axis=-1) / mass
    # Second moments about the mean, not E[x^2] - E[x]^2: float32 would cancel for sharp peaks.
    offset = positions - means[..., None]
    variance = xp.sum(xp.sum(marginals * offset * offset, axis=-1) / mass, axis=-1)
    return means, xp.sqrt(variance / 2)


def mirrored(heatmaps: Any) -> Any:
    """Return the heatmaps (n, landmarks, h, h) of a picture as those of its mirror image."""
    xp = array_namespace(heatmaps)
    return xp.flip(xp.take(heatmaps, _mirror_order(xp, heatmaps.shape[1], device(heatmaps)), axis=1), axis=-1)


def mirrored_mean(heatmaps: Any, of_mirrored: Any) -> Any:
    """Return the mean of the heatmaps of a picture and of its mirror image, both (n, landmarks, h, h)."""
    mean = heatmaps + mirrored(of_mirrored)
    mean /= 2  # in place: each new array of this size costs as much as the arithmetic
    return mean


@cache
def _mirror_order(xp: Any, count: int, place: Any) -> Any:
    """Return the mirror map of a scheme of ``count`` points as an array on a device."""
    return xp.asarray(mirror_map(count), device=place)


def _marginals(heatmaps: Any) -> Any:
    """Return the sums of columns and of rows (n, landmarks, 2, size), by products where these are faster: in numpy."""
    if not isinstance(heatmaps, np.ndarray):
        xp = array_namespace(heatmaps)
        return xp.stack([xp.sum(heatmaps, axis=-2), xp.sum(heatmaps, axis=-1)], axis=-2)
    *shape, size = heatmaps.shape
    ones = np.ones(size, heatmaps.dtype)
    marginals = np.empty((*shape[:-1], 2, size), heatmaps.dtype)
    np.matmul(ones, heatmaps, out=marginals[..., 0, :])
    marginals[..., 1, :] = (heatmaps.reshape(-1, size) @ ones).reshape(shape)  # one long product, not one a heatmap
    return marginals
