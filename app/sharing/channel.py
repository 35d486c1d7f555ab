"""One connection to other programs: a thread that passes on the newest result and counts successes and failures."""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from app.core.frame import FrameResult
from app.core.slot import LatestSlot
from app.sharing.settings import SharingError

log = logging.getLogger(__name__)

WAIT_SECONDS = 0.2
RATE_SECONDS = 2.0
TROUBLE_SECONDS = 1.0
"""An error is shown until frames have arrived for this long, so that it does not flicker between two frames."""

UNEXPECTED_PAUSE = 3.0


class ChannelKind(StrEnum):
    """How results reach other programs."""

    UDP = "udp"
    OSC = "osc"
    VMC = "vmc"
    OPENTRACK = "opentrack"
    LSL = "lsl"
    VIRTUAL_CAMERA = "virtual camera"


class Outlet(Protocol):
    """What a channel sends through; used only by the channel's thread."""

    def send(self, result: FrameResult) -> None:
        """Pass on one frame, opening what has to be opened first.

        Raises:
            SharingError: it did not arrive.
        """

    def close(self) -> None:
        """Release everything; called once, at the end, and after every unexpected failure."""


@dataclass(frozen=True, slots=True)
class ChannelStatus:
    """State of a channel.

    Attributes:
        kind: how results are passed on.
        target: where to, for display.
        sent: frames passed on.
        failed: frames known not to have arrived.
        rate: frames passed on per second over the last 2 seconds.
        error: one sentence about what is wrong now, "" otherwise.
    """

    kind: ChannelKind
    target: str
    sent: int = 0
    failed: int = 0
    rate: float = 0.0
    error: str = ""


class Channel:
    """Feeds an outlet. Offering never waits: a frame that the outlet has no time for is replaced by the next one.

    Args:
        kind: for :class:`ChannelStatus`.
        target: for :class:`ChannelStatus`.
        outlet: closed by the channel's thread when it ends.
        before: a closed channel whose end is awaited first, because both use the same device.
    """

    def __init__(self, kind: ChannelKind, target: str, outlet: Outlet, before: Channel | None = None) -> None:
        self.kind = kind
        self.target = target
        self._outlet = outlet
        self._before = before
        self._slot: LatestSlot[FrameResult] = LatestSlot()
        self._lock = threading.Lock()
        self._sent = self._failed = 0
        self._times: deque[float] = deque()
        self._error, self._trouble = "", -TROUBLE_SECONDS
        self._thread = threading.Thread(target=self._run, name=f"sharing-{kind}", daemon=True)
        self._thread.start()

    def offer(self, result: FrameResult) -> None:
        """Pass on ``result`` soon; called on the pipeline's thread."""
        self._slot.put(result)

    def close(self) -> None:
        """Ask the thread to end; returns at once."""
        self._slot.close()

    def join(self, timeout: float) -> bool:
        """Wait for the end after :meth:`close`; return whether it came in time."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    @property
    def status(self) -> ChannelStatus:
        """The state of the channel now."""
        now = time.perf_counter()
        with self._lock:
            self._forget(now)
            if self._error and self._times and self._times[-1] - self._trouble > TROUBLE_SECONDS:
                self._error = ""
            rate = len(self._times) / RATE_SECONDS
            if len(self._times) > 1 and (span := self._times[-1] - self._times[0]) > 0 and span < RATE_SECONDS / 2:
                rate = (len(self._times) - 1) / span  # it has only just begun
            return ChannelStatus(self.kind, self.target, self._sent, self._failed, rate, self._error)

    def _run(self) -> None:
        pause_until = 0.0
        while self._before is not None and not self._slot.closed:
            self._before = None if self._before.join(WAIT_SECONDS) else self._before
        while not self._slot.closed:
            result = self._slot.take(WAIT_SECONDS)
            if result is None or time.perf_counter() < pause_until:
                continue
            try:
                self._outlet.send(result)
            except SharingError as error:
                self._note_failure(str(error))
                pause_until = time.perf_counter() + error.pause
            except Exception as error:
                # An error in a driver or library must not end sharing for good.
                log.exception("sharing by %s failed", self.kind)
                self._note_failure(f"Sharing failed ({error}); it will be tried again.")
                self._close_outlet()
                pause_until = time.perf_counter() + UNEXPECTED_PAUSE
            else:
                self._note_success()
        self._close_outlet()

    def _close_outlet(self) -> None:
        try:
            self._outlet.close()
        except Exception:
            log.exception("closing %s failed", self.kind)

    def _note_success(self) -> None:
        now = time.perf_counter()
        with self._lock:
            self._sent += 1
            self._times.append(now)
            self._forget(now)

    def _note_failure(self, sentence: str) -> None:
        with self._lock:
            self._failed += 1
            self._error, self._trouble = sentence, time.perf_counter()

    def _forget(self, now: float) -> None:
        while self._times and now - self._times[0] > RATE_SECONDS:
            self._times.popleft()
