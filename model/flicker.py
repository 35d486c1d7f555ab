"""Flicker without ground truth: landmark motion that the image itself does not explain."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlickerReading:
    """Unexplained motion between two frames, in percent of the inter-ocular distance.

    Attributes:
        overall: root mean square over all landmarks.
        regions: root mean square per region, in the order of ``model.topology.REGIONS``.
    """

    overall: float
    regions: tuple[float, ...]
