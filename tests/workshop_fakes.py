"""Real pipelines and recorders for a window, on fake engines and sources."""

from __future__ import annotations

import threading
import time

from app.core.errors import SourceError
from app.core.frame import Frame
from app.core.settings import EngineSettings, TrackingSettings
from app.gui.live.presenters.session import SessionParts
from app.gui.live.presenters.state import RecordingPlan
from app.gui.window import make_recorder
from app.sessions.recorder import SessionRecorder
from app.sources.base import Source, SourceInfo
from app.sources.spec import CameraSpec, SourceSpec
from app.tracking.live import LivePipeline
from app.tracking.pipeline import Pipeline
from tests.fakes import SquareDetector, SquareEngine, face_image

WIDTH, HEIGHT = 160, 120


class MovingSquare:
    """A live source at up to 200 frames per second; it ends after ``frames``."""

    note = ""

    def __init__(self, name: str, frames: int) -> None:
        self.info = SourceInfo(name, WIDTH, HEIGHT, 200.0, None, True)
        self._frames = frames
        self._index = 0
        self._closed = threading.Event()

    def read(self) -> Frame | None:
        if self._closed.wait(0.005) or self._index >= self._frames:
            return None
        image = face_image(WIDTH, HEIGHT, 80 + self._index % 10, 60, 60)
        frame = Frame(self._index, self._index * 0.005, image, time.perf_counter())
        self._index += 1
        return frame

    def close(self) -> None:
        self._closed.set()


class Workshop:
    """Real pipelines and recorders on fake engines and sources; remembers every recorder."""

    def __init__(self) -> None:
        self.recorders: list[SessionRecorder] = []
        self.parts = SessionParts(self.live, self.recorder, lambda: [CameraSpec("0")])

    def live(self, source: SourceSpec, tracking: TrackingSettings) -> LivePipeline:
        def opened() -> Source:
            if str(source) == "missing.mp4":
                raise SourceError("There is no missing.mp4; choose another source.")
            return MovingSquare(str(source), 12 if str(source) == "short.mp4" else 10**9)

        return LivePipeline(opened, lambda: Pipeline(SquareEngine(), SquareDetector(), tracking), tracking)

    def recorder(self, plan: RecordingPlan) -> SessionRecorder:
        self.recorders.append(make_recorder(EngineSettings(), plan))
        return self.recorders[-1]
