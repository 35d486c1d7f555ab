"""The signals card, and the person's neutral expression."""

from __future__ import annotations

import math
import threading
from collections import deque

from app.core.frame import Estimate, FrameResult
from app.gui.presenters.readouts import Row
from model.signals.expression import Expression, measure_expression, median_expression
from model.signals.track import Signals

NEUTRAL_SECONDS = 1.0
"""The neutral expression is the median of so much, so that a blink does not count."""
MOST_FRAMES = 120
MOST_MEASURED = 40
"""Of those frames about so many are measured, evenly spread: a head pose takes half a millisecond."""
UNKNOWN = "\u2013"


class NeutralCapture:
    """Keeps the last second of the first face, the one that moves an avatar.

    The second ends with the newest frame rather than now, so that a file that is paused and a computer that takes long
    over a frame have one, too. Filled on the pipeline's thread, read on another.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._newest = -math.inf
        self._frames: deque[tuple[float, Estimate, tuple[int, int]]] = deque(maxlen=MOST_FRAMES)

    def add(self, result: FrameResult) -> None:
        """Note a frame; its expression is measured only if it is asked for."""
        with self._lock:
            self._newest = result.frame.captured
            if result.faces:
                self._frames.append((self._newest, result.faces[0].estimate, result.frame.size))

    def clear(self) -> None:
        """Drop all frames."""
        with self._lock:
            self._frames.clear()

    def take(self) -> Expression | None:
        """Return the median expression of the second before the newest frame; None without a face in it."""
        with self._lock:
            since = self._newest - NEUTRAL_SECONDS
            recent = [(estimate, size) for captured, estimate, size in self._frames if captured >= since]
        measured = [
            measure_expression(estimate.landmarks, signals.face, size)
            for estimate, size in recent[:: 1 + len(recent) // MOST_MEASURED]
            if (signals := estimate.signals) is not None
        ]
        return median_expression(measured) if measured else None


def signal_rows(signals: Signals | None) -> tuple[Row, ...]:
    """Return the lines of the signals card, always the same ones in the same order."""
    face, eyes = (None, None) if signals is None else (signals.face, signals.eyes)
    head = None if face is None else face.head
    perclos = None if eyes is None else eyes.perclos
    return (
        Row(
            "Head",
            UNKNOWN if head is None else f"{head.yaw:+.1f}\u00b0  {head.pitch:+.1f}\u00b0  {head.roll:+.1f}\u00b0",
            "Yaw, pitch, roll: positive to the right of the camera's picture, up, and clockwise",
        ),
        Row(
            "Distance",
            UNKNOWN if head is None else f"{head.z:.0f} cm",
            "From the camera to the eyes of an average face, if the focal length is as long as the picture is wide",
        ),
        Row(
            "Eyes",
            UNKNOWN if face is None else f"{face.ear_left:.2f}  {face.ear_right:.2f}",
            "Eye aspect ratio, left and right in the picture: how far the lids are apart, in widths of the eye",
        ),
        Row("Blinks", UNKNOWN if eyes is None else str(eyes.blinks), "Since the face was found"),
        Row(
            "PERCLOS",
            UNKNOWN if perclos is None else f"{100 * perclos:.1f} %",
            "Share of the last minute in which the eyes were at least 80 % closed; known after ten seconds",
        ),
        Row(
            "Gaze",
            UNKNOWN
            if face is None
            else f"{_mean(face.gaze_left[0], face.gaze_right[0])}  {_mean(face.gaze_left[1], face.gaze_right[1])}",
            "Offset of the pupils from the middle of the eyes' corners, to the right and up, in widths of the eye",
        ),
        Row(
            "Mouth",
            UNKNOWN if face is None else f"{face.mouth:.2f}  {face.mouth_width:.2f}",
            "Opening and width, in distances of the outer eye corners",
        ),
        Row(
            "Brows",
            UNKNOWN if face is None else f"{face.brow_left:.2f}  {face.brow_right:.2f}",
            "Height over the eyes, left and right, in distances of the outer eye corners",
        ),
    )


def _mean(first: float, second: float) -> str:
    return f"{(first + second) / 2:+.2f}"
