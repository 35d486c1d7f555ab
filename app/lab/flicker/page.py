"""The laboratory's report as one HTML page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

from app.lab.flicker.attribution import summarise_attribution
from app.lab.flicker.experiment import Experiment, MethodResult
from app.lab.flicker.grid import RWR_NAME, is_baseline
from app.lab.flicker.plots import Picture
from app.lab.flicker.report import (
    NOTHING,
    Table,
    attribution_table,
    chosen_methods,
    findings,
    methods_table,
    regions_table,
    speeds_table,
    tuned_table,
)
from model.metrics.lag import FAST_FROM, STILL_BELOW

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1c1c1c; max-width: 1240px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { margin-top: 2.4rem; font-size: 1.25rem; } h3 { font-size: 1.05rem; }
img { max-width: 100%; display: block; }
.picture { position: relative; display: inline-block; margin: 1rem 0; }
.picture span { position: absolute; width: 12px; height: 12px; margin: -6px 0 0 -6px; border-radius: 50%; }
.picture span:hover { outline: 2px solid #1c1c1c; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; margin: .8rem 0; }
th, td { padding: .25rem .6rem; text-align: right; white-space: nowrap; border-bottom: 1px solid #e6e6e6; }
th { border-bottom: 2px solid #999; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; }
td.words { text-align: left; }
tr.chosen td { background: #fdf1f0; }
.small { color: #555; font-size: 13px; }
"""


def page(experiment: Experiment, pictures: Mapping[str, Picture], provenance: Mapping[str, Any]) -> str:
    """Return the page.

    Args:
        experiment: what was measured.
        pictures: by name, those of :mod:`app.lab.flicker.plots`.
        provenance: what it was measured with.
    """
    parts = [
        "<h1>Jitter-lag laboratory</h1>",
        f'<p class="small">{escape(_described(provenance))}</p>',
        *_findings(experiment),
        "<h2>Flicker against accuracy</h2>",
        "<p>One dot for each method and setting; lines join the settings of a family that no other of it beats. Down "
        "and to the left is better. Point at a dot to see which one it is.</p>",
        _picture(pictures, "jitter_accuracy"),
        _picture(pictures, "jitter_accuracy_eyes_mouth"),
        "<h2>Flicker against lag</h2>",
        "<p>Lag is where the cross-correlation of landmark velocity with the labels' peaks. A filter that holds the "
        "picture back is as late as the picture.</p>",
        _picture(pictures, "jitter_lag"),
        _picture(pictures, "jitter_lag_expressions"),
        *_tuned(experiment),
        "<h2>By time scale</h2>",
        "<p>NAD(m), an Allan deviation over m frames: jitter makes it fall with m, drift and lag make it rise. "
        "NAD(1) is NMF / &radic;2. Filters are those of the first column above.</p>",
        _picture(pictures, "nad"),
        "<h2>By region</h2>",
        *_by_group(experiment, regions_table),
        "<h2>Expressions, by speed</h2>",
        "<p>NME and lag of eyes, brows and mouth in frames in which their true motion against the head is still "
        f"(below {STILL_BELOW:g} % of the inter-ocular distance a frame), slow, or fast ({FAST_FROM:g} % and more). "
        "Lag is the delay at which the true shapes fit best, over all clips of a group. The worst clip is by NME over "
        "the cold solve's.</p>",
        *_by_group(experiment, speeds_table, (1, 14, 16)),
        *_attribution(experiment, pictures),
        "<h2>Every method</h2>",
        *(
            f"<h3>{escape(group)}, mean of {experiment.results[0].groups[group].clips}</h3>"
            f"{_table(methods_table(experiment.results, group))}"
            for group in experiment.groups
        ),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Jitter-lag laboratory</title>'
        f"<style>{STYLE}</style></head>\n<body>\n{body}\n</body></html>\n"
    )


def _described(provenance: Mapping[str, Any]) -> str:
    weights, settings = provenance["weights"], provenance["settings"]
    frames = "all frames" if settings["frames"] is None else f"the first {settings['frames']} frames"
    return (
        f"{weights['file']} ({str(weights['sha256'])[:12]}), {provenance['engine']}; {frames} of each clip, crops of "
        f"{settings['scale']:g} x the given boxes; {provenance['date']}. NME is in % of the inter-ocular distance, "
        "lag in frames. Everything, by clip too, is in lab.json."
    )


def _findings(experiment: Experiment) -> list[str]:
    sentences = findings(experiment)
    if not sentences:
        return []
    return ["<h2>Filters against RwR</h2>", *(f"<p>{escape(sentence)}</p>" for sentence in sentences)]


def _tuned(experiment: Experiment) -> list[str]:
    if not any(is_baseline(result.family) for result in experiment.results):
        return []
    tables = (
        f"<h3>{escape(group)}</h3>{_table(tuned_table(experiment, group), (1, 5))}" for group in experiment.groups
    )
    return ["<h2>Filters, tuned on these clips</h2>", *tables]


def _by_group(
    experiment: Experiment, table_of: Callable[[Sequence[MethodResult], str], Table], words: Sequence[int] = ()
) -> list[str]:
    """Return a table of the methods worth a closer look for each group, under its name; see :func:`_table`."""
    parts = []
    for group in experiment.groups:
        results = [result for name, result in chosen_methods(experiment) if name == group]
        parts += [f"<h3>{escape(group)}</h3>", _table(table_of(results, group), words)]
    return parts


def _attribution(experiment: Experiment, pictures: Mapping[str, Picture]) -> list[str]:
    if not experiment.attribution:
        return []
    return [
        "<h2>Attribution: crop or picture?</h2>",
        "<p>NMF as it is, with crops that follow the labels' box steadily, and on the clip's middle frame alone under "
        "crops that move against the face as they did in the clip. The crop's share is the mean of what it makes alone "
        "and of what goes with it (of squared NMF). The last column is the NMF that a perfect tracker would have, "
        "standing still where the video repeats a frame and the labels move on.</p>",
        _table(attribution_table(summarise_attribution(experiment.attribution)), (0, 1, 2)),
        _picture(pictures, "attribution"),
    ]


def _picture(pictures: Mapping[str, Picture], name: str) -> str:
    """Return a picture with its data in the page; pointing at a dot tells which one it is."""
    if name not in pictures:
        return ""
    picture = pictures[name]
    data = base64.b64encode(picture.png).decode("ascii")
    spots = "".join(
        f'<span title="{escape(spot.text)}" style="left:{100 * spot.x:.2f}%;top:{100 * spot.y:.2f}%"></span>'
        for spot in picture.spots
    )
    return f'<div class="picture"><img alt="{escape(name)}" src="data:image/png;base64,{data}">{spots}</div>'


def _table(content: Table, words: Sequence[int] = ()) -> str:
    """Return an HTML table; columns ``words`` and the first are to the left, RwR's row is marked."""
    header, rows = content
    lines = ["<tr>" + "".join(f"<th>{escape(cell)}</th>" for cell in header) + "</tr>"]
    for row in rows:
        cells = []
        for index, cell in enumerate(row):
            style = ' class="words"' if index in words else ""
            cells.append(f"<td{style}>{escape(cell or NOTHING)}</td>")
        mark = ' class="chosen"' if row[0] == RWR_NAME else ""
        lines.append(f"<tr{mark}>{''.join(cells)}</tr>")
    return f'<div class="wide"><table>\n{"".join(lines)}\n</table></div>'
