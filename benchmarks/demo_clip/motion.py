"""The script of the demo clip: where the head is, what the face does, what passes by, at any time.

Everything is a smooth function of time that repeats after :data:`DURATION`, so the clip loops without a
seam. Positions are pixel centres at integer coordinates, in the portrait (512 x 512) and in the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.sources.demo import FACE_CENTRE
from benchmarks.demo_clip.face import Expression
from model.geometry import similarity

WIDTH, HEIGHT = 1280, 720
FPS = 30
FRAMES = 330
DURATION = FRAMES / FPS

REST = (640.0, 380.0)
"""Frame pixel where FACE_CENTRE is when the head rests."""
REST_SCALE = 3.1

STILL = (4.0, 6.6)
"""Seconds between which the head keeps nearly still; flicker shows best there."""
OCCLUDED = (8.1, 10.5)
"""Seconds between which the card crosses the picture."""

_BLINKS = (1.0, 3.35, 7.35, 10.75)
_SHAKE = 2.45


@dataclass(frozen=True, slots=True)
class Pose:
    """Everything that moves, at one instant.

    Attributes:
        head: (2, 3) float64 similarity, portrait pixels to frame pixels, exact for all of the head.
        background: (2, 3) float64 similarity of what is far from the head.
        expression: what the face does.
        gain: (3,) brightness factors of red, green and blue.
        card: (2, 3) float64, card pixels to frame pixels; None while the card is out of the picture.
    """

    head: NDArray[np.float64]
    background: NDArray[np.float64]
    expression: Expression
    gain: NDArray[np.float64]
    card: NDArray[np.float64] | None


def pose(seconds: float) -> Pose:
    """Return the pose at ``seconds`` of the clip."""
    t = seconds % DURATION
    moving = 1.0 - _plateau(t, *STILL, edge=0.7)
    shake = _bump(t, _SHAKE, 0.75)
    drift_x, drift_y = 0.5 * _wave(t, 7, 0.3), 0.4 * _wave(t, 5, 1.1)
    x = REST[0] + drift_x + moving * (46 * _wave(t, 2) + 20 * _wave(t, 5, 0.8)) + 42 * shake * _wave(t, 17)
    y = REST[1] + drift_y + moving * (14 * _wave(t, 3, 0.5) + 8 * _wave(t, 7)) + 6 * shake * _wave(t, 23)
    scale = REST_SCALE * (1 + moving * (0.07 * _wave(t, 2, 1.3) + 0.02 * _wave(t, 5)))
    roll = moving * (5.0 * _wave(t, 2, 0.4) + 2.0 * _wave(t, 4, 2.0)) + 0.1 * _wave(t, 6) + 2 * shake * _wave(t, 17)
    gain = 1 + 0.045 * _wave(t, 1, 0.6) + 0.015 * _wave(t, 4, 1.0)
    tint = 0.012 * _wave(t, 2, 2.2)
    return Pose(
        head=similarity(scale, roll, FACE_CENTRE, (x, y)),
        background=similarity(REST_SCALE, 0.25 * _wave(t, 1), FACE_CENTRE, (REST[0] + drift_x, REST[1] + drift_y)),
        expression=_expression(t),
        gain=gain * np.array([1 + tint, 1.0, 1 - tint]),
        card=_card(t),
    )


def _expression(t: float) -> Expression:
    talking = _bump(t, 7.55, 0.65)
    return Expression(
        blink=max(_closed(t, start) for start in _BLINKS),
        open=talking * (0.55 + 0.45 * math.sin(2 * math.pi * 3.2 * t)),
        smile=_plateau(t, 10.4, 11.1, edge=0.5),
        relax=max(_plateau(t, 1.2, 1.9, edge=0.45), 0.6 * talking * (0.5 - 0.5 * math.sin(2 * math.pi * 3.2 * t))),
        brows=max(_plateau(t, 0.0, 0.35, edge=0.35), 0.8 * _plateau(t, 7.1, 7.5, edge=0.3)),
    )


def _closed(t: float, start: float) -> float:
    """How far the lids are closed in the blink around ``start``: a little longer at the bottom than at the top."""
    return 1 - (1 - _bump(t, start, 0.17)) ** 2


def _card(t: float) -> NDArray[np.float64] | None:
    start, end = OCCLUDED
    if not start < t < end:
        return None
    way = (t - start) / (end - start)
    return similarity(1.0, -14 + 10 * way, (150.0, 100.0), (-260 + 1800 * way, 500 - 50 * math.sin(math.pi * way)))


def _wave(t: float, cycles: int, phase: float = 0.0) -> float:
    """A sine with a whole number of cycles in the clip, so that its end meets its beginning."""
    return math.sin(2 * math.pi * cycles * t / DURATION + phase)


def _bump(t: float, centre: float, half: float) -> float:
    """1 at ``centre``, 0 from ``half`` seconds away, smooth."""
    distance = _away(t, centre, centre) / half
    return 0.5 * (1 + math.cos(math.pi * distance)) if distance < 1 else 0.0


def _plateau(t: float, start: float, end: float, edge: float) -> float:
    """1 from ``start`` to ``end``, falling smoothly to 0 over ``edge`` seconds on both sides."""
    outside = _away(t, start, end) / edge
    return 0.5 * (1 + math.cos(math.pi * outside)) if outside < 1 else 0.0


def _away(t: float, start: float, end: float) -> float:
    """Seconds from ``t`` to the nearest time from ``start`` to ``end``, over the clip's seam where that is shorter."""
    return min(max(start - near, near - end, 0.0) for near in (t - DURATION, t, t + DURATION))
