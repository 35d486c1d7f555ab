"""Does the live flicker measure tell what NMF does? Run on labelled clips in WFLW-V form:

    python3 -m benchmarks.flicker_ranking --root CLIPS [CLIPS ...] [--weights FILE] [--json OUT]

Every clip is tracked in several modes: the model cold, with RwR and filtered, and the labels themselves
with synthetic jitter of known kinds. For each (clip, mode) pair the live measure, which sees no labels, is
set against the truth, for several estimates of the image's motion: the product's and what else was tried. Printed are
Spearman's rank correlation with NMF and, for either half of each group of clips (every second clip, the first
included, and the others), how far the readings are from the true flicker. ``docs/reports/flicker-ranking.md`` discusses
the figures.
"""

from __future__ import annotations

import time
from collections import Counter
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
from app.lab.flicker.clips import find_clips
from benchmarks.flicker_clips import REAL, Clip, exact_filter, labels_ignore_repeats, load
from benchmarks.motion_designs import (
    LandmarkSimilarity,
    Likely,
    Measured,
    MotionEstimate,
    NoMotion,
    Product,
    SparseFlow,
)
from benchmarks.script import add_json, parser_of, run_script, write_figures
from model.engine.open import open_engine
from model.metrics.flicker import nmf
from model.metrics.flicker_meter import reading_of
from model.topology import inter_ocular
from model.weights import read_card

Array = NDArray[np.float64]
Due = tuple[Array, Array]
"""What points are due to move in each frame (n - 1, 98, 2), and the variance of its error (n - 1, 98)."""

PRODUCT = "likely motion and its error (product)"
DESIGNS: dict[str, Callable[[], MotionEstimate]] = {
    "no motion": NoMotion,
    "similarity of the landmarks": LandmarkSimilarity,
    "sparse flow, checked both ways": SparseFlow,
    "all that was measured": lambda: Measured(expression_limit=np.inf),
    "head motion alone": lambda: Measured(expression_limit=0.0),
    "head and limited flow": Measured,
    "likely motion": Likely,
    PRODUCT: Product,
}
FILTER_WEIGHTS = (1, 2, 3, 4, 6, 8, 12, 20)


def due_motion(clip: Clip, design: MotionEstimate) -> tuple[Due, float]:
    """Return the motion due according to a design, NaN where there is none, and seconds per frame.

    The reference points are the cold landmarks where the model ran, else labels with 1 % of jitter.
    """
    reference = clip.modes["cold" if "cold" in clip.modes else "labels + white 1.0 %"].astype(np.float64)
    motion = np.full((len(reference) - 1, *reference.shape[1:]), np.nan)
    variance = np.zeros(motion.shape[:2])
    started = time.process_time()
    for t in range(1, len(reference)):
        seen = design.due(clip.images[t - 1], clip.images[t], clip.crops[t], reference[t - 1], reference[t])
        if seen is not None:
            motion[t - 1], variance[t - 1] = seen
    return (motion, variance), (time.process_time() - started) / len(motion)


def true_due(clip: Clip) -> Due:
    """Return the labels' own motion, which has no error."""
    motion = clip.true_motion
    return motion, np.zeros(motion.shape[:2])


def readings(landmarks: NDArray[np.floating], due: Due) -> Array:
    """Return the live readings (n - 1,) of one mode, in % of the inter-ocular distance, NaN where there is none."""
    steps = np.diff(landmarks.astype(np.float64), axis=0)
    scales = inter_ocular(landmarks)[1:]
    frames = zip(steps, scales, *due, strict=True)
    return np.array([reading_of(step, seen, float(scale), error).overall for step, scale, seen, error in frames])


def live_measure(landmarks: NDArray[np.floating], due: Due) -> float:
    """Return the root mean square of the live readings of one mode."""
    return float(np.sqrt(np.nanmean(readings(landmarks, due) ** 2)))


Pair = tuple[str, str]
"""Clip and mode."""


@dataclass(frozen=True, slots=True)
class ClipFacts:
    """What is kept of a clip: its name, group and half of it, whether its labels are trusted."""

    name: str
    group: str
    half: int
    trusted: bool


def correlation(live: dict[Pair, float], true: dict[Pair, float], pairs: Sequence[Pair]) -> float:
    """Return Spearman's rank correlation over the given (clip, mode) pairs."""
    if len(pairs) < 3:
        return float("nan")
    return float(spearmanr([live[pair] for pair in pairs], [true[pair] for pair in pairs]).statistic)


def summary(live: dict[Pair, float], true: dict[Pair, float], facts: Sequence[ClipFacts]) -> dict[str, float]:
    """Return the correlations by column; clips whose labels are not trusted are in one of them only."""
    chosen = {"all": [clip.name for clip in facts if clip.trusted]}
    for group in dict.fromkeys(clip.group for clip in facts):
        chosen[group] = [clip.name for clip in facts if clip.group == group and clip.trusted]
    chosen["real, all clips"] = [clip.name for clip in facts if clip.group == REAL]
    values = {key: correlation(live, true, [pair for pair in live if pair[0] in set(chosen[key])]) for key in chosen}
    inside = [correlation(live, true, [pair for pair in live if pair[0] == name]) for name in chosen["all"]]
    return values | {"within clips": float(np.mean(inside)), "worst clip": float(np.min(inside))}


TRUTHS = {
    "cold": "cold / true",
    "rwr": "RwR / true",
    "ratio": "RwR / cold",
    "true_ratio": "true",
    "exact": "labels %",
    "still": "at rest %",
    "favour": "RwR / filter",
    "follower": "follower / true",
}
"""Figures of a clip and how they are headed, see :func:`truths`."""


def truths(clip: Clip, due: Due, likely: Due) -> dict[str, float]:
    """Return how readings compare with the true flicker, which is measured like them with the labels' motion.

    The readings of cold and RwR over their true flicker, and both ratios of RwR to cold; the reading of the labels,
    also the median where they rest; RwR's reading over that of a filter that knows the true motion and flickers as
    much (NaN where none of its weights does); the reading over the true flicker of landmarks that RwR's reference
    alone moves.
    """
    true = true_due(clip)
    cold, rwr = (
        (live_measure(clip.modes[mode], due), live_measure(clip.modes[mode], true)) for mode in ("cold", "rwr")
    )
    filters = [exact_filter(clip, weight) for weight in FILTER_WEIGHTS]
    found = sorted((live_measure(each, true), live_measure(each, due)) for each in filters)
    flickers, seen = (np.array(values) for values in zip(*found, strict=True))
    alike = float(np.interp(rwr[1], flickers, seen, left=np.nan, right=np.nan))
    labels = readings(clip.truth, due)
    resting = labels[clip.rests()]
    start = clip.modes["cold"][:1].astype(np.float64)
    follower = np.concatenate([start, start + np.cumsum(np.nan_to_num(likely[0]), axis=0)])
    return {
        "cold": cold[0] / cold[1],
        "rwr": rwr[0] / rwr[1],
        "ratio": rwr[0] / cold[0],
        "true_ratio": rwr[1] / cold[1],
        "exact": live_measure(clip.truth, due),
        "still": float(np.nanmedian(resting)) if len(resting) else float("nan"),
        "favour": rwr[0] / alike,
        "follower": live_measure(follower, due) / live_measure(follower, true),
    }


def measure(clips: Iterable[tuple[Clip, int]]) -> dict[str, Any]:
    """Run every design over every clip with its half, one clip in memory at a time; return the figures, JSON-ready."""
    true: dict[Pair, float] = {}
    live: dict[str, dict[Pair, float]] = {name: {} for name in DESIGNS}
    nearness: dict[str, dict[str, dict[str, float]]] = {name: {} for name in DESIGNS}
    seconds: dict[str, list[float]] = {name: [] for name in DESIGNS}
    facts: list[ClipFacts] = []
    model_modes: set[str] = set()
    for clip, half in clips:
        facts.append(ClipFacts(clip.name, clip.group, half, clip.exact or not labels_ignore_repeats(clip)))
        model_modes.update(clip.model_modes)
        true |= {(clip.name, mode): nmf(points, clip.truth) for mode, points in clip.modes.items()}
        likely, _ = due_motion(clip, Likely())
        for name, make in DESIGNS.items():
            due, cost = due_motion(clip, make())
            seconds[name].append(cost)
            live[name] |= {(clip.name, mode): live_measure(points, due) for mode, points in clip.modes.items()}
            if clip.model_modes:
                nearness[name][clip.name] = truths(clip, due, likely)
    designs: dict[str, Any] = {}
    for name, values in live.items():
        model = {pair: value for pair, value in values.items() if pair[1] in model_modes}
        designs[name] = {
            "milliseconds": 1000 * float(np.median(seconds[name])),
            "model_modes": summary(model, true, facts) if model else None,
            "all_modes": summary(values, true, facts),
            "clips": nearness[name],
        }
    pairs = [{"clip": c, "mode": m, "live": value, "nmf": true[c, m]} for (c, m), value in live[PRODUCT].items()]
    return {
        "designs": designs,
        "clips": {fact.name: {"group": fact.group, "half": fact.half} for fact in facts},
        "labels_not_trusted": [fact.name for fact in facts if not fact.trusted],
        "pairs": pairs,
    }


def report(values: dict[str, Any]) -> str:
    """Return the tables for people."""
    parts = []
    for key, title in (("model_modes", "the model's modes"), ("all_modes", "the model's modes and synthetic jitter")):
        rows = [
            [name, f"{figures['milliseconds']:.2f}", *(f"{value:.3f}" for value in figures[key].values())]
            for name, figures in values["designs"].items()
            if figures[key] is not None
        ]
        if rows:
            columns = values["designs"][PRODUCT][key]
            parts += [f"Spearman correlation of the live measure with NMF, {title}:"]
            parts += [table(("motion estimate", "ms/frame", *columns), rows), ""]
    trusted = {name: facts for name, facts in values["clips"].items() if name not in values["labels_not_trusted"]}
    groups = list(dict.fromkeys(facts["group"] for facts in trusted.values()))
    for group in groups if values["designs"][PRODUCT]["model_modes"] else ():
        for half in (0, 1):
            names = [name for name, facts in trusted.items() if (facts["group"], facts["half"]) == (group, half)]
            rows = [[name, *_nearness(figures["clips"], names)] for name, figures in values["designs"].items()]
            parts += [f"Readings and true flicker, {group}, {('first', 'second')[half]} half, {len(names)} clips:"]
            parts += [table(("motion estimate", *TRUTHS.values(), "ratio off by %"), rows), ""]
    rows = []
    for mode in dict.fromkeys(pair["mode"] for pair in values["pairs"]):
        row = [mode]
        for group in groups:
            chosen = [
                pair
                for pair in values["pairs"]
                if pair["mode"] == mode and pair["clip"] in trusted and trusted[pair["clip"]]["group"] == group
            ]
            row += [f"{np.mean([pair[key] for pair in chosen]):.2f}" if chosen else "-" for key in ("live", "nmf")]
        rows.append(row)
    parts += ["Mean over clips (live in % of the inter-ocular distance):"]
    parts += [table(("mode", *(f"{group} {of}" for group in groups for of in ("live", "NMF"))), rows)]
    if values["labels_not_trusted"]:
        parts += ["", "Left out except in 'real, all clips', since the labels move on while the video repeats frames:"]
        parts += ["  " + ", ".join(values["labels_not_trusted"])]
    return "\n".join(parts)


def _nearness(clips: dict[str, dict[str, float]], names: Sequence[str]) -> list[str]:
    """Return the means over clips of the figures of :func:`truths`, and how far the ratios of RwR to cold are off."""
    known = {key: [clips[name][key] for name in names if np.isfinite(clips[name][key])] for key in TRUTHS}
    ratios = np.array([clips[name]["ratio"] / clips[name]["true_ratio"] for name in names])
    off = 100 * np.expm1(np.sqrt(np.mean(np.log(ratios) ** 2))) if names else np.nan
    return [*(f"{np.mean(values):.3f}" if values else "-" for values in known.values()), f"{off:.0f}"]


def main() -> None:
    """Parse the command line and run."""
    parser = parser_of(__doc__)
    parser.add_argument("--root", type=Path, nargs="+", required=True, help="clips in WFLW-V form, with lists of IDs")
    parser.add_argument("--limit", type=int, help="only the first N clips of each folder")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--engine", choices=ENGINES, default="auto")
    parser.add_argument("--device", choices=DEVICES, default="auto")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--no-model", action="store_true", help="synthetic jitter only")
    add_json(parser)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    videos = [clip for root in args.root for clip in find_clips(root)[: args.limit]]
    engine, weights = None, None
    if not args.no_model:
        engine = open_engine(args.weights, args.engine, args.device, args.threads)
        weights = read_card(args.weights).files.get(args.weights.name)
    numbers: Counter[str] = Counter()
    halves = []
    for clip in videos:
        halves.append(numbers[clip.group] % 2)
        numbers[clip.group] += 1
    loaded = (load(clip, engine, seed) for seed, clip in enumerate(tqdm(videos, unit="clip", disable=None)))
    values = measure(zip(loaded, halves, strict=True))
    values |= {"weights": weights, "engine": None if engine is None else engine.name}
    print(report(values))
    write_figures(args.json, values)


if __name__ == "__main__":
    run_script(main)
