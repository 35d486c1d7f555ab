"""The scrub bar without its widget: the position in words and as a fraction, and how often a drag may seek."""

from __future__ import annotations

import math
from dataclasses import dataclass

from app.sources.base import Playback

SPEEDS = (0.25, 0.5, 1.0, 1.5, 2.0)
"""Speeds that the bar offers."""
STEP_SECONDS = 1.0
LONG_STEP_SECONDS = 5.0
SEEKS_PER_SECOND = 10.0


@dataclass(frozen=True, slots=True)
class PlaybackView:
    """What the scrub bar shows.

    Attributes:
        text: position and length, "0:12 / 1:03".
        paused: whether the button means "play on".
        speed_text: as "1x", with a real multiplication sign.
        button_help: tooltip of the button.
    """

    text: str
    paused: bool
    speed_text: str
    button_help: str


def playback_view(playback: Playback | None) -> PlaybackView | None:
    """Return what to show; None hides the bar (cameras, streams, screens, nothing open)."""
    if playback is None:
        return None
    length = playback.duration
    position = playback.position if length is None else min(playback.position, length)
    text = clock_text(position) if length is None else f"{clock_text(position, length)} / {clock_text(length)}"
    return PlaybackView(
        text=text,
        paused=playback.paused,
        speed_text=speed_text(playback.speed),
        button_help="Play on" if playback.paused else "Pause",
    )


def clock_text(seconds: float, length: float | None = None) -> str:
    """Return "1:03", or "1:01:03" from one hour of ``seconds`` or ``length`` on."""
    whole = max(0, math.floor(seconds + 1e-6))
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    if hours or (length is not None and length >= 3600):
        return f"{hours}:{minutes:02d}:{rest:02d}"
    return f"{minutes}:{rest:02d}"


def fine_clock_text(seconds: float) -> str:
    """Return "1:03.4", for the position under the pointer."""
    tenths = max(0, math.floor(seconds * 10 + 1e-6))
    return f"{clock_text(tenths // 10)}.{tenths % 10}"


def speed_text(speed: float) -> str:
    """Return "0.5x", with a real multiplication sign."""
    return f"{speed:g}\u00d7"


def moved_by(playback: Playback, seconds: float) -> float:
    """Return where to seek to for a step of ``seconds`` forwards or backwards, within the source."""
    last = math.inf if playback.duration is None else playback.duration
    return min(max(0.0, playback.position + seconds), last)


def position_now(playback: Playback, age: float) -> float:
    """Return the position ``age`` seconds after ``playback`` was obtained, so that the bar moves evenly."""
    if playback.paused:
        return playback.position
    last = math.inf if playback.duration is None else playback.duration
    return min(playback.position + age * playback.speed, last)


class SeekLimiter:
    """Lets through at most :data:`SEEKS_PER_SECOND` seeks of a drag, and always its last one."""

    def __init__(self) -> None:
        self._waiting: float | None = None
        self._last = -math.inf

    def ask(self, seconds: float, now: float) -> float | None:
        """Note that the drag is at ``seconds``; return where to seek to now, None while it is too early."""
        self._waiting = seconds
        return self.due(now)

    def due(self, now: float) -> float | None:
        """Return where to seek to now; None while it is too early or nothing waits."""
        if self._waiting is None or now - self._last < 1 / SEEKS_PER_SECOND - 1e-9:
            return None
        return self._let_go(now)

    def finish(self, now: float) -> float | None:
        """End the drag; return the last place that was not let through yet."""
        return None if self._waiting is None else self._let_go(now)

    def _let_go(self, now: float) -> float | None:
        waiting, self._waiting, self._last = self._waiting, None, now
        return waiting
