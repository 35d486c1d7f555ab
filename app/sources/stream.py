"""Network streams (RTSP, HTTP, UDP, ...), with time limits and a limited number of attempts to reconnect."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Frame
from app.core.text_table import counted
from app.sources.base import CLOCK_AHEAD, CLOCK_BACK, FALLBACK_RATE, SourceInfo, adaptation_remark
from app.sources.decode import READ_ERRORS, find_pictures, frame_rate, has_end, lacks_time_stamps, open_container
from app.sources.presentation import Presentation
from app.sources.release import ReleaseGuard
from app.sources.spec import StreamSpec

_MOST_WAIT = 8.0
_LEAST_STEP = 1e-3


class StreamState(StrEnum):
    """State of a stream's connection."""

    OPEN = "open"
    RECONNECTING = "reconnecting"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """How long to wait for a stream.

    Attributes:
        open_seconds: for the connection and the stream's description.
        read_seconds: for the next packet.
        attempts: to reconnect after a connection was lost; the count starts again with every frame.
        wait_seconds: before the first attempt; doubles with each.
    """

    open_seconds: float = 8.0
    read_seconds: float = 5.0
    attempts: int = 3
    wait_seconds: float = 1.0

    @property
    def longest_read(self) -> float:
        """The longest time one ``read`` can take before it gives up, in seconds."""
        waits = sum(self.wait_before(attempt) for attempt in range(1, self.attempts + 1))
        return self.read_seconds + waits + self.attempts * (self.open_seconds + self.read_seconds)

    def wait_before(self, attempt: int) -> float:
        """Seconds to wait before attempt 1, 2, ..."""
        return float(min(self.wait_seconds * 2 ** (attempt - 1), _MOST_WAIT))


class StreamSource:
    """Frames of a stream. One that has an end (a video file on a web server) is read like a file.

    ``timestamp`` starts at 0 and follows the stream's own clock; after a lost connection, and where that clock starts
    again or leaps, it goes on with the time that has really passed. Where the format has no clock, as MJPEG over HTTP,
    it is the time of arrival.

    Attributes:
        reconnects: how often a lost connection was restored.

    Raises:
        SourceError: the stream cannot be opened.
    """

    def __init__(self, spec: StreamSpec, limits: StreamLimits | None = None) -> None:
        self.reconnects = 0
        self._url = spec.url
        self._name = spec.label
        self._limits = limits or StreamLimits()
        self._container: InputContainer | None = None
        self._decoded: Iterator[VideoFrame] = iter(())
        self._first: VideoFrame | None = None
        self._rate: Fraction | None = None
        self._presentation: Presentation | None = None
        self._clockless = self._finite = False
        self._guard = ReleaseGuard(self._drop)
        self._state = StreamState.OPEN
        self._attempt = 0
        self._index = 0
        self._last = -math.inf
        self._origin: float | None = None
        self._shift = 0.0
        self._start = self._seen = time.perf_counter()
        try:
            container = self._connect()
            self._first = next(self._decoded, None)
            if self._first is None:
                raise SourceError(f"{self._name} delivers no picture; check the address.")
        except READ_ERRORS as error:
            self._drop()
            raise SourceError(f"{self._name} cannot be opened ({_reason(error)}); check the address.") from error
        except SourceError:
            self._drop()
            raise
        height, width = self._present(self._first).shape[:2]
        duration = container.duration
        self._finite = has_end(container)
        rate = None if self._by_arrival else self._rate
        adaptations = () if self._presentation is None else self._presentation.adaptations
        self._info = SourceInfo(
            name=self._name,
            width=width,
            height=height,
            fps=float(rate) if rate else None,
            frames=max(1, round(Fraction(duration, av.time_base) * rate)) if duration and rate else None,
            live=not self._finite,
            patience=self._limits.longest_read + 2.0,
            adaptations=adaptations,
            remark=adaptation_remark(adaptations),
        )

    @property
    def info(self) -> SourceInfo:
        """Facts about the stream; its name is the address without a password."""
        return self._info

    @property
    def state(self) -> StreamState:
        """State of the connection."""
        return StreamState.CLOSED if self._guard.closed else self._state

    @property
    def note(self) -> str:
        """One sentence while the connection is lost, "" otherwise."""
        if self.state != StreamState.RECONNECTING:
            return ""
        tries = f"attempt {self._attempt} of {self._limits.attempts}"
        return f"The connection to {self._name} was lost; {tries} to restore it."

    def read(self) -> Frame | None:
        """Return the next frame, connecting again if need be; None at the end or once closed.

        Raises:
            SourceError: the connection was lost and could not be restored.
        """
        while not self._guard.closed:
            with self._guard.using() as usable:
                if not usable:
                    return None
                decoded, reason = self._next()
                if decoded is not None:
                    self._attempt, self._state = 0, StreamState.OPEN
                    return self._frame(decoded)
            if not self._finite:
                self._reconnect(reason)
            elif reason is None:
                return None
            else:
                self._state = StreamState.FAILED
                after = counted(self._index, "frame")
                raise SourceError(
                    f"The connection to {self._name} was lost after {after} ({_reason(reason)}); open it again."
                )
        return None

    def close(self) -> None:
        """Close the connection, once a read in progress has returned."""
        self._guard.close()

    def _next(self) -> tuple[VideoFrame | None, BaseException | None]:
        """Return the next decoded frame, or None and the error; without an error the server has ended the stream."""
        try:
            decoded, self._first = self._first or next(self._decoded, None), None
        except READ_ERRORS as error:
            return None, error
        return decoded, None

    def _reconnect(self, reason: BaseException | None) -> None:
        """Reconnect, after a wait, as often as the limits allow since the last frame."""
        while self._attempt < self._limits.attempts:
            self._attempt += 1
            self._state = StreamState.RECONNECTING
            if self._guard.wait_closed(self._limits.wait_before(self._attempt)):
                return
            with self._guard.using() as usable:
                if not usable:
                    return
                self._drop()
                try:
                    self._connect()
                except (*READ_ERRORS, SourceError) as error:
                    reason = error
                    continue
            self.reconnects += 1
            return
        self._state = StreamState.FAILED
        why = _reason(reason) if reason is not None else "the server ended it"
        tries = counted(self._limits.attempts, "attempt")
        raise SourceError(
            f"The connection to {self._name} was lost ({why}) and {tries} to restore it failed; check the stream."
        )

    def _connect(self) -> InputContainer:
        scheme = self._url.split(":", 1)[0].lower()
        # Over TCP, since lost UDP packets smear faces. FFmpeg's "nobuffer" is not used: it drops the first key frame,
        # and the capture thread catches up with the newest frame anyway.
        options = {"rtsp_transport": "tcp"} if scheme in ("rtsp", "rtsps") else {}
        limits = (self._limits.open_seconds, self._limits.read_seconds)
        container = self._container = open_container(self._url, options, limits)
        stream = find_pictures(container)
        if stream is None:
            raise SourceError(f"{self._name} has no video; check the address.")
        stream.thread_type = "SLICE"  # threading by frame would delay as many frames as there are threads
        self._rate = frame_rate(stream)
        self._presentation = Presentation(stream)
        self._clockless = lacks_time_stamps(container)
        self._origin = None
        self._decoded = self._decode(container, stream)
        return container

    def _decode(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
        for packet in container.demux(stream):
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                continue  # before the first key frame, or damaged; it recovers at the next key frame
            yield from (frame for frame in frames if isinstance(frame, VideoFrame))

    def _frame(self, decoded: VideoFrame) -> Frame:
        now = time.perf_counter()
        if self._index == 0:
            self._start = self._seen = now
        when = now - self._start
        own = None if self._by_arrival else decoded.time
        if own is not None:
            if self._origin is None:
                self._origin, self._shift = own, when
            by_clock = self._shift + own - self._origin
            if self._jumped(by_clock, now):
                # A stream that is read like a file has no other clock to go by.
                passed = self._last + float(1 / (self._rate or FALLBACK_RATE))
                by_clock = self._shift = passed if self._finite else max(passed, when)
                self._origin = own
            when = by_clock
        self._last, self._seen = max(when, self._last + _LEAST_STEP), now
        frame = Frame(self._index, self._last, self._present(decoded), now)
        self._index += 1
        return frame

    def _jumped(self, when: float, now: float) -> bool:
        """Whether the stream's clock was set anew, as when its encoder was started again or another part begins."""
        ahead = not self._finite and when - self._last > now - self._seen + CLOCK_AHEAD
        return self._index > 0 and (when < self._last - CLOCK_BACK or ahead)

    @property
    def _by_arrival(self) -> bool:
        return self._clockless and not self._finite

    def _present(self, frame: VideoFrame) -> NDArray[np.uint8]:
        assert self._presentation is not None  # frames come from a connection
        return self._presentation.picture(frame)

    def _drop(self) -> None:
        self._decoded = iter(())
        self._first = None
        container, self._container = self._container, None
        if container is not None:
            container.close()


def _reason(error: BaseException) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return "no answer in time" if isinstance(error, (av.error.ExitError, TimeoutError)) else str(text)
