"""Plays a file as if it were a camera: in real time, in a loop if wanted, and as a person steers it."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from app.core.errors import UserError
from app.core.frame import Frame
from app.sources.base import Playback, Seekable, Source, SourceInfo

BEHIND_SECONDS = 0.5
"""Later than this, the clock is set back instead of hurrying (the computer slept, or the reader did)."""
SLOWEST, FASTEST = 0.25, 2.0
_NO_WAIT = 1e-4
"""Seconds so few that waiting for them would take longer."""
_FALLBACK_PERIOD = 1 / 30
_JUST_BEFORE = 1e-5
"""Seconds before a frame's timestamp at which the frame before it is shown, whatever the file's clock."""
_REMEMBERED_BREAKS = 256


@dataclass(frozen=True, slots=True)
class _Order:
    """What a person wants next: first ``seek`` to a timestamp of the inner source, then ``steps`` on or back.

    ``at_once``: nothing plays, so the picture is shown without waiting for its time.
    """

    seek: float | None = None
    steps: int = 0
    at_once: bool = False


class PacedSource:
    """A live source made from one that is not; frames leave no earlier than their timestamps say.

    Late frames follow each other without waiting, so a reader that keeps up gets all of them. Timestamps and
    indices keep increasing, over the seam of a loop and over every seek, and run on the inner source's clock: neither
    a pause nor the speed shows in them.

    ``read`` belongs to one thread; everything that steers may be called from any and returns at once.

    Args:
        reopen: opens the source, and opens it again for each further loop.
        loop: start again at the end, for ever.
        opened: the source for the first time, if it is open already.
    """

    def __init__(self, reopen: Callable[[], Source], *, loop: bool = False, opened: Source | None = None) -> None:
        self._reopen = reopen
        self._loop = loop
        self._source = reopen() if opened is None else opened
        # Gaps between frames may be as long as the file wants, so no read counts as stalled.
        self._info = replace(self._source.info, live=True, frames=None, patience=math.inf)
        self._period = 1 / self._info.fps if self._info.fps else _FALLBACK_PERIOD
        single = self._source.info.frames == 1
        self._seekable = isinstance(self._source, Seekable) and not single
        self._start = self._source.start if isinstance(self._source, Seekable) else 0.0
        self._duration = self._source.duration if isinstance(self._source, Seekable) else None
        self._seamless = self._info.demo or single
        # The turn guards what is steered; it is never held while the inner source works.
        self._turn = threading.Condition()
        self._closed = False
        self._order = _Order()
        self._paused = False
        self._speed = 1.0
        self._shown = self._start
        self._breaks: deque[int] = deque(maxlen=_REMEMBERED_BREAKS)
        # Below: used by the reading thread alone.
        self._index = 0
        self._in_loop = 0
        self._shift = 0.0
        self._last = 0.0
        self._held: Frame | None = None
        self._anchor: tuple[float, float] | None = None
        self._pace = 1.0

    @property
    def info(self) -> SourceInfo:
        """Facts about the inner source, as a live one."""
        return self._info

    @property
    def note(self) -> str:
        """What the inner source has to say, "" if nothing."""
        return str(getattr(self._source, "note", ""))

    @property
    def playback(self) -> Playback | None:
        """Where it stands; None for an inner source that cannot be searched, and for a single picture."""
        if not self._seekable:
            return None
        with self._turn:
            where = self._shown if self._order.seek is None else self._order.seek
            return Playback(max(0.0, where - self._start), self._duration, self._paused, self._speed)

    def pause(self, paused: bool) -> None:
        """Stand still, or play on."""
        with self._turn:
            self._paused = paused and self._seekable
            self._turn.notify_all()

    def seek_to(self, seconds: float) -> None:
        """Go on at ``seconds`` from the beginning, the newest call wins; while paused, show that frame."""
        last = math.inf if self._duration is None else self._duration
        with self._turn:
            self._order = _Order(self._start + min(max(0.0, seconds), last))
            self._turn.notify_all()

    def step(self, frames: int) -> None:
        """Pause, and show the picture that many frames on, or back if negative."""
        with self._turn:
            self._paused = self._seekable
            self._order = replace(self._order, steps=self._order.steps + frames)
            self._turn.notify_all()

    def show_again(self) -> None:
        """While paused, give the frame that is shown once more; otherwise nothing."""
        with self._turn:
            if self._paused and not self._ordered:
                self._order = _Order(self._shown)
                self._turn.notify_all()

    def set_speed(self, speed: float) -> None:
        """Play ``speed`` times as fast as the source's own clock.

        Raises:
            UserError: outside of :data:`SLOWEST` to :data:`FASTEST`.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise UserError(f"The speed must be from {SLOWEST:g} to {FASTEST:g}, not {speed:g}.")
        with self._turn:
            self._speed = speed
            self._turn.notify_all()

    def broken_between(self, last: int, index: int) -> bool:
        """Whether any frame after index ``last`` up to ``index`` does not continue the one before it."""
        with self._turn:
            return any(last < broken <= index for broken in self._breaks)

    def read(self) -> Frame | None:
        """Wait until the next frame is due and return it; None at the end or once closed.

        Raises:
            SourceError: the inner source failed.
        """
        while (order := self._next_order()) is not None:
            frame = self._follow(order)
            if frame is None:
                return None
            if order.at_once or self._wait_until_due(frame):
                return self._deliver(frame, order)
            self._held = frame  # the person was faster
        return None

    def close(self) -> None:
        """Stop waiting and close the inner source."""
        with self._turn:
            self._closed = True
            self._turn.notify_all()
            source = self._source
        source.close()

    def _next_order(self) -> _Order | None:
        """Wait while paused; return what to do next, None once closed."""
        with self._turn:
            while self._paused and not self._ordered and not self._closed:
                self._anchor = None  # time stood still
                self._turn.wait()
            if self._closed:
                return None
            order, self._order = self._order, _Order()
            if order.seek is not None:
                self._shown = order.seek  # already, so that the position does not fall back while it is looked for
            return replace(order, at_once=self._paused) if self._seekable else _Order()

    @property
    def _ordered(self) -> bool:
        return self._order.seek is not None or self._order.steps != 0

    def _follow(self, order: _Order) -> Frame | None:
        """Return the frame that the order asks for, with the inner source's own timestamp."""
        on, back = max(0, order.steps), max(0, -order.steps)
        goal = order.seek
        if back:
            # The last moment of the frame before; further back, the middle of a frame at the nominal rate.
            before = self._shown if goal is None else goal
            goal = before - _JUST_BEFORE - (back - 1) * self._period
        if goal is None:
            held, self._held = self._held, None
            frame = held or self._next()
        else:
            frame = self._jump(max(goal, self._start))
            on += order.steps > 0  # the frame sought is not yet the first step
        for _ in range(on - 1):
            frame = self._next() or frame
        return frame

    def _jump(self, timestamp: float) -> Frame | None:
        self._held = None
        source = self._source
        if isinstance(source, Seekable):
            source.seek(timestamp)
        frame = self._next()
        if frame is not None:
            self._cut(frame)
        return frame

    def _cut(self, frame: Frame) -> None:
        """Let ``frame`` follow what was shown last as if it were the next one, and note that it is not."""
        if self._index:
            self._shift = self._last + self._period - frame.timestamp
            with self._turn:
                self._breaks.append(self._index)
        self._anchor = None

    def _wait_until_due(self, frame: Frame) -> bool:
        """Return True when it is time for ``frame``, False as soon as something else is wanted instead."""
        timestamp = frame.timestamp + self._shift
        with self._turn:
            while not (self._closed or self._paused or self._ordered):
                now = time.perf_counter()
                if self._pace != self._speed:
                    self._change_pace(now)
                due = now if self._anchor is None else self._anchor[0] + (timestamp - self._anchor[1]) / self._pace
                if self._anchor is None or now - due > BEHIND_SECONDS:
                    self._anchor = (now, timestamp)
                if due - now <= _NO_WAIT:
                    return True
                self._turn.wait(due - now)
            return False

    def _change_pace(self, now: float) -> None:
        """Count from this moment on at the new speed, wherever between two frames it is."""
        if self._anchor is not None:
            self._anchor = (now, self._anchor[1] + (now - self._anchor[0]) * self._pace)
        self._pace = self._speed

    def _deliver(self, frame: Frame, order: _Order) -> Frame:
        timestamp = frame.timestamp + self._shift
        if order.at_once:
            self._anchor = None  # whenever it plays on, the next frame is due at once
        self._last = timestamp
        paced = replace(frame, index=self._index, timestamp=timestamp, captured=time.perf_counter())
        self._index += 1
        with self._turn:
            self._shown = frame.timestamp
        return paced

    def _next(self) -> Frame | None:
        """The next frame of the inner source, from its beginning again at its end."""
        frame = self._source.read()
        if frame is not None:
            self._in_loop += 1
            return frame
        if not self._loop or not self._in_loop or self._closed:
            return None
        self._source.close()
        source = self._reopen()
        with self._turn:
            self._source = source
            closed = self._closed
        if closed:
            source.close()
        frame = source.read()
        if frame is not None:
            self._pass_seam(frame)
        self._in_loop = 0 if frame is None else 1
        return frame

    def _pass_seam(self, frame: Frame) -> None:
        """Let a loop's first frame follow its last: the demo and a single picture go on as if nothing had been."""
        if self._seamless:
            self._shift = self._last + self._period - frame.timestamp
        else:
            anchor = self._anchor
            self._cut(frame)
            self._anchor = anchor
