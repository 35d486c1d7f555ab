"""What an evaluation prints and what it writes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from app.core.modes import FILTERS
from app.core.text_table import table
from app.lab.accuracy.groups import Group
from app.lab.accuracy.settings import CropSource, EvaluationSettings
from app.lab.accuracy.stills import StillVideo
from app.lab.accuracy.w300 import W300Result
from app.lab.accuracy.wflw import WflwResult
from app.lab.accuracy.wflw_v import VideoResult
from model.metrics.confidence import LEVEL, RESAMPLES, AccuracyFigures, Figure, mean_figure
from model.weights import WeightsCard

INTERVALS = f"In brackets: {LEVEL:.0%} interval, bootstrap over {{units}}"


def wflw_table(result: WflwResult, still: StillVideo) -> str:
    """Return the table of a WFLW evaluation."""
    rows = [_figures_row("all", result.overall)]
    rows += [_figures_row(name, summary) for name, summary in result.attributes.items()]
    each = "face" if still.frames == 1 else "frame"
    lines = [
        table(("subset", "faces", "NME", "FR@10", "AUC@10"), rows),
        f"NME of eyes and mouth {result.nme_eyes_mouth.text(2)}, {result.evaluations:.2f} evaluations per {each}",
    ]
    if still.frames > 1:
        lines.append(f"NMF {result.nmf.text(1)} over {still.frames} frames of each still; the NME is the last frame's")
    if result.missed:
        lines.append(f"{result.missed} faces were not found; they count as failures and not in the NME")
    return "\n".join([*lines, INTERVALS.format(units="faces")])


def _figures_row(name: str, summary: AccuracyFigures) -> tuple[str, ...]:
    return (name, f"{summary.faces}", summary.nme.text(2), summary.fr10.text(2), summary.auc10.text(4))


def groups_table(groups: Sequence[Group]) -> str:
    """Return the table of the accuracy by group."""
    rows = [(group.measure, group.values, *_figures_row("", group.figures)[1:]) for group in groups]
    return table(("faces by", "", "faces", "NME", "FR@10", "AUC@10"), rows)


def groups_values(groups: Sequence[Group]) -> list[dict[str, Any]]:
    """Return the accuracy by group as JSON-ready values."""
    return [{"measure": group.measure, "values": group.values, **_accuracy_values(group.figures)} for group in groups]


def wflw_values(result: WflwResult, still: StillVideo) -> dict[str, Any]:
    """Return a WFLW evaluation as JSON-ready values; what could not be measured is null."""
    faces = result.faces
    per_face = zip(faces.names, faces.nme, faces.nme_eyes_mouth, faces.nmf, strict=True)
    overall = _accuracy_values(result.overall)
    figures = {"nme_eyes_mouth": result.nme_eyes_mouth, "nmf": result.nmf}
    return {
        "dataset": "wflw",
        **overall,
        **{name: number(figure.value) for name, figure in figures.items()},
        "intervals": overall["intervals"] | _intervals(figures),
        "bootstrap": bootstrap_values("faces"),
        "missed": result.missed,
        "evaluations_per_face" if still.frames == 1 else "evaluations_per_frame": result.evaluations,
        "nme_by_attribute": {name: summary.nme.value for name, summary in result.attributes.items()},
        "attributes": {name: _accuracy_values(summary) for name, summary in result.attributes.items()},
        "still": asdict(still),
        "per_face": [
            {"name": name, "nme": number(nme), "nme_eyes_mouth": number(inner), "nmf": number(flicker)}
            for name, nme, inner, flicker in per_face
        ],
    }


def _accuracy_values(summary: AccuracyFigures) -> dict[str, Any]:
    figures = {"nme": summary.nme, "fr10": summary.fr10, "auc10": summary.auc10}
    values = {name: number(figure.value) for name, figure in figures.items()}
    return {"faces": summary.faces, **values, "intervals": _intervals(figures)}


def _intervals(figures: dict[str, Figure]) -> dict[str, tuple[float, float] | None]:
    return {name: figure.interval for name, figure in figures.items()}


def bootstrap_values(units: str) -> dict[str, Any]:
    """Return how the intervals were made, JSON-ready."""
    return {"over": units, "level": LEVEL, "method": "BCa", "resamples": RESAMPLES}


def w300_table(result: W300Result) -> str:
    """Return the table of a 300W evaluation."""
    rows = [
        _figures_row("inter-pupil", result.inter_pupil),
        _figures_row("inter-ocular", result.inter_ocular),
    ]
    regions = ", ".join(f"{name} {value:.2f}" for name, value in result.regions.items())
    lines = [
        table(("normalised by", "faces", "NME", "FR@10", "AUC@10"), rows),
        f"NME by region, inter-pupil: {regions}",
        f"{result.evaluations:.2f} evaluations per face",
    ]
    if result.missed:
        lines.append(f"{result.missed} faces were not found; they count as failures and not in the NME")
    return "\n".join([*lines, INTERVALS.format(units="faces")])


def w300_values(result: W300Result) -> dict[str, Any]:
    """Return a 300W evaluation as JSON-ready values; the NME of a face that was missed is null."""
    return {
        "dataset": "300w",
        "inter_pupil": _accuracy_values(result.inter_pupil),
        "inter_ocular": _accuracy_values(result.inter_ocular),
        "bootstrap": bootstrap_values("faces"),
        "nme_by_region": result.regions,
        "missed": result.missed,
        "evaluations_per_face": result.evaluations,
        "faces": [
            {"name": name, "nme": number(float(error))} for name, error in zip(result.names, result.errors, strict=True)
        ],
    }


def wflw_v_table(results: Sequence[VideoResult]) -> str:
    """Return the table of a WFLW-V evaluation: a line per video, the mean and its interval."""
    mean = _mean(results)
    rows: list[tuple[str, ...]] = [
        (
            r.name,
            f"{r.frames}",
            f"{r.nme:.2f}",
            f"{r.nme_eyes_mouth:.2f}",
            Figure(r.nmf).text(1),
            f"{r.evaluations:.2f}",
        )
        for r in results
    ]
    decimals = {"nme": 2, "nme_eyes_mouth": 2, "nmf": 1}
    total = f"{sum(r.frames for r in results)}"
    means = (Figure(mean[name].value).text(places) for name, places in decimals.items())
    rows.append((f"mean of {len(results)}", total, *means, f"{_evaluations(results):.2f}"))
    if len(results) > 1:
        rows.append((f"{LEVEL:.0%} interval", "", *(mean[name].ends(places) for name, places in decimals.items()), ""))
    lines = [table(("video", "frames", "NME", "eyes+mouth", "NMF", "evaluations/frame"), rows)]
    missed = sum(r.missed for r in results)
    if missed:
        lines.append(f"The face was not found in {missed} frames; they count in no figure")
    return "\n".join(lines)


def _mean(results: Sequence[VideoResult]) -> dict[str, Figure]:
    """Return plain means over videos; a video without an NMF is left out of its mean."""
    return {
        name: mean_figure(np.array([getattr(r, name) for r in results])) for name in ("nme", "nme_eyes_mouth", "nmf")
    }


def _evaluations(results: Sequence[VideoResult]) -> float:
    """Return the mean evaluations of the frames in which the face was found."""
    found = [r.frames - r.missed for r in results]
    return float(np.average([r.evaluations for r in results], weights=found))


def wflw_v_values(results: Sequence[VideoResult]) -> dict[str, Any]:
    """Return a WFLW-V evaluation as JSON-ready values; what could not be measured is null."""
    videos = [
        {
            "id": r.name,
            "nme": r.nme,
            "nmf": number(r.nmf),
            "nme_eyes_mouth": r.nme_eyes_mouth,
            "evaluations_per_frame": r.evaluations,
            "frames": r.frames,
            "missed": r.missed,
        }
        for r in results
    ]
    mean = _mean(results)
    return {
        "dataset": "wflw-v",
        **{name: number(figure.value) for name, figure in mean.items()},
        "intervals": _intervals(mean),
        "bootstrap": bootstrap_values("videos"),
        "evaluations_per_frame": _evaluations(results),
        "frames": sum(r.frames for r in results),
        "videos": videos,
    }


def number(value: float) -> float | None:
    """Return a JSON-ready number; None for what could not be measured."""
    return float(value) if math.isfinite(value) else None


def provenance(settings: EvaluationSettings, card: WeightsCard, engine_name: str) -> dict[str, Any]:
    """Return what the figures were measured with, JSON-ready."""
    return {
        "weights": {
            "name": card.config.name,
            "file": card.path.name,
            "sha256": card.files.get(card.path.name),
        },
        "engine": engine_name,
        "settings": {
            "crop": settings.crop,
            "scale": settings.scale_of(card.config) if settings.crop == CropSource.RECT else None,
            "mode": settings.mode,
            "smoothing": asdict(settings.smoothing) if settings.mode in FILTERS else None,
            "limit": settings.limit,
            "ghcu": settings.ghcu,
            "engine": settings.engine.engine,
            "device": settings.engine.device,
            "threads": settings.engine.threads,
            "symmetric": settings.engine.symmetric,
        },
    }
