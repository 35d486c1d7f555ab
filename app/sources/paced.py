"""Plays a file as if it were a camera: in real time, in a loop if wanted, and steered by a person."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, replace

from app.core.errors import UserError
from app.core.frame import Frame
from app.sources.base import FALLBACK_RATE, Playback, Seekable, Source, SourceInfo

BEHIND_SECONDS = 0.5
"""If frames are later than this, after a suspend for example, the clock is reset instead of catching up."""
SLOWEST, FASTEST = 0.25, 2.0
_NO_WAIT = 1e-4
"""Waits shorter than this are skipped, since waiting itself takes longer."""
_JUST_BEFORE = 1e-5
"""Seconds before a frame's timestamp at which, with any clock, the frame before it is shown."""
_REMEMBERED_BREAKS = 256
_AHEAD_SECONDS = 2.0
"""Before the end of a loop, the next one is opened. Opening a file takes several frames' time, which at the seam would
be a stall and then frames that come so fast that a live reader skips some."""
_AHEAD_FRAMES = 4
"""Frames of the next loop that are decoded then; decoders start slowly, since they need later frames for the first."""


@dataclass(frozen=True, slots=True)
class _Request:
    """What was requested: first ``seek`` to a timestamp of the inner source, then ``steps`` forwards or backwards.

    ``at_once``: it is paused, so the picture is shown without waiting for its time.
    """

    seek: float | None = None
    steps: int = 0
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class _Opened:
    """A source and the frames that were read from it already."""

    source: Source
    frames: tuple[Frame, ...] = ()


class PacedSource:
    """A live source made from one that is not; frames are delivered no earlier than their timestamps say.

    Late frames follow each other without waiting, so a reader that keeps up receives all of them. Timestamps and
    indices keep increasing across loops and seeks, and follow the inner source's clock: neither pauses nor the speed
    affect them.

    ``read`` is called by one thread; the methods that steer may be called from any thread and return at once.

    Args:
        reopen: opens the source, for every loop.
        loop: start again at the end.
        opened: the source for the first loop, if it is open already.
    """

    def __init__(self, reopen: Callable[[], Source], *, loop: bool = False, opened: Source | None = None) -> None:
        self._reopen = reopen
        self._loop = loop
        self._source = reopen() if opened is None else opened
        inner = self._source.info
        single = inner.frames == 1
        # Gaps between the frames of a file may have any length, so no read counts as stalled; a single picture
        # continues itself.
        self._info = replace(inner, live=True, frames=None, patience=math.inf, photos=inner.photos and not single)
        self._period = 1 / (self._info.fps or float(FALLBACK_RATE))
        self._seekable = isinstance(self._source, Seekable) and not single
        self._start = self._source.start if isinstance(self._source, Seekable) else 0.0
        self._duration = self._source.duration if isinstance(self._source, Seekable) else None
        self._single = single
        self._seamless = self._info.demo or single
        # The condition guards what is steered; it is never held while the inner source works.
        self._changed = threading.Condition()
        self._closed = False
        self._request = _Request()
        self._paused = False
        self._speed = 1.0
        self._shown = self._start
        self._breaks: deque[int] = deque(maxlen=_REMEMBERED_BREAKS)
        self._next_loop: Future[_Opened] | None = None
        # Below: used by the reading thread alone.
        self._index = 0
        self._in_loop = 0
        self._shift = 0.0
        self._last = 0.0
        self._held: Frame | None = None
        self._decoded: deque[Frame] = deque()
        self._only: Frame | None = None
        self._anchor: tuple[float, float] | None = None
        self._pace = 1.0

    @property
    def info(self) -> SourceInfo:
        """Facts about the inner source, as a live one."""
        return self._info

    @property
    def note(self) -> str:
        """The message of the inner source, "" if there is none."""
        return self._source.note

    @property
    def playback(self) -> Playback | None:
        """Its state; None for an inner source without random access, and for a single picture."""
        if not self._seekable:
            return None
        with self._changed:
            where = self._shown if self._request.seek is None else self._request.seek
            return Playback(max(0.0, where - self._start), self._duration, self._paused, self._speed)

    def pause(self, paused: bool) -> None:
        """Pause, or play on."""
        with self._changed:
            self._paused = paused and self._seekable
            self._changed.notify_all()

    def seek_to(self, seconds: float) -> None:
        """Continue at ``seconds`` from the beginning; while paused, show that frame. The newest call wins."""
        last = math.inf if self._duration is None else self._duration
        with self._changed:
            self._request = _Request(self._start + min(max(0.0, seconds), last))
            self._changed.notify_all()

    def step(self, frames: int) -> None:
        """Pause and show the picture that many frames later, or earlier if negative."""
        with self._changed:
            self._paused = self._seekable
            self._request = replace(self._request, steps=self._request.steps + frames)
            self._changed.notify_all()

    def show_again(self) -> None:
        """While paused, deliver the frame that is shown once more; otherwise do nothing."""
        with self._changed:
            if self._paused and not self._requested:
                self._request = _Request(self._shown)
                self._changed.notify_all()

    def set_speed(self, speed: float) -> None:
        """Play ``speed`` times as fast as the source's own clock.

        Raises:
            UserError: outside of :data:`SLOWEST` to :data:`FASTEST`.
        """
        if not SLOWEST <= speed <= FASTEST:
            raise UserError(f"The speed must be from {SLOWEST:g} to {FASTEST:g}, not {speed:g}.")
        with self._changed:
            self._speed = speed
            self._changed.notify_all()

    def broken_between(self, last: int, index: int) -> bool:
        """Whether any frame after index ``last`` up to ``index`` does not continue the one before it."""
        with self._changed:
            return any(last < broken <= index for broken in self._breaks)

    def read(self) -> Frame | None:
        """Wait until the next frame is due and return it; None at the end or once closed.

        Raises:
            SourceError: the inner source failed.
        """
        while (request := self._next_request()) is not None:
            frame = self._find(request)
            if frame is None:
                return None
            if request.at_once or self._wait_until_due(frame):
                return self._deliver(frame, request)
            self._held = frame  # something was requested meanwhile
        return None

    def close(self) -> None:
        """Stop waiting and close the inner source."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            source, opening = self._source, self._next_loop
        source.close()
        if opening is not None:
            opening.add_done_callback(_close_opened)

    def _next_request(self) -> _Request | None:
        """Wait while paused; return what to do next, None once closed."""
        with self._changed:
            while self._paused and not self._requested and not self._closed:
                self._anchor = None  # the pause does not count
                self._changed.wait()
            if self._closed:
                return None
            request, self._request = self._request, _Request()
            if request.seek is not None:
                self._shown = request.seek  # at once, so that the position does not jump back during the search
            return replace(request, at_once=self._paused) if self._seekable else _Request()

    @property
    def _requested(self) -> bool:
        return self._request.seek is not None or self._request.steps != 0

    def _find(self, request: _Request) -> Frame | None:
        """Return the requested frame, with the inner source's own timestamp."""
        on, back = max(0, request.steps), max(0, -request.steps)
        goal = request.seek
        if back:
            # The end of the previous frame; further back, the middle of a frame at the nominal rate.
            before = self._shown if goal is None else goal
            goal = before - _JUST_BEFORE - (back - 1) * self._period
        if goal is None:
            held, self._held = self._held, None
            frame = held or self._next()
        else:
            frame = self._seek(max(goal, self._start))
            on += request.steps > 0  # the frame found by seeking is not the first step
        for _ in range(on - 1):
            frame = self._next() or frame
        return frame

    def _seek(self, timestamp: float) -> Frame | None:
        self._held = None
        self._decoded.clear()
        source = self._source
        if isinstance(source, Seekable):
            source.seek(timestamp)
        frame = self._next()
        if frame is not None:
            self._mark_break(frame)
        return frame

    def _mark_break(self, frame: Frame) -> None:
        """Let ``frame`` follow the last one in time and index, and note that it does not continue it."""
        if self._index:
            self._shift = self._last + self._period - frame.timestamp
            with self._changed:
                self._breaks.append(self._index)
        self._anchor = None

    def _wait_until_due(self, frame: Frame) -> bool:
        """Return True when ``frame`` is due, False as soon as something else is requested instead."""
        timestamp = frame.timestamp + self._shift
        with self._changed:
            while not (self._closed or self._paused or self._requested):
                now = time.perf_counter()
                if self._pace != self._speed:
                    self._change_pace(now)
                due = now if self._anchor is None else self._anchor[0] + (timestamp - self._anchor[1]) / self._pace
                if self._anchor is None or now - due > BEHIND_SECONDS:
                    self._anchor = (now, timestamp)
                if due - now <= _NO_WAIT:
                    return True
                self._changed.wait(due - now)
            return False

    def _change_pace(self, now: float) -> None:
        """Apply the new speed from now on, at any point between two frames."""
        if self._anchor is not None:
            self._anchor = (now, self._anchor[1] + (now - self._anchor[0]) * self._pace)
        self._pace = self._speed

    def _deliver(self, frame: Frame, request: _Request) -> Frame:
        timestamp = frame.timestamp + self._shift
        if request.at_once:
            self._anchor = None  # when it plays on, the next frame is due at once
        self._last = timestamp
        paced = replace(frame, index=self._index, timestamp=timestamp, captured=time.perf_counter())
        self._index += 1
        with self._changed:
            self._shown = frame.timestamp
        return paced

    def _next(self) -> Frame | None:
        """Return the next frame of the inner source, which starts again at its end if it loops."""
        frame = self._decoded.popleft() if self._decoded else self._source.read()
        if frame is not None:
            self._in_loop += 1
            self._only = frame if self._single and self._in_loop == 1 else None
            self._open_ahead(frame)
            return frame
        if not self._loop or not self._in_loop or self._closed:
            return None
        if self._only is not None:  # a large photo takes longer to decode than it is shown
            self._continue_loop(self._only)
            return replace(self._only, continues=True)
        self._source.close()
        opened = _Opened(self._reopen()) if self._next_loop is None else self._next_loop.result()
        with self._changed:
            self._source, self._next_loop = opened.source, None
            closed = self._closed
        if closed:
            opened.source.close()
            return None
        self._decoded.extend(opened.frames)
        frame = self._decoded.popleft() if self._decoded else opened.source.read()
        if frame is not None:
            self._continue_loop(frame)
            if self._seamless:  # as a single picture does, which begins as a photo
                frame = replace(frame, continues=True)
        self._in_loop = 0 if frame is None else 1
        return frame

    def _open_ahead(self, frame: Frame) -> None:
        """Open the next loop on another thread once ``frame`` is near the end of this one."""
        if not self._loop or self._duration is None or self._only is not None:
            return
        if frame.timestamp < self._start + self._duration - _AHEAD_SECONDS:
            return
        with self._changed:
            if self._next_loop is None and not self._closed:
                self._next_loop = _open_on_thread(self._reopen)

    def _continue_loop(self, frame: Frame) -> None:
        """Let a loop's first frame follow the last one; the demo and a single picture continue without a break."""
        if self._seamless:
            self._shift = self._last + self._period - frame.timestamp
        else:
            anchor = self._anchor
            self._mark_break(frame)
            self._anchor = anchor


def _open_on_thread(reopen: Callable[[], Source]) -> Future[_Opened]:
    opening: Future[_Opened] = Future()

    def run() -> None:
        try:
            source = reopen()
            frames = (source.read() for _ in range(_AHEAD_FRAMES))
            opening.set_result(_Opened(source, tuple(frame for frame in frames if frame is not None)))
        except Exception as error:
            opening.set_exception(error)

    threading.Thread(target=run, name="next loop", daemon=True).start()
    return opening


def _close_opened(opening: Future[_Opened]) -> None:
    if opening.exception() is None:
        opening.result().source.close()
