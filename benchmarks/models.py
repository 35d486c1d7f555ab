"""How long a frame takes with each shipped model, symmetric or not, and other trackers, in turns on the same frames.

    python -m benchmarks.models [--video FILE] [--frames 150] [--engine NAME] [--threads 1] [--rival PYTHON]

PYTHON is an interpreter with mediapipe 0.10.21 (see app/lab/speed/baseline.py). Prints least, median and 95th
percentile in milliseconds, by the clock and of processor time, and both medians over those of the first row.
"""

from __future__ import annotations

import argparse
import time
from contextlib import ExitStack
from itertools import product
from pathlib import Path

import numpy as np

from app.core.places import DEMO_CLIP
from app.core.settings import ENGINES, SHIPPED, EngineSettings, TrackingSettings
from app.lab.speed.baseline import Baseline, find_baselines
from app.sources.video import VideoSource
from app.tracking.pipeline import build_pipeline
from benchmarks.script import parser_of, run_script
from model.engine.names import Device, EngineName

WARM_UP = 10
STILL = "still"
"""In the names of trackers that look for the face anew in every picture; they are left out."""

Times = dict[str, list[tuple[float, float]]]
"""Milliseconds by the clock and of the processor, for each frame."""


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--video", type=Path, default=DEMO_CLIP)
    parser.add_argument("--frames", type=int, default=150)
    parser.add_argument("--engine", choices=ENGINES, default="onnx")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rival", type=Path, action="append", default=[], metavar="PYTHON")
    args = parser.parse_args()
    times = measure(args)
    (_, first), *_ = [(name, np.median(values, axis=0)) for name, values in times.items()]
    print(f"{'':<40} {'least':>7} {'p50':>7} {'p95':>7} {'cpu p50':>8} {'p50 x':>7} {'cpu x':>7}")
    for name, values in times.items():
        clock, cpu = np.array(values).T
        median = np.median(clock), np.median(cpu)
        print(
            f"{name:<40} {clock.min():7.2f} {median[0]:7.2f} {np.percentile(clock, 95):7.2f} {median[1]:8.2f} "
            f"{median[0] / first[0]:7.3f} {median[1] / first[1]:7.3f}"
        )


def measure(args: argparse.Namespace) -> Times:
    """Return the times of every frame after the first few; the demo begins again where it ends."""
    times: Times = {}
    with ExitStack() as stack:
        pipelines = {}
        for weights, symmetric in product(SHIPPED.values(), (False, True)):
            if weights.is_file():
                settings = EngineSettings(weights, EngineName(args.engine), Device.CPU, args.threads, symmetric)
                name, pipeline = settings.title, build_pipeline(settings, TrackingSettings())
                pipelines[name] = pipeline
                stack.callback(pipeline.close)
        source = VideoSource(args.video)
        stack.callback(source.close)
        installed = [each for python in args.rival for each in find_baselines(python) if STILL not in each.name]
        others = [stack.enter_context(Baseline(each, source.info.width, source.info.height)) for each in installed]
        for index in range(WARM_UP + args.frames):
            frame = source.read()
            if frame is None:
                break
            taken = {}
            for name, pipeline in pipelines.items():
                clock, cpu = time.perf_counter(), time.process_time()
                pipeline.process(frame)
                taken[name] = 1e3 * (time.perf_counter() - clock), 1e3 * (time.process_time() - cpu)
            for other in others:
                answer = other.follow(frame.image)
                taken[other.label] = answer.milliseconds, answer.cpu_milliseconds
            if index >= WARM_UP:
                for name, pair in taken.items():
                    times.setdefault(name, []).append(pair)
    return times


if __name__ == "__main__":
    run_script(main)
