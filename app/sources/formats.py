"""What can be asked of a camera, and how it is written: ``camera:Logi C920@1280x720@60``."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.core.errors import UserError

CAMERA = "camera"
AUTO = "auto"
"""In place of a size: leave the camera as it likes."""

_FORMAT = re.compile(
    r"^(?P<who>.*?)@(?:(?P<width>\d{1,6})\s*[xX\u00d7]\s*(?P<height>\d{1,6})(?:@(?P<fps>\d{1,6}(?:\.\d{1,6})?))?|(?P<auto>auto))$"
)


@dataclass(frozen=True, slots=True)
class CameraFormat:
    """What to ask of a camera; it may deliver the nearest it can."""

    width: int = 1280
    height: int = 720
    fps: float = 30.0
    fourcc: str = "MJPG"

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.fps <= 0:
            raise UserError("A camera's width, height and frames per second must be above 0.")
        if len(self.fourcc) != 4:
            raise UserError(f"A camera's pixel format has four letters such as MJPG, not {self.fourcc!r}.")

    def __str__(self) -> str:
        """As it is written behind a camera's name, without the pixel format."""
        return f"{self.width}x{self.height}@{self.fps:g}"

    @property
    def label(self) -> str:
        """For people: "1280 x 720, 30 fps" with a real multiplication sign."""
        return f"{self.width} \u00d7 {self.height}, {self.fps:g} fps"


@dataclass(frozen=True, slots=True)
class CameraRequest:
    """A camera and what to ask of it.

    Attributes:
        who: its number or its name, or part of it; "" for the first one.
        format: what to ask; None leaves it as it likes.
    """

    who: str = ""
    format: CameraFormat | None = CameraFormat()

    @property
    def spec(self) -> str:
        """As ``open_source`` takes it; :func:`parse_camera` gives this request back."""
        who = f"{CAMERA}:{self.who}" if self.who else CAMERA
        if self.format == CameraFormat() and parse_camera(who) == self:
            return who
        return f"{who if self.who else CAMERA + ':'}@{AUTO if self.format is None else self.format}"


FORMATS: tuple[CameraFormat | None, ...] = (
    CameraFormat(640, 480, 30.0),
    CameraFormat(1280, 720, 30.0),
    CameraFormat(1280, 720, 60.0),
    CameraFormat(1920, 1080, 30.0),
    CameraFormat(1920, 1080, 60.0),
    None,
)
"""What the window offers; None is "as the camera likes". Nothing is asked of the camera beforehand: no backend of
OpenCV can list what a camera can do, so the window shows what was asked and what was got."""


def is_camera_spec(spec: str) -> bool:
    """Whether ``open_source`` takes this for a camera."""
    return spec.partition(":")[0].strip().lower() == CAMERA


def parse_camera(spec: str) -> CameraRequest:
    """Read "camera", "camera:1", "camera:NAME", each with "@WIDTHxHEIGHT", "@WIDTHxHEIGHT@FPS" or "@auto" behind it.

    An @ that no size follows belongs to the name.

    Raises:
        UserError: a size or rate that no camera can have.
    """
    _, _, detail = spec.strip().partition(":")
    found = _FORMAT.match(detail)
    if found is None:
        return CameraRequest(detail.strip())
    who = found["who"].strip()
    if found["auto"]:
        return CameraRequest(who, None)
    fps = float(found["fps"]) if found["fps"] else CameraFormat().fps
    return CameraRequest(who, CameraFormat(int(found["width"]), int(found["height"]), fps))


def with_format(spec: str, asked: CameraFormat | None) -> str:
    """Return a camera's ``spec`` with another format behind it."""
    return CameraRequest(parse_camera(spec).who, asked).spec
