"""The figures of trackers that were compared, as values for JSON and as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.lab.speed.report import quantiles
from app.lab.steadiness.filters import Setting, mean_lag
from app.lab.steadiness.measure import ALL, EVENLY, Steadiness

COMMON = ("contour", "brows", "nose", "eyes", "mouth")
"""Regions that every tracker has."""
UNKNOWN = "-"
"""In a table: the motion of that region is known in none of the frames."""
COLUMNS = ((ALL, "median"), (EVENLY, "median"), (EVENLY, "worst"))


@dataclass(slots=True)
class Record:
    """What was measured of one tracker over all clips.

    Attributes:
        clips: one for each.
        filtered: the same of its points behind filters.
        lost: frames without the face.
        milliseconds: of every frame, by the clock.
        cpu_milliseconds: of every frame, of all threads.
    """

    clips: list[Steadiness] = field(default_factory=list)
    filtered: dict[Setting, list[Steadiness]] = field(default_factory=dict)
    lost: int = 0
    milliseconds: list[float] = field(default_factory=list)
    cpu_milliseconds: list[float] = field(default_factory=list)


def values_of(record: Record) -> dict[str, Any]:
    """Return a tracker's figures: of the median clip and of the worst, lags weighted by the face's speed."""
    lag = mean_lag(record.clips)
    values: dict[str, Any] = {
        "flicker": _over_clips([clip.flicker for clip in record.clips]),
        "wander": _over_clips([clip.wander for clip in record.clips]),
        "lag_frames": None if lag is None else round(lag, 3),
        "lost_frames": record.lost,
        "left_out": round(float(np.mean([clip.left_out for clip in record.clips])), 4),
        "eye_corners": round(float(np.mean([clip.corners for clip in record.clips])), 4),
    }
    if record.milliseconds:
        values["ms"], values["cpu_ms"] = quantiles(record.milliseconds), quantiles(record.cpu_milliseconds)
    return values


def _over_clips(clips: Sequence[dict[str, dict[str, float]]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return median, worst and number of the clips by stretch and region, leaving out stretches that none has."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for stretch in clips[0]:
        for name in clips[0][stretch]:
            values = [clip[stretch][name] for clip in clips if np.isfinite(clip[stretch][name])]
            if values:
                figures = {"median": round(float(np.median(values)), 4), "worst": round(max(values), 4)}
                found.setdefault(stretch, {})[name] = figures | {"clips": len(values)}
    return found


def text(figures: dict[str, Any]) -> str:
    """Return the tables."""
    trackers = figures["trackers"]
    stretches = list(next(iter(trackers.values()))["flicker"])
    low, high = figures["load"]
    wide = max(len(label) for label in trackers)
    lines = [
        f"{', '.join(figures['clips'])}: {figures['frames']} frames in which all found the face, of "
        f"{figures['frames_followed']} followed",
        f"too few such frames: {', '.join(figures['too_hard']) or 'none'}; load of this computer {low} to {high}",
    ]
    shown = COLUMNS[: 3 if len(figures["clips"]) > 1 else 2]
    columns = [(stretch, name, which) for stretch in stretches for name, which in shown]
    for what in ("flicker", "wander"):
        lines += ["", f"{what}, % of the eye distance: all points, regions alike, of several clips also the worst"]
        lines.append(f"{'':<{wide}}" + "".join(f"{stretch:>{10 * len(shown)}}" for stretch in stretches))
        for label, each in trackers.items():
            cells = [each[what][stretch][name][which] for stretch, name, which in columns]
            lines.append(f"{label:<{wide}}" + "".join(f"{cell:10.3f}" for cell in cells))
    for stretch in stretches:
        lines += ["", f"flicker by region, {stretch}", f"{'':<{wide}}" + "".join(f"{name:>10}" for name in COMMON)]
        for label, each in trackers.items():
            found = each["flicker"][stretch]
            cells = [f"{found[name]['median']:.3f}" if name in found else UNKNOWN for name in COMMON]
            lines.append(f"{label:<{wide}}" + "".join(f"{cell:>10}" for cell in cells))
    lines += [
        "",
        f"{'':<{wide}}{'lag, frames':>12}{'lost':>6}{'eyes x':>8}{'left out':>10}{'CPU ms p50 p95 (least)':>26}",
    ]
    lines[-1] += f"{'clock ms p50 p95 (least)':>26}"
    for label, each in trackers.items():
        lag = "untold" if each["lag_frames"] is None else f"{each['lag_frames']:.2f}"
        line = f"{label:<{wide}}{lag:>12}{each['lost_frames']:>6}{each['eye_corners']:8.3f}"
        line += f"{100 * each['left_out']:8.1f} %"
        for key in ("cpu_ms", "ms"):
            if key in each:
                times = each[key]
                line += f"{times['p50']:12.2f}{times['p95']:7.2f} ({times['least']:6.2f})"
        lines.append(line)
    return "\n".join(lines)
