"""RwR on faces that move: expressions in one step, heads that turn fast, and pictures that stand still."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from model.config import LdeqConfig
from model.geometry import Crop
from model.rwr.recurrence import Recurrence
from model.rwr.settings import RwrSettings
from tests.fakes import SquareEngine
from tests.motion_fakes import FACE, MOUTH, PICTURE, SIZE, UNIT, shown

CROP = Crop(SIZE / 2 - 0.5, SIZE / 2 - 0.5, SIZE)
JITTER = 0.01 * UNIT
STEADY = np.r_[33:51]
Points = NDArray[np.float64]


class JitteryPoints(SquareEngine):
    """Finds given points in one evaluation, each with an error of :data:`JITTER` pixels."""

    def __init__(self) -> None:
        super().__init__(LdeqConfig(input_size=128, max_steps=2))
        self.random = np.random.default_rng(4)

    def injection(self, points: Points) -> NDArray[np.float32]:
        """Return the heatmaps of points (98, 2) in frame pixels."""
        found = points + self.random.normal(0, JITTER, points.shape)
        cells = CROP.to_crop(found) * self.config.heatmap_size
        axis = np.arange(self.config.heatmap_size) + 0.5
        x, y = (np.exp(-0.5 * (axis - cells[:, k : k + 1]) ** 2) for k in (0, 1))
        return np.asarray(y[:, :, None] * x[:, None, :], np.float32)[None]

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        return u


def errors(settings: RwrSettings, pictures: list[NDArray[np.uint8]], truth: list[Points]) -> Points:
    """Return the landmarks' errors over frames (n, 98, 2), pixels."""
    engine = JitteryPoints()
    recurrence = Recurrence(engine, settings)
    frames = [np.repeat(picture[:, :, None], 3, axis=2) for picture in pictures]
    found = [
        recurrence.solve(engine.injection(points), CROP, frame).landmarks
        for points, frame in zip(truth, frames, strict=True)
    ]
    return np.asarray(np.stack(found) - np.stack(truth), np.float64)


def rms(values: Points) -> float:
    return float(np.sqrt((values**2).sum(axis=-1).mean()))


def still(count: int) -> tuple[list[NDArray[np.uint8]], list[Points]]:
    return [PICTURE] * count, [FACE.astype(np.float64)] * count


def test_a_still_picture_is_calmer_than_cold_and_no_less_exact() -> None:
    error = errors(RwrSettings(), *still(30))[10:]
    assert rms(error) < 0.6 * np.sqrt(2) * JITTER
    assert rms(np.diff(error, axis=0)) < 0.3 * 2 * JITTER


def test_an_expression_of_one_frame_is_followed_in_it_while_the_rest_stays_calm() -> None:
    moves = np.zeros((98, 2))
    moves[MOUTH, 1] = 0.05 * UNIT
    pictures, truth = still(12)
    pictures += [shown(moves, 6.0)] * 3
    truth += [FACE + moves] * 3
    adaptive = errors(RwrSettings(), pictures, truth)[12]
    blind = errors(RwrSettings(follow_picture=False), pictures, truth)[12]
    assert abs(adaptive[MOUTH, 1].mean()) < 0.15 * 0.05 * UNIT
    assert abs(adaptive[MOUTH, 1].mean()) < 0.5 * abs(blind[MOUTH, 1].mean())
    assert rms(adaptive[STEADY]) < 0.8 * np.sqrt(2) * JITTER


def test_a_jump_that_no_picture_shows_is_the_networks_to_tell() -> None:
    """Landmarks that were wrong and are found again: nothing moved, so only the innovations speak."""
    pictures, truth = still(18)
    for frame in range(12, 18):
        truth[frame] = truth[frame].copy()
        truth[frame][MOUTH, 1] += 0.05 * UNIT
    error = errors(RwrSettings(), pictures, truth)
    assert abs(error[14][MOUTH, 1].mean()) < 0.3 * 0.05 * UNIT


@pytest.mark.parametrize("step", [2.0, 5.0])
def test_a_head_that_begins_to_move_at_once_is_not_left_behind(step: float) -> None:
    pictures, truth = still(8)
    for frame in range(1, 6):
        shift = int(frame * step)
        pictures.append(np.roll(PICTURE, shift, axis=1))
        truth.append(FACE + np.array([shift, 0.0]))
    error = errors(RwrSettings(), pictures, truth)[8:]
    assert np.abs(error[..., 0].mean(axis=1)).max() < 0.25 * step
