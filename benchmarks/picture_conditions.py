"""From what darkness, blur, glare and smallness on faces are lost or landmarks get worse.

    python -m benchmarks.picture_conditions --list LIST --images FOLDER [--faces 171]

LIST and FOLDER are WFLW's. Each face is brought to one size (landmark box of 240 pixels in a picture of 640 x 480),
spoilt step by step, and then detected and solved cold. Prints, for each step, the median conditions that
``app/tracking/conditions.py`` reads, how many faces the detector still finds near the right place, and the NME of all
faces with the crop that their labels ask for, so that the two causes stay apart. The thresholds of
``app/gui/live/presenters/hints.py`` are read off its output.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.places import DEFAULT_WEIGHTS
from app.lab.accuracy.pictures import read_picture
from app.lab.accuracy.wflw import read_list
from app.tracking.conditions import Conditions, face_conditions
from app.tracking.detector import MediaPipeDetector
from benchmarks.script import add_list, parser_of, run_script
from model.engine.base import Engine
from model.engine.open import open_engine
from model.geometry import Crop
from model.metrics.accuracy import nme
from model.rwr.cold import cold_solve

Image = NDArray[np.uint8]
Points = NDArray[np.float32]

BOX = 240.0
SCENE = (640, 480)
SENSOR_NOISE = 2.0
"""Standard deviation of the noise that a spoilt picture gets, so that darkness costs what it costs on a sensor."""
NEAR = 0.5
"""A detection counts within this share of the face's side."""


@dataclass(frozen=True, slots=True, eq=False)
class Face:
    """A picture and the (98, 2) points in it."""

    image: Image
    points: Points


Spoil = Callable[[Face, float], Face]


def placed(image: Image, points: Points) -> Face:
    """Return the face at the common size in the middle of the common picture, edges replicated."""
    low, high = points.min(axis=0), points.max(axis=0)
    scale = BOX / float((high - low).max())
    shift = np.array(SCENE) / 2 - (low + high) / 2 * scale
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    scene = cv2.warpAffine(image, matrix, SCENE, flags=way, borderMode=cv2.BORDER_REPLICATE)
    return Face(np.asarray(scene, np.uint8), (points * scale + shift).astype(np.float32))


def noisy(values: NDArray[np.floating], random: np.random.Generator) -> Image:
    """Return the picture with the sensor's noise, rounded and clipped."""
    return np.asarray(np.rint(values + random.normal(0, SENSOR_NOISE, values.shape)).clip(0, 255), np.uint8)


def darker(face: Face, light: float, random: np.random.Generator) -> Face:
    """Scale the picture so that the face's mean luma becomes ``light``."""
    gain = light / max(face_conditions(face.image, face.points).light, 1.0)
    return Face(noisy(face.image * np.float32(gain), random), face.points)


def blurred(face: Face, deviation: float, random: np.random.Generator) -> Face:
    """Blur with a Gaussian whose deviation is given in % of the inter-ocular distance."""
    pixels = deviation / 100 * face_conditions(face.image, face.points).face.inter_ocular  # type: ignore[union-attr]
    image = cv2.GaussianBlur(face.image, (0, 0), pixels) if deviation else face.image
    return Face(noisy(image.astype(np.float32), random), face.points)


def smeared(face: Face, length: float, random: np.random.Generator) -> Face:
    """Smear sideways, as a moving head does, over a length in % of the inter-ocular distance."""
    pixels = length / 100 * face_conditions(face.image, face.points).face.inter_ocular  # type: ignore[union-attr]
    image = cv2.blur(face.image, (max(1, round(pixels)), 1))
    return Face(noisy(image.astype(np.float32), random), face.points)


def smaller(face: Face, distance: float, random: np.random.Generator) -> Face:
    """Shrink the face within its picture to an inter-ocular distance in pixels."""
    scale = distance / face_conditions(face.image, face.points).face.inter_ocular  # type: ignore[union-attr]
    shift = np.array(SCENE) / 2 * (1 - scale)
    size = (max(1, round(SCENE[0] * scale)), max(1, round(SCENE[1] * scale)))
    small = cv2.resize(face.image, size, interpolation=cv2.INTER_AREA)
    x, y = (round(float(value)) for value in shift)
    edges = (y, SCENE[1] - size[1] - y, x, SCENE[0] - size[0] - x)
    scene = cv2.copyMakeBorder(small, *edges, cv2.BORDER_REPLICATE) if min(edges) >= 0 else face.image
    points = face.points * scale + (x, y) if min(edges) >= 0 else face.points
    return Face(noisy(np.asarray(scene, np.float32), random), points.astype(np.float32))


def steps(random: np.random.Generator) -> dict[str, tuple[Spoil, tuple[float, ...]]]:
    """Return what is done to the faces and how strongly."""
    return {
        "mean luma": (partial(darker, random=random), (110, 60, 40, 30, 20, 15, 10, 7, 5)),
        "mean luma (glare)": (partial(darker, random=random), (180, 210, 230, 250, 290, 340, 420)),
        "blur, % inter-ocular": (partial(blurred, random=random), (0, 2, 4, 6, 8, 11, 15, 20)),
        "smear, % inter-ocular": (partial(smeared, random=random), (0, 10, 20, 30, 45, 60, 80)),
        "inter-ocular, px": (partial(smaller, random=random), (80, 50, 35, 25, 20, 15, 12, 9)),
    }


def error(engine: Engine, face: Face) -> float:
    """Return the NME in percent of the cold solve of the crop that the labels ask for."""
    crop = Crop.around_points(face.points, engine.config.crop_scale)
    u = engine.encode(crop.extract(face.image, engine.config.input_size)[None])
    return float(nme(cold_solve(engine, u, crop).landmarks[None], face.points[None])[0]) * 100


def found(detector: MediaPipeDetector, face: Face) -> bool:
    """Return whether the detector sees the face where it is."""
    low, high = face.points.min(axis=0), face.points.max(axis=0)
    middle, side = (low + high) / 2, float((high - low).max())
    for seen in detector.detect(face.image):
        centre = np.array([seen.x1 + seen.x2, seen.y1 + seen.y2]) / 2
        if np.hypot(*(centre - middle)) < NEAR * side:
            return True
    return False


def main() -> None:
    """Spoil, look, solve, and print."""
    parser = parser_of(__doc__)
    add_list(parser)
    parser.add_argument("--faces", type=int, default=171)
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    args = parser.parse_args()
    listed = read_list(args.list)[: args.faces]
    faces = [placed(read_picture(args.images / face.path), face.landmarks) for face in listed]
    engine, detector = open_engine(args.weights, "auto", "cpu", 1), MediaPipeDetector()
    print(f"{len(faces)} faces; per step: light, dark, bright, contrast, sharpness, noise (medians), found, NME")
    for name, (spoil, strengths) in steps(np.random.default_rng(0)).items():
        print(name)
        for strength in strengths:
            spoilt = [spoil(face, strength) for face in faces]
            report(strength, [face_conditions(face.image, face.points) for face in spoilt], engine, detector, spoilt)
    detector.close()


def report(
    strength: float, read: list[Conditions], engine: Engine, detector: MediaPipeDetector, faces: list[Face]
) -> None:
    """Print one step."""
    numbers = np.array([(c.light, c.dark, c.bright, c.contrast, c.sharpness, c.noise) for c in read])
    share = np.mean([found(detector, face) for face in faces])
    errors = np.array([error(engine, face) for face in faces])
    middle = "  ".join(f"{value:8.3f}" for value in np.median(numbers, axis=0))
    low, high = np.percentile(numbers[:, 4], (5, 95))
    print(f"{strength:8.0f}  {middle}  (sharpness 5-95 %: {low:.3f}-{high:.3f})  {share:6.1%}  {errors.mean():6.2f}")


if __name__ == "__main__":
    run_script(main)
