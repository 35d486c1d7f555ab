"""A frame as JSON datagrams, version 1; ``docs/guide/sharing.md`` describes the format for receivers."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FaceResult, FrameResult
from app.sharing.udp import LARGEST, pack
from model.signals.track import SIGNALS, Signals, signal_values
from model.topology import inter_ocular

VERSION = 1
STEPS = 9999
"""Landmarks are whole numbers from 0 to this, four digits, across the longer side of their box."""

FIRST_SIGNALS = ("mouth", "eye_left", "eye_right", "brow_left", "brow_right", "yaw", "pitch", "roll")
"""The signals beside the landmarks, those of the first version."""

HEAD_ROOM = 160
"""Bytes reserved for the facts about the frame that every datagram repeats."""


def json_datagrams(result: FrameResult) -> list[bytes]:
    """Return the datagrams of one frame, at least one; each is a whole JSON object on its own.

    A face has up to three entries of the same ``id``, which fit a datagram each: its landmarks and what was reported
    about them; the widths of its heatmaps with all signals; the radii of the discs that hold its landmarks with a
    probability of 80 %, where they are known. The first repeats :data:`FIRST_SIGNALS`, for receivers that read no
    other.
    """
    entries = [entry for face in result.faces for entry in (_face(face), _more(face), *_radii(face))]
    texts = [_compact(entry) for entry in entries]
    runs = pack([len(text) + 1 for text in texts], LARGEST - HEAD_ROOM) or [range(0)]
    stamp = result.frame.timestamp
    head = {
        "ldeq": VERSION,
        "frame": result.frame.index,
        "time": round(stamp, 6) if math.isfinite(stamp) else None,
        "size": list(result.frame.size),
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
    if estimate.signals is not None:
        values = _signals(estimate.signals)
        entry["signals"] = {name: values[name] for name in FIRST_SIGNALS}
    return entry


def _more(face: FaceResult) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": face.face, "uncertainty": _tenths(face.estimate.uncertainty)}
    if face.estimate.signals is not None:
        entry["signals"] = _signals(face.estimate.signals)
    return entry


def _radii(face: FaceResult) -> list[dict[str, Any]]:
    radii = face.estimate.radius80
    return [] if radii is None else [{"id": face.face, "radius80": _tenths(radii)}]


def _tenths(pixels: NDArray[np.floating]) -> list[float | None]:
    """Return lengths rounded to 0.1 pixels; JSON has neither infinity nor NaN."""
    values = np.asarray(pixels, np.float64).tolist()
    return [round(value, 1) if math.isfinite(value) else None for value in values]


def _signals(signals: Signals) -> dict[str, float | None]:
    """Return every signal by name, rounded; null for those that are not known yet."""
    values = zip(SIGNALS, signal_values(signals), strict=True)
    return {signal.name: None if value is None else _rounded(value, signal.decimals) for signal, value in values}


def _rounded(value: float, decimals: int) -> float:
    return round(value, decimals) if decimals else int(value)


def _box(points: NDArray[np.float64]) -> tuple[list[float], float]:
    """Return the landmarks' bounding box, rounded outwards to 0.1 pixels, and the length of one step in pixels."""
    low, high = np.floor(points.min(axis=0) * 10) / 10, np.ceil(points.max(axis=0) * 10) / 10
    box = [round(float(value), 1) for value in (*low, *high)]
    # Rounded up, so that the far side of the box is never beyond the last step.
    longer = max(box[2] - box[0], box[3] - box[1], 0.1)
    return box, math.ceil(longer / STEPS * 1e6) / 1e6


def _compact(value: dict[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"), allow_nan=False)
