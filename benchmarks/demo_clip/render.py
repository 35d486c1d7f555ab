"""Draws one frame of the demo clip: warp, expression, card, motion blur and light.

The sensor's noise is added when the clip is played, see :mod:`app.sources.demo`: encoded, it would be
either smoothed away or fifteen megabytes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sources.demo import EYES, HEAD
from benchmarks.demo_clip.motion import FPS, HEIGHT, WIDTH, Pose, pose

SHUTTER = 0.5 / FPS
"""Seconds the shutter is open, centred on the frame's own time."""
SUBFRAMES = 5

_ENLARGE = 4
_STRIDE = 2


class Renderer:
    """Renders frames from the (512, 512, 3) uint8 RGB portrait. The same frame is always the same picture."""

    def __init__(self, portrait: NDArray[np.uint8]) -> None:
        size = (portrait.shape[1] * _ENLARGE, portrait.shape[0] * _ENLARGE)
        large = cv2.resize(portrait, size, interpolation=cv2.INTER_LANCZOS4).astype(np.float32)
        soft = cv2.GaussianBlur(large, (0, 0), 4.0)
        self._portrait = np.clip(large + 0.6 * (large - soft), 0, 255).astype(np.uint8)
        self._card, self._card_alpha = _card_picture()
        # Maps are smooth, so they are computed on every second pixel and enlarged; a border of one
        # coarse pixel makes the enlargement exact up to the edge of the picture.
        columns = (np.arange(-1, WIDTH // _STRIDE + 1) + 0.5) * _STRIDE - 0.5
        rows = (np.arange(-1, HEIGHT // _STRIDE + 1) + 0.5) * _STRIDE - 0.5
        self._grid = np.stack(np.meshgrid(columns, rows), axis=-1)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Return frame ``index`` as (720, 1280, 3) uint8 RGB."""
        offsets = ((np.arange(SUBFRAMES) + 0.5) / SUBFRAMES - 0.5) * SHUTTER
        total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        for offset in offsets:
            total += self._instant(pose(index / FPS + float(offset)))
        exposed = total / SUBFRAMES * pose(index / FPS).gain.astype(np.float32)
        return np.clip(np.rint(exposed), 0, 255).astype(np.uint8)

    def _instant(self, now: Pose) -> NDArray[np.float32]:
        source = _portrait_positions(self._grid, now)
        coarse = ((source + 0.5) * _ENLARGE - 0.5).astype(np.float32)
        fine = cv2.resize(coarse, None, fx=_STRIDE, fy=_STRIDE, interpolation=cv2.INTER_LINEAR)
        columns, rows = cv2.split(fine[_STRIDE:-_STRIDE, _STRIDE:-_STRIDE])
        picture = cv2.remap(self._portrait, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        result = picture.astype(np.float32)
        if now.card is not None:
            alpha = cv2.warpAffine(self._card_alpha, now.card, (WIDTH, HEIGHT))[..., None]
            card = cv2.warpAffine(self._card, now.card, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
            result += alpha * (card - result)
        return result


def _portrait_positions(points: NDArray[np.float64], now: Pose) -> NDArray[np.float64]:
    """Return the portrait pixel (..., 2) that each frame pixel (..., 2) shows."""
    head = _apply_inverse(now.head, points)
    background = _apply_inverse(now.background, points)
    x, y, half_width, half_height = HEAD
    radius = np.hypot((head[..., 0] - x) / half_width, (head[..., 1] - y) / half_height)
    rigid = 1 - _smoothstep(radius, 1.0, 2.1)
    return _express(background + rigid[..., None] * (head - background), now)


def _express(points: NDArray[np.float64], now: Pose) -> NDArray[np.float64]:
    """Bend portrait positions so that the eyes close and the jaw drops; source of the target ``points``."""
    if now.blink == 0 and now.mouth == 0:
        return points
    x, y = points[..., 0], points[..., 1].copy()
    for eye_x, eye_y in EYES:
        # The upper lid (4.5 px above the middle) comes down to the lower one; the skin under the brow stretches.
        side = np.clip(1 - ((x - eye_x) / 13.0) ** 2, 0, 1)
        brow, lid, lower = -10.0, -4.5, 4.5
        closed = lid + 0.86 * now.blink * side * (lower - lid)
        v = y - eye_y
        above = brow + (v - brow) * (lid - brow) / (closed - brow)
        below = lid + (v - closed) * (lower - lid) / (lower - closed)
        v = np.where((v > brow) & (v <= closed), above, np.where((v > closed) & (v < lower), below, v))
        y = v + eye_y
    across = 1 - _smoothstep(np.abs(x - 225.0), 16.0, 52.0)
    jaw = _smoothstep(y, 140.0, 152.0) * (1 - _smoothstep(y, 178.0, 215.0))
    return np.stack([x, y - 4.5 * now.mouth * across * jaw], axis=-1)


def _card_picture() -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return the passing card, a 300 x 200 blue folder, as colour and as coverage with soft edges."""
    height, width = 200, 300
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    shade = 0.85 + 0.25 * columns / width - 0.15 * rows / height
    card = shade[..., None] * np.array([52.0, 84.0, 118.0], np.float32)
    cv2.rectangle(card, (40, 38), (190, 78), (205.0, 205.0, 196.0), -1, cv2.LINE_AA)
    for line in (50, 64):
        cv2.line(card, (54, line), (168, line), (120.0, 120.0, 118.0), 2, cv2.LINE_AA)
    alpha = np.zeros((height, width), np.float32)
    cv2.rectangle(alpha, (8, 8), (width - 9, height - 9), 1.0, -1)
    soft_card, soft_alpha = cv2.GaussianBlur(card, (0, 0), 1.2), cv2.GaussianBlur(alpha, (0, 0), 2.0)
    return soft_card.astype(np.float32, copy=False), soft_alpha.astype(np.float32, copy=False)


def _apply_inverse(matrix: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    return (points - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T


def _smoothstep(values: NDArray[np.float64], start: float, end: float) -> NDArray[np.float64]:
    part = np.clip((values - start) / (end - start), 0, 1)
    return part * part * (3 - 2 * part)
