"""GHCU, the global heatmap correction unit: places covered points by means of all the other heatmaps.

Liu et al. (CVPR 2019) put a light network on top of the heatmaps that sees all of them at once and returns all
points; where a heatmap's peak is low, its point is replaced. An LDEQ's heatmaps have a peak of 1 by definition, so
here a wide heatmap is what says "covered": with s the spread of a heatmap and (low, high) calibrated,

    point = (1 - b) point of the LDEQ + b point of the GHCU,       b = clip((s - low) / (high - low), 0, 1)

and b rises smoothly, so that in a video no point jumps. Nothing of this goes back into the solver: the fixed
point that the next frame starts from stays as it is. How it is trained: ``model.training.ghcu``; figures:
``docs/reports/ghcu.md``. Needs onnxruntime and no torch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import to_device
from numpy.typing import NDArray

from model.engine.onnx_engine import session
from model.errors import ModelError
from model.files import is_file
from model.geometry import Crop
from model.json_files import JsonError, from_plain_exactly, write_json
from model.rwr.solution import Solution
from model.weights import FORMAT, read_card, read_description, verify

SUFFIX = "-ghcu"


@dataclass(frozen=True, slots=True)
class GhcuConfig:
    """Shape of a GHCU and when it is believed.

    Attributes:
        landmarks: k, points of the LDEQ it belongs to.
        heatmap_size: h, cells along a side of its heatmaps.
        half_pixel: how it decodes, see :class:`model.config.LdeqConfig`.
        pool: cells averaged along each axis before the convolutions.
        channels: of the convolutions; all but the first halve the size.
        hidden: width of the two layers behind them.
        modes: ways in which faces differ from the mean face.
        low: spread in crop sides up to which the LDEQ's point stays.
        high: spread from which the GHCU's point replaces it.
    """

    landmarks: int
    heatmap_size: int
    half_pixel: bool
    pool: int = 4
    channels: tuple[int, ...] = (64, 64, 64)
    hidden: int = 256
    modes: int = 40
    low: float = 0.05
    high: float = 0.10

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high:
            raise ModelError(f"a GHCU's low ({self.low}) must be below its high ({self.high}) and not negative")
        if self.pool < 1 or self.heatmap_size % self.pool:
            raise ModelError(f"a GHCU cannot pool heatmaps of {self.heatmap_size} cells by {self.pool}")
        if not self.channels or min(*self.channels, self.hidden) < 1 or not 0 < self.modes <= 2 * self.landmarks:
            raise ModelError("a GHCU needs channels and hidden of at least 1, and 1 to 2 k modes")


@dataclass(frozen=True, slots=True)
class GhcuCard:
    """What the JSON beside a GHCU says.

    Attributes:
        path: the safetensors file.
        config: shape and thresholds.
        trained_on: SHA-256 of the LDEQ weights whose heatmaps it knows.
        files: SHA-256 by file name.
        notes: everything else.
    """

    path: Path
    config: GhcuConfig
    trained_on: str
    files: dict[str, str]
    notes: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Description:
    config: dict[str, Any]
    trained_on: str
    files: dict[str, str]
    notes: dict[str, Any] = field(default_factory=dict)


def ghcu_path(weights: Path) -> Path:
    """Return where the GHCU of some LDEQ weights lives."""
    return weights.with_name(f"{weights.stem}{SUFFIX}.safetensors")


def is_ghcu(path: Path) -> bool:
    """Return whether a weights file is a GHCU's, by its name."""
    return path.stem.endswith(SUFFIX)


def graph_path(path: Path) -> Path:
    """Return where the ONNX graph of a GHCU lives."""
    return path.with_suffix(".onnx")


def read_ghcu_card(path: Path) -> GhcuCard:
    """Read the JSON beside a GHCU's .safetensors file.

    Raises:
        ModelError: if it is missing or not such a description.
    """
    card_path = path.with_suffix(".json")
    if not is_file(card_path):
        raise ModelError(
            f"there is no GHCU for these weights ({path} is missing); choose another model, or make it with train-ghcu"
        )
    description = read_description(card_path, _Description, "a description of a GHCU")
    try:
        config = from_plain_exactly(GhcuConfig, description.config)
    except JsonError as error:
        raise ModelError(f"{card_path}: the GHCU's settings cannot be used: {error}") from error
    return GhcuCard(path, config, description.trained_on, description.files, description.notes)


def write_ghcu_card(card: GhcuCard) -> None:
    """Write the JSON of a card; it appears whole or not at all."""
    values = {
        "format": FORMAT,
        "config": asdict(card.config),
        "trained_on": card.trained_on,
        "files": card.files,
        "notes": card.notes,
    }
    write_json(card.path.with_suffix(".json"), values)


def shares(spread: NDArray[np.floating], low: float, high: float) -> NDArray[np.float32]:
    """Return b, how much of each point the GHCU gives, for spreads in crop sides; 1 where a spread is not finite."""
    share = np.clip((spread - low) / (high - low), 0.0, 1.0)
    out: NDArray[np.float32] = np.nan_to_num(share, nan=1.0).astype(np.float32)
    return out


class Ghcu:
    """Repairs the points of one LDEQ model; runs on the CPU beside any engine."""

    def __init__(self, weights: Path, threads: int | None = None) -> None:
        """Open the GHCU that lies beside the LDEQ's ``weights``.

        Raises:
            ModelError: if it is missing, damaged, or was trained on other weights.
        """
        card = read_ghcu_card(ghcu_path(weights))
        if card.trained_on != read_card(weights).files.get(weights.name):
            raise ModelError(f"{card.path.name} was trained on other weights than {weights.name}; run train-ghcu again")
        graph = graph_path(card.path)
        verify(card, graph)
        self._config = card.config
        self._session = session(graph, "cpu", threads)

    def points(self, heatmaps: Any) -> NDArray[np.float32]:
        """Return the GHCU's own points (n, k, 2) in crop units for heatmaps (n, k, h, h) of either engine."""
        z = np.ascontiguousarray(to_device(heatmaps, "cpu"), np.float32)
        found: NDArray[np.float32] = self._session.run(None, {"z": z})[0]
        return found

    def repair(
        self, heatmaps: Any, landmarks: NDArray[np.float32], spread: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Replace points whose heatmaps are wide.

        Args:
            heatmaps: the state z of either engine, (n, k, h, h).
            landmarks: decoded from it, (n, k, 2) in crop units.
            spread: of its heatmaps, or of those before RwR pulled them, (n, k).

        Returns:
            the points, and b (n, k): how much of each is the GHCU's. Nothing is computed where no point needs it.
        """
        share = shares(spread, self._config.low, self._config.high)
        if not share.any():
            return landmarks, share
        found = self.points(heatmaps)
        return np.where(share[..., None] > 0, landmarks + share[..., None] * (found - landmarks), landmarks), share

    def repair_solution(self, solution: Solution, crop: Crop) -> Solution:
        """Return the solution of a face solved in ``crop`` with its landmarks repaired; all else stays.

        What is wide is told by the network's answer in this frame, as in the calibration: heatmaps that RwR moves from
        frame to frame become wider and no less sure.
        """
        spread = (solution.fresh_spread / crop.side)[None]
        points, share = self.repair(solution.state, crop.to_crop(solution.landmarks)[None], spread)
        return replace(solution, landmarks=crop.to_frame(points[0])) if share.any() else solution
