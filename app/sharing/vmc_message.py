"""A frame as Virtual Motion Capture (VMC) messages; ``docs/guide/sharing.md`` describes what is sent."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy.spatial.transform import Rotation

from app.core.frame import FrameResult
from app.sharing.osc_message import LENGTH_BYTES, bundle, message
from app.sharing.udp import LARGEST, pack
from model.signals.blendshapes import AVERAGE, blendshapes
from model.signals.expression import Expression, measure_expression
from model.signals.head import HeadPose, rotation

Quaternion = tuple[float, float, float, float]

NO_TURN: Quaternion = (0.0, 0.0, 0.0, 1.0)
HEAD_ABOVE_NECK = 0.1
"""Metres. Receivers that take positions of bones would otherwise put the head where the neck begins."""


class VmcEncoder:
    """Encodes frame after frame: the largest face moves the avatar. Without a face the avatar keeps its pose.

    Args:
        neutral: the person's neutral expression.
    """

    def __init__(self, neutral: Expression = AVERAGE) -> None:
        self._neutral = neutral

    def __call__(self, result: FrameResult) -> list[bytes]:
        """Return the frame's bundles, at least one."""
        seconds = result.frame.timestamp
        messages = [
            message("/VMC/Ext/OK", "i", 1),
            message("/VMC/Ext/T", "f", seconds if math.isfinite(seconds) else 0.0),
            _place("/VMC/Ext/Root/Pos", "root", (0.0, 0.0, 0.0), NO_TURN),
        ]
        signals = result.faces[0].estimate.signals if result.faces else None
        if signals is not None:
            landmarks = result.faces[0].estimate.landmarks
            turn = unity_rotation(signals.face.head)
            messages.append(_place("/VMC/Ext/Bone/Pos", "Head", (0.0, HEAD_ABOVE_NECK, 0.0), turn))
            shapes = blendshapes(measure_expression(landmarks, signals.face, result.frame.size), self._neutral)
            messages += [message("/VMC/Ext/Blend/Val", "sf", name, value) for name, value in shapes.items()]
            messages.append(message("/VMC/Ext/Blend/Apply", ""))
        runs = pack([len(each) + LENGTH_BYTES for each in messages], LARGEST - LENGTH_BYTES * 4)
        return [bundle([messages[i] for i in run]) for run in runs]


def unity_rotation(head: HeadPose) -> Quaternion:
    """Return a head's rotation as quaternion (x, y, z, w) in Unity's axes: x to the person's right, y up, z ahead.

    Both systems of axes are left-handed; x and y of the face model point the other way.
    """
    turned = rotation(head.yaw, head.pitch, head.roll)
    turned[:2, 2] *= -1
    turned[2, :2] *= -1
    x, y, z, w = Rotation.from_matrix(turned).as_quat(canonical=True).tolist()
    return x, y, z, w


def _place(address: str, name: str, place: Sequence[float], turn: Quaternion) -> bytes:
    return message(address, "sfffffff", name, *place, *turn)
