"""The laboratory's pictures. The only module that imports matplotlib, and draws without a screen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from app.lab.blame import GroupBlame, summarise_blame
from app.lab.experiment import Experiment, MethodResult
from app.lab.figures import GroupFigures
from app.lab.grid import RWR_NAME
from app.lab.methods import COLD
from app.lab.verdict import EYES_MOUTH_LIMIT, LAG_LIMIT, NME_LIMIT, NMF_LIMITS

COLOURS = {
    COLD: "#222222",
    "RwR": "#d62728",
    "RwR as released": "#ff9896",
    "EMA": "#1f77b4",
    "1 euro": "#2ca02c",
    "Savitzky-Golay, end point": "#9467bd",
    "Savitzky-Golay, late": "#c5a3e0",
    "Savitzky-Golay, picture held back": "#8c564b",
    "Kalman, constant velocity": "#ff7f0e",
}
OTHER_COLOUR = "#7f7f7f"
MARKERS = {COLD: "*", "RwR": "D", "RwR as released": "s"}
DPI = 130
PANEL = (6.6, 5.4)
"""Width and height of one group's panel, in inches."""
FAR_NMF = 1.05
"""Methods beyond this ratio of NMF are left out of the picture: nobody would use them."""
FAR_NME = 1.2
"""Likewise for NME."""
FAR_LAG = 2.2
"""Likewise for lag, in frames more than the cold solve's."""

BAR_LINE: dict[str, Any] = {"color": "#555555", "linewidth": 1.0, "linestyle": (0, (4, 3)), "zorder": 1}
BAR_TEXT: dict[str, Any] = {"fontsize": 8, "color": "#555555"}

Value = Callable[[GroupFigures], float]
Points = NDArray[np.float64]


def draw(experiment: Experiment, chosen: Sequence[tuple[str, MethodResult]]) -> dict[str, bytes]:
    """Return every picture as PNG, by name.

    Args:
        experiment: what was measured.
        chosen: (group, method) pairs whose NAD(m) curves are drawn.
    """
    expression_lag = "lag of eyes and mouth against the head, frames more than cold"
    pictures = {
        "jitter_accuracy": _scatter(experiment, _nme, "NME / cold", NME_LIMIT, FAR_NME),
        "jitter_accuracy_eyes_mouth": _scatter(
            experiment, _eyes_mouth, "NME of eyes and mouth / cold", EYES_MOUTH_LIMIT, FAR_NME
        ),
        "nad": nad_curves(experiment, chosen),
    }
    if any(_is_known(experiment, group, _lag) for group in experiment.groups):
        pictures["jitter_lag"] = _scatter(
            experiment, _lag, "lag of all landmarks, frames more than cold", LAG_LIMIT, FAR_LAG
        )
    if any(_is_known(experiment, group, _expression_lag) for group in experiment.groups):
        pictures["jitter_lag_expressions"] = _scatter(experiment, _expression_lag, expression_lag, LAG_LIMIT, FAR_LAG)
    if experiment.blame:
        pictures["blame"] = blame_bars(summarise_blame(experiment.blame))
    return pictures


def _nme(own: GroupFigures) -> float:
    return own.nme_ratio


def _eyes_mouth(own: GroupFigures) -> float:
    return own.nme_eyes_mouth_ratio


def _lag(own: GroupFigures) -> float:
    return own.lag_more


def _expression_lag(own: GroupFigures) -> float:
    return own.lag_expressions_more


def _panels(count: int) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(PANEL[0] * count, PANEL[1]), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, count, squeeze=False)[0]
    for axis in axes:
        axis.grid(color="#e4e4e4", linewidth=0.7)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def _png(figure: Figure) -> bytes:
    stream = BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _scatter(experiment: Experiment, value: Value, label: str, limit: float, far: float) -> bytes:
    """Draw NMF against a value: one dot for each method, one line for each family, one panel for each group."""
    groups = [name for name in experiment.groups if _is_known(experiment, name, value)]
    figure, axes = _panels(len(groups))
    families = dict.fromkeys(result.family for result in experiment.results)
    for axis, group in zip(axes, groups, strict=True):
        shown = [(NMF_LIMITS.get(group, 1.0), limit), (1.0, limit)]
        outside = 0
        for family in families:
            members = [result for result in experiment.results if result.family == family]
            points = np.array([(each.groups[group].nmf_ratio, value(each.groups[group])) for each in members])
            known = np.isfinite(points).all(axis=1)
            near = known & (points <= (FAR_NMF, far)).all(axis=1)
            outside += int((known & ~near).sum())
            _draw_family(axis, family, points[near], ordered=_one_parameter(members))
            shown += points[near].tolist()
        _mark_default(axis, experiment, group, value)
        _draw_bars(axis, group, limit)
        lowest, highest = np.min(shown, axis=0), np.max(shown, axis=0)
        margin = 0.05 * (highest - lowest)
        axis.set_xlim(lowest[0] - margin[0], highest[0] + margin[0])
        axis.set_ylim(lowest[1] - margin[1], highest[1] + margin[1])
        cold = experiment.results[0].groups[group]
        title = f"{group} ({cold.clips}): cold NMF {cold.nmf:.0f}, NME {cold.nme:.2f} %"
        axis.set_title(title + (f"\n{outside} settings lie outside" if outside else ""), fontsize=10)
        axis.set_xlabel("NMF / cold  (left is stiller)")
        axis.set_ylabel(label)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(5, len(labels)), fontsize=9, frameon=False)
    return _png(figure)


def _is_known(experiment: Experiment, group: str, value: Value) -> bool:
    """Whether a value could be measured of any method on a group."""
    return any(math.isfinite(value(result.groups[group])) for result in experiment.results)


def _one_parameter(members: Sequence[MethodResult]) -> bool:
    """Whether methods differ in one setting only, so that their order is a curve."""
    keys = {key for each in members for key in each.settings}
    return sum(len({str(each.settings.get(key)) for each in members}) > 1 for key in keys) == 1


def _draw_family(axis: Axes, family: str, points: Points, ordered: bool) -> None:
    """Draw the dots and a line: through all in order, or through those that no other is below in both."""
    colour, marker = COLOURS.get(family, OTHER_COLOUR), MARKERS.get(family, "o")
    size, front = (170, 4) if marker == "*" else (26, 3)
    axis.scatter(
        points[:, 0], points[:, 1], s=size, c=colour, marker=marker, label=family, zorder=front, alpha=0.9, linewidths=0
    )
    line = points if ordered else _frontier(points)
    if len(line) > 1:
        axis.plot(line[:, 0], line[:, 1], color=colour, linewidth=1.2, alpha=0.6, zorder=2)


def _frontier(points: Points) -> Points:
    """Return the points (n, 2) that no other is below in both, by their first coordinate."""
    order = points[np.lexsort((points[:, 1], points[:, 0]))]
    lowest = np.minimum.accumulate(order[:, 1])
    best = np.concatenate([[True], order[1:, 1] < lowest[:-1]])[: len(order)]
    return np.asarray(order[best])


def _mark_default(axis: Axes, experiment: Experiment, group: str, value: Value) -> None:
    """Ring RwR as the application runs it."""
    own = experiment.named(RWR_NAME)
    if own is not None:
        place = own.groups[group].nmf_ratio, value(own.groups[group])
        axis.scatter(
            *place,
            s=190,
            facecolors="none",
            edgecolors=COLOURS["RwR"],
            linewidths=1.8,
            zorder=5,
            label="RwR as the application runs it",
        )


def _draw_bars(axis: Axes, group: str, limit: float) -> None:
    axis.axhline(limit, **BAR_LINE)
    axis.annotate(
        f"bar {limit:g}",
        (1, limit),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        ha="right",
        **BAR_TEXT,
    )
    if group in NMF_LIMITS:
        axis.axvline(NMF_LIMITS[group], **BAR_LINE)
        axis.annotate(
            f"bar {NMF_LIMITS[group]:g}",
            (NMF_LIMITS[group], 1),
            xycoords=("data", "axes fraction"),
            xytext=(3, -10),
            textcoords="offset points",
            **BAR_TEXT,
        )


def nad_curves(experiment: Experiment, chosen: Sequence[tuple[str, MethodResult]]) -> bytes:
    """Return the PNG of NAD(m) for chosen methods.

    Args:
        experiment: for the names of its groups.
        chosen: (group, method) pairs; a method is drawn in that group's panel.
    """
    figure, axes = _panels(len(experiment.groups))
    for axis, group in zip(axes, experiment.groups, strict=True):
        lags: set[int] = set()
        for _, result in (pair for pair in chosen if pair[0] == group):
            curve = result.groups[group].nad
            lags |= set(curve)
            colour, marker = COLOURS.get(result.family, OTHER_COLOUR), MARKERS.get(result.family, "o")
            axis.plot(
                list(curve),
                list(curve.values()),
                color=colour,
                marker=marker,
                markersize=5,
                linewidth=1.5,
                label=result.name,
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        ticks = sorted(lags)
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.yaxis.set_major_formatter("{x:.0f}")
        axis.yaxis.set_minor_formatter("{x:.0f}")
        axis.tick_params(axis="y", which="both", labelsize=8)
        axis.set_title(group, fontsize=11)
        axis.set_xlabel("m, frames")
        axis.set_ylabel("NAD(m)")
        axis.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    return _png(figure)


def blame_bars(blame: Sequence[GroupBlame]) -> bytes:
    """Return the PNG of the crop's and the picture's part of the squared NMF, stacked."""
    groups = list(dict.fromkeys(each.group for each in blame))
    figure, axes = _panels(len(groups))
    for axis, group in zip(axes, groups, strict=True):
        rows = [each for each in blame if each.group == group]
        names = [f"{each.solver}\n{each.crops}" for each in rows]
        crop = np.array([each.crop_share * 100 for each in rows])
        axis.bar(names, 100 - crop, color="#9ecae1", label="picture")
        axis.bar(names, crop, bottom=100 - crop, color="#fd8d3c", label="moving crop")
        for place, each in enumerate(rows):
            axis.text(place, 101, f"NMF {each.nmf:.0f}", ha="center", va="bottom", fontsize=9)
        axis.set_ylim(0, 112)
        axis.set_title(group, fontsize=11)
        axis.set_ylabel("share of squared NMF, %")
        axis.grid(visible=False, axis="x")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2, fontsize=9, frameon=False)
    return _png(figure)
