"""Stand-ins for the network, the detector and the camera, with known right answers."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.places import PORTRAIT
from app.tracking.detector import Detection, TurnedBox
from app.tracking.parts import Part
from model.config import LANDMARKS, LdeqConfig
from model.engine.names import Precision
from model.geometry import Crop
from model.heatmap import decode
from model.topology import EYES, MOUTH

GAUSSIAN_CELLS = 0.8


def portrait() -> NDArray[np.uint8]:
    """Return the demo's portrait, (512, 512, 3) RGB: a real face for the real detector and engine."""
    return np.asarray(cv2.imread(str(PORTRAIT), cv2.IMREAD_COLOR_RGB), np.uint8)


def face_points(centre_x: float, centre_y: float, side: float) -> NDArray[np.float32]:
    """Return 98 points on a circle in a square, upright: eyes above, mouth below, eye corners half a side apart."""
    angle = np.arange(LANDMARKS) / LANDMARKS * 2 * np.pi
    angle[:33] = np.linspace(0, 2 * np.pi, 33)  # the contour reaches all four sides of the square
    for upper in (slice(33, 51), EYES):
        angle[upper] = np.linspace(np.pi, 2 * np.pi, len(angle[upper]))
    for lower in (slice(51, 60), MOUTH):
        angle[lower] = np.linspace(0, np.pi, len(angle[lower]))
    points = np.stack([np.cos(angle), np.sin(angle)], axis=-1) * side / 2
    points[60], points[72] = (-side / 4, -side / 8), (side / 4, -side / 8)
    return (points + np.array([centre_x, centre_y])).astype(np.float32)


def face_image(
    width: int, height: int, centre_x: float, centre_y: float, side: float, background: int = 40
) -> NDArray[np.uint8]:
    """Draw a bright square, the only thing :class:`SquareEngine` and :class:`SquareDetector` see.

    It has a texture that moves along with it, like skin, so that its motion can be seen.
    """
    image = np.full((height, width, 3), background, np.uint8)
    left, top = round(centre_x - side / 2), round(centre_y - side / 2)
    x1, y1 = max(0, left), max(0, top)
    x2, y2 = round(centre_x + side / 2), round(centre_y + side / 2)
    x, y = np.meshgrid(np.arange(x1, max(x1, x2)) - left, np.arange(y1, max(y1, y2)) - top)
    texture = 195 + 25 * np.sin(x / side * 17 + 2 * np.sin(y / side * 9)) + 20 * np.cos(y / side * 23 + x / side * 5)
    image[y1 : max(y1, y2), x1 : max(x1, x2)] = texture[: height - y1, : width - x1, None]
    return image


class SquareEngine:
    """An "LDEQ" whose fixed point is the bright square's landmarks, approached by half each evaluation.

    Evaluations of a warm start are therefore visible: fewer are needed for the same residual.
    """

    name = "fake, CPU"
    precision = Precision.FLOAT32

    def __init__(self, config: LdeqConfig | None = None, blur: float = GAUSSIAN_CELLS) -> None:
        self.config = config or LdeqConfig(input_size=192, max_steps=6)
        self.blur = blur
        self.evaluations = 0
        self.poison = 0
        """How many of the next evaluations return NaN."""

    def encode(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.stack([self._target(crop) for crop in crops])

    def _target(self, crop: NDArray[np.uint8]) -> NDArray[np.float32]:
        size = self.config.heatmap_size
        rows, columns = np.nonzero(crop[:, :, 0] > 128)
        if len(rows) == 0:
            return np.full((LANDMARKS, size, size), 1e-3, np.float32)
        scale = size / self.config.input_size
        centre_x, centre_y = (columns.mean() + 0.5) * scale, (rows.mean() + 0.5) * scale
        side = np.sqrt(len(rows)) * scale
        points = face_points(centre_x, centre_y, side)
        axis = np.arange(size) + 0.5
        x = np.exp(-0.5 * ((axis - points[:, :1]) / self.blur) ** 2)
        y = np.exp(-0.5 * ((axis - points[:, 1:]) / self.blur) ** 2)
        heatmaps: NDArray[np.float32] = (y[:, :, None] * x[:, None, :]).astype(np.float32)
        return heatmaps

    def zero_state(self, count: int) -> NDArray[np.float32]:
        size = self.config.heatmap_size
        return np.zeros((count, LANDMARKS, size, size), np.float32)

    def evaluate(self, z: NDArray[np.float32], u: NDArray[np.float32]) -> NDArray[np.float32]:
        self.evaluations += 1
        if self.poison:
            self.poison -= 1
            return np.full_like(z, np.nan)
        return z + (u - z) * np.float32(0.5)

    def decode(self, z: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        landmarks, spread = decode(z, self.config.half_pixel)
        return landmarks, spread


class WholePictureDetector:
    """A detector that sees faces in whole pictures only, and none that is turned."""

    def detect_turned(self, image: NDArray[np.uint8], quarters: int) -> list[Detection]:
        return []

    def search(self, image: NDArray[np.uint8], parts: Sequence[Part]) -> list[Detection]:
        return []

    def sees(self, image: NDArray[np.uint8], box: Crop) -> bool:
        return False

    def turned_box(self, image: NDArray[np.uint8], box: Crop) -> TurnedBox | None:
        return None


class SquareDetector(WholePictureDetector):
    """Finds bright squares (connected bright areas), as the engine's "faces"."""

    def __init__(self) -> None:
        self.looks = 0
        self.closed = False

    def detect(self, image: NDArray[np.uint8]) -> list[Detection]:
        import cv2

        self.looks += 1
        bright = (image[:, :, 0] > 128).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(bright)
        faces = [
            Detection(float(x), float(y), float(x + w), float(y + h), 0.9)
            for x, y, w, h, area in stats[1:count]
            if area > 100
        ]
        return sorted(faces, key=lambda face: face.x2 - face.x1, reverse=True)

    def close(self) -> None:
        self.closed = True
