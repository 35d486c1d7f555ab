"""The jitter-lag plot: flicker against accuracy or lag, one dot for each method and setting."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from app.lab.flicker.canvas import LOOKS, OTHER_LOOK, Picture, Spot, legend_below, panels, png_of
from app.lab.flicker.experiment import Experiment, MethodResult
from app.lab.flicker.figures import GroupFigures
from app.lab.flicker.grid import RWR_NAME
from app.lab.flicker.methods import COLD
from app.lab.flicker.verdict import NMF_LIMITS

FAR_NMF = 1.05
"""Methods beyond this ratio of NMF are left out of the picture: nobody would use them."""
BAR_LINE: dict[str, Any] = {"color": "#555555", "linewidth": 1.0, "linestyle": (0, (4, 3)), "zorder": 1}
BAR_TEXT: dict[str, Any] = {"fontsize": 8, "color": "#555555"}

Value = Callable[[GroupFigures], float]
Points = NDArray[np.float64]


def scatter(experiment: Experiment, value: Value, label: str, limit: float, far: float) -> Picture | None:
    """Draw NMF against a value: one dot for each method, one line for each family, one panel for each group.

    Args:
        experiment: what was measured.
        value: what goes up, of a group's figures.
        label: what it is called.
        limit: its bar.
        far: methods beyond this value are left out, but for RwR as the application runs it.

    Returns:
        The picture, with the name and figures of every dot; None where the value is known of no method.
    """
    groups = [name for name in experiment.groups if _is_known(experiment, name, value)]
    if not groups:
        return None
    figure, axes = panels(len(groups))
    dots: list[tuple[Axes, float, float, str]] = []
    for axis, group in zip(axes, groups, strict=True):
        shown = _draw_group(axis, experiment, group, value, (FAR_NMF, far))
        _mark_default(axis, experiment, group, value)
        _draw_bars(axis, group, limit)
        places = [(x, y) for x, y, _ in shown] + [(NMF_LIMITS.get(group, 1.0), limit), (1.0, limit)]
        lowest, highest = np.min(places, axis=0), np.max(places, axis=0)
        margin = 0.05 * (highest - lowest)
        axis.set_xlim(lowest[0] - margin[0], highest[0] + margin[0])
        axis.set_ylim(lowest[1] - margin[1], highest[1] + margin[1])
        axis.set_xlabel("NMF / cold  (left is stiller)")
        axis.set_ylabel(label)
        dots += [(axis, *dot) for dot in shown]
    legend_below(figure, axes)
    return Picture(png_of(figure), _spots(figure, dots))


def _is_known(experiment: Experiment, group: str, value: Value) -> bool:
    """Whether a value could be measured of any method on a group."""
    return any(math.isfinite(value(result.groups[group])) for result in experiment.results)


def _draw_group(
    axis: Axes, experiment: Experiment, group: str, value: Value, far: tuple[float, float]
) -> list[tuple[float, float, str]]:
    """Draw the dots and lines of a group; returns x, y and text of every dot shown."""
    shown, outside = [], 0
    for family in dict.fromkeys(result.family for result in experiment.results):
        members = [result for result in experiment.results if result.family == family]
        points = np.array([(each.groups[group].nmf_ratio, value(each.groups[group])) for each in members])
        known = np.isfinite(points).all(axis=1)
        default = np.array([each.name == RWR_NAME for each in members])
        near = known & ((points <= far).all(axis=1) | default)
        outside += int((known & ~near).sum())
        _draw_family(axis, family, points[near], ordered=_one_parameter(members))
        shown += [
            (float(x), float(y), described(each, group))
            for (x, y), each, inside in zip(points, members, near, strict=True)
            if inside
        ]
    cold = experiment.results[0].groups[group]
    title = f"{group} ({cold.clips} clip{'s' * (cold.clips > 1)}): cold NMF {cold.nmf:.0f}, NME {cold.nme:.2f} %"
    left_out = f"\n{outside} setting{'s lie' if outside > 1 else ' lies'} outside" if outside else ""
    axis.set_title(title + left_out, fontsize=10)
    return shown


def described(result: MethodResult, group: str) -> str:
    """Return a method's name and figures on a group, for people."""
    own = result.groups[group]
    parts = [f"{result.name}: NMF {own.nmf_ratio:.3f} x cold", f"NME {own.nme_ratio:.3f} x"]
    parts += [f"lag {own.lag_more:+.2f} frames"] * math.isfinite(own.lag_more)
    return ", ".join(parts)


def _one_parameter(members: Sequence[MethodResult]) -> bool:
    """Whether methods differ in one setting only, so that their order is a curve."""
    keys = {key for each in members for key in each.settings}
    return sum(len({str(each.settings.get(key)) for each in members}) > 1 for key in keys) == 1


def _draw_family(axis: Axes, family: str, points: Points, ordered: bool) -> None:
    """Draw the dots and a line: through all in order, or through those that no other is below in both."""
    colour, marker = LOOKS.get(family, OTHER_LOOK)
    size, front = (170, 4) if family == COLD else (34, 3)
    x, y = points.reshape(-1, 2).T
    axis.scatter(
        x, y, s=size, c=colour, marker=marker, label=family, zorder=front, alpha=0.9, edgecolors="white", linewidths=0.4
    )
    line = points if ordered else frontier(points)
    if len(line) > 1:
        axis.plot(line[:, 0], line[:, 1], color=colour, linewidth=1.2, alpha=0.6, zorder=2)


def frontier(points: Points) -> Points:
    """Return the points (n, 2) that no other is below in both, by their first coordinate."""
    order = points[np.lexsort((points[:, 1], points[:, 0]))]
    lowest = np.minimum.accumulate(order[:, 1])
    best = np.concatenate([[True], order[1:, 1] < lowest[:-1]])[: len(order)]
    return np.asarray(order[best])


def _mark_default(axis: Axes, experiment: Experiment, group: str, value: Value) -> None:
    """Ring RwR as the application runs it."""
    own = experiment.named(RWR_NAME)
    if own is not None:
        axis.scatter(
            own.groups[group].nmf_ratio,
            value(own.groups[group]),
            s=190,
            facecolors="none",
            edgecolors=LOOKS["RwR"][0],
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
            (NMF_LIMITS[group], 0),
            xycoords=("data", "axes fraction"),
            xytext=(3, 4),
            textcoords="offset points",
            **BAR_TEXT,
        )


def _spots(figure: Figure, dots: Sequence[tuple[Axes, float, float, str]]) -> tuple[Spot, ...]:
    """Return where the dots of a figure that was drawn have come to lie."""
    width, height = figure.bbox.size
    places = [(axis.transData.transform((x, y)), text) for axis, x, y, text in dots]
    return tuple(Spot(float(x / width), float(1 - y / height), text) for (x, y), text in places)
