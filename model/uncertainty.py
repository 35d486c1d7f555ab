"""How far from where it is shown a landmark may lie: discs that hold it with a known probability.

The spread of a heatmap says which landmarks are doubtful, but it is no probability: on unseen faces the disc of one
spread holds 48 % of the landmarks. With constants from labelled faces, the disc of landmark l that holds it with
probability p has the radius

    quantile_p * scale_l * spread ^ exponent.

It is about where people put the landmark. What the picture does not show at all has no other disc.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.json_files import JsonError, from_plain_exactly
from model.weights import WeightsCard

NOTE = "uncertainty"
"""Name of the constants among the notes of the weights' JSON."""
PERCENTS = (50, 80, 95)


@dataclass(frozen=True, slots=True)
class Calibration:
    """The constants of one model.

    Attributes:
        exponent: of the spread.
        scale: of each landmark.
        quantiles: for :data:`PERCENTS`, in their order.
    """

    exponent: float
    scale: tuple[float, ...]
    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.quantiles) != len(PERCENTS):
            raise ModelError(f"the uncertainty has {len(self.quantiles)} quantiles, not {len(PERCENTS)}")

    def radii(self, spread: NDArray[np.floating], percent: int) -> NDArray[np.float64]:
        """Return the radii of the discs that hold ``percent`` (one of :data:`PERCENTS`) of the landmarks.

        Args:
            spread: (..., k) of heatmaps in crop sides.
            percent: the probability.

        Returns:
            (..., k) in crop sides.
        """
        quantile = self.quantiles[PERCENTS.index(percent)]
        return np.asarray(quantile * np.array(self.scale) * np.asarray(spread, np.float64) ** self.exponent)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return asdict(self)


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
    return found
