"""Labelled clips and the ways of tracking them that :mod:`benchmarks.flicker_ranking` compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.lab.accuracy.predict import RectPredictor
from app.lab.accuracy.wflw_v import VideoFiles, read_frames, read_labels
from app.lab.flicker.attribution import repeated
from app.lab.flicker.clips import ClipFiles
from model.config import LdeqConfig
from model.engine.base import Engine
from model.filters import Ema, LandmarkFilter, OneEuro
from model.geometry import Crop
from model.motion import CROP_SIZE, fit_similarity
from model.rwr.settings import RELEASED, RwrSettings
from model.topology import POINTS, inter_ocular

Points = NDArray[np.float32]
Array = NDArray[np.float64]

REAL = "real"
"""The group of clips whose labels are another network's."""
LABELS_STAND = 0.003
"""Labels that move by less than this share of the inter-ocular distance stand still."""
TOO_MANY_REPEATS = 0.1
"""Share of repeated frames under moving labels from which on a clip's labels are not trusted."""


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """A clip and what is known of it: its group, pictures, labels (n, 98, 2), crops, landmarks by mode."""

    name: str
    group: str
    images: list[NDArray[np.uint8]]
    truth: Points
    crops: list[Crop]
    modes: dict[str, Points]
    model_modes: tuple[str, ...]

    @property
    def exact(self) -> bool:
        """Labels are exact: the clip was made by moving a picture."""
        return self.group != REAL

    @property
    def true_motion(self) -> Array:
        """How the labels move between frames (n - 1, 98, 2)."""
        return np.diff(self.truth.astype(np.float64), axis=0)

    def rests(self) -> NDArray[np.bool_]:
        """Return in which steps (n - 1,) the labels hardly move against the head."""
        local = []
        for before, step, crop in zip(self.truth, self.true_motion, self.crops[1:], strict=False):
            pixel = crop.side / CROP_SIZE
            local.append(step - fit_similarity(before / pixel, step / pixel, np.ones(POINTS)) * pixel)
        speed = np.sqrt((np.array(local) ** 2).sum(axis=-1).mean(axis=-1)) / inter_ocular(self.truth)[1:]
        return np.asarray(speed < LABELS_STAND)


def track(
    engine: Engine, clip: VideoFiles, images: Sequence[NDArray[np.uint8]], recurrence: RwrSettings | None
) -> Points:
    """Return the model's landmarks (n, 98, 2) with the clip's boxes."""
    _, boxes = read_labels(clip)
    predictor = RectPredictor(engine, engine.config.crop_scale, recurrence)
    predictor.start()
    found = []
    for image, (x1, y1, x2, y2) in zip(images, boxes.tolist(), strict=True):
        prediction = predictor.predict(image, 0.0, (x1, y1, x2, y2))
        assert prediction is not None
        found.append(prediction.landmarks)
    return np.stack(found)


def smooth(smoothing: LandmarkFilter, landmarks: Points, times: Sequence[float]) -> Points:
    """Return filtered landmarks (n, 98, 2)."""
    return np.stack([smoothing.update(points, when) for points, when in zip(landmarks, times, strict=True)])


def synthetic(truth: Points, times: Sequence[float], rng: np.random.Generator) -> dict[str, Points]:
    """Return the labels with jitter: white, slowly varying, of one region, of the whole shape, and with lag."""
    unit = float(inter_ocular(truth).mean()) / 100

    def noise(percent: float, shape: tuple[int, ...] = truth.shape) -> Array:
        return rng.normal(size=shape) * percent * unit

    modes: dict[str, Array] = {f"labels + white {size} %": truth + noise(size) for size in (0.5, 1.0, 2.0, 4.0)}
    for size in (1.0, 2.0):
        slow = np.zeros(truth.shape)
        for t in range(1, len(truth)):
            slow[t] = 0.9 * slow[t - 1] + noise(size, truth.shape[1:]) * np.sqrt(1 - 0.9**2)
        modes[f"labels + slow {size} %"] = truth + slow
    for name, points in (("contour", slice(0, 33)), ("eyes and mouth", slice(60, 98))):
        part = np.zeros(truth.shape)
        part[:, points] = noise(2.0)[:, points]
        modes[f"labels + {name} 2.0 %"] = truth + part
    modes["labels + whole shape 1.0 %"] = truth + noise(1.0, (len(truth), 1, 2))
    modes["labels, EMA 0.3"] = smooth(Ema(0.3), truth, times).astype(np.float64)
    return {name: landmarks.astype(np.float32) for name, landmarks in modes.items()}


def exact_filter(clip: Clip, weight: float) -> Points:
    """Return the cold landmarks (n, 98, 2) drawn by ``weight`` to where the true motion takes the last answer."""
    found = [clip.modes["cold"][0].astype(np.float64)]
    for seen, step in zip(clip.modes["cold"][1:], clip.true_motion, strict=True):
        found.append((seen + weight * (found[-1] + step)) / (1 + weight))
    return np.stack(found).astype(np.float32)


def load(clip: ClipFiles, engine: Engine | None, seed: int) -> Clip:
    """Read a clip and make all of its modes."""
    files = clip.files
    decoded = list(read_frames(files.video))
    times, images = [when for when, _ in decoded], [image for _, image in decoded]
    truth, boxes = read_labels(files)
    if len(images) != len(truth):
        raise UserError(f"{files.video} has {len(images)} frames, but {files.landmarks} has {len(truth)}.")
    modes = synthetic(truth, times, np.random.default_rng(seed))
    model_modes: dict[str, Points] = {}
    if engine is not None:
        cold = track(engine, files, images, None)
        unit = np.float32(inter_ocular(cold).mean())
        model_modes = {
            "cold": cold,
            "rwr": track(engine, files, images, RwrSettings()),
            "rwr released": track(engine, files, images, RELEASED),
        }
        model_modes |= {f"EMA {alpha}": smooth(Ema(alpha), cold, times) for alpha in (0.7, 0.5, 0.3)}
        for cutoff, beta in ((4.0, 5.0), (1.0, 2.0)):
            one_euro = smooth(OneEuro(cutoff, beta), cold / unit, times) * unit
            model_modes[f"one-euro {cutoff} {beta}"] = one_euro
    scale = (LdeqConfig() if engine is None else engine.config).crop_scale
    crops = [Crop.around_box(x1, y1, x2, y2, scale) for x1, y1, x2, y2 in boxes.tolist()]
    return Clip(files.name, clip.group, images, truth, crops, model_modes | modes, tuple(model_modes))


def labels_ignore_repeats(clip: Clip) -> bool:
    """Whether many frames repeat the one before while the labels move on: smoothed labels of a stuttering video."""
    changes = np.array([cv2.norm(a, b, cv2.NORM_L1) for a, b in zip(clip.images, clip.images[1:], strict=False)])
    moved = np.linalg.norm(np.diff(clip.truth, axis=0), axis=-1).mean(axis=-1) / inter_ocular(clip.truth)[1:]
    return bool((repeated(changes) & (moved > LABELS_STAND)).mean() > TOO_MANY_REPEATS)
