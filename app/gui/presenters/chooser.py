"""The sources a person can choose from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

OPEN_FILE = "open-file"
OPEN_STREAM = "open-stream"
AUTOMATIC = "automatic"
DEMO_SPEC = "demo"


@dataclass(frozen=True, slots=True)
class CameraChoice:
    """A camera as the list of cameras names it."""

    spec: str
    name: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One entry of the source menu.

    Attributes:
        spec: what ``open_source`` takes, or :data:`OPEN_FILE` or :data:`OPEN_STREAM`, which ask first;
            "" for an entry that only says something.
        label: for people.
        begins_group: a line is drawn above.
    """

    spec: str
    label: str
    begins_group: bool = False


def choices(cameras: Sequence[CameraChoice] | None) -> tuple[Choice, ...]:
    """Return the menu; None for cameras that are still being looked for."""
    if cameras is None:
        first = [Choice("", "Looking for cameras…")]
    elif not cameras:
        first = [Choice("", "No camera found")]
    else:
        first = [Choice(camera.spec, name) for camera, name in zip(cameras, _distinct(cameras), strict=True)]
    return (
        *first,
        Choice(OPEN_FILE, "Open file…", begins_group=True),
        Choice(OPEN_STREAM, "Open stream…"),
        Choice(DEMO_SPEC, "Demo clip", begins_group=True),
    )


def _distinct(cameras: Sequence[CameraChoice]) -> list[str]:
    """Number cameras that share a name, so that the right one can be chosen."""
    names = [camera.name for camera in cameras]
    return [f"{name} ({i + 1})" if names.count(name) > 1 else name for i, name in enumerate(names)]
