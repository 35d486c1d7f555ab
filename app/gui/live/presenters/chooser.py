"""The sources that a person can choose, and the formats that can be requested from the camera that plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from app.sources.base import SourceInfo
from app.sources.spec import FORMATS, CameraFormat, CameraSpec, DemoSpec, ScreenSpec, SourceSpec

CAMERA_DEFAULT = "Camera's default"


class Ask(StrEnum):
    """What an entry of the menu asks for before anything can be played."""

    FILE = "file"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """A camera, by the name it has in the list of cameras.

    Attributes:
        spec: opens it.
        name: in the list; of two of one name the first may have the other's once that is unplugged.
        place: where it is plugged in, "" if that is not known.
    """

    spec: CameraSpec
    name: str
    place: str = ""

    @property
    def key(self) -> str:
        """Tells it from the others, also from one of the same name where places are known."""
        return self.place or self.name


@dataclass(frozen=True, slots=True)
class ScreenChoice:
    """A screen, by the name it has in the menu."""

    spec: ScreenSpec
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of the source menu.

    Attributes:
        opens: the source that it plays, or what it asks for first; None for an entry that only informs or that has
            children.
        label: for display.
        begins_group: a line is drawn above.
        checked: this is what plays.
        children: entries of its submenu.
    """

    opens: SourceSpec | Ask | None
    label: str
    begins_group: bool = False
    checked: bool = False
    children: tuple[Choice, ...] = ()


def choices(
    cameras: Sequence[CameraChoice] | None,
    screens: Sequence[ScreenChoice] = (),
    current: SourceSpec | None = None,
    info: SourceInfo | None = None,
) -> tuple[Choice, ...]:
    """Return the menu.

    Args:
        cameras: None while they are still being looked for.
        screens: that can be captured.
        current: what plays.
        info: facts about it once it is open.
    """
    if cameras is None:
        first = [Choice(None, "Looking for cameras…")]
    elif not cameras:
        first = [Choice(None, "No camera found")]
    else:
        playing = _playing(cameras, current, info)
        first = [
            Choice(camera.spec, name, checked=camera is playing)
            for camera, name in zip(cameras, _distinct(cameras), strict=True)
        ]
    return (
        *first,
        *_formats(current, info),
        Choice(Ask.FILE, "Open file…", begins_group=True),
        Choice(Ask.ADDRESS, "Open stream…"),
        *_screens(screens, current),
        Choice(DemoSpec(), DemoSpec().label, begins_group=True, checked=current == DemoSpec()),
    )


def is_playing(camera: CameraChoice, current: SourceSpec | None, info: SourceInfo | None) -> bool:
    """Whether ``current`` is this camera, whatever format is requested and whether it is given by number or name."""
    if not isinstance(current, CameraSpec):
        return False
    if info is not None:
        return info.name == camera.name
    return current.name in (camera.spec.name, camera.name)


def _playing(
    cameras: Sequence[CameraChoice], current: SourceSpec | None, info: SourceInfo | None
) -> CameraChoice | None:
    """Return the camera that plays; of several of one name the one whose number was chosen, otherwise the first."""
    found = [camera for camera in cameras if is_playing(camera, current, info)]
    chosen = current.name if isinstance(current, CameraSpec) else None
    return next((camera for camera in found if camera.spec.name == chosen), next(iter(found), None))


def _formats(current: SourceSpec | None, info: SourceInfo | None) -> tuple[Choice, ...]:
    if not isinstance(current, CameraSpec):
        return ()
    offered = list(FORMATS)
    if current.format not in offered:
        offered.insert(0, current.format)
    entries = tuple(
        Choice(
            replace(current, format=each),
            CAMERA_DEFAULT if each is None else each.label,
            checked=each == current.format,
        )
        for each in offered
    )
    return (Choice(None, _format_label(current.format, info), children=entries),)


def _format_label(asked: CameraFormat | None, info: SourceInfo | None) -> str:
    if info is not None:
        return f"Resolution: {info.width} \u00d7 {info.height}" + (f", {info.fps:.4g} fps" if info.fps else "")
    return f"Resolution: {CAMERA_DEFAULT.lower() if asked is None else asked.label}"


def _screens(screens: Sequence[ScreenChoice], current: SourceSpec | None) -> tuple[Choice, ...]:
    entries = tuple(Choice(screen.spec, screen.label, checked=screen.spec == current) for screen in screens)
    if len(entries) <= 1:
        return entries
    return (Choice(None, "Screen", children=entries),)


def _distinct(cameras: Sequence[CameraChoice]) -> list[str]:
    """Number cameras that share a name, so that the right one can be chosen."""
    names = [camera.name for camera in cameras]
    return [f"{name} ({i + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]
