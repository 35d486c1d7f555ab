"""Steadiness and speed of other trackers and of ours, on the same frames of faces whose motion is known.

    python -m benchmarks.rivals --rival PYTHON [--rival PYTHON] [--clips FOLDER] [--engine NAME] [--frames N]
        [--json OUT]

PYTHON is an interpreter with mediapipe 0.10.21, or with dlib-bin and face_recognition_models; see ``docs/rivals.md``.
All trackers take turns frame by frame, in an order that rotates. Without ``--clips`` the demo clip is used; with it,
those clips of a folder in WFLW-V form whose labels move as one rigid shape. ``benchmarks/steadiness.py`` says what is
measured.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.bench.report import quantiles
from app.bench.rival import Followed, Installed, Rival, find_rivals
from app.errors import UserError
from app.memory import share_one_heap
from app.pipeline.frame import ONE_EURO, Frame
from app.settings import ENGINES, EngineSettings, TrackingSettings
from app.smoothing import make_filter
from benchmarks.known_motion import KnownClip, demo, rigid_clips
from benchmarks.steadiness import ALL, EVENLY, Array, Steadiness, Sums, Truth, evenly, measure
from model.topology import LEFT_EYE_OUTER, POINTS, REGIONS, RIGHT_EYE_OUTER

COMMON = ("contour", "brows", "nose", "eyes", "mouth")
"""Regions that every tracker has."""
OUR_REGIONS = {region.name: list(region.points) for region in REGIONS if region.name in COMMON}
FILTERED = ", 1 euro filter"


@dataclass(slots=True)
class Tracker:
    """One that takes part.

    Attributes:
        label: for people.
        follow: gives the answer to the next frame.
        regions: indices of its points by region.
        corners: indices of the outer eye corners.
        answers: so far, on this clip.
    """

    label: str
    follow: Callable[[Frame], Followed]
    regions: dict[str, list[int]]
    corners: tuple[int, int]
    answers: list[Followed] = field(default_factory=list)


@dataclass(slots=True)
class Record:
    """What was measured of one tracker over all clips."""

    clips: list[Steadiness] = field(default_factory=list)
    milliseconds: list[float] = field(default_factory=list)
    cpu_milliseconds: list[float] = field(default_factory=list)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rival", type=Path, action="append", default=[], metavar="PYTHON")
    parser.add_argument("--clips", type=Path, metavar="FOLDER")
    parser.add_argument("--engine", default="auto", choices=ENGINES, help="of ours")
    parser.add_argument("--frames", type=int, help="of each clip, at most")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    try:
        figures = run(args.rival, args.clips, args.engine, args.frames)
    except UserError as error:
        raise SystemExit(f"{error}") from error
    print(text(figures))
    if args.json is not None:
        args.json.write_text(json.dumps(figures, indent=1) + "\n")


def run(pythons: Sequence[Path], folder: Path | None, engine: str, frames: int | None) -> dict[str, Any]:
    """Let all follow all clips and return the figures.

    Raises:
        UserError: for rivals or clips that cannot be used.
    """
    share_one_heap()  # as the program does
    installed = [each for python in pythons for each in find_rivals(python)]
    clips, others = ([demo()], []) if folder is None else rigid_clips(folder)
    if not clips:
        raise UserError(f"No labels in {folder} move as one rigid shape; leave out --clips to use the demo.")
    records: dict[str, Record] = {}
    load = [load_now()]
    for clip in clips:
        follow_clip(clip, installed, engine, frames, records)
        load.append(load_now())
    return {
        "clips": [clip.name for clip in clips],
        "left_out": others,
        "load": [min(load), max(load)],
        "trackers": {label: values_of(record) for label, record in records.items()},
    }


def follow_clip(
    clip: KnownClip, installed: Sequence[Installed], engine: str, frames: int | None, into: dict[str, Record]
) -> None:
    """Let ours and the rivals follow one clip and note what they do."""
    with ExitStack() as stack:
        trackers = [ours(stack, engine, rwr=True), ours(stack, engine, rwr=False)]
        trackers += [theirs(stack.enter_context(Rival(each, clip.width, clip.height))) for each in installed]
        times = []
        for count, frame in enumerate(islice(clip.frames(), frames)):
            times.append(frame.timestamp)
            for turn in range(len(trackers)):
                tracker = trackers[(count + turn) % len(trackers)]
                tracker.answers.append(tracker.follow(frame))
    truth = first_frames(clip.truth, len(times))
    for tracker in trackers:
        points = points_of(tracker.answers)
        record = into.setdefault(tracker.label, Record())
        record.clips.append(measured(tracker.label, clip.name, points, truth, tracker))
        record.milliseconds += [answer.milliseconds for answer in tracker.answers]
        record.cpu_milliseconds += [answer.cpu_milliseconds for answer in tracker.answers]
        label = tracker.label + FILTERED
        calm = smoothed(points, times, tracker.corners)
        into.setdefault(label, Record()).clips.append(measured(label, clip.name, calm, truth, tracker))


def ours(stack: ExitStack, engine: str, rwr: bool) -> Tracker:
    """Open our tracker, with RwR or cold; the flicker meter, which is not tracking, is off."""
    from app.pipeline.pipeline import build_pipeline

    settings = EngineSettings(engine=engine, device="cpu", threads=1)
    pipeline = build_pipeline(settings, TrackingSettings(rwr=rwr, measure_flicker=False))
    stack.callback(pipeline.close)

    def follow(frame: Frame) -> Followed:
        wall, cpu = time.perf_counter(), time.process_time()
        faces = pipeline.process(frame).faces
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        points = faces[0].estimate.landmarks.astype(np.float64) if faces else None
        return Followed(points, 1e3 * wall, 1e3 * cpu)

    label = f"LDEQ Live, {'RwR' if rwr else 'cold'} ({pipeline.engine_name})"
    return Tracker(label, follow, OUR_REGIONS, (LEFT_EYE_OUTER, RIGHT_EYE_OUTER))


def theirs(rival: Rival) -> Tracker:
    """Return a rival that takes part."""

    def follow(frame: Frame) -> Followed:
        return rival.follow(frame.image)

    return Tracker(rival.label, follow, rival.regions, rival.corners)


def points_of(answers: Sequence[Followed]) -> Array:
    """Return the points (n, k, 2) of all frames, NaN where there are none."""
    count = next((len(answer.points) for answer in answers if answer.points is not None), POINTS)
    nothing = np.full((count, 2), np.nan)
    return np.stack([nothing if answer.points is None else answer.points for answer in answers])


def smoothed(points: Array, times: Sequence[float], corners: tuple[int, int]) -> Array:
    """Return what the 1 euro filter with the application's settings makes of a tracker's points.

    As the application does, it measures in eye distances of the first frame and begins anew after a loss.
    """
    smooth = points.copy()
    calm, unit = make_filter(ONE_EURO), None
    assert calm is not None
    for index, (frame, when) in enumerate(zip(points, times, strict=True)):
        if not np.isfinite(frame).all():
            calm.reset()
            continue
        unit = unit or float(np.hypot(*(frame[corners[0]] - frame[corners[1]])))
        smooth[index] = calm.update(frame / unit, when).astype(np.float64) * unit
    return smooth


def first_frames(truth: Truth, count: int) -> Truth:
    """Return what is known of the first frames."""

    def holds(places: Array) -> NDArray[np.bool_]:
        return truth.holds(places)[:count]

    stretches = {name: mask[:count] for name, mask in truth.stretches.items()}
    return replace(truth, matrix=truth.matrix[:count], stretches=stretches, holds=holds)


def measured(label: str, clip: str, points: Array, truth: Truth, tracker: Tracker) -> Steadiness:
    """Measure a tracker's points on a clip.

    Raises:
        UserError: where it never found the face.
    """
    try:
        return measure(points, truth, tracker.regions, tracker.corners)
    except ValueError as error:
        raise UserError(f"{label} never found the face of {clip}; leave out that clip or tracker.") from error


def load_now() -> float:
    """Return how many programs want a processor; NaN where the system does not tell."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else float("nan")


def values_of(record: Record) -> dict[str, Any]:
    """Return a tracker's figures over all clips: squares are added up, lags weighted by the face's speed."""
    known = [(clip.lag, clip.speed) for clip in record.clips if np.isfinite(clip.lag)]
    lag = float(np.average([lag for lag, _ in known], weights=[speed for _, speed in known])) if known else None
    values: dict[str, Any] = {
        "flicker": _rms_of([clip.flicker for clip in record.clips]),
        "wander": _rms_of([clip.wander for clip in record.clips]),
        "lag_frames": None if lag is None else round(lag, 3),
        "lost_frames": sum(clip.lost for clip in record.clips),
        "left_out": round(float(np.mean([clip.left_out for clip in record.clips])), 4),
        "eye_corners": round(float(np.mean([clip.corners for clip in record.clips])), 4),
    }
    if record.milliseconds:
        values["ms"], values["cpu_ms"] = quantiles(record.milliseconds), quantiles(record.cpu_milliseconds)
    return values


def _rms_of(clips: Sequence[dict[str, dict[str, Sums]]]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    for stretch in clips[0]:
        sums = {name: sum((clip[stretch][name] for clip in clips), Sums()) for name in clips[0][stretch]}
        if sums[ALL].count:
            rms = {name: each.rms for name, each in sums.items()} | {EVENLY: evenly(sums, COMMON)}
            found[stretch] = {name: round(value, 4) for name, value in rms.items()}
    return found


def text(figures: dict[str, Any]) -> str:
    """Return the tables."""
    trackers = figures["trackers"]
    stretches = list(next(iter(trackers.values()))["flicker"])
    low, high = figures["load"]
    wide = max(len(label) for label in trackers)
    lines = [f"{', '.join(figures['clips'])}; load of this computer {low} to {high}"]
    for what in ("flicker", "wander"):
        heads = [f"{stretch} {name}" for stretch in stretches for name in ("points", "regions")]
        lines += ["", f"{what}, % of the eye distance", f"{'':<{wide}}" + "".join(f"{head:>17}" for head in heads)]
        for label, each in trackers.items():
            cells = [each[what][stretch][name] for stretch in stretches for name in (ALL, EVENLY)]
            lines.append(f"{label:<{wide}}" + "".join(f"{cell:17.3f}" for cell in cells))
    for stretch in stretches:
        lines += ["", f"flicker by region, {stretch}", f"{'':<{wide}}" + "".join(f"{name:>10}" for name in COMMON)]
        for label, each in trackers.items():
            lines.append(f"{label:<{wide}}" + "".join(f"{each['flicker'][stretch][name]:10.3f}" for name in COMMON))
    lines += [
        "",
        f"{'':<{wide}}{'lag, frames':>12}{'lost':>6}{'eyes x':>8}{'left out':>10}{'CPU ms p50 p95 (least)':>26}",
    ]
    lines[-1] += f"{'clock ms p50 p95 (least)':>26}"
    for label, each in trackers.items():
        lag = "untold" if each["lag_frames"] is None else f"{each['lag_frames']:.2f}"
        line = (
            f"{label:<{wide}}{lag:>12}{each['lost_frames']:>6}{each['eye_corners']:8.3f}{100 * each['left_out']:8.1f} %"
        )
        for key in ("cpu_ms", "ms"):
            if key in each:
                times = each[key]
                line += f"{times['p50']:12.2f}{times['p95']:6.2f} ({times['least']:.2f})"
        lines.append(line)
    return "\n".join(lines)


if __name__ == "__main__":
    main()
