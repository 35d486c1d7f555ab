"""The report card of a hold-still test: figures and what they were measured with, one frozen value."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import file_digest
from pathlib import Path

from app.core.errors import UserError
from app.core.settings import TrackingSettings
from app.core.version import VERSION
from app.holdstill.figures import Figures, ModeFigures
from app.sources.base import SourceInfo

CAMERA, FILE, DEMO = "camera", "file", "demo"


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
        kind: "camera" for every live source, "file" or "demo".
        got: what it delivered.
        asked: what it was asked for; None where nothing was.
    """

    name: str
    kind: str
    got: Format
    asked: Format | None = None


def camera_of(info: SourceInfo) -> Camera:
    """Return a source's facts as a card keeps them."""
    kind = DEMO if info.demo else CAMERA if info.live else FILE
    asked = None if info.asked is None else Format(info.asked.width, info.asked.height, info.asked.fps)
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
    """Versions of what measured."""

    ldeq_live: str
    python: str
    system: str


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
        """Return one mode's figures, None where it was not measured."""
        return next((mode for mode in self.figures.modes if mode.mode == name), None)

    def labelled(self, label: str) -> Card:
        """Return the same card under another label."""
        return replace(self, label=" ".join(label.split()))


@dataclass(frozen=True, slots=True)
class Circumstances:
    """What a test cannot see in its frames, asked when it begins.

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


def make_card(figures: Figures, circumstances: Circumstances, label: str = "", now: datetime | None = None) -> Card:
    """Return the card of a test that has just ended; reads the weights' file for its checksum.

    Raises:
        UserError: where the weights' file is gone.
    """
    moment = (now or datetime.now()).astimezone().replace(microsecond=0)
    return Card(
        created=moment.isoformat(),
        label=" ".join(label.split()),
        camera=circumstances.camera,
        engine=EngineFacts(circumstances.engine, circumstances.weights.name, _checksum(circumstances.weights)),
        settings=asdict(circumstances.tracking),
        software=Software(VERSION, platform.python_version(), f"{platform.system()} {platform.machine()}"),
        figures=figures,
    )


def _checksum(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path} cannot be read any more; put the weights back and repeat the test.") from error
