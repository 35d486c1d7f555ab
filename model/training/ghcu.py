"""Training of a GHCU on the heatmaps of a frozen LDEQ, and the calibration of when it is believed.

A model of faces is fitted to the labels. The LDEQ then solves heavily covered training crops; that is what takes the
time, so what the GHCU sees of them is kept and used many times, mirrored or not and each time with other heatmaps
spoilt. Faces set aside from training tell from which spread on the GHCU's point is the better one.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.errors import ModelError
from model.files import write_whole
from model.heatmap import decode
from model.network import Ldeq
from model.repair.ghcu import GhcuCard, GhcuConfig, ghcu_path, shares, write_ghcu_card
from model.repair.network import GhcuNetwork, Summary, shape_model, summarise
from model.topology import mirror_map
from model.training.augment import Augmentation, augment
from model.training.data import Faces
from model.training.frozen import PLAIN, cold_heatmaps
from model.training.spoil import mirror, spoil
from model.weights import load_weights, read_card, sha256

HELD_OUT = 20
"""Every 20th face is set aside for the calibration."""
REPORT_SECONDS = 30.0
WIDE = 1.5
"""A heatmap this many times as wide as usual for its point is one that the GHCU is for."""
LOW_QUANTILES = (0.0, 0.25, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999)
WIDTHS = (1.2, 1.5, 2.0, 3.0)
"""Thresholds tried: low at quantiles of the spread, high at so many times low."""


@dataclass(frozen=True, slots=True)
class GhcuRecipe:
    """How a GHCU is trained.

    Attributes:
        minutes: of training, solving included.
        learning_rate: at the beginning; it falls to 0 along a cosine.
        weight_decay: of AdamW.
        draw: relative chance of drawing a face by its source.
        solved: faces solved at a time.
        kept: solved faces that are kept, the newest.
        steps: steps after each solve.
        batch: faces a step, drawn from those kept.
        spoil_chance: chance that some heatmaps of a face are erased or put in a wrong place.
        spoil_radius: they are those of the points within so many crop sides of a random point, at most.
        repaired: how much more the points count that would be replaced or were spoilt.
        augmentation: of the crops.
        calibration_faces: most faces for the calibration.
        seed: of every random draw.
    """

    minutes: float = 8.0
    learning_rate: float = 1e-3
    weight_decay: float = 1e-2
    draw: dict[str, float] = field(default_factory=lambda: {"wflw": 3.0, "300w": 2.0})
    solved: int = 16
    kept: int = 16384
    steps: int = 3
    batch: int = 64
    spoil_chance: float = 0.6
    spoil_radius: float = 0.35
    repaired: float = 4.0
    augmentation: Augmentation = field(default_factory=lambda: Augmentation(occluder_chance=0.9, occluder_side=0.8))
    calibration_faces: int = 192
    seed: int = 0

    def __post_init__(self) -> None:
        if self.minutes <= 0 or min(self.solved, self.steps, self.batch, self.calibration_faces) < 1:
            raise ModelError("a GHCU's recipe needs positive minutes, faces and steps")
        if self.kept < self.batch:
            raise ModelError("a GHCU's recipe must keep at least a batch of faces")


class _Kept:
    """What was seen of the faces solved last, and their labels: a ring of rows."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._rows: list[tuple[Tensor, ...]] = []
        self._next = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, *batches: Tensor) -> None:
        """Add one row for each entry of the batches, over the oldest ones where there is no room."""
        for row in zip(*batches, strict=True):
            if len(self._rows) < self._room:
                self._rows.append(row)
            else:
                self._rows[self._next] = row
                self._next = (self._next + 1) % self._room

    def draw(self, count: int) -> tuple[Tensor, ...]:
        """Return batches of random rows."""
        chosen = [self._rows[i] for i in torch.randint(len(self._rows), (count,)).tolist()]
        return tuple(torch.stack(column).float() for column in zip(*chosen, strict=True))


def train_ghcu(
    weights: Path, faces: Faces, recipe: GhcuRecipe, out: Path, report: Callable[[str], None] = print
) -> GhcuCard:
    """Train a GHCU for the LDEQ in ``weights``, calibrate it and write it into the folder ``out``.

    Returns:
        the card of what was written (no graph yet, see :func:`model.repair.export.export_ghcu`).

    Raises:
        ModelError: for weights that cannot be read or find other points than the faces have, and for too few faces.
    """
    from safetensors.torch import save

    device = faces.images.device
    model = load_weights(weights).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    config = model.config
    if config.landmarks != faces.landmarks.shape[1]:
        raise ModelError(f"{weights} finds {config.landmarks} points, the faces have {faces.landmarks.shape[1]}")
    aside = torch.arange(len(faces)) % HELD_OUT == 0
    if aside.all():
        raise ModelError("a GHCU needs 2 faces or more, some to learn from and some to calibrate it")
    torch.manual_seed(recipe.seed)
    network = GhcuNetwork(GhcuConfig(config.landmarks, config.heatmap_size, config.half_pixel)).to(device)
    mean, modes = shape_model(*_both_ways(faces), network.config.modes)
    network.mean_shape.copy_(mean)
    network.modes.copy_(modes)
    solves = _fit(network, model, faces, aside, recipe, report)
    network.eval()
    low, high, notes = calibrate(network, model, faces[aside].spread(recipe.calibration_faces), recipe)
    report(f"replaces points of spread {low:.4f} to {high:.4f} crop sides and above: {_sentence(notes)}")
    out.mkdir(parents=True, exist_ok=True)
    path = ghcu_path(out / weights.name)
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    write_whole(path, save(state))
    card = GhcuCard(
        path,
        replace(network.config, low=low, high=high),
        read_card(weights).files[weights.name],
        {path.name: sha256(path)},
        {"minutes": recipe.minutes, "solved_faces": solves, "calibration": notes},
    )
    write_ghcu_card(card)
    return card


def _both_ways(faces: Faces) -> tuple[Tensor, Tensor]:
    """Return the labels and their weights, as they are and mirrored."""
    order = torch.as_tensor(mirror_map(faces.landmarks.shape[1]), device=faces.landmarks.device)
    mirrored = faces.landmarks[:, order] * faces.landmarks.new_tensor([-1.0, 1.0])
    return torch.cat([faces.landmarks, mirrored]), torch.cat([faces.weights, faces.weights[:, order]])


def _fit(
    network: GhcuNetwork, model: Ldeq, faces: Faces, aside: Tensor, recipe: GhcuRecipe, report: Callable[[str], None]
) -> int:
    """Train for the recipe's minutes; return how many faces were solved."""
    optimiser = torch.optim.AdamW(network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
    chances = faces.draw_weights(recipe.draw) * ~aside
    kept = _Kept(recipe.kept)
    budget, solves = recipe.minutes * 60, 0
    started = reported = time.perf_counter()
    losses: list[float] = []
    while (spent := time.perf_counter() - started) < budget:
        chosen = torch.multinomial(chances, recipe.solved, replacement=True).to(faces.images.device)
        heatmaps, landmarks, weights = _solve(model, faces[chosen], recipe.augmentation)
        maps, *others = summarise(heatmaps, network.config)
        kept.add(maps.half(), *others, landmarks, weights)
        solves += recipe.solved
        if len(kept) < recipe.batch:
            continue
        for group in optimiser.param_groups:
            group["lr"] = recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * min(spent / budget, 1)))
        for _ in range(recipe.steps):
            losses.append(_step(network, optimiser, kept, recipe))
        if time.perf_counter() - reported > REPORT_SECONDS:
            reported = time.perf_counter()
            report(f"{spent / 60:6.1f} min  {solves} faces solved  loss {np.mean(losses):.3f}")
            losses.clear()
    return solves


def _solve(model: Ldeq, faces: Faces, augmentation: Augmentation) -> tuple[Tensor, Tensor, Tensor]:
    """Return the heatmaps of faces in augmented crops, their landmarks there and how far to trust each."""
    crops, landmarks, weights = augment(faces, model.config.input_size, model.config.crop_scale, augmentation)
    return cold_heatmaps(model, crops), landmarks, weights


def _step(network: GhcuNetwork, optimiser: torch.optim.Optimizer, kept: _Kept, recipe: GhcuRecipe) -> float:
    *parts, landmarks, weights = kept.draw(recipe.batch)
    seen = Summary(*parts)
    wide = seen.spread > seen.spread.median(dim=0, keepdim=True).values * WIDE
    mirrored = torch.rand(len(landmarks), device=landmarks.device) < 0.5
    seen, spoilt = spoil(seen, landmarks, recipe.spoil_chance, recipe.spoil_radius)
    counts = weights * (1 + recipe.repaired * (wide | spoilt))
    seen, landmarks, counts = mirror(seen, landmarks, counts, mirrored)
    distance = torch.sqrt(((network.correct(seen) - landmarks) ** 2).sum(-1) + 1e-8)
    loss = (distance * counts).sum() / counts.sum().clamp_min(1e-6) * 100
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


@torch.no_grad()
def calibrate(
    network: GhcuNetwork, model: Ldeq, faces: Faces, recipe: GhcuRecipe
) -> tuple[float, float, dict[str, Any]]:
    """Return the thresholds low and high with the smallest mean error, and what they gain.

    Measured on faces that the GHCU has not seen, each covered and as it is: what it repairs on the one it must not
    spoil on the other. Labels count by their weight.

    Returns:
        low and high in crop sides, and figures: mean error of each point that is replaced, in percent of the crop
        side, before and after, and the share of points replaced.
    """
    measured: list[tuple[NDArray[np.floating], ...]] = []
    for part in torch.split(torch.arange(len(faces)), recipe.solved):
        for augmentation in (recipe.augmentation, PLAIN):
            heatmaps, landmarks, weights = _solve(model, faces[part], augmentation)
            points, spread = decode(heatmaps, model.config.half_pixel)
            values = spread, points, network(heatmaps), landmarks, weights
            measured.append(tuple(value.cpu().numpy() for value in values))
    return choose_thresholds(*(np.concatenate(column) for column in zip(*measured, strict=True)))


def choose_thresholds(
    spread: NDArray[np.floating],
    old: NDArray[np.floating],
    new: NDArray[np.floating],
    truth: NDArray[np.floating],
    weights: NDArray[np.floating],
) -> tuple[float, float, dict[str, Any]]:
    """Try thresholds on measured points; arguments (n, k[, 2]) in crop sides, see :func:`calibrate`."""

    def error(points: NDArray[np.floating], counted: NDArray[np.floating]) -> float:
        return float(np.average(np.linalg.norm(points - truth, axis=-1), weights=counted)) * 100

    tried = []
    for low in np.quantile(spread[weights > 0], LOW_QUANTILES):
        for width in WIDTHS:
            share = shares(spread, low, low * width)
            tried.append((error(old + share[..., None] * (new - old), weights), float(low), float(low * width), share))
    _, low, high, share = min(tried, key=lambda each: each[0])
    replaced = weights * (share > 0)
    notes = {
        "error_all": [error(old, weights), error(old + share[..., None] * (new - old), weights)],
        "error_replaced": [error(old, replaced), error(old + share[..., None] * (new - old), replaced)],
        "share_replaced": float(replaced.sum() / weights.sum()),
    }
    return low, high, notes


def _sentence(notes: dict[str, Any]) -> str:
    before, after = notes["error_replaced"]
    return (
        f"{notes['share_replaced']:.1%} of the points of faces set aside, whose mean error falls from "
        f"{before:.2f} to {after:.2f} % of the crop side"
    )
