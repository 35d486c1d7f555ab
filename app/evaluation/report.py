"""What an evaluation prints and what it writes."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from app.errors import UserError
from app.evaluation import settings as choices
from app.evaluation.settings import EvaluationSettings
from app.evaluation.w300 import W300Result
from app.evaluation.wflw import WflwResult
from app.evaluation.wflw_v import VideoResult
from model.metrics import Accuracy
from model.weights import WeightsCard


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return aligned text: the first column to the left, the others to the right."""
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        first, *others = (
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return "  ".join((first, *others)).rstrip()

    return "\n".join([line(header), "  ".join("-" * width for width in widths), *(line(row) for row in rows)])


def wflw_table(result: WflwResult) -> str:
    """Return the table of a WFLW evaluation."""
    rows = [_accuracy_row("all", result.overall)]
    rows += [_accuracy_row(name, summary) for name, summary in result.attributes.items()]
    lines = [
        table(("subset", "faces", "NME", "FR@10", "AUC@10"), rows),
        f"NME of eyes and mouth {result.nme_eyes_mouth:.2f}, {result.evaluations:.2f} evaluations per face",
    ]
    if result.missed:
        lines.append(f"{result.missed} faces were not found; they count as failures and not in the NME")
    return "\n".join(lines)


def _accuracy_row(name: str, summary: Accuracy) -> tuple[str, ...]:
    return (name, f"{summary.faces}", f"{summary.nme:.2f}", f"{summary.fr10:.2f}", f"{summary.auc10:.4f}")


def wflw_values(result: WflwResult) -> dict[str, Any]:
    """Return a WFLW evaluation as JSON-ready values."""
    return {
        "dataset": "wflw",
        "nme": result.overall.nme,
        "fr10": result.overall.fr10,
        "auc10": result.overall.auc10,
        "nme_eyes_mouth": result.nme_eyes_mouth,
        "faces": result.overall.faces,
        "missed": result.missed,
        "evaluations_per_face": result.evaluations,
        "nme_by_attribute": {name: summary.nme for name, summary in result.attributes.items()},
        "attributes": {name: asdict(summary) for name, summary in result.attributes.items()},
    }


def w300_table(result: W300Result) -> str:
    """Return the table of a 300W evaluation."""
    rows = [
        _accuracy_row("inter-pupil", result.inter_pupil),
        _accuracy_row("inter-ocular", result.inter_ocular),
    ]
    regions = ", ".join(f"{name} {value:.2f}" for name, value in result.regions.items())
    lines = [
        table(("normalised by", "faces", "NME", "FR@10", "AUC@10"), rows),
        f"NME by region, inter-pupil: {regions}",
        f"{result.evaluations:.2f} evaluations per face",
    ]
    if result.missed:
        lines.append(f"{result.missed} faces were not found; they count as failures and not in the NME")
    return "\n".join(lines)


def w300_values(result: W300Result) -> dict[str, Any]:
    """Return a 300W evaluation as JSON-ready values; the NME of a face that was missed is null."""
    return {
        "dataset": "300w",
        "inter_pupil": asdict(result.inter_pupil),
        "inter_ocular": asdict(result.inter_ocular),
        "nme_by_region": result.regions,
        "missed": result.missed,
        "evaluations_per_face": result.evaluations,
        "faces": [
            {"name": name, "nme": _number(float(error))}
            for name, error in zip(result.names, result.errors, strict=True)
        ],
    }


def wflw_v_table(results: Sequence[VideoResult]) -> str:
    """Return the table of a WFLW-V evaluation: a line per video and the mean."""
    mean = _mean(results)
    rows = [
        (r.name, f"{r.frames}", f"{r.nme:.2f}", f"{r.nme_eyes_mouth:.2f}", f"{r.nmf:.1f}", f"{r.evaluations:.2f}")
        for r in results
    ]
    total = f"{sum(r.frames for r in results)}"
    rows.append(
        (
            f"mean of {len(results)}",
            total,
            f"{mean['nme']:.2f}",
            f"{mean['nme_eyes_mouth']:.2f}",
            f"{mean['nmf']:.1f}",
            f"{mean['evaluations_per_frame']:.2f}",
        )
    )
    lines = [table(("video", "frames", "NME", "eyes+mouth", "NMF", "evaluations/frame"), rows)]
    missed = sum(r.missed for r in results)
    if missed:
        lines.append(f"The face was not found in {missed} frames; they count in no figure")
    return "\n".join(lines)


def _mean(results: Sequence[VideoResult]) -> dict[str, float]:
    """Return plain means over videos, evaluations over frames; a video without an NMF is left out of its mean."""
    flickers = [r.nmf for r in results if math.isfinite(r.nmf)]
    found = [r.frames - r.missed for r in results]
    return {
        "nme": float(np.mean([r.nme for r in results])),
        "nme_eyes_mouth": float(np.mean([r.nme_eyes_mouth for r in results])),
        "nmf": float(np.mean(flickers)) if flickers else math.nan,
        "evaluations_per_frame": float(np.average([r.evaluations for r in results], weights=found)),
    }


def wflw_v_values(results: Sequence[VideoResult]) -> dict[str, Any]:
    """Return a WFLW-V evaluation as JSON-ready values; what could not be measured is null."""
    videos = [
        {
            "id": r.name,
            "nme": r.nme,
            "nmf": _number(r.nmf),
            "nme_eyes_mouth": r.nme_eyes_mouth,
            "evaluations_per_frame": r.evaluations,
            "frames": r.frames,
            "missed": r.missed,
        }
        for r in results
    ]
    mean = {name: _number(value) for name, value in _mean(results).items()}
    return {"dataset": "wflw-v", **mean, "frames": sum(r.frames for r in results), "videos": videos}


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


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
            "scale": settings.scale if settings.crop == choices.RECT else None,
            "mode": settings.mode,
            "smoothing": asdict(settings.smoothing) if settings.mode in (choices.EMA, choices.ONE_EURO) else None,
            "limit": settings.limit,
            "engine": settings.engine.engine,
            "device": settings.engine.device,
            "threads": settings.engine.threads,
        },
    }


def check_writable(path: Path) -> None:
    """Raise :class:`UserError` if ``path`` plainly cannot be written, before hours are spent on its content."""
    if path.is_dir():
        raise UserError(f"{path} is a folder; give a file name for --json.")
    if not path.parent.is_dir():
        raise UserError(f"The folder of {path} does not exist; make it first.")
    if not os.access(path.parent, os.W_OK):
        raise UserError(f"The folder of {path} cannot be written to; choose another --json.")


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values as JSON; the file appears whole or not at all.

    Raises:
        UserError: where it cannot be written.
    """
    temporary = path.with_name(path.name + ".tmp")
    try:
        temporary.write_text(json.dumps(values, indent=2, allow_nan=False) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise UserError(f"{path} cannot be written: {error}.") from error
