"""Results, videos, a source and a pipeline with known content, for tests of outputs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from app.core.errors import SourceError
from app.core.frame import Estimate, FaceResult, Frame, FrameResult
from app.core.modes import Mode
from app.sources.base import SourceInfo
from app.sources.spec import PathSpec
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerReading
from model.solvers import SolveReport
from model.solvers.report import StopReason
from model.topology import POINTS, REGIONS

NTSC = Fraction(30000, 1001)
SAMPLE_RATE = 48000


def picture(index: int, width: int = 64, height: int = 48) -> NDArray[np.uint8]:
    """Return a grey picture whose brightness tells its index (up to 20)."""
    return np.full((height, width, 3), 20 + 10 * index, np.uint8)


def index_of(image: NDArray[np.uint8]) -> int:
    """Return the index that :func:`picture` was called with."""
    return round((float(image.mean()) - 20) / 10)


def landmarks(centre: tuple[float, float] = (32.0, 24.0), radius: float = 15.0) -> NDArray[np.float32]:
    angle = np.arange(POINTS) / POINTS * 2 * np.pi
    return (np.stack([np.cos(angle), np.sin(angle)], -1) * radius + centre).astype(np.float32)


def estimate(mode: str = Mode.RWR, points: NDArray[np.float32] | None = None, spread: float = 1.5) -> Estimate:
    """Return an estimate: RwR is warm with 2 evaluations and 0.42 % flicker, cold has 5 and 0.9 %."""
    warm = mode == Mode.RWR
    report = SolveReport(2 if warm else 5, (0.25, 0.0625), 1, StopReason.BUDGET, warm, "" if warm else "RwR off")
    reading = FlickerReading(0.42 if warm else 0.9, (0.5,) * len(REGIONS))
    where = landmarks() if points is None else points
    return Estimate(mode, where, np.full(POINTS, spread, np.float32), report, reading)


def result(
    index: int = 0,
    time: float | None = None,
    *,
    faces: Sequence[Estimate] | None = None,
    other: Estimate | None = None,
    image: NDArray[np.uint8] | None = None,
) -> FrameResult:
    """Return the result of a frame that was shown and captured at ``time`` (index / 30 if not given)."""
    stamp = index / 30 if time is None else time
    shown = picture(index) if image is None else image
    shown.setflags(write=False)
    found = tuple(
        FaceResult(number, Crop(32.0, 24.0, 40.0), main, other)
        for number, main in enumerate([estimate()] if faces is None else faces)
    )
    return FrameResult(Frame(index, stamp, shown, 100.0 + stamp), found)


@dataclass(frozen=True)
class Video:
    """A video that was read back: presentation times in seconds, RGB pictures, audio packets."""

    times: list[Fraction]
    images: list[NDArray[np.uint8]]
    audio: list[tuple[Fraction, bytes]]
    rate: Fraction | None

    @property
    def indices(self) -> list[int]:
        return [index_of(image) for image in self.images]


def read_video(path: Path) -> Video:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        times, images = [], []
        for frame in container.decode(stream):
            assert frame.pts is not None
            assert stream.time_base is not None
            times.append(frame.pts * stream.time_base)
            images.append(np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
        rate = stream.average_rate
    with av.open(str(path)) as container:
        audio = [
            (packet.pts * packet.time_base, bytes(packet))
            for stream in container.streams.audio[:1]
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None and packet.time_base is not None
        ]
    return Video(times, images, audio, rate)


def make_video(
    path: Path,
    pts: Sequence[int],
    time_base: Fraction,
    rate: Fraction = Fraction(30),
    *,
    audio: str | None = "aac",
    size: tuple[int, int] = (64, 48),
) -> None:
    """Write :func:`picture` 0, 1, ... at the given times, with a tone as long as the pictures."""
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "crf": "10"})
        video.width, video.height = size
        video.pix_fmt = "yuv420p"
        video.codec_context.time_base = video.time_base = time_base
        tone: Any = container.add_stream(audio, rate=SAMPLE_RATE, layout="mono") if audio else None
        samples = 0
        for index, stamp in enumerate(pts):
            frame = av.VideoFrame.from_ndarray(picture(index % 20, *size), format="rgb24")
            frame.pts, frame.time_base = stamp, time_base
            container.mux(video.encode(frame))
            while tone is not None and samples < float(stamp * time_base) * SAMPLE_RATE + 1:
                wave = (np.sin(np.arange(samples, samples + 1024) * 0.05) * 0.3).astype(np.float32)[None]
                form = tone.codec_context.format.name
                block = av.AudioFrame.from_ndarray(
                    (wave * 30000).astype(np.int16) if form == "s16" else wave, format=form, layout="mono"
                )
                block.sample_rate, block.pts, block.time_base = SAMPLE_RATE, samples, Fraction(1, SAMPLE_RATE)
                container.mux(tone.encode(block))
                samples += 1024
        container.mux(video.encode(None))
        if tone is not None:
            container.mux(tone.encode(None))


class FileSource:
    """Decodes a video with its own times; breaks after ``breaks_after`` frames if asked."""

    note = ""

    def __init__(self, spec: PathSpec | Path, breaks_after: int | None = None) -> None:
        path = spec.path if isinstance(spec, PathSpec) else spec
        self._container = av.open(str(path))
        stream = self._container.streams.video[0]
        self._frames = enumerate(self._container.decode(stream))
        assert stream.time_base is not None
        assert stream.average_rate is not None
        self._base = stream.time_base
        self._breaks_after = breaks_after
        self.info = SourceInfo(path.name, stream.width, stream.height, float(stream.average_rate), None, False)
        self.closed = False

    def read(self) -> Frame | None:
        index, frame = next(self._frames, (0, None))
        if frame is None:
            return None
        if index == self._breaks_after:
            raise SourceError("The file is damaged.")
        assert frame.pts is not None
        image = np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
        return Frame(index, float(frame.pts * self._base), image, 0.0)

    def close(self) -> None:
        self.closed = True
        self._container.close()


class PictureSource:
    """Yields the given pictures, 25 a second."""

    note = ""

    def __init__(self, images: Sequence[NDArray[np.uint8]], live: bool = False) -> None:
        self._images = list(images)
        self._next = 0
        height, width = self._images[0].shape[:2] if self._images else (0, 0)
        self.info = SourceInfo("pictures", width, height, 25.0, None if live else len(self._images), live)

    def read(self) -> Frame | None:
        if self._next == len(self._images):
            return None
        index, self._next = self._next, self._next + 1
        return Frame(index, index / 25, self._images[index], 500 + index / 25)

    def close(self) -> None:
        pass


class FakePipeline:
    """Finds one face in every frame, cold in the first, warm in the others; none if ``blind``."""

    engine_name = "fake, CPU"

    def __init__(self, blind: bool = False) -> None:
        self.blind = blind
        self.closed = False
        self.processed = 0

    def process(self, frame: Frame) -> FrameResult:
        self.processed += 1
        if self.blind:
            return FrameResult(frame, ())
        main = estimate()
        if self.processed == 1:
            report = SolveReport(5, (0.5, 0.1), 1, StopReason.BUDGET, False, "first frame")
            main = Estimate(Mode.RWR, main.landmarks, main.uncertainty, report)
        return FrameResult(frame, (FaceResult(3, Crop(32.0, 24.0, 40.0), main),))

    def close(self) -> None:
        self.closed = True


COLD_ESTIMATE = estimate(Mode.COLD)
