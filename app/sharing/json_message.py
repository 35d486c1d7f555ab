"""A frame as JSON datagrams, version 1; ``docs/guide/sharing.md`` describes the format for receivers."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FaceResult, FrameResult
from app.sharing.signals import face_signals
from app.sharing.udp import LARGEST, pack
from model.topology import inter_ocular

VERSION = 1
STEPS = 9999
"""Landmarks are whole numbers from 0 to this, four digits, across the longer side of their box."""

HEAD_ROOM = 160
"""Bytes reserved for the facts about the frame that every datagram repeats."""


def json_datagrams(result: FrameResult) -> list[bytes]:
    """Return the datagrams of one frame, at least one; each is a whole JSON object on its own.

    A face has two entries, its landmarks with everything else and its uncertainties; entries of the same ``id`` belong
    together, whichever datagrams they are in.
    """
    entries = [entry for face in result.faces for entry in (_face(face), _uncertainty(face)) if entry]
    texts = [_compact(entry) for entry in entries]
    runs = pack([len(text) + 1 for text in texts], LARGEST - HEAD_ROOM) or [range(0)]
    height, width = result.frame.image.shape[:2]
    stamp = result.frame.timestamp
    head = {
        "ldeq": VERSION,
        "frame": result.frame.index,
        "time": round(stamp, 6) if math.isfinite(stamp) else None,
        "size": [width, height],
        "count": len(result.faces),
        "parts": len(runs),
    }
    opening = _compact(head)[:-1]
    return [
        f'{opening},"part":{part},"faces":[{",".join(texts[i] for i in run)}]}}'.encode()
        for part, run in enumerate(runs)
    ]


def _face(face: FaceResult) -> dict[str, Any]:
    estimate = face.estimate
    points = estimate.landmarks.astype(np.float64)
    entry: dict[str, Any] = {"id": face.face, "mode": estimate.mode}
    finite = np.isfinite(points).all()
    if finite:
        box, unit = _box(points)
        steps = np.rint((points - box[:2]) / unit).astype(int)
        entry |= {"box": box, "unit": unit, "landmarks": steps.ravel().tolist()}
        entry["interocular"] = round(float(inter_ocular(points)), 2)
    flicker = estimate.flicker.overall if estimate.flicker is not None else math.nan
    entry["flicker"] = round(flicker, 3) if math.isfinite(flicker) else None
    entry["evaluations"] = estimate.report.evaluations
    entry["warm"] = estimate.report.warm
    signals = face_signals(points) if finite else None
    if signals is not None:
        values = asdict(signals)
        angles = {name: round(value, 2) for name, value in values.pop("head").items()}
        entry["signals"] = {name: round(value, 4) for name, value in values.items()} | angles
    return entry


def _uncertainty(face: FaceResult) -> dict[str, Any]:
    spread = np.asarray(face.estimate.uncertainty, np.float64)
    # JSON has neither infinity nor NaN.
    values = [round(value, 1) if math.isfinite(value) else None for value in spread.tolist()]
    return {"id": face.face, "uncertainty": values}


def _box(points: NDArray[np.float64]) -> tuple[list[float], float]:
    """Return the landmarks' bounding box, rounded outwards to 0.1 pixels, and the length of one step in pixels."""
    low, high = np.floor(points.min(axis=0) * 10) / 10, np.ceil(points.max(axis=0) * 10) / 10
    box = [round(float(value), 1) for value in (*low, *high)]
    # Rounded up, so that the far side of the box is never beyond the last step.
    longer = max(box[2] - box[0], box[3] - box[1], 0.1)
    return box, math.ceil(longer / STEPS * 1e6) / 1e6


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
