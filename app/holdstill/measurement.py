"""From the frames of a hold-still test to its figures.

Two figures tell how still landmarks stand while the face does, both root mean squares over points and frames:

- **Flicker**: how far a point moves from one frame to the next beyond what the picture explains
  (:mod:`model.metrics.flicker_meter`). It does not mind a head that moves, and it is blind to slow drift.
- **Wander**: how far a point strays from its resting place, its plain standard deviation once the head's slow
  motion (:mod:`app.holdstill.stillness`) is taken out. It sees slow drift too, but it cannot tell a face that pulls a
  grimace from landmarks that do.

Landmarks can look calm in one and restless in the other, so both are given, in % of the inter-ocular distance and in
pixels of the frame. Frames in which the head moved, and those of a blink, are left out of both: there, landmarks should
not stand still.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from app.core.errors import UserError
from app.core.runs import runs
from app.holdstill.card import Figures, Light, ModeFigures, Noise, Pace, Stillness
from app.holdstill.samples import TEST_SECONDS, Sample, Sitting, landmarks_of
from app.holdstill.stillness import (
    MOVING_SPEED,
    Complex,
    Flags,
    blinking,
    follow_head,
    widened,
)
from model.topology import LEFT_EYE_OUTER, POINTS, REGION_OF_POINT, REGIONS, RIGHT_EYE_OUTER

Array = NDArray[np.float64]

LEAST_RATE = 4.0
"""Frames a second below which the head is followed too slowly to know how still it was."""
LEAST_STILL_SECONDS = 0.75
"""Least time without motion and blinks from which figures are given at all."""
LEAST_SHARE = 0.5
"""A face must be in view, and a mode solved, in at least this share of the frames."""
LONGEST_GAP = 0.5
"""Seconds between two frames after which a new stretch of stillness begins."""

_REGION = np.array(REGION_OF_POINT)


class HoldStillError(UserError):
    """A test that yields no figures. The message says what to do."""


def measure(sitting: Sitting, seconds: float = TEST_SECONDS, moving_speed: float = MOVING_SPEED) -> Figures:
    """Return the figures of one test.

    Args:
        sitting: what it saw.
        seconds: it was asked to last.
        moving_speed: of the head from which a frame does not count, % of the inter-ocular distance a second.

    Raises:
        HoldStillError: no face, too few frames, or hardly a moment without motion.
    """
    samples = _usable(sitting)
    modes = [mode for mode in samples[0].modes if _share(samples, mode) >= LEAST_SHARE]
    complete = tuple(sample for sample in samples if all(mode in sample.modes for mode in modes))
    times = np.array([sample.time for sample in complete])
    faces = {mode: landmarks_of(complete, mode) for mode in modes}
    together = np.mean([faces[mode] for mode in modes], axis=0)
    scale = float(np.median(np.abs(together[:, RIGHT_EYE_OUTER] - together[:, LEFT_EYE_OUTER])))
    head = follow_head(times, together)
    speed = 100 * head.speed / scale
    blinks = blinking(times, together)
    moving = widened(times, speed > moving_speed, head.reach)
    still = ~moving & ~blinks
    counted = min(seconds, float(_durations(times)[still].sum()))
    typical = float(np.percentile(speed, 95))
    if counted < LEAST_STILL_SECONDS:
        raise HoldStillError(
            f"The head moved too much: {typical:.0f} % of the distance between the eyes a second, and less than "
            f"{moving_speed:.0f} counts as still; lean on something, look at the camera and repeat the test."
        )
    stretches = _stretches(complete, times, ~moving)
    box = np.ptp(head.centre.real), np.ptp(head.centre.imag)
    return Figures(
        tuple(_mode(complete, times, mode, faces[mode] - head.landmarks, still, stretches, scale) for mode in modes),
        Stillness(counted, seconds, 100 * float(np.hypot(*box)) / scale, typical, len(runs(blinks))),
        _pace(complete),
        _light(sitting, scale),
    )


def _durations(times: Array) -> Array:
    """Return how long each frame stood, seconds; the last one as long as most."""
    gaps = np.diff(times)
    return np.minimum(np.append(gaps, np.median(gaps)), LONGEST_GAP)


def _usable(sitting: Sitting) -> tuple[Sample, ...]:
    samples = sitting.samples
    if len(samples) < LEAST_SHARE * sitting.frames or len(samples) < 3:
        raise HoldStillError(
            "No face was in view for most of the test; sit so that the picture shows your whole face and repeat it."
        )
    # A source that starts again, or that someone scrubbed, may step back in time; what was seen before is left out.
    times = np.array([sample.time for sample in samples])
    keep = np.concatenate([[True], times[1:] > np.maximum.accumulate(times)[:-1]])
    samples = tuple(sample for sample, kept in zip(samples, keep, strict=True) if kept)
    rate = _rate(samples)
    if rate < LEAST_RATE:
        raise HoldStillError(
            f"Only {rate:.1f} frames a second were tracked and the test needs {LEAST_RATE:.0f}; close other "
            "programs or choose a smaller picture, and repeat it."
        )
    return samples


def _share(samples: tuple[Sample, ...], mode: str) -> float:
    return float(np.mean([mode in sample.modes for sample in samples]))


def _rate(samples: tuple[Sample, ...]) -> float:
    span = samples[-1].captured - samples[0].captured
    return (len(samples) - 1) / span if span > 0 else 0.0


def _stretches(samples: tuple[Sample, ...], times: Array, still: Flags) -> NDArray[np.intp]:
    """Number the stretches without motion: (n,) one number per frame, the same within a stretch of one face."""
    faces = np.array([sample.face for sample in samples])
    breaks = (np.diff(times) > LONGEST_GAP) | (np.diff(faces) != 0) | (still[1:] != still[:-1])
    return np.concatenate([[0], np.cumsum(breaks)])


def _mode(
    samples: tuple[Sample, ...],
    times: Array,
    mode: str,
    strays: Complex,
    still: Flags,
    stretches: NDArray[np.intp],
    scale: float,
) -> ModeFigures:
    """Return a mode's figures from how far its landmarks (n, 98) are from where the head puts them."""
    wander = np.zeros(strays.shape)
    for stretch in np.unique(stretches[still]):
        chosen = still & (stretches == stretch)
        wander[chosen] = np.abs(strays[chosen] - strays[chosen].mean(axis=0)) ** 2
    missing = np.full(POINTS, np.nan, np.float32)
    readings = [sample.modes[mode].flicker for sample in samples]
    points = [missing if reading is None or reading.points is None else reading.points for reading in readings]
    flicker = np.array(points, np.float64)
    measured = still & ~np.isnan(flicker[:, 0])
    if measured.sum() < LEAST_SHARE * still.sum():
        raise HoldStillError(
            "Flicker could not be measured in most frames; sit so that the picture shows your whole face and repeat "
            "the test."
        )
    flicker = flicker[measured] ** 2
    return ModeFigures(
        mode,
        _noise(flicker, scale),
        _noise(wander[still] * (100 / scale) ** 2, scale),
        tuple(float(value) for value in np.sqrt(flicker.mean(axis=0))),
        _by_second(times[measured], flicker.mean(axis=1)),
        float(np.mean([sample.modes[mode].evaluations for sample in samples])),
        int(still.sum()),
    )


def _noise(squares: Array, scale: float) -> Noise:
    """Return the root mean squares of squared strays (n, 98) in % of the inter-ocular distance ``scale``."""
    points = squares.mean(axis=0)
    overall = float(np.sqrt(points.mean()))
    regions = tuple(float(np.sqrt(points[region == _REGION].mean())) for region in range(len(REGIONS)))
    pixel = scale / 100
    return Noise(overall, overall * pixel, regions, tuple(value * pixel for value in regions))


def _by_second(times: Array, squares: Array) -> tuple[float, ...]:
    """Return the root mean square of every second that holds at least half as many frames as the fullest one."""
    number = np.floor(times - times[0]).astype(int)
    seconds, counts = np.unique(number, return_counts=True)
    full = seconds[counts >= counts.max() / 2]
    return tuple(float(np.sqrt(squares[number == second].mean())) for second in full)


def _pace(samples: tuple[Sample, ...]) -> Pace:
    p50, p95 = np.percentile([sample.seconds for sample in samples], (50, 95))
    skipped = samples[-1].index - samples[0].index + 1 - len(samples)
    return Pace(_rate(samples), float(p50), float(p95), max(0, skipped))


def _light(sitting: Sitting, scale: float) -> Light:
    seen = sitting.conditions
    views = [conditions.face for conditions in seen if conditions.face is not None]

    def median(things: Sequence[object], name: str) -> float:
        return float(np.median([getattr(thing, name) for thing in things]))

    return Light(
        light=median(seen, "light"),
        dark=median(seen, "dark"),
        bright=median(seen, "bright"),
        contrast=median(seen, "contrast"),
        sharpness=median(seen, "sharpness"),
        noise=median(seen, "noise"),
        inter_ocular=scale,
        height=median(views, "height"),
        cut_off=median(views, "cut_off"),
    )
