"""A camera that misbehaves, through the whole chain: capture, tracker, recorder. One sentence at most, nothing lost."""

from __future__ import annotations

import itertools
import math
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Frame, FrameResult
from app.core.modes import Baseline
from app.core.settings import TrackingSettings
from app.sessions.recorder import SessionRecorder
from app.sessions.session import Session, open_session
from app.sharing.json_message import json_datagrams
from app.sharing.osc_message import OscEncoder
from app.sources import camera, capture
from app.sources.base import SourceInfo
from app.sources.open import open_source
from app.sources.spec import parse_source
from app.tracking.live import LivePipeline, LiveState
from app.tracking.pipeline import Pipeline
from tests.fakes import SquareDetector, SquareEngine, face_image
from tests.session_fakes import plan
from tests.sources_fakes import FakeCapture
from tests.waiting import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.slow

READ_SECONDS = 1 / 30
BACKEND = cv2.CAP_V4L2
Picture = NDArray[np.generic] | None
GARBAGE: tuple[Picture, ...] = (
    np.zeros((72, 128, 2), np.uint8),  # raw YUYV that a driver forgot to convert
    np.zeros((72, 128, 3), np.float64),
    np.zeros((72, 128, 7), np.uint8),
    np.zeros((0, 0, 3), np.uint8),
    np.zeros((0,), np.uint8),
    np.zeros((3,), np.uint8),
    np.zeros((2, 72, 128, 3), np.uint8),
    None,
)


class Scripted(FakeCapture):
    """A device that delivers what ``script`` yields; "block" hangs in the driver until released.

    The time that capturing sees passes with reads only, and with ``hang_seconds`` now and then while the driver hangs.
    """

    opened: list[FakeCapture] = []  # noqa: RUF012
    script: Iterator[Picture | str]
    hang = threading.Event()
    hang_seconds = 0.0
    now = 0.0

    def read(self) -> tuple[bool, Picture]:  # type: ignore[override]
        self.reads += 1
        Scripted.now += READ_SECONDS
        step = next(self.script, None)
        if isinstance(step, str):
            while not self.hang.wait(0.01):
                Scripted.now += self.hang_seconds
            return False, None
        return step is not None, step


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Scripted]]:
    monkeypatch.setattr(cv2, "VideoCapture", Scripted)
    monkeypatch.setattr(camera, "_backend", lambda: BACKEND)
    for module in (camera, capture):
        monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: Scripted.now))
    monkeypatch.setattr(camera, "FAIL_SECONDS", 4.5 * READ_SECONDS)
    monkeypatch.setattr(camera, "OPEN_SECONDS", 15 * READ_SECONDS)
    monkeypatch.setattr(camera, "_RETRY_SECONDS", 1e-3)
    listed = [SimpleNamespace(index=0, backend=BACKEND, path="", name="USB Camera")]
    monkeypatch.setattr("cv2_enumerate_cameras.enumerate_cameras", lambda backend: listed)
    Scripted.hang = threading.Event()
    Scripted.hang_seconds = 0.0
    yield Scripted
    Scripted.hang.set()


def faces(count: int, width: int = 160, height: int = 120) -> list[Picture]:
    return [face_image(width, height, width / 2 + i % 5, height / 2, height / 2) for i in range(count)]


def run(folder: Path, source: Callable[[], object] | None = None) -> tuple[LivePipeline, Session, list[FrameResult]]:
    """Track and record from the camera until it ends or fails; return what is left."""
    tracking = TrackingSettings(compare=True, baseline=Baseline.ONE_EURO)
    seen: list[FrameResult] = []
    recorder = SessionRecorder(folder, plan(size=(160, 120)))
    live = LivePipeline(
        source or (lambda: open_source(parse_source("camera"))),  # type: ignore[arg-type]
        lambda: Pipeline(SquareEngine(), SquareDetector(), tracking),
        tracking,
    )
    live.add_consumer(seen.append)
    live.add_consumer(recorder.offer)
    live.start()
    wait_until(lambda: live.status.state in (LiveState.ENDED, LiveState.FAILED))
    summary = recorder.stop(PATIENCE_SECONDS)
    assert summary.error is None
    assert summary.frames == len(seen)
    session = open_session(folder)
    assert len(session.frames) == len(seen)
    assert all(b > a for a, b in itertools.pairwise(session.frames.time))
    return live, session, seen


def is_sentence(text: str) -> bool:
    return bool(text) and "\n" not in text and text.endswith(".") and "internal" not in text


def test_an_unplugged_camera(device: type[Scripted], tmp_path: Path) -> None:
    device.script = iter(faces(30))
    live, session, seen = run(tmp_path / "session")
    assert live.status.state == LiveState.FAILED
    assert "check its cable" in live.status.error
    assert is_sentence(live.status.error)
    assert seen[-1].faces
    assert session.state == "complete"


def test_a_camera_that_hangs_in_its_driver(device: type[Scripted], tmp_path: Path) -> None:
    device.script = iter([*faces(10), "block"])
    device.hang_seconds = READ_SECONDS

    def opened() -> object:
        source = open_source(parse_source("camera"))
        source._info = SourceInfo("USB Camera", 160, 120, 30.0, None, True, patience=0.3)  # type: ignore[attr-defined]
        return source

    live, _, seen = run(tmp_path / "session", opened)
    assert seen
    assert "stopped delivering pictures for 0.3 s" in live.status.error
    assert is_sentence(live.status.error)
    assert live.stop(PATIENCE_SECONDS)


def test_a_camera_that_changes_its_size(device: type[Scripted], tmp_path: Path) -> None:
    sizes = ((160, 120), (64, 48), (320, 240), (121, 33), (160, 120))
    device.script = iter(list(itertools.chain.from_iterable(faces(12, *size) for size in sizes)))
    live, session, seen = run(tmp_path / "session")
    assert live.status.captured == 60
    last = seen[-1]
    assert last.frame.image.shape == (120, 160, 3)
    assert last.faces
    shapes = {image.shape for _, image in session.pictures()}
    assert last.frame.image.shape in shapes
    assert shapes <= {(height, width, 3) for width, height in sizes}


def test_garbage_between_pictures_is_passed_over(device: type[Scripted], tmp_path: Path) -> None:
    good = faces(40)
    device.script = iter([step for i, picture in enumerate(good) for step in (picture, GARBAGE[i % len(GARBAGE)])])
    live, _, seen = run(tmp_path / "session")
    assert live.status.captured == 40
    assert seen[-1].faces
    assert is_sentence(live.status.error)


@pytest.mark.parametrize("kind", range(len(GARBAGE)))
def test_nothing_but_garbage_is_one_sentence(device: type[Scripted], kind: int) -> None:
    device.script = itertools.repeat(GARBAGE[kind])
    with pytest.raises(SourceError, match="delivers no picture: check") as caught:
        open_source(parse_source("camera"))
    assert is_sentence(str(caught.value))
    assert device.opened[-1].released


def test_noise_and_black_and_white_pictures(device: type[Scripted], tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (10, 120, 160, 3), dtype=np.uint8)
    plain = [np.full((120, 160, 3), value, np.uint8) for value in (0, 255)]
    device.script = iter([*faces(5), *noise, *faces(5), *plain * 5, *faces(10)])
    live, _, seen = run(tmp_path / "session")
    assert live.status.captured == 40
    assert seen[-1].faces


class OddClock:
    """A live source whose time stamps are what ``stamps`` says: old, equal, backwards, or no numbers at all."""

    note = ""

    def __init__(self, stamps: list[float]) -> None:
        self.info = SourceInfo("Odd clock", 160, 120, 30.0, len(stamps), live=False)
        self._stamps = stamps
        self._index = 0

    def read(self) -> Frame | None:
        if self._index == len(self._stamps):
            return None
        image = face_image(160, 120, 80 + self._index % 5, 60, 60)
        frame = Frame(self._index, self._stamps[self._index], image, 100 + self._index / 30)
        self._index += 1
        return frame

    def close(self) -> None: ...


STAMPS = {
    "standing still": [5.0] * 30,
    "backwards": [5.0 - i / 30 for i in range(30)],
    "old now and then": [i / 30 - (3600 if i % 7 == 3 else 0) for i in range(30)],
    "far ahead": [i / 30 + (1e9 if i > 15 else 0) for i in range(30)],
    "no numbers": [math.nan if i % 3 == 1 else math.inf if i % 3 == 2 else i / 30 for i in range(30)],
    "huge": [1e30 * (-1) ** i for i in range(30)],
}


@pytest.mark.parametrize("name", STAMPS)
def test_odd_time_stamps(name: str, tmp_path: Path) -> None:
    live, session, seen = run(tmp_path / "session", lambda: OddClock(STAMPS[name]))
    assert (live.status.state, live.status.error) == (LiveState.ENDED, "")
    assert [len(result.faces) for result in seen] == [1] * 30
    for result in seen:
        face = result.faces[0]
        assert face.other is not None
        assert np.isfinite(face.estimate.landmarks).all()
        assert np.isfinite(face.other.landmarks).all()
        truth = np.abs(face.other.landmarks - face.estimate.landmarks).mean()
        assert truth < 10, "the filter must not run away"
    assert len(session.recorded.estimates.row) == 60
    encoder = OscEncoder()
    for result in seen:
        assert json_datagrams(result)
        assert encoder(result)


def test_a_camera_that_comes_back_after_silence(device: type[Scripted], tmp_path: Path) -> None:
    """Reads that fail for less than the limit are no end."""
    device.script = iter([*faces(5), None, None, None, *faces(5), None, None, *faces(5)])
    live, _, _ = run(tmp_path / "session")
    assert live.status.captured == 15


def test_a_camera_that_stalls_while_the_window_closes(device: type[Scripted]) -> None:
    device.script = iter([*faces(3), "block"])
    live = LivePipeline(
        lambda: open_source(parse_source("camera")),
        lambda: Pipeline(SquareEngine(), SquareDetector(), TrackingSettings()),
        TrackingSettings(),
    )
    live.start()
    wait_until(lambda: live.status.captured == 3 and live.status.state == LiveState.RUNNING)
    assert live.stop(PATIENCE_SECONDS)
