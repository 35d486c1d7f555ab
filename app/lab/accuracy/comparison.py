"""Two evaluations of the same faces or videos: by how much one is better, and how sure that is.

What is hard is hard for both, so faces (or videos) are drawn in pairs: the interval of a ratio is far narrower than
those of the two figures, and a claim such as "NME 1.01 x" can be judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.core.text_table import table
from app.lab.accuracy.report import INTERVALS, bootstrap_values, number
from model.json_files import JsonError, read_json
from model.metrics.accuracy import areas, failures
from model.metrics.confidence import Figure, difference_figure, ratio_figure

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where a data set's JSON keeps its units: the list, what names a unit, and what the units are called."""

    units: str
    name: str
    called: str


SHAPES = {
    "wflw": _Shape("per_face", "name", "faces"),
    "300w": _Shape("faces", "name", "faces"),
    "wflw-v": _Shape("videos", "id", "videos"),
}
MEASURED = {"nme": "NME", "nme_eyes_mouth": "NME eyes+mouth", "nmf": "NMF"}
FAILURE_RATE = "FR@10"
AREA = "AUC@10"
DECIMALS = {"NMF": 1, AREA: 4}


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One evaluation's values, unit by unit.

    Attributes:
        title: file, weights and mode, for people.
        dataset: key of :data:`SHAPES`.
        names: the units.
        values: figure by name, (n,) each; NaN where a unit could not be measured.
    """

    title: str
    dataset: str
    names: tuple[str, ...]
    values: dict[str, Array]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One figure of two evaluations.

    Attributes:
        name: which figure.
        units: how many units both have measured.
        baseline: mean of the first evaluation over those units.
        value: mean of the second.
        ratio: second over first; NaN for FR@10 and AUC@10, and where the first is 0.
        difference: second minus first.
    """

    name: str
    units: int
    baseline: float
    value: float
    ratio: Figure
    difference: Figure


def read_evaluation(path: Path) -> Evaluation:
    """Read what ``evaluate --json`` wrote.

    Raises:
        UserError: for files that are something else, or were written before they held every unit's values.
    """
    try:
        content = read_json(path)
    except OSError as error:
        raise UserError(
            f"{path} cannot be read: {error.strerror or error}; give a file that evaluate wrote."
        ) from error
    except JsonError as error:
        raise UserError(f"{path} cannot be read: {error}; give a file that evaluate wrote.") from error
    dataset = content.get("dataset") if isinstance(content, dict) else None
    if not isinstance(dataset, str) or dataset not in SHAPES:
        raise UserError(f"{path} is not an evaluation; give files that evaluate wrote with --json.")
    shape = SHAPES[dataset]
    try:
        units = content[shape.units]
        names = tuple(str(unit[shape.name]) for unit in units)
        values = {title: _column(units, key) for key, title in MEASURED.items() if key in units[0]}
        if dataset != "wflw-v":
            errors = np.nan_to_num(values["NME"] / 100, nan=np.inf)  # a missed face is a failure
            values |= {FAILURE_RATE: failures(errors) * 100, AREA: areas(errors)}
        title = _title(path, content)
    except (LookupError, TypeError, ValueError, ArithmeticError, AttributeError) as error:
        raise UserError(f"{path} does not hold the {shape.called} one by one; evaluate again with --json.") from error
    measured = {title: column for title, column in values.items() if np.isfinite(column).any()}
    return Evaluation(title, dataset, names, measured)


def _column(units: Sequence[dict[str, Any]], key: str) -> Array:
    return np.array([np.nan if unit[key] is None else float(unit[key]) for unit in units])


def _title(path: Path, content: dict[str, Any]) -> str:
    weights = content.get("weights") or {}
    settings = content.get("settings") or {}
    known = [str(part) for part in (weights.get("name"), settings.get("mode"), settings.get("crop")) if part]
    return f"{path.name} ({', '.join(known)})" if known else path.name


def compare(baseline: Evaluation, other: Evaluation) -> list[Comparison]:
    """Compare every figure that both evaluations have.

    Raises:
        UserError: if they were measured on different units.
    """
    if baseline.dataset != other.dataset:
        raise UserError(f"One file is an evaluation of {baseline.dataset}, the other of {other.dataset}.")
    if set(baseline.names) != set(other.names):
        called = SHAPES[baseline.dataset].called
        raise UserError(f"The two files were measured on different {called}; evaluate both on the same ones.")
    place = {name: index for index, name in enumerate(other.names)}
    order = [place[name] for name in baseline.names]
    comparisons = []
    for name in baseline.values:
        if name in other.values:
            first, second = baseline.values[name], other.values[name][order]
            both = np.isfinite(first) & np.isfinite(second)
            if both.any():
                comparisons.append(_comparison(name, first[both], second[both]))
    return comparisons


def _comparison(name: str, first: Array, second: Array) -> Comparison:
    # A rate of failures may well be 0 in a resample, and no ratio of it says much.
    ratio = ratio_figure(second, first) if name in MEASURED.values() else Figure(np.nan)
    difference = difference_figure(second, first)
    return Comparison(name, len(first), float(first.mean()), float(second.mean()), ratio, difference)


def comparison_table(baseline: Evaluation, other: Evaluation, comparisons: Sequence[Comparison]) -> str:
    """Return the table of a comparison."""
    called = SHAPES[baseline.dataset].called
    rows = []
    for item in comparisons:
        places = DECIMALS.get(item.name, 2)
        means = (f"{item.baseline:.{places}f}", f"{item.value:.{places}f}")
        rows.append((item.name, f"{item.units}", *means, item.ratio.text(3), item.difference.text(places)))
    lines = [
        f"A: {baseline.title}",
        f"B: {other.title}",
        table(("figure", called, "A", "B", "B / A", "B - A"), rows),
        INTERVALS.format(units=f"pairs of {called}"),
    ]
    return "\n".join(lines)


def comparison_values(baseline: Evaluation, other: Evaluation, comparisons: Sequence[Comparison]) -> dict[str, Any]:
    """Return a comparison as JSON-ready values."""
    return {
        "dataset": baseline.dataset,
        "baseline": baseline.title,
        "other": other.title,
        "bootstrap": bootstrap_values(f"pairs of {SHAPES[baseline.dataset].called}"),
        "figures": [
            {
                "name": item.name,
                "units": item.units,
                "baseline": item.baseline,
                "other": item.value,
                "ratio": number(item.ratio.value),
                "ratio_interval": item.ratio.interval,
                "difference": item.difference.value,
                "difference_interval": item.difference.interval,
            }
            for item in comparisons
        ],
    }
