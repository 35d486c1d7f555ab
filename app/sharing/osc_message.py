"""A frame as OSC messages in bundles; ``docs/guide/sharing.md`` lists the addresses."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from pythonosc.osc_message_builder import OscMessageBuilder
from pythonosc.parsing import osc_types

from app.core.frame import FaceResult, FrameResult
from app.sharing.udp import LARGEST, pack
from model.signals.track import Signals
from model.topology import inter_ocular

ROOT = "/ldeq"
BUNDLE_HEAD = b"#bundle\0" + osc_types.write_date(osc_types.IMMEDIATELY)
LENGTH_BYTES = 4
"""OSC 1.0: a bundle begins with its name and time tag, and each message in it with its length."""

FORGET_FRAMES = 30
MICRO = 1_000_000
LARGEST_SECONDS = 2**31 - 1
"""What an integer of OSC holds."""


class FaceNumbers:
    """Assigns every face a small number that it keeps, so that a receiver can rely on ``/ldeq/face/0``.

    A number becomes free once its face has been away for :data:`FORGET_FRAMES` frames.
    """

    def __init__(self) -> None:
        self._numbers: dict[int, int] = {}
        self._away: dict[int, int] = {}

    def assign(self, faces: Sequence[int]) -> list[int]:
        """Return the number of each identity in ``faces``, in their order."""
        self._away = {face: 0 if face in faces else self._away.get(face, 0) + 1 for face in self._numbers}
        for face, frames in self._away.items():
            if frames > FORGET_FRAMES:
                del self._numbers[face]
        for face in faces:
            if face not in self._numbers:
                taken = set(self._numbers.values())
                self._numbers[face] = next(number for number in range(len(taken) + 1) if number not in taken)
        return [self._numbers[face] for face in faces]


class OscEncoder:
    """Encodes frame after frame as datagrams; each is a bundle that fits a network packet."""

    def __init__(self) -> None:
        self._numbers = FaceNumbers()

    def __call__(self, result: FrameResult) -> list[bytes]:
        """Return the frame's bundles, at least one."""
        frame = result.frame
        messages = [message(f"{ROOT}/frame", "ifiii", frame.index, frame.timestamp, len(result.faces), *frame.size)]
        if abs(frame.timestamp) < LARGEST_SECONDS:  # OSC's floats of 32 bits are off by milliseconds after some hours
            messages.append(message(f"{ROOT}/time", "ii", *divmod(round(frame.timestamp * MICRO), MICRO)))
        numbers = self._numbers.assign([face.face for face in result.faces])
        for number, face in zip(numbers, result.faces, strict=True):
            messages += _face(f"{ROOT}/face/{number}", face)
        runs = pack([len(each) + LENGTH_BYTES for each in messages], LARGEST - len(BUNDLE_HEAD))
        return [bundle([messages[i] for i in run]) for run in runs]


def _face(root: str, face: FaceResult) -> list[bytes]:
    estimate = face.estimate
    points = estimate.landmarks
    messages = [
        message(f"{root}/id", "i", face.face),
        message(f"{root}/mode", "s", estimate.mode),
        message(f"{root}/evaluations", "i", estimate.report.evaluations),
        message(f"{root}/warm", "i", int(estimate.report.warm)),
    ]
    if estimate.flicker is not None and math.isfinite(estimate.flicker.overall):
        messages.append(message(f"{root}/flicker", "f", estimate.flicker.overall))
    if not np.isfinite(points).all():
        return messages
    box = [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]
    messages.append(message(f"{root}/box", "ffff", *box))
    messages.append(message(f"{root}/interocular", "f", float(inter_ocular(points))))
    if estimate.signals is not None:
        messages += _signals(root, estimate.signals)
    messages.append(_floats(f"{root}/landmarks", points))
    messages.append(_floats(f"{root}/uncertainty", estimate.uncertainty))
    if estimate.radius80 is not None:
        messages.append(_floats(f"{root}/radius80", estimate.radius80))
    return messages


def _signals(root: str, signals: Signals) -> list[bytes]:
    face, head, eyes = signals.face, signals.face.head, signals.eyes
    messages = [
        message(f"{root}/mouth", "f", face.mouth),
        message(f"{root}/mouth_width", "f", face.mouth_width),
        message(f"{root}/eyes", "ff", face.eye_left, face.eye_right),
        message(f"{root}/ear", "ff", face.ear_left, face.ear_right),
        message(f"{root}/brows", "ff", face.brow_left, face.brow_right),
        message(f"{root}/gaze", "ffff", *face.gaze_left, *face.gaze_right),
        message(f"{root}/head", "fff", head.yaw, head.pitch, head.roll),
        message(f"{root}/position", "fff", head.x, head.y, head.z),
        message(f"{root}/blinks", "i", eyes.blinks),
    ]
    known = {"closure": eyes.closure, "perclos": eyes.perclos}
    return messages + [message(f"{root}/{name}", "f", value) for name, value in known.items() if value is not None]


def message(address: str, types: str, *values: float | str) -> bytes:
    """Return one OSC message; ``types`` has OSC's letter for each of ``values``."""
    builder = OscMessageBuilder(address)
    for kind, value in zip(types, values, strict=True):
        builder.add_arg(value, kind)
    return builder.build().dgram


def _floats(address: str, values: NDArray[np.floating]) -> bytes:
    # OscMessageBuilder reads back what it has built, value by value: 0.7 ms a frame for two hundred floats.
    tags = osc_types.write_string("," + "f" * values.size)
    return osc_types.write_string(address) + tags + values.astype(">f4").tobytes()


def bundle(messages: Sequence[bytes]) -> bytes:
    """Return messages as one OSC bundle, to be handled at once."""
    return BUNDLE_HEAD + b"".join(osc_types.write_int(len(each)) + each for each in messages)
