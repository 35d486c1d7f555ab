"""Draws one frame of the demo clip: warp, expression, card, motion blur and light.

The sensor's noise is added when the clip is played, see :mod:`app.sources.demo`: encoded, it would be
either smoothed away or fifteen megabytes.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from app.sources.demo import HEAD
from benchmarks.demo_clip.face import Expression, Face, smoothstep
from benchmarks.demo_clip.motion import FPS, HEIGHT, WIDTH, Pose, pose

SHUTTER = 0.5 / FPS
"""Seconds the shutter is open, centred on the frame's own time."""
_MOST_INSTANTS = 5
"""Instants of which a frame is the mean, where something moves fast; two per pixel of the head's way."""

_ENLARGE = 4
_STRIDE = 2
_FACE = (158, 40, 292, 212)
"""Left, top, right and bottom of the part of the portrait in which expressions move the picture."""
_MOUTH = np.s_[94 * _ENLARGE : 130 * _ENLARGE, 38 * _ENLARGE : 94 * _ENLARGE]
"""Rows and columns of the mouth within that."""
_SHUT = 2.0
"""Square portrait pixels: a smaller opening of lids or lips is closed."""
_LASHES = 0.4
"""Share of the light that closing lids keep from the eye."""
_DARK, _TONGUE, _GUM = (34.0, 14.0, 13.0), (128.0, 62.0, 60.0), (150.0, 92.0, 86.0)
"""Colours in the mouth, RGB."""
_TONGUE_SIZE = (13.0, 4.5)
_GUMS = 141.5
"""Row of the portrait above which there are gums."""
_WIDE_OPEN = 60.0
"""Square portrait pixels by which the mouth is wider open than in the portrait once its lower lip is off the teeth."""


class Renderer:
    """Renders frames from the (512, 512, 3) uint8 RGB portrait. The same frame is always the same picture."""

    def __init__(self, portrait: NDArray[np.uint8]) -> None:
        size = (portrait.shape[1] * _ENLARGE, portrait.shape[0] * _ENLARGE)
        large = cv2.resize(portrait, size, interpolation=cv2.INTER_LANCZOS4).astype(np.float32)
        soft = cv2.GaussianBlur(large, (0, 0), 4.0)
        self._portrait = np.clip(large + 0.6 * (large - soft), 0, 255).astype(np.uint8)
        self._face = Face()
        left, top, right, bottom = _FACE
        self._place = np.s_[top * _ENLARGE : bottom * _ENLARGE, left * _ENLARGE : right * _ENLARGE]
        rows, columns = np.mgrid[self._place].astype(np.float32)
        self._pixels = np.asarray((np.stack([columns, rows], axis=-1) + 0.5) / _ENLARGE - 0.5, np.float32)
        self._mouth = self._face.openings(Expression())[2]
        self._card, self._card_alpha = _card_picture()
        # Maps are smooth, so they are computed on every second pixel and enlarged; a border of one
        # coarse pixel makes the enlargement exact up to the edge of the picture.
        across = (np.arange(-1, WIDTH // _STRIDE + 1) + 0.5) * _STRIDE - 0.5
        down = (np.arange(-1, HEIGHT // _STRIDE + 1) + 0.5) * _STRIDE - 0.5
        self._grid = np.stack(np.meshgrid(across, down), axis=-1).astype(np.float32)

    def frame(self, index: int) -> NDArray[np.uint8]:
        """Return frame ``index`` as (720, 1280, 3) uint8 RGB."""
        seconds = index / FPS
        portrait = self._express(pose(seconds).expression)
        opens, closes = pose(seconds - SHUTTER / 2).head, pose(seconds + SHUTTER / 2).head
        corners = np.array([[150, 40, 1], [300, 40, 1], [150, 210, 1], [300, 210, 1]])
        travel = np.hypot(*(corners @ (closes - opens).T).T).max()
        count = min(max(round(2 * travel), 1), _MOST_INSTANTS)
        if pose(seconds).card is not None:
            count = _MOST_INSTANTS
        total = np.zeros((HEIGHT, WIDTH, 3), np.float32)
        for offset in ((np.arange(count) + 0.5) / count - 0.5) * SHUTTER:
            total += self._instant(pose(seconds + float(offset)), portrait)
        exposed = total * (pose(seconds).gain.astype(np.float32) / count)
        return np.clip(np.rint(exposed), 0, 255).astype(np.uint8)

    def _instant(self, now: Pose, portrait: NDArray[np.uint8]) -> NDArray[np.float32]:
        source = _portrait_positions(self._grid, now)
        coarse = np.asarray((source + 0.5) * _ENLARGE - 0.5, np.float32)
        fine = cv2.resize(coarse, None, fx=_STRIDE, fy=_STRIDE, interpolation=cv2.INTER_LINEAR)
        columns, rows = cv2.split(fine[_STRIDE:-_STRIDE, _STRIDE:-_STRIDE])
        picture = cv2.remap(portrait, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        result = picture.astype(np.float32)
        if now.card is not None:
            alpha = cv2.warpAffine(self._card_alpha, now.card, (WIDTH, HEIGHT))[..., None]
            card = cv2.warpAffine(self._card, now.card, (WIDTH, HEIGHT), borderMode=cv2.BORDER_REPLICATE)
            result += alpha * (card - result)
        return result

    def _express(self, expression: Expression) -> NDArray[np.uint8]:
        """Return the enlarged portrait with this expression."""
        if expression == Expression():
            return self._portrait
        source = np.asarray((self._face.skin(expression, self._pixels) + 0.5) * _ENLARGE - 0.5, np.float32)
        columns, rows = cv2.split(source)
        skin = cv2.remap(self._portrait, columns, rows, cv2.INTER_LINEAR).astype(np.float32)
        still = self._portrait[self._place].astype(np.float32)
        *eyes, mouth = self._face.openings(expression)
        for eye in eyes:
            skin += self._coverage(eye)[..., None] * ((1 - _LASHES * expression.blink) * still - skin)
        lips = _MOUTH
        skin[lips] += self._coverage(mouth)[lips][..., None] * (self._inside(mouth, still[lips]) - skin[lips])
        picture = self._portrait.copy()
        picture[self._place] = np.clip(np.rint(skin), 0, 255).astype(np.uint8)
        return picture

    def _inside(self, mouth: NDArray[np.float64], still: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what is behind lips with the inner outline ``mouth``: teeth, gums, darkness and a tongue.

        Args:
            mouth: (k, 2).
            still: (h, w, 3), the portrait there.
        """
        x, y = self._pixels[_MOUTH][..., 0], self._pixels[_MOUTH][..., 1]
        bottom, middle = float(mouth[:, 1].max()), float(mouth[:, 0].mean())
        tongue = 1 - smoothstep(np.hypot((x - middle) / _TONGUE_SIZE[0], (y - bottom) / _TONGUE_SIZE[1]), 0.35, 1.0)
        gums = 1 - smoothstep(y, _GUMS - 0.5, _GUMS + 1.5)
        dark, red, pink = (np.array(colour, np.float32) for colour in (_DARK, _TONGUE, _GUM))
        back = dark + tongue[..., None] * (red - dark) + gums[..., None] * (pink - dark)
        # What is left of the lower lip at the edge of the teeth must not hang in the air once that lip is gone.
        wider = (_area(mouth) - _area(self._mouth)) / _WIDE_OPEN
        share = min(max(wider, 0.0), 1.0)
        teeth = (1 - share) * self._coverage(self._mouth, 1) + share * self._coverage(self._mouth, -2)
        return np.asarray(back + teeth[_MOUTH][..., None] * (still - back), np.float32)

    def _coverage(self, outline: NDArray[np.float64], grow: int = 0) -> NDArray[np.float32]:
        """Return how much (h, w) of each pixel lies inside ``outline``, made wider by ``grow`` pixels all around."""
        mask = np.zeros(self._pixels.shape[:2], np.uint8)
        if _area(outline) > _SHUT:
            corners = np.rint((outline - self._pixels[0, 0]) * _ENLARGE * 16).astype(np.int32)
            cv2.fillPoly(mask, [corners], 255, cv2.LINE_AA, shift=4)
        if grow:
            change = cv2.dilate if grow > 0 else cv2.erode
            mask = change(mask, np.ones((3, 3), np.uint8), iterations=abs(grow)).astype(np.uint8)
        return (cv2.GaussianBlur(mask, (0, 0), 1.0) / 255).astype(np.float32)


def _portrait_positions(points: NDArray[np.float32], now: Pose) -> NDArray[np.float32]:
    """Return the portrait pixel (..., 2) that each frame pixel (..., 2) shows."""
    head = cv2.transform(points, cv2.invertAffineTransform(now.head))
    background = cv2.transform(points, cv2.invertAffineTransform(now.background))
    x, y, half_width, half_height = HEAD
    radius = cv2.magnitude((head[..., 0] - x) / half_width, (head[..., 1] - y) / half_height)
    rigid = 1 - smoothstep(radius, 1.0, 2.1)
    return np.asarray(background + rigid[..., None] * (head - background), np.float32)


def _area(outline: NDArray[np.float64]) -> float:
    return cv2.contourArea(outline.astype(np.float32))


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
