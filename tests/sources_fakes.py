"""Tiny videos and stand-ins for devices, for the tests of sources."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Frame
from app.sources import paced
from app.sources.base import SourceInfo
from app.sources.stream import StreamLimits
from tests.fakes import face_image
from tests.waiting import PATIENCE_SECONDS


def numbered(index: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """A picture whose grey level tells its index."""
    return np.full((height, width, 3), 20 + index * 5 % 200, np.uint8)


def write_video(
    path: Path,
    pictures: Sequence[NDArray[np.uint8]],
    *,
    rate: Fraction = Fraction(30),
    times: Iterable[int] | None = None,
    codec: str = "libx264",
    pixels: str = "yuv420p",
    rotation: float | None = None,
    mirrored: bool = False,
    options: dict[str, str] | None = None,
) -> Path:
    """Write RGB pictures; ``times`` are presentation times in periods of the rate."""
    height, width = pictures[0].shape[:2]
    with av.open(str(path), "w", options=options or {}) as container:
        stream: Any = container.add_stream(codec, rate=rate, options={"crf": "10"} if codec == "libx264" else {})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.thread_count = 1
        stream.time_base = 1 / rate
        if rotation is not None:
            stream.set_display_rotation(rotation, hflip=mirrored)
        for when, picture in zip(times or range(len(pictures)), pictures, strict=True):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = when, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_all(source: object) -> list[Frame]:
    """Every frame of a source."""
    frames = []
    while (frame := source.read()) is not None:  # type: ignore[attr-defined]
        frames.append(frame)
    return frames


class ScriptedSource:
    """A live source that follows a script: an int gives that many frames, an exception is raised,
    "block" waits until closed, "end" ends."""

    note = ""

    def __init__(self, *script: int | str | Exception, patience: float = 60.0) -> None:
        self._script: list[int | str | Exception] = []
        for step in script:
            self._script += [1] * step if isinstance(step, int) else [step]
        self.info = SourceInfo("Scripted", 4, 4, 30.0, None, live=True, patience=patience)
        self.closed = threading.Event()
        self.closes = 0
        self.blocked = threading.Event()
        self.unblock = threading.Event()
        self._index = 0

    def read(self) -> Frame | None:
        step = self._script.pop(0) if self._script else "block"
        if isinstance(step, Exception):
            raise step
        if step == "end":
            return None
        if step == "block":
            self.blocked.set()
            self.closed.wait(PATIENCE_SECONDS)
            return None
        if step == "hang":  # as a driver that does not come back when the device is closed
            self.blocked.set()
            self.unblock.wait(PATIENCE_SECONDS)
            raise SourceError("too late")
        frame = Frame(self._index, self._index / 30, np.zeros((4, 4, 3), np.uint8), time.perf_counter())
        self._index += 1
        return frame

    def close(self) -> None:
        self.closes += 1
        self.closed.set()


class FakeCapture:
    """Stands in for ``cv2.VideoCapture``: delivers BGR pictures, then fails, after ``pictures`` of them."""

    opened: list[FakeCapture]
    pictures = 1000
    present = True
    image = np.zeros((72, 128, 3), np.uint8)
    rate = 30.0

    note = ""

    def __init__(self, index: int, backend: int) -> None:
        self.index, self.backend = index, backend
        self.settings: list[int] = []
        self.reads = 0
        self.released = 0
        type(self).opened.append(self)

    def isOpened(self) -> bool:
        return self.present

    def set(self, name: int, value: float) -> bool:
        self.settings.append(name)
        return True

    def get(self, name: int) -> float:
        return self.rate

    def read(self) -> tuple[bool, NDArray[np.uint8] | None]:
        self.reads += 1
        if self.reads > self.pictures or self.released:
            return False, None
        return True, self.image.copy()

    def release(self) -> None:
        self.released += 1


class FakeClock:
    """Time that only passes while a ``PacedSource`` waits.

    Attributes:
        now: what ``perf_counter`` says.
        waits: how long was waited for a frame's time, in seconds.
        doings: what a person does, one after the other: a float waits until that long has passed since the last
            doing, a callable is called. Once a paused source would wait with nothing left to do, that is an error.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.waits: list[float] = []
        self.doings: list[float | Callable[[], object]] = []

    def perf_counter(self) -> float:
        return self.now

    def condition(self) -> FakeCondition:
        return FakeCondition(self)

    def pass_time(self, seconds: float | None) -> None:
        """Let ``seconds`` pass, or less if the person does something before; None for any time."""
        doing = self.doings[0] if self.doings else None
        if isinstance(doing, float):
            spent = doing if seconds is None else min(doing, seconds)
            self.doings[0] = doing - spent
            if self.doings[0] <= 0:  # type: ignore[operator]
                self.doings.pop(0)
            self.now += spent
            if seconds is not None:
                self.waits.append(spent)
            if seconds is None or spent < seconds:
                self.act()
            return
        if seconds is None:
            assert self.doings, "paused for ever"
            self.act()
            return
        self.now += seconds
        self.waits.append(seconds)

    def act(self) -> None:
        """Do everything that is to be done now."""
        while self.doings and not isinstance(self.doings[0], float):
            doing = self.doings.pop(0)
            assert callable(doing)
            doing()


class FakeCondition:
    """Stands in for ``threading.Condition`` in one thread."""

    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock

    def __enter__(self) -> None: ...

    def __exit__(self, *error: object) -> None: ...

    def notify_all(self) -> None: ...

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.pass_time(timeout)
        return True


def fake_clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """Let ``PacedSource`` run on a clock of its own, in one thread."""
    clock = FakeClock()
    monkeypatch.setattr(paced, "time", clock)
    monkeypatch.setattr(paced, "threading", SimpleNamespace(Condition=clock.condition, Thread=threading.Thread))
    return clock


class FakeSource:
    """Frames of a still face; ``frames`` of them, then the end, an error, or silence."""

    note = ""

    def __init__(self, frames: int = 10**9, live: bool = True, then: str = "end", patience: float = 5.0) -> None:
        self.info = SourceInfo("fake", 320, 240, 30.0, None if live else frames, live, patience=patience)
        self.frames = frames
        self.then = then
        self.index = 0
        self.closed = threading.Event()
        self.image = face_image(320, 240, 160, 120, 80)

    def read(self) -> Frame | None:
        if self.index >= self.frames:
            if self.then == "raise":
                raise SourceError("The camera was unplugged; plug it in again.")
            if self.then == "silence":
                self.closed.wait()
            return None
        if self.info.live:
            self.closed.wait(0.002)
        frame = Frame(self.index, self.index / 30, self.image, time.perf_counter())
        self.index += 1
        return frame

    def close(self) -> None:
        self.closed.set()


PATIENT = StreamLimits(PATIENCE_SECONDS, PATIENCE_SECONDS, attempts=2, wait_seconds=0.01)
"""For servers that answer or hang up."""
HEAD = b"HTTP/1.0 200 OK\r\nContent-Type: video/x-flv\r\n"


class Server:
    """Answers each connection with the next of ``answers``: bytes, then hang up; "stall" keeps silent; None refuses."""

    def __init__(self, *answers: bytes | str | None) -> None:
        self.answers = list(answers)
        self.served = 0
        self._closing = False
        self._held: list[socket.socket] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._address = self._socket.getsockname()
        self.url = f"http://127.0.0.1:{self._address[1]}/live"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            if self._closing:
                connection.close()
                self._socket.close()
                return
            answer = self.answers.pop(0) if self.answers else None
            self.served += 1
            with suppress(OSError):  # the client has hung up already
                connection.recv(4096)
                if isinstance(answer, bytes):
                    connection.sendall(answer.removesuffix(b"STALL"))
            if isinstance(answer, str) or (answer or b"").endswith(b"STALL"):
                self._held.append(connection)
            else:
                connection.close()

    def close(self) -> None:
        self._closing = True
        with suppress(OSError), socket.create_connection(self._address):
            pass  # wakes the thread, unless a client that came late has done so
        for connection in self._held:
            connection.close()
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()
