"""The laboratory's pictures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from app.lab.flicker.attribution import GroupBlame, summarise_blame
from app.lab.flicker.canvas import LOOKS, OTHER_LOOK, Picture, legend_below, panels, png_of
from app.lab.flicker.experiment import Experiment, MethodResult
from app.lab.flicker.figures import GroupFigures
from app.lab.flicker.scatter import scatter
from app.lab.flicker.verdict import EYES_MOUTH_LIMIT, LAG_LIMIT, NME_LIMIT

FAR_NME = 1.2
"""Methods beyond this ratio of NME are left out of the picture: nobody would use them."""
FAR_LAG = 2.2
"""Likewise for lag, in frames more than the cold solve's."""
CROP_LOOK, PICTURE_LOOK = ("#E69F00", "//"), ("#9ecae1", "")
"""Colour and hatch of the parts of flicker."""
LEAST_NAMED_SHARE = 4
"""Parts smaller than this percentage bear no number; it would not fit."""


def draw(experiment: Experiment, chosen: Sequence[tuple[str, MethodResult]]) -> dict[str, Picture]:
    """Return every picture that there is something to draw in, by name.

    Args:
        experiment: what was measured.
        chosen: (group, method) pairs whose NAD(m) curves are drawn.
    """
    eyes_mouth = "NME of eyes and mouth / cold"
    expressions = "lag of expressions, frames more than cold"
    pictures = {
        "jitter_accuracy": scatter(experiment, _nme, "NME / cold", NME_LIMIT, FAR_NME),
        "jitter_accuracy_eyes_mouth": scatter(experiment, _eyes_mouth, eyes_mouth, EYES_MOUTH_LIMIT, FAR_NME),
        "jitter_lag": scatter(experiment, _lag, "lag, frames more than cold", LAG_LIMIT, FAR_LAG),
        "jitter_lag_expressions": scatter(experiment, _expression_lag, expressions, LAG_LIMIT, FAR_LAG),
        "nad": nad_curves(experiment, chosen),
        "blame": blame_bars(summarise_blame(experiment.blame)) if experiment.blame else None,
    }
    return {name: picture for name, picture in pictures.items() if picture is not None}


def _nme(own: GroupFigures) -> float:
    return own.nme_ratio


def _eyes_mouth(own: GroupFigures) -> float:
    return own.nme_eyes_mouth_ratio


def _lag(own: GroupFigures) -> float:
    return own.lag_more


def _expression_lag(own: GroupFigures) -> float:
    return own.lag_expressions_more


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
    return Picture(png_of(figure))


def blame_bars(blame: Sequence[GroupBlame]) -> Picture:
    """Draw the crop's and the picture's part of the squared NMF, stacked."""
    groups = list(dict.fromkeys(each.group for each in blame))
    figure, axes = panels(len(groups))
    for axis, group in zip(axes, groups, strict=True):
        rows = [each for each in blame if each.group == group]
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
    return Picture(png_of(figure))
