"""Labelled still faces set in motion: clips that nothing was ever tuned on.

Each picture of a 300W folder that takes part is turned, shifted and scaled by sines of random frequency, seen through
an open shutter, in changing light, with the demo's sensor noise, and never encoded. The seed is fixed: the clips are
the same every time. Every second one keeps nearly still. The labels only say where the face is and how large.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.frame import Frame
from app.lab.accuracy.pictures import read_picture
from app.lab.accuracy.w300 import find_faces
from app.lab.steadiness.clips import MOVING, STILL, KnownClip, holds_everywhere
from app.lab.steadiness.measure import Array, Truth
from app.sources.demo import SensorNoise
from model.geometry import similarity
from model.topology import LEFT_EYE_OUTER_68, RIGHT_EYE_OUTER_68

WIDTH, HEIGHT, FPS = 640, 480, 30
FRAMES = 90
CLIPS = 16
SEED = 20261121
EYES = 110.0
"""Pixels between the outer eye corners of a resting face."""
REACH = {"x": 45.0, "y": 30.0, "degrees": 7.0, "scale": 0.08}
"""Furthest from rest: pixels, pixels, degrees, share of the size."""
FREQUENCIES = (0.3, 1.5)
"""Of the sines, in Hz."""
AT_REST = 0.01
"""Share of that motion which a face that keeps still has."""
SHUTTER, SUBFRAMES = 0.5 / FPS, 3
LIGHT = 0.05
"""Share by which brightness changes."""


def moved_pictures(root: Path) -> list[KnownClip]:
    """Return clips of pictures spread evenly over a folder of 300W pictures and labels.

    Raises:
        UserError: for a folder or pictures that cannot be used.
    """
    faces = find_faces(root)
    chosen = [faces[i] for i in np.unique(np.linspace(0, len(faces) - 1, min(CLIPS, len(faces))).round().astype(int))]
    clips = []
    for number, face in enumerate(chosen):
        image = read_picture(face.picture)
        labels = face.landmarks.astype(np.float64)
        ruler = float(np.hypot(*(labels[RIGHT_EYE_OUTER_68] - labels[LEFT_EYE_OUTER_68])))
        still = number % 2 == 1
        motion = Motion(number, labels.mean(axis=0), EYES / ruler, AT_REST if still else 1.0)
        stretches = {STILL: np.full(FRAMES, still), MOVING: np.full(FRAMES, not still)}
        matrix = np.stack([motion.at(t / FPS) for t in range(FRAMES)])
        truth = Truth(matrix, ruler, labels.mean(axis=0), stretches, holds_everywhere(FRAMES))
        clips.append(KnownClip(face.picture.stem, partial(_frames, image, motion), WIDTH, HEIGHT, truth))
    return clips


class Motion:
    """How one picture moves; the same for the same number."""

    def __init__(self, number: int, centre: Array, scale: float, strength: float) -> None:
        random = np.random.default_rng([SEED, number])
        self._centre, self._scale, self._strength = (float(centre[0]), float(centre[1])), scale, strength
        self._sines = {name: (random.uniform(*FREQUENCIES, 2), random.uniform(0, 2 * math.pi, 2)) for name in REACH}

    def at(self, seconds: float) -> Array:
        """Return the (2, 3) similarity from picture pixels to frame pixels."""
        off = {}
        for name, (frequencies, phases) in self._sines.items():
            wave = np.sin(2 * math.pi * frequencies * seconds + phases).mean()
            off[name] = float(self._strength * REACH[name] * wave)
        target = (WIDTH / 2 + off["x"], HEIGHT / 2 + off["y"])
        return similarity(self._scale * (1 + off["scale"]), off["degrees"], self._centre, target)


def _frames(image: NDArray[np.uint8], motion: Motion) -> Iterator[Frame]:
    noise = SensorNoise(WIDTH, HEIGHT)
    for index in range(FRAMES):
        now = index / FPS
        total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        for part in (np.arange(SUBFRAMES) + 0.5) / SUBFRAMES - 0.5:
            matrix = motion.at(now + float(part) * SHUTTER)
            total += cv2.warpAffine(image, matrix, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
        lit = total / SUBFRAMES * (1 + LIGHT * math.sin(2 * now))
        yield Frame(index, now, noise.add(np.clip(np.rint(lit), 0, 255).astype(np.uint8), index), 0.0)
