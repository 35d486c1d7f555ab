"""Blinks and PERCLOS: what the openness of the eyes tells over time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np

WINDOW_SECONDS = 60.0
"""Length of the window of PERCLOS and of a person's open state."""
LEAST_SECONDS = 10.0
"""PERCLOS is not told before so much was seen."""
LEARNING_SECONDS = 1.0
"""Blinks are not counted before so much was seen, because the open state is not known yet."""
GAP_SECONDS = 0.5
"""A longer time between two frames is not counted as seen."""

OPEN_PERCENTILE = 90
"""A person's open state is this percentile of the eye aspect ratio over the window."""
CLOSED_EAR = 0.12
"""Eye aspect ratio of closed eyes: the median that the shipped weights give where people labelled lids that touch."""
LEAST_RANGE = 0.05
"""The open state is taken to be at least so much above :data:`CLOSED_EAR`."""

BLINK_STARTS, BLINK_ENDS = 0.5, 0.3
"""A blink begins when the closure rises to the first and ends when it falls to the second."""
LONGEST_BLINK = 0.5
"""Seconds; eyes that stay closed for longer are closed, and no blink is counted when they open."""
PERCLOS_CLOSURE = 0.8
"""PERCLOS (Wierwille et al., NHTSA 1994): eyes count as closed from this closure on."""

_OPEN_EVERY = 0.25
"""Seconds between two computations of the open state."""


@dataclass(frozen=True, slots=True)
class EyeClosure:
    """A time for which the eyes were closed, from a closure of 0.5 until it falls to 0.3.

    Attributes:
        seconds: how long; the eyes closed that long before the frame that ends it.
        deepest: the largest closure in it, 0.5 to 1.
    """

    seconds: float
    deepest: float

    @property
    def is_blink(self) -> bool:
        """Whether it was short enough for a blink."""
        return self.seconds <= LONGEST_BLINK


@dataclass(frozen=True, slots=True)
class EyeState:
    """What the eyes did until now.

    Attributes:
        closure: 0 when the eyes are open as usual, 1 when they are closed; None while that is being learned.
        blinks: blinks since the face was found.
        perclos: share of the last 60 s (or of what was seen of them) in which the eyes were at least 80 % closed, 0 to
            1; None before 10 s were seen.
        ended: the time for which the eyes were closed that ended in this frame; None in all other frames.
    """

    closure: float | None
    blinks: int
    perclos: float | None
    ended: EyeClosure | None = None


class EyeTracker:
    """Follows the eyes of one face from frame to frame, at any frame rate.

    The closure is (open - EAR) / (open - 0.12), limited to 0 to 1, with EAR the mean of both eyes and open this
    person's 90th percentile of it over the last 60 s. Turning away and looking down narrow the eyes in the picture and
    so raise it.
    """

    def __init__(self) -> None:
        self._samples: deque[tuple[float, float, float]] = deque()
        """Time, eye aspect ratio and the seconds that it stands for."""
        self._blinks = 0
        self._seen = 0.0
        self._open, self._range = CLOSED_EAR + LEAST_RANGE, LEAST_RANGE
        self._learned = -math.inf
        self._closed_at: float | None = None
        self._deepest = 0.0
        self._perclos: float | None = None

    def update(self, ear: float, seconds: float) -> EyeState:
        """Take the next frame.

        Args:
            ear: mean eye aspect ratio of both eyes.
            seconds: time of the frame; where it runs back, everything but the number of blinks is forgotten, and one
                that is no number counts as the time of the frame before.
        """
        if not math.isfinite(seconds):
            seconds = self._samples[-1][0] if self._samples else 0.0
        passed = seconds - self._samples[-1][0] if self._samples else 0.0
        if passed < 0:
            self._forget()
            passed = 0.0
        duration = passed if passed <= GAP_SECONDS else 0.0
        self._samples.append((seconds, ear, duration))
        self._seen += duration
        while self._samples[0][0] < seconds - WINDOW_SECONDS:
            self._seen -= self._samples.popleft()[2]
        if self._seen < LEARNING_SECONDS:
            return EyeState(None, self._blinks, None)
        if seconds - self._learned >= _OPEN_EVERY:
            self._learned = seconds
            self._open = float(np.percentile([sample[1] for sample in self._samples], OPEN_PERCENTILE))
            self._range = max(self._open - CLOSED_EAR, LEAST_RANGE)
            limit = self._open - PERCLOS_CLOSURE * self._range
            closed = sum(sample[2] for sample in self._samples if sample[1] <= limit)
            self._perclos = closed / self._seen if self._seen >= LEAST_SECONDS else None
        closure = min(1.0, max(0.0, (self._open - ear) / self._range))
        ended = self._follow(closure, seconds)
        self._blinks += ended is not None and ended.is_blink
        return EyeState(closure, self._blinks, self._perclos, ended)

    def _follow(self, closure: float, seconds: float) -> EyeClosure | None:
        """Return the time for which the eyes were closed if it ends now."""
        if self._closed_at is None:
            if closure >= BLINK_STARTS:
                self._closed_at, self._deepest = seconds, closure
            return None
        self._deepest = max(self._deepest, closure)
        if closure > BLINK_ENDS:
            return None
        ended = EyeClosure(seconds - self._closed_at, self._deepest)
        self._closed_at = None
        return ended

    def _forget(self) -> None:
        self._samples.clear()
        self._seen = 0.0
        self._learned = -math.inf
        self._closed_at = self._perclos = None
