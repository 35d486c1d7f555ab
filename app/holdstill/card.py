"""The report card of a hold-still test: its figures and the conditions they were measured under."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from app.core.errors import UserError
from app.core.settings import TrackingSettings
from app.core.version import VERSION
from app.sessions.plain import to_plain
from app.sources.base import SourceInfo
from model.metrics.flicker_meter import METER
from model.weights import sha256


class SourceKind(StrEnum):
    """Where a card's pictures came from; every live source is a camera."""

    CAMERA = "camera"
    FILE = "file"
    DEMO = "demo"


GOOD_STILL_SECONDS = 6.0
"""Below this the test counts, but the person is advised to repeat it."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Landmark noise, root mean square over points and frames.

    Attributes:
        percent: over all points, in % of the inter-ocular distance.
        pixels: over all points, in frame pixels.
        regions_percent: per region, in the order of ``model.topology.REGIONS``.
        regions_pixels: the same in frame pixels.
    """

    percent: float
    pixels: float
    regions_percent: tuple[float, ...]
    regions_pixels: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class ModeFigures:
    """One mode's figures.

    Attributes:
        mode: its name.
        flicker: from frame to frame.
        wander: around the resting place.
        points: flicker of each of the 98 points, in % of the inter-ocular distance.
        seconds: flicker of each second that had still frames, overall, in %; for the confidence interval.
        evaluations: of the network's cell, mean per frame.
        frames: that were counted.
    """

    mode: str
    flicker: Noise
    wander: Noise
    points: tuple[float, ...]
    seconds: tuple[float, ...]
    evaluations: float
    frames: int


@dataclass(frozen=True, slots=True)
class Stillness:
    """How still the person was.

    Attributes:
        seconds: counted, without motion and blinks.
        asked: seconds the test lasted.
        travel: how far the head's centre went in all, the box's diagonal, in % of the inter-ocular distance.
        speed: of the head's centre, 95th percentile, in % of the inter-ocular distance a second.
        blinks: how many were left out.
    """

    seconds: float
    asked: float
    travel: float
    speed: float
    blinks: int

    @property
    def good(self) -> bool:
        """Whether enough of the test was still."""
        return self.seconds >= GOOD_STILL_SECONDS


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast tracking went.

    Attributes:
        fps: frames tracked a second.
        latency_p50: seconds from capture to result, median.
        latency_p95: the 95th percentile.
        skipped: frames of the source that were not tracked.
    """

    fps: float
    latency_p50: float
    latency_p95: float
    skipped: int


@dataclass(frozen=True, slots=True)
class Light:
    """The conditions of the test, medians over it; see :class:`app.tracking.conditions.Conditions`.

    Attributes:
        light: mean luma of the face, 0 to 255.
        dark: share of the face without detail in the dark.
        bright: share of the face clipped to white.
        contrast: standard deviation of the luma.
        sharpness: variance of the second difference along the worse axis over the luma's, in percent.
        noise: standard deviation of the sensor's noise in grey levels of 255.
        inter_ocular: distance of the outer eye corners in frame pixels.
        height: of the landmarks' box, as a share of the picture's height.
        cut_off: share of the landmarks outside the picture.
    """

    light: float
    dark: float
    bright: float
    contrast: float
    sharpness: float
    noise: float
    inter_ocular: float
    height: float
    cut_off: float


@dataclass(frozen=True, slots=True)
class Figures:
    """Everything a test measured; the first mode is the one that was chosen for display."""

    modes: tuple[ModeFigures, ...]
    stillness: Stillness
    pace: Pace
    light: Light


@dataclass(frozen=True, slots=True)
class Format:
    """A picture's size, and its rate where known."""

    width: int
    height: int
    fps: float | None = None

    def text(self) -> str:
        """Return "1280 x 720, 30 fps"."""
        rate = "" if self.fps is None else f", {self.fps:.4g} fps"
        return f"{self.width} \u00d7 {self.height}{rate}"


@dataclass(frozen=True, slots=True)
class Camera:
    """Where the pictures came from.

    Attributes:
        name: as the window shows it.
        kind: of source.
        got: what it delivered.
        asked: what it was asked for; None if nothing was.
    """

    name: str
    kind: SourceKind
    got: Format
    asked: Format | None = None


def camera_of(info: SourceInfo) -> Camera:
    """Return a source's facts as a card keeps them."""
    kind = SourceKind.DEMO if info.demo else SourceKind.CAMERA if info.live else SourceKind.FILE
    asked = None if info.requested is None else Format(info.requested.width, info.requested.height, info.requested.fps)
    return Camera(info.name, kind, Format(info.width, info.height, info.fps), asked)


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What the model ran on.

    Attributes:
        name: library and device.
        weights: name of the weights' file.
        sha256: its checksum, in hexadecimal.
    """

    name: str
    weights: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Software:
    """Versions of the software."""

    ldeq_live: str
    python: str
    system: str
    flicker_meter: int = 1  # of cards that do not name it


@dataclass(frozen=True, slots=True)
class Card:
    """One report card.

    Attributes:
        created: date and time with the zone, ISO 8601.
        label: what the person called it, such as "Ada, by the window"; may be empty.
        camera: source of the pictures.
        engine: model and device.
        settings: the tracking settings in force, as plain values.
        software: versions.
        figures: what was measured.
    """

    created: str
    label: str
    camera: Camera
    engine: EngineFacts
    settings: Mapping[str, object]
    software: Software
    figures: Figures

    @property
    def when(self) -> datetime:
        """Date and time of the test."""
        return datetime.fromisoformat(self.created)

    @property
    def title(self) -> str:
        """The label, or else the camera's name."""
        return self.label or self.camera.name

    @property
    def modes(self) -> tuple[str, ...]:
        """The modes measured, the chosen one first."""
        return tuple(mode.mode for mode in self.figures.modes)

    def mode(self, name: str) -> ModeFigures | None:
        """Return one mode's figures, None if it was not measured."""
        return next((mode for mode in self.figures.modes if mode.mode == name), None)

    def labelled(self, label: str) -> Card:
        """Return the same card under another label."""
        return replace(self, label=" ".join(label.split()))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Facts that frames do not show, recorded when a test begins.

    Attributes:
        camera: source of the pictures.
        engine: library and device that run.
        weights: the weights' file.
        tracking: the settings in force during the test.
    """

    camera: Camera
    engine: str
    weights: Path
    tracking: TrackingSettings


def make_card(figures: Figures, circumstances: Circumstances) -> Card:
    """Return the card of a test that has just ended; reads the weights' file for its checksum.

    Raises:
        UserError: if the weights' file is gone.
    """
    return Card(
        created=datetime.now().astimezone().replace(microsecond=0).isoformat(),
        label="",
        camera=circumstances.camera,
        engine=EngineFacts(circumstances.engine, circumstances.weights.name, _checksum(circumstances.weights)),
        settings=to_plain(circumstances.tracking),
        software=Software(VERSION, platform.python_version(), f"{platform.system()} {platform.machine()}", METER),
        figures=figures,
    )


def _checksum(path: Path) -> str:
    try:
        return sha256(path)
    except OSError as error:
        raise UserError(f"{path} cannot be read any more; put the weights back and repeat the test.") from error
