"""Turns what a person writes into an open source."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from app.core.errors import SourceError
from app.sources.base import Source
from app.sources.formats import is_camera_spec, parse_camera
from app.sources.screens import is_screen_spec, parse_screen

_SESSION = "session.json"
"""A folder that holds it is a recorded session."""
_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)


def open_source(spec: str, *, realtime: bool = False, loop: bool = False) -> Source:
    """Open ``spec`` and wait until it delivers.

    Args:
        spec: "camera" (the first one), "camera:1", "camera:NAME", each with "@1920x1080", "@1920x1080@60" or "@auto"
            behind it if wanted; "screen", "screen:2", "screen:1@100,80,1280x720"; "demo"; a stream's URL; or the path
            of a video, a picture, a folder of pictures or a recorded session.
        realtime: play what is not live at its own speed, as a live source.
        loop: with ``realtime``, start again at the end.

    Raises:
        SourceError: one sentence that says what is wrong and what to do.
    """
    reopen = _opener(spec.strip())
    source = reopen()
    if not realtime or source.info.live:
        return source
    from app.sources.paced import PacedSource

    return PacedSource(reopen, loop=loop, opened=source)


def _opener(spec: str) -> Callable[[], Source]:
    """Return what opens ``spec``. Libraries for one kind of source are not imported for the others."""
    if not spec:
        raise SourceError("No source was named: give a camera, a screen, a file, a folder, a stream's URL or demo.")
    if is_camera_spec(spec):
        return lambda: _open_camera(spec)
    if is_screen_spec(spec):
        return lambda: _open_screen(spec)
    if spec.lower() == "demo":
        return _open_demo_clip
    if _URL.match(spec):
        return lambda: _open_stream(spec)
    path = Path(spec).expanduser()
    return lambda: _open_path(path)


def _open_camera(spec: str) -> Source:
    from app.sources.camera import open_camera

    request = parse_camera(spec)
    return open_camera(request.who, request.format)


def _open_screen(spec: str) -> Source:
    from app.sources.screen import ScreenSource

    return ScreenSource(parse_screen(spec))


def _open_demo_clip() -> Source:
    from app.sources.demo import DemoClip

    return DemoClip()


def _open_stream(url: str) -> Source:
    from app.sources.stream import StreamSource

    return StreamSource(url)


def _open_path(path: Path) -> Source:
    from app.sources.images import PICTURE_SUFFIXES, open_folder, open_picture

    try:
        found = path.exists()
    except (OSError, ValueError):  # too long or impossible as a name
        found = False
    if not found:
        raise SourceError(
            f"There is no file or folder {path}: check its name, or give camera, screen, demo or a stream's URL."
        )
    if path.is_dir() and not (path / _SESSION).is_file():
        return open_folder(path)
    if path.suffix.lower() in PICTURE_SUFFIXES:
        return open_picture(path)
    from app.sources.video import VideoSource

    return VideoSource(_session_video(path), path.resolve().name) if path.is_dir() else VideoSource(path)


def _session_video(folder: Path) -> Path:
    """Return the clean video of a recorded session."""
    videos = sorted(folder.glob("video.*"))
    if not videos:
        raise SourceError(
            f"{folder} is a session without a video of its own: open it in the window under Sessions, or give the file "
            "that it was made from."
        )
    return videos[0]
