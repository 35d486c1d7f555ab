"""Results as they are shared, with known landmarks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.frame import FrameResult
from model.signals.track import ReadSignals, SignalTracker
from tests.gui_fakes import frame_result

Points = NDArray[np.float32]


def signals_of(points: Points) -> ReadSignals:
    return SignalTracker().update(points, (1280, 720), 0.0)


def result_of(*faces: Points, **changes: Any) -> FrameResult:
    result = frame_result(index=7, faces=len(faces))
    found = []
    for known, points in zip(result.faces, faces, strict=True):
        values: dict[str, Any] = {"landmarks": points, "read_signals": signals_of(points)} | changes
        found.append(replace(known, estimate=replace(known.estimate, **values)))
    return replace(result, faces=tuple(found))
