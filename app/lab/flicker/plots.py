"""The laboratory's pictures: jitter against accuracy and lag, NAD(m), and the attribution of flicker."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from app.lab.flicker.attribution import GroupAttribution, summarise_attribution
from app.lab.flicker.experiment import Experiment, MethodResult
from app.lab.flicker.figures import GroupFigures
from app.lab.flicker.grid import RWR_NAME
from app.lab.flicker.methods import COLD

LOOKS = {
    COLD: ("#000000", "*"),
    "RwR": ("#D55E00", "D"),
    "RwR, constant weight": ("#CC79A7", "d"),
    "RwR as released": ("#E69F00", "s"),
    "EMA": ("#0072B2", "o"),
    "1 euro": ("#56B4E9", "^"),
    "Savitzky-Golay, end point": ("#009E73", "v"),
    "Savitzky-Golay, late": ("#7FCDB0", "<"),
    "Savitzky-Golay, picture held back": ("#6B6B6B", ">"),
    "Kalman, constant velocity": ("#8A6D00", "P"),
}
"""Colour and marker of each family: Okabe and Ito's colours, and a shape of its own for those who see them alike."""
OTHER_LOOK = ("#7f7f7f", "X")
DPI = 130
PANEL = (6.6, 5.4)
"""Width and height of one group's panel, in inches."""
LEGEND_COLUMNS = {1: 2, 2: 5}
"""Columns of a figure's legend by its number of panels; more panels take as many as two."""
FAR_NMF = 1.05
"""Methods beyond this ratio of NMF are left out of the picture as unusable."""
FAR_NME = 1.2
"""Methods beyond this ratio of NME are left out of the picture as unusable."""
FAR_LAG = 2.2
"""Likewise for lag, in frames more than the cold solve's."""
CROP_LOOK, PICTURE_LOOK = ("#E69F00", "//"), ("#9ecae1", "")
"""Colour and hatch of the parts of flicker."""
LEAST_NAMED_SHARE = 4
"""Parts smaller than this percentage bear no number; it would not fit."""
LEAST_SPAN = 0.05
"""Least range of an axis."""

Value = Callable[[GroupFigures], float]
Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a picture that has something to say: shares of its width and height from the top left, and text."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawn picture: PNG, its spots, and PDF for papers, whose lines and letters stay sharp."""

    png: bytes
    spots: tuple[Spot, ...] = ()
    pdf: bytes = b""


def draw(experiment: Experiment, chosen: Sequence[tuple[str, MethodResult]]) -> dict[str, Picture]:
    """Return every picture that there is something to draw in, by name.

    Args:
        experiment: what was measured.
        chosen: (group, method) pairs whose NAD(m) curves are drawn.
    """
    eyes_mouth = "NME of eyes and mouth / cold"
    expressions = "lag of expressions, frames more than cold"
    pictures = {
        "jitter_accuracy": scatter(experiment, lambda own: own.nme_ratio, "NME / cold", FAR_NME),
        "jitter_accuracy_eyes_mouth": scatter(experiment, lambda own: own.nme_eyes_mouth_ratio, eyes_mouth, FAR_NME),
        "jitter_lag": scatter(experiment, lambda own: own.lag_more, "lag, frames more than cold", FAR_LAG),
        "jitter_lag_expressions": scatter(experiment, lambda own: own.lag_expressions_more, expressions, FAR_LAG),
        "nad": nad_curves(experiment, chosen),
    }
    if experiment.attribution:
        pictures["attribution"] = attribution_bars(summarise_attribution(experiment.attribution))
    return {name: picture for name, picture in pictures.items() if picture is not None}


def scatter(experiment: Experiment, value: Value, label: str, far: float) -> Picture | None:
    """Draw NMF against a value: one dot for each method, one line for each family, one panel for each group.

    Args:
        experiment: what was measured.
        value: what goes up, of a group's figures.
        label: what it is called.
        far: methods beyond this value are left out, but for RwR as the application runs it.

    Returns:
        The picture, with the name and figures of every dot; None if the value is known of no method.
    """
    groups = [name for name in experiment.groups if _is_known(experiment, name, value)]
    if not groups:
        return None
    figure, axes = panels(len(groups))
    dots: list[tuple[Axes, float, float, str]] = []
    for axis, group in zip(axes, groups, strict=True):
        shown = _draw_group(axis, experiment, group, value, (FAR_NMF, far))
        _mark_default(axis, experiment, group, value)
        places = [(x, y) for x, y, _ in shown] or [(1.0, far)]
        lowest, highest = np.min(places, axis=0), np.max(places, axis=0)
        margin = 0.05 * np.maximum(highest - lowest, LEAST_SPAN)
        axis.set_xlim(lowest[0] - margin[0], highest[0] + margin[0])
        axis.set_ylim(lowest[1] - margin[1], highest[1] + margin[1])
        axis.set_xlabel("NMF / cold  (left is steadier)")
        axis.set_ylabel(label)
        dots += [(axis, *dot) for dot in shown]
    legend_below(figure, axes)
    return Picture(png_of(figure), _spots(figure, dots), pdf_of(figure))


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


def _spots(figure: Figure, dots: Sequence[tuple[Axes, float, float, str]]) -> tuple[Spot, ...]:
    """Return where the dots of a figure that was drawn have come to lie."""
    width, height = figure.bbox.size
    places = [(axis.transData.transform((x, y)), text) for axis, x, y, text in dots]
    return tuple(Spot(float(x / width), float(1 - y / height), text) for (x, y), text in places)


def nad_curves(experiment: Experiment, chosen: Sequence[tuple[str, MethodResult]]) -> Picture:
    """Draw NAD(m) of chosen methods.

    Args:
        experiment: for the names of its groups.
        chosen: (group, method) pairs; a method is drawn in that group's panel.
    """
    figure, axes = panels(len(experiment.groups))
    for axis, group in zip(axes, experiment.groups, strict=True):
        lags: set[int] = set()
        for _, result in (pair for pair in chosen if pair[0] == group):
            curve = result.groups[group].nad
            lags |= set(curve)
            colour, marker = LOOKS.get(result.family, OTHER_LOOK)
            axis.plot(
                list(curve),
                list(curve.values()),
                color=colour,
                marker=marker,
                markersize=6,
                linewidth=1.5,
                alpha=0.9,
                label=result.name,
            )
        axis.set_xscale("log", base=2)
        axis.set_yscale("log")
        ticks = sorted(lags)
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.yaxis.set_major_formatter("{x:.0f}")
        axis.yaxis.set_minor_formatter("{x:.0f}")
        axis.tick_params(axis="y", which="both", labelsize=8)
        axis.grid(which="minor", axis="y", color="#f0f0f0", linewidth=0.6)
        axis.set_title(group, fontsize=10)
        axis.set_xlabel("m, frames")
        axis.set_ylabel("NAD(m), on the scale of NMF")
        axis.legend(fontsize=8, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    return Picture(png_of(figure), pdf=pdf_of(figure))


def attribution_bars(attribution: Sequence[GroupAttribution]) -> Picture:
    """Draw the crop's and the picture's part of the squared NMF, stacked."""
    groups = list(dict.fromkeys(each.group for each in attribution))
    figure, axes = panels(len(groups))
    for axis, group in zip(axes, groups, strict=True):
        rows = [each for each in attribution if each.group == group]
        names = [f"{each.solver}\n{each.crops}" for each in rows]
        crop = np.clip([each.crop_share * 100 for each in rows], 0, 100)
        for values, base, (colour, hatch), label in (
            (100 - crop, 0 * crop, PICTURE_LOOK, "picture"),
            (crop, 100 - crop, CROP_LOOK, "moving crop"),
        ):
            parts = axis.bar(names, values, bottom=base, color=colour, hatch=hatch, edgecolor="white", label=label)
            texts = [f"{value:.0f} %" if value >= LEAST_NAMED_SHARE else "" for value in values]
            box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5}
            for part, text in zip(parts, texts, strict=True):
                if text:
                    x, y = part.get_x() + part.get_width() / 2, part.get_y() + part.get_height() / 2
                    axis.text(x, y, text, ha="center", va="center", fontsize=9, bbox=box)
        for place, each in enumerate(rows):
            axis.text(place, 101, f"NMF {each.nmf:.0f}", ha="center", va="bottom", fontsize=9)
        axis.set_ylim(0, 110)
        axis.set_title(f"{group} ({rows[0].clips} clip{'s' * (rows[0].clips > 1)})", fontsize=10)
        axis.set_ylabel("share of squared NMF, %")
        axis.grid(visible=False, axis="x")
    legend_below(figure, axes)
    return Picture(png_of(figure), pdf=pdf_of(figure))


def panels(count: int) -> tuple[Figure, list[Axes]]:
    """Return a figure that is drawn without a screen, and its panels side by side."""
    figure = Figure(figsize=(PANEL[0] * count, PANEL[1]), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, count, squeeze=False)[0]
    for axis in axes:
        axis.grid(color="#e4e4e4", linewidth=0.7)
        axis.set_axisbelow(True)
        axis.spines[["top", "right"]].set_visible(False)
    return figure, list(axes)


def legend_below(figure: Figure, axes: list[Axes]) -> None:
    """Put one legend for all panels under them."""
    handles, labels = axes[0].get_legend_handles_labels()
    columns = min(LEGEND_COLUMNS.get(len(axes), 5), len(labels))
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, fontsize=9, frameon=False)


def png_of(figure: Figure) -> bytes:
    """Return the figure as PNG; the same figure gives the same bytes."""
    stream = BytesIO()
    figure.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def pdf_of(figure: Figure) -> bytes:
    """Return the figure as PDF with its fonts embedded; the same figure gives the same bytes."""
    stream = BytesIO()
    with rc_context({"pdf.fonttype": 42}):  # TrueType; several publishers refuse matplotlib's usual Type 3
        figure.savefig(stream, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None})
    return stream.getvalue()
