"""How far from where it is shown a landmark may lie: discs that hold it with a known probability.

The spread of a heatmap says which landmarks are doubtful, but it is no probability: on unseen faces the disc of one
spread holds 48 % of the landmarks. Nor does it know a covered landmark, whose heatmap can be sharp in the wrong place.
What the injection u holds at the landmark does: it is what the network sees there, and an occluder looks unlike a
corner of the mouth. With constants from labelled faces, the disc of landmark l that holds it with probability p has the
radius

    quantile_p * scale_l * spread ^ exponent * exp(appearance_r . u at the landmark),        r the region of l.

It is about where people put the landmark. With RwR the spread is that of the network's answer in this frame, before it
is pulled to the last frame's: heatmaps that are moved from frame to frame become 1.3 times as wide and no less sure.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from array_api_compat import array_namespace, to_device
from numpy.typing import NDArray

from model.errors import ModelError
from model.json_files import JsonError, from_plain_exactly
from model.topology import POINTS, REGION_OF_POINT, REGIONS
from model.weights import WeightsCard

NOTE = "uncertainty"
"""Name of the constants among the notes of the weights' JSON."""
PERCENTS = (50, 80, 95)


@dataclass(frozen=True)
class Calibration:
    """The constants of one model.

    Attributes:
        exponent: of the spread.
        scale: of each landmark.
        quantiles: for :data:`PERCENTS`, in their order.
        appearance: for each of :data:`model.topology.REGIONS`, factors of the channels of u at a landmark; without any
            only the spread counts.
    """

    exponent: float
    scale: tuple[float, ...]
    quantiles: tuple[float, ...]
    appearance: tuple[tuple[float, ...], ...] = ()

    def __post_init__(self) -> None:
        if len(self.quantiles) != len(PERCENTS):
            raise ModelError(f"the uncertainty has {len(self.quantiles)} quantiles, not {len(PERCENTS)}")
        if self.appearance and (len(self.appearance) != len(REGIONS) or len(set(map(len, self.appearance))) != 1):
            raise ModelError(f"the uncertainty's appearance is not of {len(REGIONS)} regions of equally many channels")
        if self.appearance and len(self.scale) != POINTS:
            raise ModelError(f"the uncertainty's appearance is of {POINTS} landmarks, not of {len(self.scale)}")

    @property
    def channels(self) -> int:
        """How many channels of u count."""
        return len(self.appearance[0]) if self.appearance else 0

    def radii(self, spread: NDArray[np.floating], seen: NDArray[np.floating], percent: int) -> NDArray[np.float64]:
        """Return the radii of the discs that hold ``percent`` (one of :data:`PERCENTS`) of the landmarks.

        Args:
            spread: (..., k) of heatmaps in crop sides.
            seen: (..., k, channels) of u at the landmarks, see :func:`seen_at`.
            percent: the probability.

        Returns:
            (..., k) in crop sides.
        """
        return np.asarray(self.quantiles[PERCENTS.index(percent)] * self.relative_radii(spread, seen))

    def relative_radii(self, spread: NDArray[np.floating], seen: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the radii without the quantile; arguments as for :meth:`radii`."""
        radii = self._scales * np.asarray(spread, np.float64) ** self.exponent
        if self.appearance:
            radii = radii * np.exp(np.vecdot(seen, self._factors))
        return np.asarray(radii)

    @cached_property
    def _scales(self) -> NDArray[np.float64]:
        return np.array(self.scale)

    @cached_property
    def _factors(self) -> NDArray[np.float64]:
        """Of each landmark's channels, (k, channels)."""
        return np.array(self.appearance)[list(REGION_OF_POINT)]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


def seen_at(u: Any, landmarks: NDArray[np.floating], channels: int) -> NDArray[np.float32]:
    """Return what the network sees at landmarks: the first channels of u in the cells where they lie.

    Args:
        u: the injection of one face, (C, h, h), of any engine's kind.
        landmarks: (k, 2) in crop units; outside the crop the nearest cell counts.
        channels: how many.

    Returns:
        (k, channels).
    """
    size = u.shape[-1]
    columns, rows = np.fmin(np.fmax(landmarks * size, 0), size - 1).astype(np.int64).T  # 0 where NaN
    found = u[:channels, rows, columns]
    xp = array_namespace(found)
    return np.asarray(to_device(xp.astype(found, xp.float32), "cpu")).T


def read_calibration(card: WeightsCard) -> Calibration | None:
    """Return the constants that a model's JSON holds, None where it has none.

    Raises:
        ModelError: where they are damaged or of another number of landmarks.
    """
    values = card.notes.get(NOTE)
    if values is None:
        return None
    try:
        found = from_plain_exactly(Calibration, values)
    except JsonError as error:
        raise ModelError(f"the uncertainty of {card.path.name} cannot be used: {error}") from error
    if len(found.scale) != card.config.landmarks:
        raise ModelError(f"the uncertainty of {card.path.name} is of {len(found.scale)} landmarks")
    if found.channels > card.config.injection:
        raise ModelError(f"the uncertainty of {card.path.name} is of {found.channels} channels")
    return found
