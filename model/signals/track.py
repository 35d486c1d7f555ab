"""All signals of one face from frame to frame, and their names in tables and messages."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.signals.eyes import EyeState, EyeTracker
from model.signals.face import FaceSignals, eye_aspect_ratios, face_signals
from model.signals.head import HeadPose


@dataclass(frozen=True, slots=True)
class Signal:
    """One number that is written and sent.

    Attributes:
        name: in tables and messages.
        unit: of its values, "" for counts and ratios.
        decimals: that are worth telling.
    """

    name: str
    unit: str
    decimals: int


SIGNALS: tuple[Signal, ...] = (
    *(Signal(name, "degrees", 2) for name in ("yaw", "pitch", "roll")),
    *(Signal(name, "cm", 2) for name in ("head_x", "head_y", "head_z")),
    *(Signal(name, "inter-ocular distance", 4) for name in ("mouth", "mouth_width", "eye_left", "eye_right")),
    *(Signal(name, "eye width", 4) for name in ("ear_left", "ear_right")),
    *(Signal(name, "inter-ocular distance", 4) for name in ("brow_left", "brow_right")),
    *(Signal(f"gaze_{side}_{axis}", "eye width", 4) for side in ("left", "right") for axis in "xy"),
    Signal("closure", "", 3),
    Signal("blinks", "", 0),
    Signal("perclos", "", 4),
)
"""Every signal, in the order of the fields of :class:`FaceSignals` and :class:`EyeState`, which define them."""

NAMES: tuple[str, ...] = tuple(signal.name for signal in SIGNALS)


@dataclass(frozen=True, slots=True)
class Signals:
    """What a face does.

    Attributes:
        face: in this frame.
        eyes: what the eyes did until this frame.
    """

    face: FaceSignals
    eyes: EyeState


ReadSignals = Callable[[], Signals | None]
"""Returns the signals of one frame, computed when it is first called."""


def no_signals() -> None:
    """Return the signals of landmarks that have none."""


class SignalTracker:
    """Follows the signals of one face under one mode, frame after frame."""

    def __init__(self) -> None:
        self._eyes = EyeTracker()

    def update(self, landmarks: NDArray[np.floating], size: tuple[int, int], seconds: float) -> ReadSignals:
        """Take the next frame.

        Only what later frames depend on is computed at once. The rest, mostly the head pose, waits until it is read.

        Args:
            landmarks: (98, 2) in pixels.
            size: width and height of the picture in pixels.
            seconds: time of the frame.

        Returns:
            What returns its signals, None if the landmarks have none; see :func:`face_signals`.
        """
        ears = eye_aspect_ratios(landmarks)
        if ears is None:
            return no_signals
        return cache(partial(_signals, landmarks, size, self._eyes.update((ears[0] + ears[1]) / 2, seconds)))


def _signals(landmarks: NDArray[np.floating], size: tuple[int, int], eyes: EyeState) -> Signals | None:
    face = face_signals(landmarks, size)
    return None if face is None else Signals(face, eyes)


def signal_values(signals: Signals) -> tuple[float | None, ...]:
    """Return the values of :data:`SIGNALS`, None for what is not known yet."""
    head, *numbers, gaze_left, gaze_right = astuple(signals.face)
    eyes = signals.eyes
    return (*head, *numbers, *gaze_left, *gaze_right, eyes.closure, eyes.blinks, eyes.perclos)


def signals_from(values: Sequence[float]) -> Signals | None:
    """Return the signals whose :func:`signal_values` are ``values``, NaN for None; None if the pose is missing."""
    if not math.isfinite(values[0]):
        return None
    closure, blinks, perclos = (value if math.isfinite(value) else None for value in values[-3:])
    left_x, left_y, right_x, right_y = values[-7:-3]
    fields: list[Any] = [HeadPose(*values[:6]), *values[6:-7], (left_x, left_y), (right_x, right_y)]
    face = FaceSignals(*fields)
    return Signals(face, EyeState(closure, int(blinks or 0), perclos))
