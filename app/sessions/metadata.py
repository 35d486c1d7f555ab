"""Metadata of a session: time, source, model, settings, versions and checksums."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from app.core.errors import UserError
from app.core.settings import EngineSettings, TrackingSettings
from app.core.version import VERSION
from app.sessions.form import METADATA, SESSION_KIND, SessionError, SessionState, read_form, write_form
from app.sessions.plain import from_plain, to_plain
from app.sources.base import Adaptation, SourceInfo
from model.engine.measured import package_versions
from model.errors import ModelError
from model.metrics.flicker_meter import METER
from model.weights import sha256

PACKAGES = (
    *("numpy", "opencv-contrib-python", "mediapipe", "onnxruntime", "onnxruntime-gpu"),
    *("torch", "scipy", "av", "pillow", "pillow-heif", "pyarrow", "safetensors", "array-api-compat"),
)
"""Packages whose versions may change what is computed or stored."""
METER_KEY = "flicker meter"


@dataclass(frozen=True, slots=True)
class SourceFacts:
    """Where the pictures came from; see :class:`app.sources.base.SourceInfo`.

    Attributes:
        spec: what the person named, such as "camera:1".
        photos: the pictures do not continue each other, so each was solved on its own.
        adaptations: what was done to the stored pictures, so that they are seen as they are meant to be.
    """

    spec: str
    name: str
    width: int
    height: int
    fps: float | None
    frames: int | None
    live: bool
    demo: bool = False
    photos: bool = False
    adaptations: tuple[Adaptation, ...] = ()

    @classmethod
    def of(cls, spec: str, info: SourceInfo) -> SourceFacts:
        """Return the facts of an open source."""
        return cls(
            spec,
            info.name,
            info.width,
            info.height,
            info.fps,
            info.frames,
            info.live,
            info.demo,
            info.photos,
            info.adaptations,
        )


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """What computed the landmarks.

    Attributes:
        name: library and device that ran.
        weights: the weights file's name.
        sha256: of the weights file; None if it could not be read.
        settings: as requested.
    """

    name: str
    weights: str
    sha256: str | None
    settings: EngineSettings

    @property
    def title(self) -> str:
        """The model's name, as :attr:`EngineSettings.title` has it."""
        return replace(self.settings, weights=Path(self.weights)).title  # its path may be that of another system

    def title_beside(self, other: EngineFacts) -> str:
        """The title, with the beginning of the checksum where ``other`` has the same one but other weights."""
        if self.title != other.title or self.sha256 is None or other.sha256 in (None, self.sha256):
            return self.title
        return f"{self.title} ({self.sha256[:8]})"

    def described(self) -> dict[str, str]:
        """Return what made landmarks, for a file that stands alone: application, model, weights and engine."""
        facts = {"application": VERSION, "model": self.title, "weights": self.weights, "engine": self.name}
        return facts if self.sha256 is None else facts | {"weights_sha256": self.sha256}

    @classmethod
    def of(cls, name: str, settings: EngineSettings) -> EngineFacts:
        """Return the facts of an engine that runs, without the checksum: no file is read."""
        return cls(name, settings.weights.name, None, settings)

    def with_checksum(self) -> EngineFacts:
        """Return the same with the checksum of the weights file, which is computed if it is not known yet."""
        if self.sha256 is not None:
            return self
        try:
            return replace(self, sha256=sha256(self.settings.weights))
        except OSError:
            return self


@dataclass(frozen=True, slots=True)
class VideoFacts:
    """The clean pictures.

    Attributes:
        file: name inside the folder, or the whole path of a video elsewhere that was tracked.
        inside: whether the file lies inside the folder.
        lossless: the pictures are those that were tracked, value by value.
        sha256: of a file elsewhere, to recognise it.
    """

    file: str
    inside: bool = True
    lossless: bool = False
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Counts:
    """How much was recorded.

    Attributes:
        frames: tracked frames.
        pictures: of them in the clean video.
        dropped: pictures that were meant for it and are missing.
        annotated: pictures in the annotated video.
        annotated_dropped: pictures that were meant for that one.
        skipped: frames of a live source that were not tracked because newer ones had come.
    """

    frames: int = 0
    pictures: int = 0
    dropped: int = 0
    annotated: int = 0
    annotated_dropped: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Origin:
    """The session that this one was cut from, by its id, and the part: start and end in seconds of its time."""

    session: str
    name: str
    take: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class SessionMetadata:
    """Everything in ``session.json``.

    Attributes:
        session: an id that no other session has.
        state: "recording" while it is written, "complete" at the end.
        started: UTC, ISO 8601.
        ended: the same, None until then.
        application: version of LDEQ Live.
        seconds: playing time.
        tracking: settings in the first frame; events tell what changed later.
        exact: replaying it as recorded gives the landmarks bit for bit, on the same engine.
        exact_frames: for how many frames from the first that holds; all of them where ``exact``.
        privacy: no pictures were stored.
        annotated: name of the annotated video, None if there is none.
        checksums: SHA-256 of the files in the folder by name, once they are finished.
    """

    source: SourceFacts
    engine: EngineFacts
    tracking: TrackingSettings
    session: str = field(default_factory=lambda: uuid4().hex)
    state: SessionState = SessionState.RECORDING
    started: str = field(default_factory=lambda: now())
    ended: str | None = None
    application: str = VERSION
    seconds: float = 0.0
    video: VideoFacts | None = None
    annotated: str | None = None
    exact: bool = False
    exact_frames: int = 0
    privacy: bool = False
    counts: Counts = field(default_factory=Counts)
    origin: Origin | None = None
    versions: dict[str, str] = field(default_factory=lambda: versions())
    checksums: dict[str, str] = field(default_factory=dict)


def now() -> str:
    """Return the present in UTC, ISO 8601, to the second."""
    return datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")


def versions() -> dict[str, str]:
    """Return the versions of everything that may change the results."""
    system = f"{platform.system()} {platform.machine()}"
    own = {"python": platform.python_version(), "system": system, METER_KEY: str(METER)}
    return own | package_versions(PACKAGES)


def meter_of(versions: Mapping[str, str]) -> str:
    """Return which flicker meter measured a take with these ``versions``; before they named it there was one."""
    return versions.get(METER_KEY, "1")


def read_metadata(folder: Path) -> SessionMetadata:
    """Read a session's ``session.json``.

    Raises:
        SessionError: one sentence if it is missing or cannot be used.
    """
    values = read_form(folder / METADATA, SESSION_KIND)
    return facts_from(SessionMetadata, values, folder / METADATA)


def facts_from(kind: type[Any], values: dict[str, Any], path: Path) -> Any:
    """Return the facts that a file describes.

    Raises:
        SessionError: if they cannot be used.
    """
    try:
        return from_plain(kind, values)
    except (ValueError, TypeError, UserError, ModelError) as error:
        raise SessionError(f"{path} is damaged or of a newer LDEQ Live ({error}); restore it or update.") from error


def write_metadata(folder: Path, metadata: SessionMetadata) -> None:
    """Write a session's ``session.json``; it appears whole or not at all.

    Raises:
        RecordingError: if it cannot be written.
    """
    write_form(folder / METADATA, SESSION_KIND, to_plain(metadata))


def checksums(folder: Path, names: list[str]) -> dict[str, str]:
    """Return the SHA-256 of those of the named files that can be read."""
    found = {}
    for name in names:
        with suppress(OSError):
            found[name] = sha256(folder / name)
    return found
