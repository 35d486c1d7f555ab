"""Training faces that are drawn, and a clock by which a run has the same steps on any computer."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from model.topology import POINTS
from model.training.augment import Augmentation

GEOMETRY_ONLY = Augmentation(
    mirror_chance=0.0,
    colour_chance=0.0,
    grey_chance=0.0,
    blur_chance=0.0,
    low_resolution_chance=0.0,
    noise_chance=0.0,
    occluder_chance=0.0,
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
