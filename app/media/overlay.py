"""Draws what the tracker found on a picture: landmarks, their uncertainty and a line of figures.

Used by recordings and by the ``track`` command. The window draws with Qt, with the same colours
(:data:`model.topology.REGIONS`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.frame import Estimate, FaceResult, FrameResult
from app.core.modes import MODE_NAMES
from app.core.text_table import counted
from model.topology import REGIONS

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Place = tuple[int, int]
"""A point in 1/16 pixels."""

OTHER_COLOUR: Colour = (214, 130, 255)
"""The other mode's landmarks when two are compared; no region has a colour near it."""

TEXT_COLOUR: Colour = (245, 245, 245)
SHADOW: Colour = (0, 0, 0)
SMALLEST_TEXT_PICTURE = 160
"""Pictures narrower or lower than this stay free of text."""

POINT_SIZE = 1 / 150
"""Radius of a landmark over the side of its face's crop."""
WIDEST_HALO = 0.12
"""Largest radius of a halo over the side of the crop."""
HALO_OPACITY = 0.3

_SHIFT = 4  # OpenCV draws at 1/16 pixel
_fonts = threading.local()


def draw_overlay(result: FrameResult, *, text: bool = True) -> Image:
    """Return a copy of the frame with every face drawn on it; the frame itself is left as it is.

    Each landmark is a point in its region's colour inside a halo that holds the true landmark with a probability of
    80 % (the width of the heatmap with weights that know no better; cut off at 12 % of the crop). The other mode, where
    both were solved, is drawn below it as crosses of one colour.

    Args:
        result: what the pipeline returned for the frame.
        text: also write mode, flicker and evaluations into the lower left corner.
    """
    image = result.frame.image.copy()
    for face in result.faces:
        if face.other is not None:
            _draw_other(image, face, face.other)
        _draw_estimate(image, face)
    if text and min(image.shape[:2]) >= SMALLEST_TEXT_PICTURE:
        _write_figures(image, result)
    return image


def describe(estimate: Estimate) -> str:
    """Return the figures of one estimate as a line: mode, flicker, evaluations."""
    parts = [MODE_NAMES.get(estimate.mode, estimate.mode)]
    if estimate.flicker is not None and np.isfinite(estimate.flicker.overall):
        parts.append(f"flicker {estimate.flicker.overall:.2f} %")
    parts.append(counted(estimate.report.evaluations, "evaluation"))
    return "  ".join(parts)


def _draw_estimate(image: Image, face: FaceResult) -> None:
    points, drawable = _drawable(image, face.estimate.landmarks)
    if not drawable.any():
        return
    side = face.crop.side
    radius = max(1.1, side * POINT_SIZE)
    _draw_halos(image, face, points, drawable, radius)
    thickness = max(1, round(side / 450))
    for region in REGIONS:
        _draw_paths(image, points, drawable, region.paths, region.colour, thickness)
    places = _places(points, drawable)
    for region in REGIONS:
        _draw_discs(image, [(places[index], radius) for index in region.points if index in places], region.colour)


def _draw_halos(
    image: Image, face: FaceResult, points: NDArray[np.int32], drawable: NDArray[np.bool_], radius: float
) -> None:
    """Blend a soft disc per landmark into the face's part of the picture."""
    widest = max(radius, face.crop.side * WIDEST_HALO)
    spread = np.nan_to_num(face.estimate.drawn_radius, nan=widest, posinf=widest)
    window = _window(image, points[drawable] / (1 << _SHIFT), widest)
    if window is None:
        return
    rows, columns = window
    part = image[rows, columns]
    layer = part.copy()
    places = _places(points - np.array([columns.start, rows.start], np.int32) * (1 << _SHIFT), drawable)
    radii = np.clip(spread, radius, widest).tolist()
    for region in REGIONS:
        discs = [(places[index], radii[index]) for index in region.points if index in places]
        _draw_discs(layer, discs, region.colour)
    cv2.addWeighted(layer, HALO_OPACITY, part, 1 - HALO_OPACITY, 0, dst=layer)
    image[rows, columns] = layer


def _draw_other(image: Image, face: FaceResult, other: Estimate) -> None:
    points, drawable = _drawable(image, other.landmarks)
    arm = round(max(2.0, face.crop.side / 90) * (1 << _SHIFT))
    for region in REGIONS:
        _draw_paths(image, points, drawable, region.paths, OTHER_COLOUR, 1)
    for x, y in points[drawable].tolist():
        for end in (arm, -arm):
            cv2.line(image, (x - arm, y - end), (x + arm, y + end), OTHER_COLOUR, 1, cv2.LINE_AA, _SHIFT)


def _drawable(image: Image, landmarks: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """Return points in 1/16 pixels and which of them are finite and in or near the picture."""
    height, width = image.shape[:2]
    limit = np.array([width, height], np.float32)
    safe = np.nan_to_num(landmarks, nan=np.inf, posinf=np.inf, neginf=np.inf)
    drawable = np.all((safe >= -limit) & (safe <= 2 * limit), axis=1)
    return np.rint(np.clip(safe, -limit, 2 * limit) * (1 << _SHIFT)).astype(np.int32), drawable


def _draw_paths(
    image: Image,
    points: NDArray[np.int32],
    drawable: NDArray[np.bool_],
    paths: Iterable[tuple[int, ...]],
    colour: Colour,
    thickness: int,
) -> None:
    lines = [points[list(path)] for path in paths if drawable[list(path)].all()]
    if lines:
        cv2.polylines(image, lines, False, colour, thickness, cv2.LINE_AA, _SHIFT)


def _places(points: NDArray[np.int32], drawable: NDArray[np.bool_]) -> dict[int, Place]:
    """Return the drawable points by number, as OpenCV takes them."""
    return {index: (x, y) for index, (x, y) in enumerate(points.tolist()) if drawable[index]}


def _draw_discs(image: Image, discs: Iterable[tuple[Place, float]], colour: Colour) -> None:
    for centre, radius in discs:
        cv2.circle(image, centre, round(radius * (1 << _SHIFT)), colour, cv2.FILLED, cv2.LINE_AA, _SHIFT)


def _window(image: Image, points: NDArray[np.floating], margin: float) -> tuple[slice, slice] | None:
    """Return rows and columns of the points' box with a margin, inside the picture; None if outside."""
    height, width = image.shape[:2]
    (left, top), (right, bottom) = np.floor(points.min(axis=0) - margin), np.ceil(points.max(axis=0) + margin)
    x1, x2 = max(0, int(left) - 1), min(width, int(right) + 2)
    y1, y2 = max(0, int(top) - 1), min(height, int(bottom) + 2)
    return (slice(y1, y2), slice(x1, x2)) if x1 < x2 and y1 < y2 else None


def _write_figures(image: Image, result: FrameResult) -> None:
    """Write one line per estimate into the lower left corner, and numbers beside several faces."""
    height, width = image.shape[:2]
    size = int(np.clip(min(height, width) / 40, 11, 40))
    lines: list[tuple[str, Colour]] = []
    several = len(result.faces) > 1
    for face in result.faces:
        number = f"#{face.face}  " if several else ""
        lines.append((number + describe(face.estimate), TEXT_COLOUR))
        if face.other is not None:
            lines.append((number + describe(face.other), OTHER_COLOUR))
        if several:
            _write(image, f"#{face.face}", face.crop.left, face.crop.top + size, size, TEXT_COLOUR)
    step = round(1.4 * size)
    fit = max(1, height // (3 * step))  # with many faces the figures of the largest, in a third of the height
    lines = lines[:fit] if lines else [("no face", TEXT_COLOUR)]
    for row, (line, colour) in enumerate(reversed(lines)):
        _write(image, line, size, height - size - row * step, size, colour)


def _write(image: Image, text: str, x: float, y: float, size: int, colour: Colour) -> None:
    height, width = image.shape[:2]
    left, base = int(np.clip(x, 0, width - 1)), int(np.clip(y, size, height - 1))
    offset = max(1, size // 14)
    for place, shade in (((left + offset, base + offset), SHADOW), ((left, base), colour)):
        cv2.putText(image, text, place, shade, _font(), size, 500)


def _font() -> cv2.FontFace:
    """Return this thread's font; a font keeps drawn glyphs and must not be shared between threads."""
    if not hasattr(_fonts, "face"):
        _fonts.face = cv2.FontFace("sans")
    face: cv2.FontFace = _fonts.face
    return face
