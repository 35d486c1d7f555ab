"""Does the live flicker measure rank trackers as NMF does? Run on labelled clips in WFLW-V form:

    python3 -m benchmarks.flicker_ranking --root CLIPS [--weights FILE] [--json OUT]

Every clip is tracked in several modes: the model cold, with RwR and filtered, and the labels themselves
with synthetic jitter of known kinds. For each (clip, mode) pair the live measure, which sees no labels, is
set against NMF, which does, and Spearman's rank correlation is printed for several estimates of the image's
motion: the product's and what else was tried. ``docs/reports/flicker-ranking.md`` discusses the figures.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from tqdm import tqdm

from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import DEVICES, ENGINES
from app.core.text_table import table
from app.lab.accuracy.wflw_v import find_videos
from benchmarks.flicker_clips import Clip, Points, labels_ignore_repeats, load
from benchmarks.motion_designs import LandmarkSimilarity, NoMotion, SparseFlow
from benchmarks.script import add_json, parser_of, run_script, write_figures
from model.engine.open import open_engine
from model.metrics.flicker import nmf
from model.metrics.flicker_meter import reading_of
from model.motion import FlowMotion, MotionEstimate
from model.topology import inter_ocular
from model.weights import read_card

Array = NDArray[np.float64]

PRODUCT = "flow and head motion (product)"
DESIGNS: dict[str, Callable[[], MotionEstimate]] = {
    "no motion": NoMotion,
    "similarity of the landmarks": LandmarkSimilarity,
    "sparse flow, checked both ways": SparseFlow,
    "measured motion alone": lambda: FlowMotion(expression_limit=np.inf),
    "head motion alone": lambda: FlowMotion(expression_limit=0.0),
    PRODUCT: FlowMotion,
}


def explained_motion(clip: Clip, design: MotionEstimate) -> tuple[Array, float]:
    """Return the motion (n - 1, 98, 2) seen by a design, NaN where there is none, and seconds per frame.

    The reference points are the cold landmarks where the model ran, else labels with 1 % of jitter.
    """
    reference = clip.modes["cold" if "cold" in clip.modes else "labels + white 1.0 %"].astype(np.float64)
    motion = np.full((len(reference) - 1, *reference.shape[1:]), np.nan)
    started = time.process_time()
    for t in range(1, len(reference)):
        seen = design.between(clip.images[t - 1], clip.images[t], clip.crops[t], reference[t - 1], reference[t])
        if seen is not None:
            motion[t - 1] = seen
    return motion, (time.process_time() - started) / len(motion)


def live_measure(landmarks: Points, motion: Array) -> float:
    """Return the root mean square of the live readings of one mode, in % of the inter-ocular distance."""
    steps = np.diff(landmarks.astype(np.float64), axis=0)
    scales = inter_ocular(landmarks)[1:]
    readings = [
        reading_of(step, seen, float(scale)).overall
        for step, seen, scale in zip(steps, motion, scales, strict=True)
        if np.isfinite(seen).all()
    ]
    return float(np.sqrt(np.mean(np.square(readings))))


Pair = tuple[str, str]
"""Clip and mode."""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is kept of a clip: its name, whether it is animated, whether its labels are trusted."""

    name: str
    animated: bool
    trusted: bool


def correlation(live: dict[Pair, float], true: dict[Pair, float], pairs: Sequence[Pair]) -> float:
    """Return Spearman's rank correlation over the given (clip, mode) pairs."""
    if len(pairs) < 3:
        return float("nan")
    return float(spearmanr([live[pair] for pair in pairs], [true[pair] for pair in pairs]).statistic)


COLUMNS = ("all", "animated", "real", "real, all clips", "within clips", "worst clip")


def summary(live: dict[Pair, float], true: dict[Pair, float], facts: Sequence[ClipFacts]) -> dict[str, float]:
    """Return the correlations by :data:`COLUMNS`; clips whose labels are not trusted are in one of them only."""
    groups = [
        {clip.name for clip in facts if clip.trusted},
        {clip.name for clip in facts if clip.animated},
        {clip.name for clip in facts if not clip.animated and clip.trusted},
        {clip.name for clip in facts if not clip.animated},
    ]
    values = [correlation(live, true, [pair for pair in live if pair[0] in group]) for group in groups]
    inside = [correlation(live, true, [pair for pair in live if pair[0] == name]) for name in sorted(groups[0])]
    return dict(zip(COLUMNS, [*values, float(np.mean(inside)), float(np.min(inside))], strict=True))


def measure(clips: Iterable[Clip]) -> dict[str, Any]:
    """Run every design over every clip, one clip in memory at a time; return the figures, JSON-ready."""
    true: dict[Pair, float] = {}
    live: dict[str, dict[Pair, float]] = {name: {} for name in DESIGNS}
    errors: dict[str, list[float]] = {name: [] for name in DESIGNS}
    seconds: dict[str, list[float]] = {name: [] for name in DESIGNS}
    facts: list[ClipFacts] = []
    model_modes: set[str] = set()
    for clip in clips:
        facts.append(ClipFacts(clip.name, clip.animated, clip.animated or not labels_ignore_repeats(clip)))
        model_modes.update(clip.model_modes)
        true |= {(clip.name, mode): nmf(points, clip.truth) for mode, points in clip.modes.items()}
        for name, make in DESIGNS.items():
            motion, cost = explained_motion(clip, make())
            seconds[name].append(cost)
            live[name] |= {(clip.name, mode): live_measure(points, motion) for mode, points in clip.modes.items()}
            if clip.animated:
                errors[name].append(live_measure(clip.truth, motion))
    designs: dict[str, Any] = {}
    for name, values in live.items():
        model = {pair: value for pair, value in values.items() if pair[1] in model_modes}
        designs[name] = {
            "milliseconds": 1000 * float(np.median(seconds[name])),
            "motion_error": float(np.median(errors[name])) if errors[name] else None,
            "model_modes": summary(model, true, facts) if model else None,
            "all_modes": summary(values, true, facts),
        }
    pairs = [{"clip": c, "mode": m, "live": value, "nmf": true[c, m]} for (c, m), value in live[PRODUCT].items()]
    return {
        "designs": designs,
        "clips": {"animated": [f.name for f in facts if f.animated], "real": [f.name for f in facts if not f.animated]},
        "labels_not_trusted": [f.name for f in facts if not f.trusted],
        "pairs": pairs,
    }


def report(values: dict[str, Any]) -> str:
    """Return the tables for people."""
    parts = []
    for key, title in (("model_modes", "the model's modes"), ("all_modes", "the model's modes and synthetic jitter")):
        rows = []
        for name, figures in values["designs"].items():
            if figures[key] is not None:
                error = figures["motion_error"]
                cells = [f"{figures['milliseconds']:.2f}", "-" if error is None else f"{error:.2f}"]
                rows.append([name, *cells, *(f"{figures[key][column]:.3f}" for column in COLUMNS)])
        if rows:
            parts += [f"Spearman correlation of the live measure with NMF, {title}:"]
            parts += [table(("motion estimate", "ms/frame", "error %", *COLUMNS), rows), ""]
    rows = []
    for mode in dict.fromkeys(pair["mode"] for pair in values["pairs"]):
        row = [mode]
        for group in values["clips"].values():
            clips = set(group) - set(values["labels_not_trusted"])
            chosen = [pair for pair in values["pairs"] if pair["mode"] == mode and pair["clip"] in clips]
            row += [f"{np.mean([pair[key] for pair in chosen]):.2f}" if chosen else "-" for key in ("live", "nmf")]
        rows.append(row)
    parts += ["Mean over clips (live in % of the inter-ocular distance):"]
    parts += [table(("mode", "animated live", "animated NMF", "real live", "real NMF"), rows)]
    if values["labels_not_trusted"]:
        parts += ["", "Left out except in 'real, all clips', since the labels move on while the video repeats frames:"]
        parts += ["  " + ", ".join(values["labels_not_trusted"])]
    return "\n".join(parts)


def main() -> None:
    """Parse the command line and run."""
    parser = parser_of(__doc__)
    parser.add_argument(
        "--root", type=Path, required=True, help="clips in WFLW-V form; animated ones begin with 'anim'"
    )
    parser.add_argument("--ids", type=Path, help="only the IDs in this file")
    parser.add_argument("--limit", type=int, help="only the first N clips")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--engine", choices=ENGINES, default="auto")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--no-model", action="store_true", help="synthetic jitter only")
    add_json(parser)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    videos = find_videos(args.root, args.ids)[: args.limit]
    engine, weights = None, None
    if not args.no_model:
        engine = open_engine(args.weights, args.engine, args.device, args.threads)
        weights = read_card(args.weights).files.get(args.weights.name)
    clips = (load(files, engine, seed) for seed, files in enumerate(tqdm(videos, unit="clip", disable=None)))
    values = measure(clips) | {"weights": weights, "engine": None if engine is None else engine.name}
    print(report(values))
    write_figures(args.json, values)


if __name__ == "__main__":
    run_script(main)
