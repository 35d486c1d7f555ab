"""Opens the source that a person has named."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from app.core.errors import SourceError
from app.sources.base import Source
from app.sources.spec import CameraSpec, DemoSpec, PathSpec, ScreenSpec, SourceKind, SourceSpec, StreamSpec, missing

_SESSION = "session.json"
"""A folder that contains it is a recorded session."""


def open_source(spec: SourceSpec, *, realtime: bool = False, loop: bool = False) -> Source:
    """Open ``spec`` and wait until it delivers.

    Args:
        spec: from :func:`app.sources.spec.parse_source`.
        realtime: play what is not live at its own speed, as a live source.
        loop: with ``realtime``, start again at the end.

    Raises:
        SourceError: one sentence that says what is wrong and what to do.
    """
    source = _open(spec)
    if not realtime or source.info.live:
        return source
    from app.sources.paced import PacedSource

    return PacedSource(partial(_open, spec), loop=loop, opened=source)


def _open(spec: SourceSpec) -> Source:
    """Open ``spec``; libraries for one kind of source are not imported for the others."""
    match spec:
        case CameraSpec():
            from app.sources.camera import open_camera

            return open_camera(spec)
        case ScreenSpec():
            from app.sources.screen import ScreenSource

            return ScreenSource(spec)
        case DemoSpec():
            from app.sources.demo import DemoClip

            return DemoClip()
        case StreamSpec():
            from app.sources.stream import StreamSource

            return StreamSource(spec)
        case PathSpec():
            return _open_path(spec)


def _open_path(spec: PathSpec) -> Source:
    from app.sources.images import open_folder, open_picture
    from app.sources.video import VideoSource

    path = spec.path
    if not spec.exists:
        raise missing(spec)
    match spec.kind:
        case SourceKind.FOLDER if (path / _SESSION).is_file():
            return VideoSource(_session_video(path), path.resolve().name)
        case SourceKind.FOLDER:
            return open_folder(path)
        case SourceKind.PICTURE:
            return open_picture(path)
        case SourceKind.ANIMATION:
            from app.sources.animation import AnimationSource

            return AnimationSource(path)
        case _:
            return VideoSource(path)


def _session_video(folder: Path) -> Path:
    """Return the unannotated video of a recorded session."""
    videos = sorted(folder.glob("video.*"))
    if not videos:
        raise SourceError(
            f"{folder} is a session without a video of its own: open it in the window under Sessions, or give the file "
            "that it was made from."
        )
    return videos[0]
