"""What a person types for a source, read once into a typed value: :func:`parse_source`; ``str`` writes it back."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar
from urllib.parse import unquote

from app.core.errors import SourceError
from app.sources.content import Content, content_of


class SourceKind(StrEnum):
    """The kinds of source; for cameras, screens and the demo also the word that a person types."""

    CAMERA = "camera"
    SCREEN = "screen"
    DEMO = "demo"
    STREAM = "stream"
    FILE = "file"
    PICTURE = "picture"
    ANIMATION = "animation"
    FOLDER = "folder"


VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv"}
    | {".3gp", ".ogv", ".nut"}
)
"""Suffixes of videos in folders and patterns. A file that is named itself is tried whatever its suffix."""
PICTURE_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".ppm", ".pgm", ".pbm", ".pnm"}
    | {".heic", ".heif", ".hif", ".avif", ".apng"}
)
"""Suffixes of pictures in folders. Of a file that is named itself, the content decides."""
AUTO = "auto"
"""In place of a size: leave the camera's format as it is."""

_SIZE = r"(?:(?P<width>\d{1,6})\s*[xX\u00d7]\s*(?P<height>\d{1,6})(?:@(?P<fps>\d{1,6}(?:\.\d{1,6})?))?|(?P<auto>auto))"
_CAMERA = re.compile(rf"camera\s*(?::(?P<name>.*?))??\s*(?:@{_SIZE})?", re.IGNORECASE | re.DOTALL)
_SCREEN = re.compile(r"screen\s*($|[:@])", re.IGNORECASE)
_SCREEN_PART = re.compile(
    r"screen\s*(?::\s*(?P<number>\d{1,3}))?"
    r"(?:@(?P<left>\d{1,6}),(?P<top>\d{1,6}),(?P<width>\d{1,6})[xX\u00d7](?P<height>\d{1,6}))?",
    re.IGNORECASE,
)
_DEVICE = re.compile(r"/dev/video(\d+)")
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_FILE = re.compile(r"file://(?:localhost)?(?=/)", re.IGNORECASE)
_DRIVE = re.compile(r"/[a-z]:/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """What to request from a camera, which may deliver the nearest format that it supports.

    Raises:
        SourceError: for a size or rate that no camera can have.
    """

    width: int = 1280
    height: int = 720
    fps: float = 30.0
    fourcc: str = "MJPG"

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.fps <= 0:
            raise SourceError("A camera's width, height and frames per second must be above 0.")
        if len(self.fourcc) != 4:
            raise SourceError(f"A camera's pixel format has four letters such as MJPG, not {self.fourcc!r}.")

    def __str__(self) -> str:
        """As it is typed after a camera's name, without the pixel format."""
        return f"{self.width}x{self.height}@{self.fps:g}"

    @property
    def label(self) -> str:
        """For display: "1280 x 720, 30 fps" with a real multiplication sign."""
        return f"{self.width} \u00d7 {self.height}, {self.fps:g} fps"


FORMATS: tuple[CameraFormat | None, ...] = (
    CameraFormat(640, 480, 30.0),
    CameraFormat(1280, 720, 30.0),
    CameraFormat(1280, 720, 60.0),
    CameraFormat(1920, 1080, 30.0),
    CameraFormat(1920, 1080, 60.0),
    None,
)
"""What the window offers; None leaves the camera's format as it is. OpenCV cannot list what a camera supports with any
backend, so the window shows the format that was requested and the one that was delivered."""


@dataclass(frozen=True, slots=True)
class CameraSpec:
    """``camera``, ``camera:1`` or ``camera:NAME``, each optionally followed by ``@1920x1080``, ``@1920x1080@60`` or
    ``@auto``. An @ that no size follows belongs to the name.

    Attributes:
        name: the camera's number, its name or a part of its name; "" for the first camera.
        format: what to request; None leaves the camera's format as it is.
    """

    kind: ClassVar = SourceKind.CAMERA
    name: str = ""
    format: CameraFormat | None = CameraFormat()

    @property
    def label(self) -> str:
        """Short name for display, until the camera is open and its own name known."""
        return f"Camera {self.name}".strip()

    def __str__(self) -> str:
        """As it is typed; a format is left out if it is the default."""
        name = f"{self.kind}:{self.name}" if self.name else str(self.kind)
        if self.format == CameraFormat() and _parse_camera(name) == self:
            return name
        return f"{name if self.name else f'{self.kind}:'}@{AUTO if self.format is None else self.format}"


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a screen, in the units in which the system places windows, from the screen's top left corner."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class ScreenSpec:
    """``screen``, ``screen:2``, or a part of a screen: ``screen:1@LEFT,TOP,WIDTHxHEIGHT``.

    Attributes:
        number: 1 for the first screen.
        region: None for the whole screen.
    """

    kind: ClassVar = SourceKind.SCREEN
    number: int = 1
    region: Region | None = None

    @property
    def label(self) -> str:
        """Short name for display."""
        part = "" if self.region is None else f", {self.region.width} \u00d7 {self.region.height}"
        return f"Screen {self.number}{part}"

    def __str__(self) -> str:
        """As it is typed, always with the number."""
        part = self.region
        where = "" if part is None else f"@{part.left},{part.top},{part.width}x{part.height}"
        return f"{self.kind}:{self.number}{where}"


@dataclass(frozen=True, slots=True)
class DemoSpec:
    """``demo``: the built-in clip."""

    kind: ClassVar = SourceKind.DEMO

    @property
    def label(self) -> str:
        """Short name for display."""
        return "Demo clip"

    def __str__(self) -> str:
        """As it is typed."""
        return str(self.kind)


@dataclass(frozen=True, slots=True)
class StreamSpec:
    """The address of a network stream."""

    kind: ClassVar = SourceKind.STREAM
    url: str

    @property
    def label(self) -> str:
        """The address without what may be secret: user name, password and query."""
        # A password may hold an @ itself: as for FFmpeg, the last one before the path counts.
        return re.sub(r"//[^/?#]*@", "//", self.url).split("?", 1)[0]

    @property
    def secret(self) -> bool:
        """Whether the address may hold a password or an access token, and so must not be written to a file."""
        return self.label != self.url

    def __str__(self) -> str:
        """The whole address."""
        return self.url


@dataclass(frozen=True, slots=True)
class PathSpec:
    """A video, a picture, or a folder of pictures or of a recorded session; also what is not there (any more).

    Attributes:
        typed: the path as it was typed, which may be relative and begin with ``~``.
    """

    typed: str

    @property
    def path(self) -> Path:
        """The path, with ``~`` expanded if there is such a user."""
        path = Path(self.typed)
        try:
            return path.expanduser()
        except RuntimeError:
            return path

    @property
    def exists(self) -> bool:
        """Whether there is a file or folder now; False for names that no file can have."""
        try:
            return self.path.exists()
        except (OSError, ValueError):
            return False

    @property
    def kind(self) -> SourceKind:
        """Folder, picture, animation or (any other) file: by what is there now, by its suffix if that does not tell."""
        if self.exists:
            if self.path.is_dir():
                return SourceKind.FOLDER
            if (content := content_of(self.path)) is not None:
                return _KINDS[content]
        return SourceKind.PICTURE if self.path.suffix.lower() in PICTURE_SUFFIXES else SourceKind.FILE

    @property
    def label(self) -> str:
        """The name of the file or folder, without those above it."""
        return self.typed.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1] or self.typed

    def __str__(self) -> str:
        """As it was typed."""
        return self.typed


_KINDS = {
    Content.PICTURE: SourceKind.PICTURE,
    Content.ANIMATION: SourceKind.ANIMATION,
    Content.VIDEO: SourceKind.FILE,
}
SourceSpec = CameraSpec | ScreenSpec | DemoSpec | StreamSpec | PathSpec


def parse_source(text: str) -> SourceSpec:
    """Read what a person typed. Nothing is opened, and a path need not exist.

    The words ``camera``, ``screen`` and ``demo`` may be written in upper case; a file of such a name can be given as
    ``./demo``. The address of a local file, as file managers and browsers copy it, is its path.

    Raises:
        SourceError: nothing was typed, or a camera or screen that cannot exist.
    """
    whole, text = PathSpec(text), text.strip()
    if not text:
        raise SourceError("No source was named: give a camera, a screen, a file, a folder, a stream's URL or demo.")
    if text.lower() == SourceKind.DEMO:
        return DemoSpec()
    if (camera := _parse_camera(text)) is not None:
        return camera
    if text.startswith("/dev/") and (number := _device_number(text)) is not None:
        return CameraSpec(number)
    if _SCREEN.match(text):
        return _parse_screen(text)
    if (file := _FILE.match(text)) is not None:
        path = unquote(text[file.end() :])
        return PathSpec(path[1:] if _DRIVE.match(path) else path)
    if _URL.match(text):
        return StreamSpec(text)
    return whole if whole.exists else PathSpec(text)  # a name may begin or end with a space


def missing(spec: PathSpec) -> SourceError:
    """Return the error for a path at which there is nothing."""
    if spec.typed.isdecimal():
        return SourceError(f"There is no file or folder {spec.typed}: give camera:{spec.typed} for the camera.")
    return SourceError(
        f"There is no file or folder {spec.path}: check its name, or give camera, screen, demo or a stream's URL."
    )


def public_text(spec: SourceSpec) -> str:
    """Return ``spec`` as it is typed, but without what may be secret, for files that are passed on."""
    return spec.label if isinstance(spec, StreamSpec) else str(spec)


def _device_number(path: str) -> str | None:
    """Return the number of a camera that is given by its device, or by a link to it, such as those in /dev/v4l."""
    try:
        found = _DEVICE.fullmatch(os.path.realpath(path))
    except ValueError:  # a name that no file can have
        return None
    return None if found is None else found[1]


def _parse_camera(text: str) -> CameraSpec | None:
    found = _CAMERA.fullmatch(text)
    if found is None:
        return None
    name = (found["name"] or "").strip()
    if found["auto"]:
        return CameraSpec(name, None)
    if found["width"] is None:
        return CameraSpec(name)
    fps = float(found["fps"]) if found["fps"] else CameraFormat().fps
    return CameraSpec(name, CameraFormat(int(found["width"]), int(found["height"]), fps))


def _parse_screen(text: str) -> ScreenSpec:
    found = _SCREEN_PART.fullmatch(text)
    number = int(found["number"] or 1) if found else 0
    if found is None or number < 1:
        raise SourceError(
            f"{text!r} names no screen: write screen, screen:2 for the second one, or screen:1@100,80,1280x720 for a "
            "part that begins 100 to the right and 80 down."
        )
    if found["width"] is None:
        return ScreenSpec(number)
    left, top, width, height = (int(found[name]) for name in ("left", "top", "width", "height"))
    if not (width and height):
        raise SourceError("A part of a screen must be at least 1 wide and 1 high.")
    return ScreenSpec(number, Region(left, top, width, height))
