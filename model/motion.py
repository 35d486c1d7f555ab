"""The motion of a face's points between two frames, estimated from the two images.

Dense optical flow sees where texture went, but at single points it is noisy, and inside an occluder it sees
the occluder. A similarity fitted robustly to the flow at all points sees where the head went, but not
the mouth. The estimate is the similarity, plus what brows, eyes and mouth do against it: a mesh fitted to the
two pictures (:mod:`model.mesh_motion`), which starts from the flow and is believed as far as an expression could
move a point in one frame. Much of that is noise; what is likely of it is told by :mod:`model.expressions`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from model.expressions import expression
from model.geometry import Crop
from model.mesh_motion import MOVING, blurred, mesh_motion, read_at
from model.topology import POINTS, TO_68, inter_ocular

Image = NDArray[np.uint8]
Array = NDArray[np.float64]
Floats = NDArray[np.float32]

CROP_SIZE = 160
"""Side of the grey crop in which motion is measured, in pixels: about 60 pixels between the eyes."""
FLOW_SIZE = 80
"""Side to which it is averaged down for dense flow."""
EXPRESSION_LIMIT = 0.08
"""Local motion of brows, eyes and mouth believed by half, see :class:`FlowMotion`: faster than lips and lids are."""
STEADY_SHARE = 0.45
"""The limit of contour and nose over it: what moves faster there is no expression."""
SHIFT_FROM = 0.02
"""Motion in crop sides from which on the last frame's crop is moved along before computing flow."""
FIT_STEPS = 5
FIT_SPREAD = 1.5
"""Residuals beyond this many median residuals lose weight quickly in the fit of the similarity."""
FIT_FLOOR = 0.05
"""Least residual scale of that fit, in pixels of the grey crop: the accuracy of the flow at its best."""
SMALLEST_LIMIT = 1e-3
"""Keeps the limit above 0 for eyes that coincide, in pixels of the grey crop."""
MIN_POINTS = 20
"""Least number of points inside the picture for which a motion is estimated."""


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """The motion of a face's points in two parts, frame pixels.

    Attributes:
        head: the head's motion at each point (n, 2).
        local: each point's motion against it, as measured (n, 2).
        likely: what is likely of that, less its noise (n, 2).
        unbelieved: length of what was measured against the head but is no part of ``local`` (n,).
    """

    head: Array
    local: Array
    likely: Array
    unbelieved: Array


@dataclass(eq=False)
class _Grey:
    """The grey crop of a frame, kept because the next frame usually asks for it again."""

    image: Image
    crop: Crop
    pixels: Image

    @cached_property
    def small(self) -> Image:
        """What dense flow sees."""
        return np.asarray(cv2.resize(self.pixels, (FLOW_SIZE, FLOW_SIZE), interpolation=cv2.INTER_AREA), np.uint8)

    @cached_property
    def smooth(self) -> Image:
        """What the mesh sees."""
        return blurred(self.pixels)


@dataclass(slots=True)
class _Field:
    """The flow between two frames, kept because the next call is usually about the same two."""

    then: _Grey
    now: _Grey
    flow: Floats

    def between(self, old: Image, new: Image, source: Crop, crop: Crop) -> bool:
        """Return whether it is the flow from one frame's crop to another's."""
        then, now = self.then, self.now
        return then.image is old and now.image is new and then.crop == source and now.crop == crop


@dataclass(slots=True)
class _Fit:
    """The motion of some points between two frames, kept because the flicker meter asks for the same as RwR."""

    old: Image
    new: Image
    crop: Crop
    before: Array
    motion: Motion

    def answers(self, old: Image, new: Image, crop: Crop, before: Array) -> bool:
        """Return whether it is the motion of the points ``before`` from one frame to the other, seen in ``crop``."""
        return self.old is old and self.new is new and self.crop == crop and np.array_equal(self.before, before)


class FlowMotion:
    """Dense flow (Kroeger et al., 2016, as in OpenCV) and a robust similarity, see the module's docstring.

    Args:
        expression_limit: motion of brows, eyes and mouth against the head, in inter-ocular distances, of which half
            is believed; 0 leaves the similarity alone, infinity believes all that is measured.
    """

    def __init__(self, expression_limit: float = EXPRESSION_LIMIT) -> None:
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        flow.setFinestScale(0)
        flow.setPatchStride(4)
        flow.setGradientDescentIterations(16)
        flow.setVariationalRefinementIterations(0)
        self._flow = flow
        self._expression_limit = expression_limit
        self._last: _Grey | None = None
        self._field: _Field | None = None
        self._fit: _Fit | None = None

    def parts(self, old: Image, new: Image, crop: Crop, before: Array, after: Array) -> Motion | None:
        """Return the motion of the points ``before`` in its parts; None if it cannot be estimated.

        Args:
            old: the last frame, RGB (h, w, 3).
            new: this frame, the same size.
            crop: the square around the face in this frame.
            before: landmarks (n, 2) in the last frame, 98 or 68, frame pixels.
            after: landmarks (n, 2) in this frame; a hint where to look, never an answer.
        """
        crop = crop.upright  # flow turns with nothing: the last frame's crop may have been turned otherwise
        if self._fit is not None and self._fit.answers(old, new, crop, before):
            return self._fit.motion
        height, width = old.shape[:2]
        (x, y), right, bottom = before.T, width - 1, height - 1
        inside = ((x >= 0) & (x <= right) & (y >= 0) & (y <= bottom)).astype(np.float64)
        if inside.sum() < MIN_POINTS:
            return None
        moved = after - before
        field = self._field_to(old, new, crop, np.array([median(moved[:, 0]), median(moved[:, 1])]))
        motion = self._motion(field, before, inside)
        self._fit = _Fit(old, new, crop, before, motion)
        return motion

    def _motion(self, field: _Field, before: Array, inside: Array) -> Motion:
        """Return the motion of points ``before`` (n, 2); ``inside`` (n,) weights them."""
        source, crop = field.then.crop, field.now.crop
        pixel = crop.side / CROP_SIZE
        places = source.to_crop(before)
        points = places * CROP_SIZE - np.float32(0.5)
        flow = read_at(field.flow, *np.hsplit(places * FLOW_SIZE - np.float32(0.5), 2))[:, 0].astype(np.float64)
        flow *= CROP_SIZE / FLOW_SIZE
        head = fit_similarity(points, flow, inside)
        unit = float(inter_ocular(before)) / pixel
        limit = np.maximum(self._expression_limit * unit * _shares(len(before)), SMALLEST_LIMIT)
        local = _believed(flow - head, limit)[:, None] * (flow - head)
        if len(before) == POINTS and self._expression_limit > 0:
            local = mesh_motion(field.then.smooth, field.now.smooth, points, head, local, max(unit, SMALLEST_LIMIT))
        length = np.sqrt((local**2).sum(axis=1))
        believed = inside * _believed(local, limit)
        shift = np.array([crop.centre_x - source.centre_x, crop.centre_y - source.centre_y])
        local = believed[:, None] * local * pixel
        return Motion(head * pixel + shift, local, expression(local, before), (1 - believed) * length * pixel)

    def _field_to(self, old: Image, new: Image, crop: Crop, shift: Array) -> _Field:
        """Return the flow to ``crop`` of this frame, from the crop of the last one that resembles it most."""
        kept = self._field
        if kept is not None and _is_near(shift, crop) and kept.between(old, new, crop, crop):
            return kept
        now = self._grey(new, crop)
        then = self._align(old, now, shift)
        self._last = now
        if kept is None or not kept.between(old, new, then.crop, crop):
            flow = self._flow.calc(then.small, now.small, np.zeros((FLOW_SIZE, FLOW_SIZE, 2), np.float32))
            kept = self._field = _Field(then, now, np.asarray(flow, np.float32))
        return kept

    def _align(self, old: Image, now: _Grey, shift: Array) -> _Grey:
        """Return the crop of the last frame that resembles ``now`` most: the same one or one moved along."""
        crop = now.crop
        then = self._grey(old, crop)
        if _is_near(shift, crop):
            return then
        moved = self._grey(old, Crop(crop.centre_x - float(shift[0]), crop.centre_y - float(shift[1]), crop.side))
        return min(then, moved, key=lambda grey: cv2.norm(grey.pixels, now.pixels, cv2.NORM_L1))

    def _grey(self, image: Image, crop: Crop) -> _Grey:
        last = self._last
        if last is not None and last.image is image and last.crop == crop:
            return last
        # Grey before it is scaled, and only where the crop lies: one plane is warped in half the time of three.
        left, right = _span(crop.left, crop.side, image.shape[1])
        top, bottom = _span(crop.top, crop.side, image.shape[0])
        grey = np.asarray(cv2.cvtColor(image[top:bottom, left:right], cv2.COLOR_RGB2GRAY), np.uint8)
        within = Crop(crop.centre_x - left, crop.centre_y - top, crop.side)
        return _Grey(image, crop, within.extract(grey, CROP_SIZE))


def _span(start: float, side: float, size: int) -> tuple[int, int]:
    """Return the first and, excluded, the last of ``size`` pixels that a crop reads along an axis; never none."""
    first = min(max(math.floor(start) - 1, 0), size - 1)
    return first, max(min(math.ceil(start + side) + 2, size), first + 1)


@cache
def _shares(count: int) -> Array:
    """Return each landmark's limit over that of expressions, (count,) for 98 or 68 points."""
    shares = np.full(POINTS, STEADY_SHARE)
    shares[MOVING] = 1.0
    return shares if count == POINTS else shares[TO_68]


def _believed(local: Array, limit: Array) -> Array:
    """Return the share (n,) of motions (n, 2) against the head that is believed, half of one as long as its limit."""
    return np.asarray(1.0 / (1.0 + ((local**2).sum(axis=1) / limit**2) ** 2))


def _is_near(shift: Array, crop: Crop) -> bool:
    """Return whether the face has moved so little that the flow finds it in the same crop of the last frame."""
    return bool(np.abs(shift).max() <= SHIFT_FROM * crop.side)


def fit_similarity(points: NDArray[np.floating], motion: Array, trust: Array) -> Array:
    """Return at every point the motion of the similarity that most points follow.

    Iteratively reweighted least squares with weights 1 / (1 + (residual / scale)^2)^2, started at the median
    motion; the scale follows the median residual. In complex numbers a similarity's motion is a + b z.

    Args:
        points: (n, 2).
        motion: (n, 2), same unit.
        trust: (n,) weights of the points, not all 0.
    """
    z, moved = _complex(points), _complex(motion)
    z = z - z.sum() / len(z)
    counted = slice(None) if trust.all() else trust > 0
    trusted = moved[counted]
    a, b = complex(median(trusted.real), median(trusted.imag)), 0j
    # A step needs only a few sums over the points; here numpy's call overhead costs more than the arithmetic.
    conjugate = z.conj()
    sums = np.array([np.ones_like(z), z, moved, z * conjugate, moved * conjugate])
    for _ in range(FIT_STEPS):
        residual = np.abs(moved - a - b * z)
        scale = max(FIT_SPREAD * median(residual[counted]), FIT_FLOOR)
        weight = trust / (1.0 + (residual / scale) ** 2) ** 2
        total, z_sum, moved_sum, squared_sum, product_sum = (sums @ weight).tolist()
        spread = squared_sum.real - abs(z_sum) ** 2 / total.real
        b = (product_sum - moved_sum * z_sum.conjugate() / total) / max(spread, 1e-9)
        a = (moved_sum - b * z_sum) / total
    return np.asarray((a + b * z).view(np.float64).reshape(-1, 2))


def _complex(points: NDArray[np.floating]) -> NDArray[np.complex128]:
    """Return points (n, 2) as x + iy (n,), the same memory where it is contiguous."""
    return np.ascontiguousarray(points, np.float64).view(np.complex128)[:, 0]


def median(values: NDArray[np.floating]) -> float:
    """Return what ``np.median`` does for finite values (n,), n at least 1, in a tenth of its time."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    return float(ordered[half]) if len(ordered) % 2 else float(ordered[half - 1] + ordered[half]) / 2
