"""Steadiness and speed of other trackers and of ours, on the same frames of faces whose motion is known.

All trackers take turns frame by frame, in an order that rotates. :mod:`app.lab.steadiness.measure` says what is
measured.
"""

from __future__ import annotations

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

from app.core.errors import UserError
from app.core.frame import Frame
from app.core.memory import share_one_heap
from app.core.settings import EngineSettings, TrackingSettings
from app.lab.speed.baseline import Baseline, Followed, Installed, find_baselines
from app.lab.steadiness.clips import KnownClip, demo, rigid_clips
from app.lab.steadiness.filters import SETTINGS, calmest, mean_lag, smoothed
from app.lab.steadiness.measure import Array, Truth, found_in, measure
from app.lab.steadiness.moved_pictures import moved_pictures
from app.lab.steadiness.tables import COMMON, Record, values_of
from model.engine.names import Device, EngineName
from model.topology import LEFT_EYE_OUTER, POINTS, REGIONS, RIGHT_EYE_OUTER

OUR_REGIONS = {region.name: list(region.points) for region in REGIONS if region.name in COMMON}
FEWEST = 30
"""Frames in which all must have found the face, or a clip says nothing about who is steadier."""


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


def choose_clips(labelled: Path | None, pictures: Path | None) -> tuple[list[KnownClip], list[str]]:
    """Return the clips to follow, the demo's where none are named, and the names of those that cannot be used.

    Raises:
        UserError: for folders without such clips.
    """
    if pictures is not None:
        return moved_pictures(pictures), []
    if labelled is None:
        return [demo()], []
    clips, others = rigid_clips(labelled)
    if not clips:
        raise UserError(f"No labels in {labelled} move as one rigid shape; leave out --clips to use the demo.")
    return clips, others


def run(pythons: Sequence[Path], clips: Sequence[KnownClip], engine: str, frames: int | None) -> dict[str, Any]:
    """Let all follow all clips and return the figures.

    Raises:
        UserError: for baselines that cannot be used, or that never all find a face.
    """
    if frames is not None and frames < 2:
        raise UserError("--frames must be at least 2: flicker is between frames.")
    share_one_heap()  # as the program does
    installed = [each for python in pythons for each in find_baselines(python)]
    records: dict[str, Record] = {}
    load, compared, counted, total = [load_now()], [], 0, 0
    for clip in clips:
        alike = follow_clip(clip, installed, engine, frames, records)
        load.append(load_now())
        total += len(alike)
        if alike.sum() >= min(FEWEST, len(alike)):
            counted += int(alike.sum())
            compared.append(clip.name)
    if not compared:
        raise UserError("Not all trackers found the face in the clips; leave out a --baseline.")
    return {
        "clips": compared,
        "frames": counted,
        "frames_followed": total,
        "too_hard": [clip.name for clip in clips if clip.name not in compared],
        "load": [min(load), max(load)],
        "trackers": {label: values_of(record) for label, record in with_filters(records).items()},
    }


def with_filters(records: dict[str, Record]) -> dict[str, Record]:
    """Return the records, each with that of the filter behind it that suits it best if it may be as late as RwR."""
    latest = mean_lag(next(iter(records.values())).clips)
    found = {}
    for label, record in records.items():
        found[label] = record
        setting = None if latest is None else calmest(record.filtered, latest)
        if setting is not None:
            found[f"{label}, {setting}"] = Record(record.filtered[setting], lost=record.lost)
    return found


def follow_clip(
    clip: KnownClip, installed: Sequence[Installed], engine: str, frames: int | None, into: dict[str, Record]
) -> NDArray[np.bool_]:
    """Let ours and the baselines follow one clip, note what they do, and return in which frames all found the face."""
    with ExitStack() as stack:
        trackers = [ours(stack, engine, rwr=True), ours(stack, engine, rwr=False)]
        trackers += [theirs(stack.enter_context(Baseline(each, clip.width, clip.height))) for each in installed]
        times = []
        for count, frame in enumerate(islice(clip.frames(), frames)):
            times.append(frame.timestamp)
            for turn in range(len(trackers)):
                tracker = trackers[(count + turn) % len(trackers)]
                tracker.answers.append(tracker.follow(frame))
    truth = first_frames(clip.truth, len(times))
    points = [points_of(tracker.answers) for tracker in trackers]
    found = [found_in(each, truth) for each in points]
    alike = np.asarray(np.all(found, axis=0))
    for tracker, own, seen in zip(trackers, points, found, strict=True):
        record = into.setdefault(tracker.label, Record())
        record.lost += int((~seen).sum())
        record.milliseconds += [answer.milliseconds for answer in tracker.answers]
        record.cpu_milliseconds += [answer.cpu_milliseconds for answer in tracker.answers]
        if alike.sum() < min(FEWEST, len(alike)):
            continue
        record.clips.append(measure(own, truth, tracker.regions, tracker.corners, alike))
        for setting in SETTINGS:
            calm = smoothed(own, times, tracker.corners, setting)
            found_calm = measure(calm, truth, tracker.regions, tracker.corners, alike)
            record.filtered.setdefault(setting, []).append(found_calm)
    return alike


def ours(stack: ExitStack, engine: str, rwr: bool) -> Tracker:
    """Open our tracker, with RwR or cold; the flicker meter, which is not tracking, is off."""
    from app.tracking.pipeline import build_pipeline

    settings = EngineSettings(engine=EngineName(engine), device=Device.CPU, threads=1)
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


def theirs(baseline: Baseline) -> Tracker:
    """Return a baseline that takes part."""

    def follow(frame: Frame) -> Followed:
        return baseline.follow(frame.image)

    return Tracker(baseline.label, follow, baseline.regions, baseline.corners)


def points_of(answers: Sequence[Followed]) -> Array:
    """Return the points (n, k, 2) of all frames, NaN where there are none."""
    count = next((len(answer.points) for answer in answers if answer.points is not None), POINTS)
    nothing = np.full((count, 2), np.nan)
    return np.stack([nothing if answer.points is None else answer.points for answer in answers])


def first_frames(truth: Truth, count: int) -> Truth:
    """Return what is known of the first frames."""

    def holds(places: Array) -> NDArray[np.bool_]:
        return truth.holds(places)[:count]

    stretches = {name: mask[:count] for name, mask in truth.stretches.items()}
    return replace(truth, matrix=truth.matrix[:count], stretches=stretches, holds=holds)


def load_now() -> float:
    """Return how many programs want a processor; NaN where the system does not tell."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else float("nan")
