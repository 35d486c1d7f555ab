"""What the tracker did or met in a frame, as typed facts; :mod:`app.core.event_texts` puts them into words."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LossReason(StrEnum):
    """Why a face is no longer followed, or its landmarks are doubted; the words are those in sessions' files.

    ``PICTURE_REPLACED``: after a scene cut or with another size of the picture. ``NOT_WANTED``: the settings have no
    room for it any more.
    """

    NOT_FINITE = "landmarks not finite"
    TOO_SMALL = "face too small"
    LEFT_PICTURE = "face left the picture"
    NOT_SEEN = "not seen by the detector"
    UNCERTAIN = "uncertain landmarks"
    JUMPED = "face jumped"
    CHANGED_SIZE = "face changed size"
    COVERED = "covered by another face"
    PICTURE_REPLACED = "another picture"
    NOT_WANTED = "fewer faces wanted"


class ResetReason(StrEnum):
    """Why the application makes RwR start cold, beside a :class:`LossReason` that casts doubt on the landmarks."""

    RWR_ON = "RwR turned on"
    DRIFTED = "seen elsewhere by the detector"
    ENGINE_REPLACED = "engine replaced"


@dataclass(frozen=True, slots=True)
class TrackingRestarted:
    """Tracking began without memory: a new source, another place in it, or a request."""


@dataclass(frozen=True, slots=True)
class SceneCut:
    """The picture does not continue the one before."""


@dataclass(frozen=True, slots=True)
class PictureSizeChanged:
    """The picture has another size than the one before, as when a phone is turned; faces are found anew.

    Attributes:
        width: in pixels, from this frame on.
        height: in pixels.
    """

    width: int
    height: int


@dataclass(frozen=True, slots=True)
class FaceFound:
    """A face is followed from this frame on.

    Attributes:
        face: its identity.
    """

    face: int


@dataclass(frozen=True, slots=True)
class FaceLost:
    """A face is no longer followed.

    Attributes:
        face: its identity.
        reason: a :class:`LossReason`; a session recorded by another version may have other words.
    """

    face: int
    reason: str


@dataclass(frozen=True, slots=True)
class DetectorFailed:
    """The face detector failed on this frame; faces are followed on without it."""


@dataclass(frozen=True, slots=True)
class EngineReplaced:
    """The engine failed and another took its place within this frame.

    Attributes:
        failed: name of the engine that failed.
        reason: what it reported, one line.
        replacement: name of the engine that runs now; equal to ``failed`` where it was opened anew.
    """

    failed: str
    reason: str
    replacement: str


@dataclass(frozen=True, slots=True)
class RecordedFault:
    """A failure of a part of the tracker as a session recorded it, in words only.

    Attributes:
        text: one line.
    """

    text: str


Fault = DetectorFailed | EngineReplaced | RecordedFault
"""A part of the tracker failed; the frame cannot be reproduced exactly."""

TrackingEvent = TrackingRestarted | SceneCut | PictureSizeChanged | FaceFound | FaceLost | Fault
