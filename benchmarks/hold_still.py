"""What the hold-still test measures: how well it repeats, what the light changes, what a restless head adds.

    python -m benchmarks.hold_still [--seconds 10] [--json OUT]

1. One picture of the demo clip, shown again and again with fresh sensor noise, is a face that keeps perfectly still.
   The test is run over it several times, and under other conditions: more noise, less light, blur, a smaller picture.
   All motion of landmarks there is flicker, so the meter's readings are set against the truth; so is what it reads for
   landmarks that stand still.
2. True head motion of the demo clip is added to landmarks of its still part, scaled to several speeds: how much of it
   the wander takes for noise.
3. Landmarks that are glued to the true head, seen by the flicker meter in the clip's still part: the meter's own floor.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.frame import Frame
from app.core.modes import Mode
from app.core.places import DEMO_CLIP
from app.core.settings import EngineSettings, TrackingSettings
from app.holdstill.measurement import measure
from app.holdstill.samples import Sample, Sampler, Sitting
from app.sources.demo import DemoClip, SensorNoise, demo_truth
from app.sources.video import VideoSource
from app.tracking.pipeline import build_pipeline
from benchmarks.script import add_json, parser_of, run_script, write_figures
from model.geometry import Crop
from model.metrics.flicker_meter import FlickerMeter
from model.topology import inter_ocular

FPS = 30
STILL_FRAME = 150
"""A frame of the demo clip in which the head keeps still and the eyes are open."""
SPEEDS = (0.0, 0.02, 0.05, 0.1, 0.2)
"""Shares of the clip's own motion that are added to still landmarks."""

Image = NDArray[np.uint8]
Points = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--seconds", type=float, default=10.0)
    add_json(parser)
    args = parser.parse_args()
    picture = _still_picture()
    found: dict[str, object] = {}
    columns = "".join(f"{mode + ' flicker':>13}{'true':>8}{'wander':>8}" for mode in ("RwR", "cold"))
    print(f"{'condition':<26}{columns}{'floor':>8}{'noise':>7}{'light':>7}")
    for name, (seed, change) in _conditions(picture).items():
        sitting = _sit(change, seed, args.seconds)
        figures, true = measure(sitting, args.seconds), _true(sitting)
        floor = _still_floor(change, seed, sitting)
        found[name] = asdict(figures) | {"true": true, "floor": floor}
        cells = [
            f"{mode.flicker.percent:13.4f}{known:8.4f}{mode.wander.percent:8.4f}"
            for mode, known in zip(figures.modes, true, strict=True)
        ]
        print(f"{name:<26}{''.join(cells)}{floor:8.4f}{figures.light.noise:7.2f}{figures.light.light:7.0f}", flush=True)
    sitting = _demo_sitting()
    found["speeds"] = _speeds(sitting)
    found["floor"] = _floor(sitting)
    print(f"\nfloor of the meter in the clip's still part: {found['floor']:.4f} %")
    write_figures(args.json, found)


def _still_picture() -> Image:
    source = VideoSource(DEMO_CLIP)
    try:
        while (frame := source.read()) is not None:
            if frame.index == STILL_FRAME:
                return frame.image
    finally:
        source.close()
    raise SystemExit("the demo clip is shorter than it should be")


def _conditions(picture: Image) -> dict[str, tuple[int, Callable[[int], Image]]]:
    """Return by name a seed and what makes frame ``i`` of a test."""
    height, width = picture.shape[:2]
    noise = SensorNoise(width, height)
    half = np.asarray(cv2.resize(picture, (width // 2, height // 2), interpolation=cv2.INTER_AREA), np.uint8)
    small = SensorNoise(width // 2, height // 2)
    dark = (picture * 0.35).astype(np.uint8)
    blurred = np.asarray(cv2.GaussianBlur(picture, (0, 0), 6.0), np.uint8)

    def twice(index: int) -> Image:
        first = noise.add(picture, index).astype(np.int16)
        second = noise.add(picture, index + 5000).astype(np.int16)
        return np.clip(first + 2 * (second - picture), 0, 255).astype(np.uint8)

    plain = {f"still picture, run {run + 1}": (run, lambda i: noise.add(picture, i)) for run in range(3)}
    return plain | {
        "twice the noise and more": (0, twice),
        "a third of the light": (0, lambda i: noise.add(dark, i)),
        "blurred": (0, lambda i: noise.add(blurred, i)),
        "640 x 360": (0, lambda i: small.add(half, i)),
    }


def _sit(make: Callable[[int], Image], seed: int, seconds: float) -> Sitting:
    pipeline = build_pipeline(EngineSettings(), TrackingSettings(compare=True))
    sampler = Sampler(seconds)
    try:
        for index in range(round((seconds + 1) * FPS)):
            # The first second is not counted, as in the window.
            frame = Frame(index, index / FPS, make(1000 * seed + index), index / FPS)
            result = pipeline.process(frame)
            if index >= FPS:
                sampler.add(result, frame.captured)
    finally:
        pipeline.close()
    return sampler.sitting()


def _true(sitting: Sitting) -> list[float]:
    """Return the true flicker of RwR and cold on a face that keeps still, which is all of their motion, %."""
    found = []
    for mode in (Mode.RWR, Mode.COLD):
        points = np.array([sample.modes[mode].landmarks for sample in sitting.samples], np.float64)
        steps = np.diff(points, axis=0) / inter_ocular(points)[1:, None, None]
        found.append(100 * float(np.sqrt((steps**2).sum(axis=-1).mean())))
    return found


def _still_floor(make: Callable[[int], Image], seed: int, sitting: Sitting) -> float:
    """Return what the meter reads in the pictures of a sitting's first seconds for landmarks that stand still, %."""
    points = np.mean([sample.modes[Mode.COLD].landmarks for sample in sitting.samples], axis=0).astype(np.float32)
    meter, crop, squares = FlickerMeter(), Crop.around_points(points, 1.25), []
    for index in range(2 * FPS):
        reading = meter.measure(make(1000 * seed + index), crop, {Mode.COLD: points})[Mode.COLD]
        squares.append(np.nan if reading is None else reading.overall**2)
    return float(np.sqrt(np.nanmean(squares)))


def _demo_sitting() -> Sitting:
    """Return the still part of the demo clip as a test would see it."""
    pipeline = build_pipeline(EngineSettings(), TrackingSettings(compare=True))
    sampler, source = Sampler(), DemoClip()
    still = demo_truth().still
    try:
        for frame in _frames(source.read):
            result = pipeline.process(replace(frame, captured=frame.timestamp))
            if still[frame.index]:
                sampler.add(result, frame.timestamp)
    finally:
        source.close()
        pipeline.close()
    return sampler.sitting()


def _frames(read: Callable[[], Frame | None]) -> Iterator[Frame]:
    while (frame := read()) is not None:
        yield frame


def _speeds(sitting: Sitting) -> list[dict[str, float]]:
    """Print and return how far the wander grows when the head moves, by speed."""
    rows = []
    print(f"\n{'motion added':<26}{'speed %/s':>12}{'RwR wander':>12}{'cold wander':>13}")
    for name, first in (("sway", 240), ("shake", 35)):
        for share in SPEEDS:
            figures = measure(_moved(sitting, first, share), moving_speed=np.inf)
            rwr, cold = figures.modes
            rows.append({"speed": figures.stillness.speed, "rwr": rwr.wander.percent, "cold": cold.wander.percent})
            print(
                f"{f'{name}, {share:.0%} of the clip':<26}{figures.stillness.speed:12.1f}"
                f"{rwr.wander.percent:12.3f}{cold.wander.percent:13.3f}"
            )
    return rows


def _moved(sitting: Sitting, first: int, share: float) -> Sitting:
    """Return the sitting with ``share`` of the clip's motion from frame ``first`` on added to its landmarks."""
    matrices = demo_truth().matrix
    path = matrices[first : first + len(sitting.samples)]
    middle = path.mean(axis=0)
    samples = []
    for sample, matrix in zip(sitting.samples, path, strict=False):
        own = matrices[sample.index % len(matrices)]

        def carried(points: NDArray[np.float32], own: Points = own, matrix: Points = matrix) -> NDArray[np.float32]:
            portrait = np.linalg.solve(own[:, :2], (points - own[:, 2]).T).T
            shift = portrait @ (matrix - middle)[:, :2].T + (matrix - middle)[:, 2]
            return np.asarray(points + share * shift, np.float32)

        modes = {name: replace(mode, landmarks=carried(mode.landmarks)) for name, mode in sample.modes.items()}
        samples.append(replace(sample, modes=modes))
    return replace(sitting, samples=tuple(samples), frames=len(samples))


def _floor(sitting: Sitting) -> float:
    """Return what the meter reads in the clip's still part for landmarks that follow the true head, %."""
    first = _glued(sitting.samples)
    meter, source, readings = FlickerMeter(), DemoClip(), []
    try:
        for frame in _frames(source.read):
            landmarks = first.get(frame.index)
            if landmarks is not None:
                reading = meter.measure(frame.image, Crop.around_points(landmarks, 1.25), {Mode.RWR: landmarks})[
                    Mode.RWR
                ]
                readings.append(np.nan if reading is None else reading.overall)
    finally:
        source.close()
    return float(np.sqrt(np.nanmean(np.square(readings))))


def _glued(samples: tuple[Sample, ...]) -> dict[int, Points]:
    """Return landmarks that move as the head truly does, by frame: the mean ones on the portrait, carried along."""
    matrices = demo_truth().matrix
    portraits = [
        np.linalg.solve(matrices[s.index][:, :2], (s.modes[Mode.COLD].landmarks - matrices[s.index][:, 2]).T).T
        for s in samples
    ]
    mean = np.mean(portraits, axis=0)
    glued = {s.index: mean @ matrices[s.index][:, :2].T + matrices[s.index][:, 2] for s in samples}
    assert all(float(inter_ocular(points)) > 0 for points in glued.values())
    return glued


if __name__ == "__main__":
    run_script(main)
