"""Does the live flicker measure rank trackers as NMF does? Run on labelled clips in WFLW-V form:

    python3 -m benchmarks.flicker_ranking --root CLIPS [--weights FILE] [--json OUT]

Every clip is tracked in several modes: the model cold, with RwR and filtered, and the labels themselves
with synthetic jitter of known kinds. For each (clip, mode) pair the live measure, which sees no labels, is
set against NMF, which does, and Spearman's rank correlation is printed for several estimates of the image's
motion: the product's and what else was tried. ``docs/flicker.md`` discusses the figures.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr
from tqdm import tqdm

from app.errors import UserError
from app.evaluation.report import check_writable, table, write_json
from app.evaluation.wflw_v import find_videos
from app.settings import DEFAULT_WEIGHTS, DEVICES, ENGINES
from benchmarks.flicker_clips import Clip, Points, labels_ignore_repeats, load
from benchmarks.motion_designs import LandmarkSimilarity, NoMotion, SparseFlow
from model.engine.open import open_engine
from model.errors import ModelError
from model.flicker import reading_of
from model.metrics import inter_ocular, nmf
from model.motion import FlowMotion, MotionEstimate
from model.weights import read_card

Array = NDArray[np.float64]

PRODUCT = "flow and head motion (product)"
DESIGNS: dict[str, Callable[[], MotionEstimate]] = {
    "no motion": NoMotion,
    "similarity of the landmarks": LandmarkSimilarity,
    "sparse flow, checked both ways": SparseFlow,
    "dense flow alone": lambda: FlowMotion(expression_limit=np.inf),
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


def correlation(live: dict[Pair, float], true: dict[Pair, float], pairs: Sequence[Pair]) -> float:
    """Return Spearman's rank correlation over the given (clip, mode) pairs."""
    if len(pairs) < 3:
        return float("nan")
    return float(spearmanr([live[pair] for pair in pairs], [true[pair] for pair in pairs]).statistic)


def summary(
    live: dict[Pair, float], true: dict[Pair, float], clips: Sequence[Clip], distrusted: set[str]
) -> list[float]:
    """Return the correlations of the table's columns: all, animated, real, real trusted, within clips."""
    groups = [
        {clip.name for clip in clips if clip.name not in distrusted},
        {clip.name for clip in clips if clip.animated},
        {clip.name for clip in clips if not clip.animated and clip.name not in distrusted},
        {clip.name for clip in clips if not clip.animated},
    ]
    values = [correlation(live, true, [pair for pair in live if pair[0] in group]) for group in groups]
    inside = [correlation(live, true, [pair for pair in live if pair[0] == name]) for name in sorted(groups[0])]
    return [*values, float(np.mean(inside)), float(np.min(inside))]


COLUMNS = ("all", "animated", "real", "real, all clips", "within clips", "worst clip")


def measure(clips: Sequence[Clip]) -> dict[str, Any]:
    """Run every design over every clip and return the figures, JSON-ready."""
    true = {(clip.name, mode): nmf(points, clip.truth) for clip in clips for mode, points in clip.modes.items()}
    distrusted = {clip.name for clip in clips if not clip.animated and labels_ignore_repeats(clip)}
    designs: dict[str, Any] = {}
    pairs: list[dict[str, Any]] = []
    for name, make in DESIGNS.items():
        live: dict[Pair, float] = {}
        errors, seconds = [], []
        for clip in tqdm(clips, desc=name, unit="clip", disable=None):
            motion, cost = explained_motion(clip, make())
            seconds.append(cost)
            live |= {(clip.name, mode): live_measure(points, motion) for mode, points in clip.modes.items()}
            if clip.animated:
                errors.append(live_measure(clip.truth, motion))
        model = {pair: value for pair, value in live.items() if pair[1] in clips[0].model_modes}
        designs[name] = {
            "milliseconds": 1000 * float(np.median(seconds)),
            "motion_error": float(np.median(errors)) if errors else None,
            "model_modes": dict(zip(COLUMNS, summary(model, true, clips, distrusted), strict=True)) if model else None,
            "all_modes": dict(zip(COLUMNS, summary(live, true, clips, distrusted), strict=True)),
        }
        if name == PRODUCT:
            pairs = [{"clip": c, "mode": m, "live": live[c, m], "nmf": true[c, m]} for c, m in live]
    return {"designs": designs, "labels_not_trusted": sorted(distrusted), "pairs": pairs}


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
    modes = list(dict.fromkeys(pair["mode"] for pair in values["pairs"]))
    rows = []
    for mode in modes:
        row = [mode]
        for animated in (True, False):
            chosen = [p for p in values["pairs"] if p["mode"] == mode and p["clip"].startswith("anim") is animated]
            cells = [f"{np.mean([p[key] for p in chosen]):.2f}" if chosen else "-" for key in ("live", "nmf")]
            row += cells
        rows.append(row)
    parts += ["Mean over clips (live in % of the inter-ocular distance):"]
    parts += [table(("mode", "animated live", "animated NMF", "real live", "real NMF"), rows)]
    if values["labels_not_trusted"]:
        parts += ["", "Left out except in 'real, all clips', since the labels move on while the video repeats frames:"]
        parts += ["  " + ", ".join(values["labels_not_trusted"])]
    return "\n".join(parts)


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.flicker_ranking", description=__doc__.splitlines()[0])
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
    parser.add_argument("--json", type=Path, help="also write the figures as JSON")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    try:
        if args.json is not None:
            check_writable(args.json)
        videos = find_videos(args.root, args.ids)[: args.limit]
        engine, weights = None, None
        if not args.no_model:
            engine = open_engine(args.weights, args.engine, args.device, args.threads)
            weights = read_card(args.weights).files.get(args.weights.name)
        clips = [
            load(files, engine, seed)
            for seed, files in enumerate(tqdm(videos, desc="track", unit="clip", disable=None))
        ]
        values = measure(clips) | {"weights": weights, "engine": None if engine is None else engine.name}
        print(report(values))
        if args.json is not None:
            write_json(args.json, values)
    except (UserError, ModelError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
