"""The figures of a benchmark as values for JSON and as tables for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.core.text_table import table
from app.lab.speed.floor import Ceiling, Work
from app.lab.speed.live import Round
from app.lab.speed.stages import CELL, PAINT, READ, STAGES, STEM, WRITE, Times
from app.lab.speed.start import Start
from model.engine.names import Device, Precision

COMMON = (READ, PAINT, WRITE)


@dataclass(slots=True)
class EngineFigures:
    """What was measured of one engine.

    Attributes:
        label: library, device and precision that ran, for people.
        precision: see :class:`model.engine.base.Engine`.
        device: where it ran, not AUTO.
        times: of its stages.
        rounds: its turns end to end.
        start: a fresh process with it.
    """

    label: str
    precision: Precision
    device: Device
    times: Times
    rounds: list[Round] = field(default_factory=list)
    start: Start | None = None


def quantiles(milliseconds: Sequence[float]) -> dict[str, float]:
    """Return the least, the median and the 95th percentile."""
    values = np.asarray(milliseconds)
    return {
        "least": round(float(values.min()), 3),
        "p50": round(float(np.percentile(values, 50)), 3),
        "p95": round(float(np.percentile(values, 95)), 3),
    }


def engine_values(figures: EngineFigures, work: dict[str, Work], ceiling: Ceiling) -> dict[str, Any]:
    """Return the figures of one engine for JSON."""
    times = figures.times
    stages = {name: quantiles(values) for name, values in times.milliseconds.items()}
    evaluations = float(np.mean(times.evaluations)) if times.evaluations else 0.0
    shares = {}
    stem = Precision.FLOAT32 if figures.precision == Precision.INT8 else figures.precision
    for stage, precision in ((STEM, stem), (CELL, figures.precision)):
        speed = ceiling.operations.get(precision)
        if speed and stage in stages and figures.device == Device.CPU:  # no ceiling of a graphics card is known
            # The least time: it is a frame of one evaluation in which others on this computer took little.
            shares[stage] = round(2 * work[stage].multiplications / (stages[stage]["least"] / 1e3) / speed, 3)
    values: dict[str, Any] = {
        "label": figures.label,
        "stages_ms": stages,
        "evaluations": round(evaluations, 3),
        "share_of_ceiling": shares,
    }
    if figures.rounds:
        values["end_to_end"] = {
            "fps": round(float(np.median([turn.fps for turn in figures.rounds])), 1),
            "fps_by_round": [round(turn.fps, 1) for turn in figures.rounds],
            "latency_ms": quantiles([value for turn in figures.rounds for value in turn.latencies]),
        }
    if figures.start is not None:
        values["first_landmarks_s"] = round(figures.start.seconds, 2)
        values["memory_mib"] = None if figures.start.mebibytes is None else round(figures.start.mebibytes)
    return values


def floor_values(work: dict[str, Work], ceiling: Ceiling) -> dict[str, Any]:
    """Return the floor for JSON."""
    return {
        "work": {name: {"multiplications": each.multiplications, "bytes": each.bytes} for name, each in work.items()},
        "ceiling_gops": {name: round(value / 1e9, 1) for name, value in ceiling.operations.items()},
        "copy_gb_s": round(ceiling.bytes / 1e9, 1),
    }


def text(values: dict[str, Any]) -> str:
    """Return the tables of a whole benchmark's values."""
    engines, floor = values["engines"], values["floor"]
    lines = [f"{values['computer']}; {values['video']}, {values['threads']} threads of the model", ""]
    ceiling = ", ".join(f"{name} {gops:.0f}" for name, gops in floor["ceiling_gops"].items())
    lines.append(f"This processor at best: {ceiling} billion operations a second; copies {floor['copy_gb_s']} GB/s")
    for name, work in floor["work"].items():
        share = ", ".join(
            f"{engine} {100 * each['share_of_ceiling'][name]:.0f} %"
            for engine, each in engines.items()
            if name in each["share_of_ceiling"]
        )
        lines.append(
            f"{name}: {work['multiplications'] / 1e6:.0f} million multiplications, {work['bytes'] / 1e6:.1f} MB; "
            f"share of the best: {share or 'unknown'}"
        )
    stages = []
    for stage in STAGES:
        if stage in COMMON:
            stages.append([stage, _cell(values["common_ms"].get(stage))])
        elif any(stage in each["stages_ms"] for each in engines.values()):
            stages.append([stage, *(_cell(each["stages_ms"].get(stage)) for each in engines.values())])
    lines += ["", "Milliseconds, median and 95th percentile (least)", table(["stage", *engines], stages), ""]
    rows = {
        "fps": lambda each: f"{each['end_to_end']['fps']:.1f}" if "end_to_end" in each else "",
        "latency": lambda each: _cell(each["end_to_end"]["latency_ms"]) if "end_to_end" in each else "",
        "first after": lambda each: f"{each['first_landmarks_s']:.2f} s" if "first_landmarks_s" in each else "",
        "memory": lambda each: f"{each['memory_mib']} MiB" if each.get("memory_mib") else "",
    }
    ends = [[name, *(show(each) for each in engines.values())] for name, show in rows.items()]
    lines.append(table(["end to end", *engines], ends))
    for name, milliseconds in values["rivals_ms"].items():
        lines.append(f"\n{name}: {_cell(milliseconds)} ms a frame")
    return "\n".join(lines)


def _cell(stage: dict[str, float] | None) -> str:
    return "" if stage is None else f"{stage['p50']:.2f} {stage['p95']:.2f} ({stage['least']:.2f})"
