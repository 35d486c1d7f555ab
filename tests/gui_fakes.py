"""A pipeline without network, detector and camera, for tests of the window."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.modes import Mode
from app.core.settings import TrackingSettings
from app.core.slot import LatestSlot
from app.gui.live.presenters.session import SessionParts
from app.gui.live.presenters.state import RecordingPlan
from app.sessions.recorder import RecordingSummary
from app.sources.base import Playable, SourceInfo
from app.sources.spec import SourceSpec, parse_source
from app.tracking.live import LiveState, LiveStatus
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerReading
from model.solvers import SolveReport
from model.solvers.report import StopReason
from model.topology import POINTS, REGIONS

SIZE = (320, 180)


def reading(overall: float) -> FlickerReading:
    regions = tuple(overall * (1 + 0.1 * i) for i in range(len(REGIONS)))
    return FlickerReading(overall, regions, np.linspace(0, 2 * overall, POINTS, dtype=np.float32))


def estimate(mode: str, flicker: float | None, points: NDArray[np.float32]) -> Estimate:
    warm = mode == Mode.RWR
    report = SolveReport(2 if warm else 5, (0.3, 0.02), 1, StopReason.BUDGET, warm, "" if warm else "first frame")
    spread = np.full(POINTS, 2.0, np.float32)
    return Estimate(mode, points, spread, report, None if flicker is None else reading(flicker))


def frame_result(
    index: int = 0,
    captured: float | None = None,
    tracking: TrackingSettings | None = None,
    faces: int = 1,
    image: NDArray[np.uint8] | None = None,
    flicker: dict[str, float] | None = None,
) -> FrameResult:
    """Return a result as the pipeline would for ``tracking``: RwR flickers 0.5 %, cold 1 %."""
    tracking = tracking or TrackingSettings()
    flicker = flicker or {Mode.RWR: 0.5, Mode.COLD: 1.0}
    if image is None:
        image = np.full((SIZE[1], SIZE[0], 3), 40, np.uint8)
    now = time.perf_counter() if captured is None else captured
    angle = np.arange(POINTS) / POINTS * 2 * np.pi
    points = (np.stack([np.cos(angle), np.sin(angle)], -1) * 40 + (160, 90)).astype(np.float32)
    modes = (Mode.RWR, Mode.COLD) if tracking.rwr else (Mode.COLD, Mode.RWR)
    found = tuple(
        FaceResult(
            face,
            Crop(160.0, 90.0, 100.0),
            estimate(modes[0], flicker[modes[0]], points),
            estimate(modes[1], flicker[modes[1]], points + 1) if tracking.compare else None,
        )
        for face in range(faces)
    )
    return FrameResult(Frame(index, index / 30, image, now), found, {"total": 0.01})


class FakeLive:
    """Behaves as ``LivePipeline``: results at about 100 per second on a thread of its own.

    Args:
        source: "camera:9" and "missing.mp4" do not open, "short.mp4" ends after five frames,
            "unplugged" fails after five, everything else plays on.
        tracking: settings to begin with.
        faces: in every frame.
        image: what every frame shows, grey if not given.
    """

    def __init__(
        self,
        source: SourceSpec | str,
        tracking: TrackingSettings,
        faces: int = 1,
        image: NDArray[np.uint8] | None = None,
    ) -> None:
        self.results: LatestSlot[FrameResult] = LatestSlot()
        self.source = str(source)
        self.tracking = self.begun_with = tracking
        self.resting = False
        self._faces = faces
        self._image = image
        self._consumers: tuple[Callable[[FrameResult], None], ...] = ()
        self._status = LiveStatus(LiveState.OPENING)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="fake-live", daemon=True)

    @property
    def status(self) -> LiveStatus:
        return self._status

    @property
    def playable(self) -> Playable | None:
        return None

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 5.0) -> bool:
        self._stop.set()
        self._thread.join(timeout)
        self.results.close()
        return not self._thread.is_alive()

    def configure(self, settings: TrackingSettings) -> None:
        self.tracking = settings

    def add_consumer(self, consumer: Callable[[FrameResult], None]) -> None:
        self._consumers = (*self._consumers, consumer)

    def restart_tracking(self) -> None: ...

    def rest(self, resting: bool) -> None:
        self.resting = resting

    def remove_consumer(self, consumer: Callable[[FrameResult], None]) -> None:
        self._consumers = tuple(known for known in self._consumers if known != consumer)

    def _run(self) -> None:
        if self.source in ("camera:9", "missing.mp4"):
            self._status = LiveStatus(LiveState.FAILED, error=f"{self.source} cannot be opened; choose another source.")
            return
        info = SourceInfo(self.source.title(), *SIZE, 30.0, None, True, self.source == "demo")
        for index in itertools.count():
            self._status = LiveStatus(LiveState.RUNNING, info, "fake, CPU", "", index, index, 0)
            if index == 5 and self.source == "short.mp4":
                self._status = LiveStatus(LiveState.ENDED, info, "fake, CPU", "", index, index, 0)
                return
            if index == 5 and self.source == "unplugged":
                error = "The camera stopped delivering; plug it in again."
                self._status = LiveStatus(LiveState.FAILED, info, "fake, CPU", error, index, index, 0)
                return
            result = frame_result(index, tracking=self.tracking, faces=self._faces, image=self._image)
            self.results.put(result)
            for consumer in self._consumers:
                consumer(result)
            if self._stop.wait(0.01):
                return


class FakeRecorder:
    """Behaves as ``Recorder`` and keeps nothing but counts."""

    def __init__(self, plan: RecordingPlan) -> None:
        self.path = plan.path
        self.plan = plan
        self.frames = 0
        self.dropped = 0
        self.error: str | None = None
        self.stopped = False
        self._lock = threading.Lock()

    def offer(self, result: FrameResult) -> None:
        with self._lock:
            self.frames += not self.stopped

    def stop(self, timeout: float = 10.0) -> RecordingSummary:
        with self._lock:
            self.stopped = True
            return RecordingSummary(self.path, self.frames, self.dropped, self.frames / 30, self.error)


def fake_parts(cameras: tuple[str, ...] = ("camera:0",), faces: int = 1) -> SessionParts:
    """Return parts of a session that need nothing."""
    found = [parse_source(camera) for camera in cameras]
    return SessionParts(lambda source, tracking: FakeLive(source, tracking, faces), FakeRecorder, lambda: found)
