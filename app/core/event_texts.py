"""The words for what happened while tracking; sessions write them to disk, so they must not change."""

from __future__ import annotations

from typing import assert_never

from app.core.events import (
    DetectorFailed,
    EngineReplaced,
    FaceFound,
    FaceLost,
    PictureSizeChanged,
    RecordedFault,
    SceneCut,
    TrackingEvent,
    TrackingRestarted,
)


def event_text(event: TrackingEvent) -> str:
    """Return one line that says what happened, without a full stop."""
    match event:
        case TrackingRestarted():
            return "tracking started anew"
        case SceneCut():
            return "scene cut"
        case PictureSizeChanged(width, height):
            return f"the picture is {width} x {height} from here on"
        case FaceFound(face):
            return f"found face {face}"
        case FaceLost(face, reason):
            return f"lost face {face}: {reason}" if reason else f"lost face {face}"
        case DetectorFailed():
            return "the face detector failed"
        case EngineReplaced(failed, reason, replacement):
            outcome = "it was started anew" if replacement == failed else f"tracking goes on with {replacement}"
            return f"{failed} failed ({reason}), so {outcome}"
        case RecordedFault(text):
            return text
        case _:
            assert_never(event)
