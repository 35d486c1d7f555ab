"""A method's figures: accuracy, flicker, delay and evaluations, per clip, per group and against the cold solve."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.lab.flicker.clips import EncodedClip
from app.lab.flicker.methods import Track
from model.metrics.accuracy import nme
from model.metrics.flicker import nad, nmf
from model.metrics.lag import Speed, best_delay, delay_errors, expression_steps, face_shapes, velocity_lag
from model.topology import EXPRESSIVE, EYES_AND_MOUTH, REGIONS, inter_ocular

Array = NDArray[np.float64]

LEAST_SPEED = 0.1
"""A clip whose true points move less than this, in % of the inter-ocular distance a frame (RMS), has no lag."""
TELLING_SPEED = 0.5
"""True motion, in the same unit, at which a clip's lag counts half: about the jitter of a cold solve."""
POINTS = {region.name: np.array(region.points) for region in REGIONS}


@dataclass(frozen=True, slots=True)
class RegionFigures:
    """NME in percent and NMF of one region's points."""

    nme: float
    nmf: float


@dataclass(frozen=True, slots=True)
class SpeedSums:
    """What one region of one clip adds to its group's figures in the frames of one speed.

    Attributes:
        frames: how many.
        errors: sum over frames of the region's NME, percent.
        delays: squared error against the truth of :data:`model.metrics.lag.DELAYS` frames before.
    """

    frames: int
    errors: float
    delays: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class SpeedFigures:
    """One region of a group of clips in the frames of one speed of the true motion; NaN where there are none.

    Attributes:
        frames: how many.
        nme: mean over them, percent.
        nme_ratio: over the cold solve's.
        lag: the delay at which the truth fits best, frames, all clips together.
        lag_more: less the cold solve's.
    """

    frames: int
    nme: float
    nme_ratio: float
    lag: float
    lag_more: float


@dataclass(frozen=True, slots=True)
class Worst:
    """The clip on which a method does worst against the cold solve: its name and the ratio there."""

    clip: str
    ratio: float


@dataclass(frozen=True, slots=True)
class ClipFigures:
    """One method on one clip.

    Attributes:
        clip: its ID.
        group: its group.
        frames: its frames.
        nme: percent.
        nme_eyes_mouth: percent.
        nmf: see :func:`model.metrics.flicker.nmf`.
        evaluations: of the cell, mean per frame.
        lag: delay of all landmarks against the truth, frames; NaN where it cannot be told.
        lag_expressions: that of eyes and mouth relative to the head.
        speed: RMS motion of the true points (less its mean over time), % of the inter-ocular distance a frame.
        speed_expressions: that of eyes and mouth relative to the head.
        regions: by name.
        nad: NAD by its lag in frames, for lags 1, 2, 4, ... of which the clip holds two.
        speeds: of eyes, brows and mouth, by region and speed of the true motion.
    """

    clip: str
    group: str
    frames: int
    nme: float
    nme_eyes_mouth: float
    nmf: float
    evaluations: float
    lag: float
    lag_expressions: float
    speed: float
    speed_expressions: float
    regions: dict[str, RegionFigures]
    nad: dict[int, float]
    speeds: dict[str, dict[Speed, SpeedSums]]


def speed(steps: Array) -> float:
    """Return the RMS over frames and points of steps (n, points, 2) less their mean over time, times 100."""
    varying = steps - steps.mean(axis=0)
    return 100 * float(np.sqrt((varying**2).sum(axis=-1).mean()))


def measure_track(track: Track, clip: EncodedClip) -> ClipFigures:
    """Compare what a method made of a clip with the truth."""
    found, truth = track.landmarks, clip.truth
    true_speed, true_expression_speed = speed(clip.true_steps), speed(clip.true_expressions)
    lag = expression_lag = math.nan
    if true_speed >= LEAST_SPEED:
        lag = velocity_lag(clip.steps_of(found), clip.true_steps)
    if true_expression_speed >= LEAST_SPEED:
        expression_lag = velocity_lag(expression_steps(found), clip.true_expressions)
    lags = [2**i for i in range(len(truth).bit_length()) if 2 * 2**i <= len(truth)]
    return ClipFigures(
        clip=clip.name,
        group=clip.group,
        frames=len(truth),
        nme=float(nme(found, truth).mean()) * 100,
        nme_eyes_mouth=float(nme(found, truth, EYES_AND_MOUTH).mean()) * 100,
        nmf=nmf(found, truth),
        evaluations=float(np.mean(track.evaluations)),
        lag=lag,
        lag_expressions=expression_lag,
        speed=true_speed,
        speed_expressions=true_expression_speed,
        regions={
            name: RegionFigures(float(nme(found, truth, points).mean()) * 100, nmf(found, truth, points))
            for name, points in POINTS.items()
        },
        nad={lag: nad(found, truth, lag) for lag in lags},
        speeds=_speed_sums(track, clip),
    )


def _speed_sums(track: Track, clip: EncodedClip) -> dict[str, dict[Speed, SpeedSums]]:
    shapes = face_shapes(track.landmarks)
    distances = np.linalg.norm(track.landmarks.astype(np.float64) - clip.truth, axis=-1)
    percent = 100 * distances / inter_ocular(clip.truth)[:, None]
    sums: dict[str, dict[Speed, SpeedSums]] = {}
    for region in EXPRESSIVE:
        points, classes = list(region.points), clip.true_speeds[region.name]
        delays, errors = delay_errors(shapes[:, points], clip.true_shapes[:, points]), percent[:, points].mean(axis=1)
        known = np.isfinite(delays).all(axis=0)  # of all delays the same frames
        sums[region.name] = {
            each: SpeedSums(
                frames=int((classes == each).sum()),
                errors=float(errors[classes == each].sum()),
                delays=tuple(delays[:, known & (classes == each)].sum(axis=1).tolist()),
            )
            for each in Speed
        }
    return sums


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """One method on one group of clips: plain means over clips, but for the following.

    Attributes:
        clips: how many.
        evaluations: mean over frames.
        lag: mean over the clips where both this method's and the cold solve's can be told, weighted by
            s^2 / (s^2 + :data:`TELLING_SPEED`^2) with the speed s of the clip's true points: a clip in which
            little moves says little about delay, and one that moves much is still one clip.
        lag_expressions: likewise, with the expressions' speed.
        lag_more: ``lag`` less the cold solve's mean over the same clips.
        lag_expressions_more: likewise.
        nme_ratio: ``nme`` over the cold solve's.
        nme_eyes_mouth_ratio: likewise.
        nmf_ratio: likewise.
        nad: for the lags that every clip of the group has.
        worst_nme: the clip of largest NME over the cold solve's.
        worst_eyes_mouth: likewise of eyes and mouth.
        speeds: of eyes, brows and mouth, by region and speed of the true motion, all frames of the group together.
    """

    group: str
    clips: int
    nme: float
    nme_eyes_mouth: float
    nmf: float
    evaluations: float
    lag: float
    lag_expressions: float
    lag_more: float
    lag_expressions_more: float
    nme_ratio: float
    nme_eyes_mouth_ratio: float
    nmf_ratio: float
    regions: dict[str, RegionFigures]
    nad: dict[int, float]
    worst_nme: Worst
    worst_eyes_mouth: Worst
    speeds: dict[str, dict[Speed, SpeedFigures]]


def summarise(
    figures: Sequence[ClipFigures], cold: Sequence[ClipFigures], picture_late: int = 0
) -> dict[str, GroupFigures]:
    """Return a method's figures by group.

    Args:
        figures: of the method.
        cold: of the cold solve, for the same clips in the same order.
        picture_late: frames by which the method holds the picture back; they count as lag.
    """
    pairs = list(zip(figures, cold, strict=True))
    groups = dict.fromkeys(each.group for each in figures)
    return {group: _group(group, [pair for pair in pairs if pair[0].group == group], picture_late) for group in groups}


def _group(group: str, pairs: Sequence[tuple[ClipFigures, ClipFigures]], picture_late: int) -> GroupFigures:
    own, cold = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    def mean(name: str, of: Sequence[ClipFigures]) -> float:
        return float(np.mean([getattr(each, name) for each in of]))

    lag, lag_cold = _mean_lags("lag", "speed", pairs)
    expressions, expressions_cold = _mean_lags("lag_expressions", "speed_expressions", pairs)
    shared = sorted(set.intersection(*(set(each.nad) for each in own)))
    return GroupFigures(
        group=group,
        clips=len(own),
        nme=mean("nme", own),
        nme_eyes_mouth=mean("nme_eyes_mouth", own),
        nmf=mean("nmf", own),
        evaluations=float(np.average([each.evaluations for each in own], weights=[each.frames for each in own])),
        lag=lag + picture_late,
        lag_expressions=expressions + picture_late,
        lag_more=lag + picture_late - lag_cold,
        lag_expressions_more=expressions + picture_late - expressions_cold,
        nme_ratio=_ratio(mean("nme", own), mean("nme", cold)),
        nme_eyes_mouth_ratio=_ratio(mean("nme_eyes_mouth", own), mean("nme_eyes_mouth", cold)),
        nmf_ratio=_ratio(mean("nmf", own), mean("nmf", cold)),
        regions={
            name: RegionFigures(
                float(np.mean([each.regions[name].nme for each in own])),
                float(np.mean([each.regions[name].nmf for each in own])),
            )
            for name in POINTS
        },
        nad={lag: float(np.mean([each.nad[lag] for each in own])) for lag in shared},
        worst_nme=_worst("nme", pairs),
        worst_eyes_mouth=_worst("nme_eyes_mouth", pairs),
        speeds={
            region.name: {each: _at_speed(region.name, each, own, cold, picture_late) for each in Speed}
            for region in EXPRESSIVE
        },
    )


def _worst(name: str, pairs: Sequence[tuple[ClipFigures, ClipFigures]]) -> Worst:
    ratios = [Worst(own.clip, _ratio(getattr(own, name), getattr(cold, name))) for own, cold in pairs]
    return max(ratios, key=lambda each: -math.inf if math.isnan(each.ratio) else each.ratio)


def _at_speed(
    region: str, speed: Speed, own: Sequence[ClipFigures], cold: Sequence[ClipFigures], picture_late: int
) -> SpeedFigures:
    frames = sum(each.speeds[region][speed].frames for each in own)
    nme, nme_cold = (
        sum(each.speeds[region][speed].errors for each in clips) / frames if frames else math.nan
        for clips in (own, cold)
    )
    lag, lag_cold = (
        best_delay(np.sum([each.speeds[region][speed].delays for each in clips], axis=0)) for clips in (own, cold)
    )
    return SpeedFigures(frames, nme, _ratio(nme, nme_cold), lag + picture_late, lag + picture_late - lag_cold)


def _ratio(own: float, cold: float) -> float:
    return own / cold if cold > 0 else math.nan


def _mean_lags(name: str, speed: str, pairs: Sequence[tuple[ClipFigures, ClipFigures]]) -> tuple[float, float]:
    """Return the weighted mean lag of a method and of the cold solve over the clips where both are known."""
    known = [pair for pair in pairs if math.isfinite(getattr(pair[0], name)) and math.isfinite(getattr(pair[1], name))]
    if not known:
        return math.nan, math.nan
    energy = np.square([getattr(own, speed) for own, _ in known])
    weights = energy / (energy + TELLING_SPEED**2)
    own, cold = (float(np.average([getattr(pair[i], name) for pair in known], weights=weights)) for i in (0, 1))
    return own, cold
