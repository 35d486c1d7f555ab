"""The sources a person can choose from, and what can be asked of the camera that plays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.errors import UserError
from app.sources.base import SourceInfo
from app.sources.formats import FORMATS, CameraFormat, is_camera_spec, parse_camera, with_format

OPEN_FILE = "open-file"
OPEN_STREAM = "open-stream"
AUTOMATIC = "automatic"
DEMO_SPEC = "demo"
AS_IT_LIKES = "As the camera likes"


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """A camera as the list of cameras names it."""

    spec: str
    name: str


@dataclass(frozen=True, slots=True)
class ScreenChoice:
    """A screen as the menu names it."""

    spec: str
    label: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of the source menu.

    Attributes:
        spec: what ``open_source`` takes, or :data:`OPEN_FILE` or :data:`OPEN_STREAM`, which ask first;
            "" for an entry that only says something or that leads to others.
        label: for people.
        begins_group: a line is drawn above.
        checked: this is what plays.
        children: entries of a menu beside this one.
    """

    spec: str
    label: str
    begins_group: bool = False
    checked: bool = False
    children: tuple[Choice, ...] = ()


def choices(
    cameras: Sequence[CameraChoice] | None,
    screens: Sequence[ScreenChoice] = (),
    current: str | None = None,
    info: SourceInfo | None = None,
) -> tuple[Choice, ...]:
    """Return the menu.

    Args:
        cameras: None while they are still being looked for.
        screens: that can be captured.
        current: what plays, as ``open_source`` takes it.
        info: facts about it once it is open.
    """
    if cameras is None:
        first = [Choice("", "Looking for cameras…")]
    elif not cameras:
        first = [Choice("", "No camera found")]
    else:
        first = [
            Choice(camera.spec, name, checked=is_playing(camera, current, info))
            for camera, name in zip(cameras, _distinct(cameras), strict=True)
        ]
    return (
        *first,
        *_formats(current, info),
        Choice(OPEN_FILE, "Open file…", begins_group=True),
        Choice(OPEN_STREAM, "Open stream…"),
        *_screens(screens, current),
        Choice(DEMO_SPEC, "Demo clip", begins_group=True, checked=current == DEMO_SPEC),
    )


def is_playing(camera: CameraChoice, current: str | None, info: SourceInfo | None) -> bool:
    """Whether ``current`` is this camera, whatever is asked of it and however it is named."""
    if current is None or not is_camera_spec(current):
        return False
    if info is not None:
        return info.name == camera.name
    try:
        return parse_camera(current).who in (parse_camera(camera.spec).who, camera.name)
    except UserError:
        return False


def asked_and_got(info: SourceInfo) -> str:
    """Return in words what a camera was asked for and what it gives, "" where both agree or nothing was asked."""
    asked = info.asked
    if asked is None:
        return ""
    size = (asked.width, asked.height) == (info.width, info.height)
    rate = info.fps is None or abs(info.fps - asked.fps) < 0.5
    if size and rate:
        return ""
    got = f"{info.width} \u00d7 {info.height}" + (f", {info.fps:.4g} fps" if info.fps else "")
    return f"asked for {asked.label}, got {got}"


def _formats(current: str | None, info: SourceInfo | None) -> tuple[Choice, ...]:
    if current is None or not is_camera_spec(current):
        return ()
    try:
        asked = parse_camera(current).format
    except UserError:
        return ()
    offered = list(FORMATS)
    if asked not in offered:
        offered.insert(0, asked)
    entries = tuple(
        Choice(with_format(current, each), AS_IT_LIKES if each is None else each.label, checked=each == asked)
        for each in offered
    )
    return (Choice("", _format_label(asked, info), children=entries),)


def _format_label(asked: CameraFormat | None, info: SourceInfo | None) -> str:
    if info is not None:
        return f"Resolution: {info.width} \u00d7 {info.height}" + (f", {info.fps:.4g} fps" if info.fps else "")
    return f"Resolution: {AS_IT_LIKES.lower() if asked is None else asked.label}"


def _screens(screens: Sequence[ScreenChoice], current: str | None) -> tuple[Choice, ...]:
    entries = tuple(Choice(screen.spec, screen.label, checked=screen.spec == current) for screen in screens)
    if len(entries) <= 1:
        return entries
    return (Choice("", "Screen", children=entries),)


def _distinct(cameras: Sequence[CameraChoice]) -> list[str]:
    """Number cameras that share a name, so that the right one can be chosen."""
    names = [camera.name for camera in cameras]
    return [f"{name} ({i + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]
