"""The laboratory's figures as text for people and as JSON."""

from __future__ import annotations

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from app.core.text_table import table
from app.core.version import VERSION
from app.lab.accuracy.report import number
from app.lab.flicker.attribution import GroupAttribution, summarise_attribution
from app.lab.flicker.experiment import Experiment, MethodResult
from app.lab.flicker.figures import ClipFigures, GroupFigures, SpeedSums
from app.lab.flicker.grid import RELEASED_NAME, RWR_NAME, is_baseline
from app.lab.flicker.methods import COLD
from app.lab.flicker.tuning import ACCURATE_NME, nearest_filters, tune
from model.engine.measured import package_versions
from model.metrics.lag import Speed, best_delay

Row = Sequence[str]
Table = tuple[Row, list[Row]]
"""Header and rows, text all of it."""

PACKAGES = ("numpy", "opencv-contrib-python", "onnxruntime", "onnxruntime-gpu", "torch", "matplotlib")
NOTHING = "-"


def text(value: float, decimals: int) -> str:
    """Return a number for a table, a dash for what could not be measured."""
    return f"{value:.{decimals}f}" if math.isfinite(value) else NOTHING


def methods_table(results: Sequence[MethodResult], group: str) -> Table:
    """Return the figures of methods on one group."""
    header = (
        *("method", "NME", "/ cold", "worst", "NMF", "/ cold", "eyes+mouth", "/ cold", "worst"),
        *("lag", "- cold", "expressions", "- cold", "evaluations/frame"),
    )
    rows: list[Row] = []
    for result in results:
        own = result.groups[group]
        rows.append(
            (
                result.name,
                text(own.nme, 2),
                text(own.nme_ratio, 3),
                text(own.worst_nme.ratio, 3),
                text(own.nmf, 1),
                text(own.nmf_ratio, 3),
                text(own.nme_eyes_mouth, 2),
                text(own.nme_eyes_mouth_ratio, 3),
                text(own.worst_eyes_mouth.ratio, 3),
                text(own.lag, 2),
                text(own.lag_more, 2),
                text(own.lag_expressions, 2),
                text(own.lag_expressions_more, 2),
                text(own.evaluations, 2),
            )
        )
    return header, rows


def regions_table(results: Sequence[MethodResult], group: str) -> Table:
    """Return NME and NMF of every region."""
    names = list(results[0].groups[group].regions)
    header = ("method", *(f"{name} {what}" for name in names for what in ("NME", "NMF")))
    rows: list[Row] = []
    for result in results:
        regions = result.groups[group].regions
        cells = [cell for name in names for cell in (text(regions[name].nme, 2), text(regions[name].nmf, 1))]
        rows.append((result.name, *cells))
    return header, rows


def speeds_table(results: Sequence[MethodResult], group: str) -> Table:
    """Return NME and lag of eyes, brows and mouth against the cold solve's, by how fast they really move."""
    header = (
        *("method", "region"),
        *(cell for speed in Speed for cell in (f"{speed}: frames", "NME / cold", "lag", "- cold")),
        *("worst clip", "NME / cold", "worst for eyes+mouth", "NME / cold"),
    )
    rows: list[Row] = []
    for result in results:
        own = result.groups[group]
        for region, speeds in own.speeds.items():
            cells: list[str] = []
            for each in speeds.values():
                cells += [str(each.frames), text(each.nme_ratio, 3), text(each.lag, 2), text(each.lag_more, 2)]
            for worst in (own.worst_nme, own.worst_eyes_mouth):
                cells += [worst.clip, text(worst.ratio, 3)]
            rows.append((result.name, region, *cells))
    return header, rows


def tuned_table(experiment: Experiment, group: str) -> Table:
    """Return the best settings of each family of filters for one group; of those at RwR's NMF only if it was run."""
    figures = ("NME / cold", "NMF / cold", "lag - cold")
    header: Row = ("filter", f"steadiest at NME <= {ACCURATE_NME} x cold", *figures)
    own = tune(experiment, group)
    rows: list[Row] = [(each.family, *_choice(each.steadiest, group)) for each in own]
    if experiment.named(RWR_NAME) is not None:
        header = (*header, "most accurate at RwR's NMF", *figures)
        rows = [(*row, *_choice(each.most_accurate, group)) for row, each in zip(rows, own, strict=True)]
    return header, rows


def _choice(result: MethodResult | None, group: str) -> Row:
    if result is None:
        return ("none", NOTHING, NOTHING, NOTHING)
    own: GroupFigures = result.groups[group]
    return (result.name, text(own.nme_ratio, 3), text(own.nmf_ratio, 3), text(own.lag_more, 2))


def attribution_table(attribution: Sequence[GroupAttribution]) -> Table:
    """Return the shares of crop and picture in the flicker."""
    header = (
        *("group", "crops", "solver", "NMF", "crop steady", "picture frozen", "crop's share", "picture's share"),
        *("frames repeated", "labels' part"),
    )
    rows: list[Row] = [
        (
            each.group,
            each.crops,
            each.solver,
            text(each.nmf, 1),
            text(each.steady_crop, 1),
            text(each.frozen_picture, 1),
            f"{each.crop_share:.0%}",
            f"{each.picture_share:.0%}",
            f"{each.repeated_frames:.0%}",
            text(each.repeated_labels, 1),
        )
        for each in attribution
    ]
    return header, rows


def chosen_methods(experiment: Experiment) -> list[tuple[str, MethodResult]]:
    """Return, by group, the methods worth a closer look: cold, both ways of RwR, and each family's tuned filter."""
    always = [result for result in experiment.results if result.name in (COLD, RWR_NAME, RELEASED_NAME)]
    chosen = [(group, result) for group in experiment.groups for result in always]
    return chosen + _tuned_filters(experiment)


def findings(experiment: Experiment) -> list[str]:
    """Return, for each group, whether a filter reaches RwR's NMF at no larger NME, in words."""
    nearest = [nearest_filters(experiment, group) for group in experiment.groups]
    return [each.sentence for each in nearest if each is not None]


def _tuned_filters(experiment: Experiment) -> list[tuple[str, MethodResult]]:
    return [
        (group, each.steadiest)
        for group in experiment.groups
        for each in tune(experiment, group)
        if each.steadiest is not None
    ]


def printed(experiment: Experiment) -> str:
    """Return what the command prints: cold, every RwR and tuned filters by group, attribution, nearest filters."""
    parts = []
    filters = _tuned_filters(experiment)
    for group in experiment.groups:
        count = experiment.results[0].groups[group].clips
        results = [result for result in experiment.results if not is_baseline(result.family)]
        results += [result for name, result in filters if name == group]
        parts += [f"{group}, mean of {count}, NME in %, lag in frames:", table(*methods_table(results, group)), ""]
        closer = [result for name, result in chosen_methods(experiment) if name == group]
        parts += [f"{group}, by speed of the true motion:", table(*speeds_table(closer, group)), ""]
        tuned = tuned_table(experiment, group)
        if tuned[1]:
            parts += [f"{group}, filters tuned on these clips:", table(*tuned), ""]
    if experiment.attribution:
        shares = attribution_table(summarise_attribution(experiment.attribution))
        parts += ["Attribution of flicker:", table(*shares), ""]
    parts += findings(experiment)
    return "\n".join(parts).rstrip()


def values(experiment: Experiment, provenance: Mapping[str, Any]) -> dict[str, Any]:
    """Return everything that was measured, JSON-ready; what could not be measured is null."""
    found = {
        **provenance,
        "versions": versions(),
        "methods": [
            {
                "family": result.family,
                "name": result.name,
                "settings": dict(result.settings),
                "picture_late": result.picture_late,
                "groups": {group: asdict(own) for group, own in result.groups.items()},
                "clips": [_clip_values(clip) for clip in result.clips],
            }
            for result in experiment.results
        ],
        "tuned": [
            {
                "family": each.family,
                "group": group,
                "stillest": None if each.steadiest is None else each.steadiest.name,
                "most_accurate": None if each.most_accurate is None else each.most_accurate.name,
            }
            for group in experiment.groups
            for each in tune(experiment, group)
        ],
        "blame": {
            "groups": [asdict(each) for each in summarise_attribution(experiment.attribution)],
            "clips": [asdict(each) | {"crop_share": each.crop_share} for each in experiment.attribution],
        },
        "verdicts": findings(experiment),
    }
    ready: dict[str, Any] = _json_ready(found)
    return ready


def _clip_values(clip: ClipFigures) -> dict[str, Any]:
    speeds = {
        region: {speed: _speed_values(sums) for speed, sums in by_speed.items()}
        for region, by_speed in clip.speeds.items()
    }
    return asdict(replace(clip, speeds={})) | {"speeds": speeds}


def _speed_values(sums: SpeedSums) -> dict[str, Any]:
    nme = sums.errors / sums.frames if sums.frames else math.nan
    return {"frames": sums.frames, "nme": nme, "lag": best_delay(np.array(sums.delays))}


def _json_ready(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _json_ready(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_ready(each) for each in value]
    return number(value) if isinstance(value, float) else value


def versions() -> dict[str, str]:
    """Return the versions of the program, Python and the packages that figures can depend on."""
    return {"ldeq-live": VERSION, "python": platform.python_version(), **package_versions(PACKAGES)}
