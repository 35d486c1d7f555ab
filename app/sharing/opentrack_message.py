"""The largest face's head as opentrack's datagram; ``docs/guide/sharing.md`` describes it."""

from __future__ import annotations

import struct

from app.core.frame import FrameResult

LAYOUT = struct.Struct("<6d")
"""x, y, z in cm, yaw, pitch, roll in degrees."""


def opentrack_datagrams(result: FrameResult) -> list[bytes]:
    """Return the frame's datagram; none without a face, so that the receiver keeps the last pose.

    x is to the right of the picture, y up, z away from the camera; the angles are those of
    :class:`model.signals.head.HeadPose`.
    """
    signals = result.faces[0].estimate.signals if result.faces else None
    if signals is None:
        return []
    head = signals.face.head
    return [LAYOUT.pack(head.x, -head.y, head.z, head.yaw, head.pitch, head.roll)]
