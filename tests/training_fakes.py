"""Training faces, tiny recipes and models, and a clock by which a run has the same steps on any computer."""

from __future__ import annotations

import dataclasses
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.config import LdeqConfig
from model.network import Ldeq
from model.topology import POINTS
from model.training.augment import Augmentation
from model.training.data import Faces
from model.training.frozen import PLAIN
from model.training.recipe import Recipe, Stage

TINY = LdeqConfig(
    name="tiny", input_size=64, injection=8, width=16, increment=8, max_steps=2, face_mesh=True, half_pixel=True
)

_USUAL = Augmentation()
GEOMETRY_ONLY = dataclasses.replace(
    PLAIN, shift=_USUAL.shift, scale_low=_USUAL.scale_low, scale_high=_USUAL.scale_high, rotation=_USUAL.rotation
)

SIDE = 160


def face(seed: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Draw a "face": a bright ellipse with eyes, and 98 points on it."""
    random = np.random.default_rng(seed)
    picture = np.full((SIDE, SIDE, 3), 40, np.uint8)
    centre = (float(random.uniform(65, 95)), float(random.uniform(65, 95)))
    radius = float(random.uniform(35, 45))
    cv2.circle(picture, (round(centre[0]), round(centre[1])), round(radius), (210, 180, 150), -1)
    for side in (-1, 1):
        eye = (round(centre[0] + side * radius / 2), round(centre[1] - radius / 3))
        cv2.circle(picture, eye, 5, (20, 20, 60), -1)
    angle = np.arange(POINTS) / POINTS * 2 * np.pi
    points = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * radius + centre
    points[60] = (centre[0] - radius / 2, centre[1] - radius / 3)
    points[72] = (centre[0] + radius / 2, centre[1] - radius / 3)
    return picture, points.astype(np.float32)


def write_faces(folder: Path, count: int, names: Sequence[str] | None = None) -> Path:
    """Write faces in the format of the training data: labels.npz and two tars of webp pictures."""
    folder.mkdir()
    drawn = [face(seed) for seed in range(count)]
    names = names or [f"face{row:03}.webp" for row in range(count)]
    for number in range(2):
        with tarfile.open(folder / f"faces-{number}.tar", "w") as tar:
            for row in range(number, count, 2):
                picture = cv2.cvtColor(drawn[row][0], cv2.COLOR_RGB2BGR)
                data = cv2.imencode(".webp", picture, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()
                entry = tarfile.TarInfo(f"faces/{names[row]}")
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
    np.savez(
        folder / "labels.npz",
        name=np.array(names),
        source=np.array(["wflw" if row % 2 else "drawn" for row in range(count)]),
        landmarks=np.stack([points for _, points in drawn]),
        weight=np.ones((count, POINTS), np.float32),
    )
    return folder


class StepClock:
    """A clock that ticks half a second at each look, so that a run has the same steps on any computer."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 0.5
        return self.now


def faces_of(*sources: str) -> Faces:
    drawn = [face(seed) for seed in range(len(sources))]
    return Faces(
        torch.from_numpy(np.stack([picture for picture, _ in drawn])),
        torch.from_numpy(np.stack([points for _, points in drawn])),
        torch.ones(len(sources), POINTS),
        np.array(sources),
    )


def some_faces() -> Faces:
    return faces_of("wflw", "ensemble-utk", "wflw", "ensemble-utk")


def tiny_recipe(steps: int) -> Recipe:
    stages = (Stage(0.5, 64, 2, {}), Stage(0.5, 64, 2, {}, geometry=0.5))
    return Recipe(TINY, steps / 120, stages, learning_rate=1e-3, warmup=0.0, augmentation=GEOMETRY_ONLY)


def of_shape(recipe: Recipe, *, face_mesh: bool = True, light: bool = False) -> Recipe:
    return dataclasses.replace(recipe, model=dataclasses.replace(recipe.model, face_mesh=face_mesh, light=light))


def unlike_a_new_one(model: Ldeq) -> Ldeq:
    """Give the normalisations numbers of their own, as after training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d | nn.GroupNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
        if isinstance(module, nn.BatchNorm2d):
            assert module.running_mean is not None
            assert module.running_var is not None
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return model.eval()


def multiplications(model: Ldeq) -> int:
    """Return how many the stem and one evaluation of the cell take for one face."""
    counts: list[int] = []

    def count(module: nn.Conv2d, inputs: object, output: torch.Tensor) -> None:
        counts.append(output[0].numel() * module.weight[0].numel())

    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(count)
    size = model.config.input_size
    with torch.inference_mode():
        u = model.stem(torch.zeros(1, 3, size, size))
        model.cell(model.zero_state(u), u)
    return sum(counts)
