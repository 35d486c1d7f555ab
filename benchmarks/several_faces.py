"""What several faces at once cost.

    python -m benchmarks.several_faces [--faces 1 2 3 4] [--frames 60]

Prints milliseconds a frame of the whole pipeline by the number of faces, all in one batch and one by one.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from unittest import mock

import numpy as np
from numpy.typing import NDArray

from app.core.settings import EngineSettings, TrackingSettings
from app.lab.speed.crowd import Crowd
from app.tracking import face_solver
from app.tracking.pipeline import build_pipeline
from benchmarks.script import parser_of, run_script
from model.engine.base import Engine, State
from model.geometry import Crop
from model.rwr.batch import solve_batch
from model.rwr.recurrence import Recurrence, calculated
from model.rwr.solution import Solution, split


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--faces", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--frames", type=int, default=60)
    args = parser.parse_args()
    print(f"{'faces':>5} {'batch ms':>10} {'one by one ms':>14} {'ratio':>7}")
    for count in args.faces:
        together, apart = measure(count, args.frames)
        print(f"{count:>5} {1e3 * together:>10.1f} {1e3 * apart:>14.1f} {together / apart:>7.2f}")


def measure(count: int, frames: int) -> tuple[float, float]:
    """Return median seconds of the solve of a frame with ``count`` faces: as a batch, and one by one."""
    settings = TrackingSettings(max_faces=count, detect_every=10**6)
    seconds: list[list[float]] = [[], []]
    crowd = Crowd(count)
    with ExitStack() as stack:
        pipelines = [
            stack.enter_context(closing(build_pipeline(EngineSettings(threads=1), settings))) for _ in range(2)
        ]
        for _ in range(frames):
            frame = crowd.read()
            if frame is None:
                break
            for way, pipeline in enumerate(pipelines):
                solve = solve_batch if way == 0 else one_by_one
                with mock.patch.object(face_solver, "solve_batch", solve):
                    started = time.perf_counter()
                    result = pipeline.process(frame)
                    if len(result.faces) == count and all(face.estimate.report.warm for face in result.faces):
                        seconds[way].append(time.perf_counter() - started)
    return statistics.median(seconds[0]), statistics.median(seconds[1])


def one_by_one(
    engine: Engine,
    recurrences: Sequence[Recurrence],
    u: State,
    crops: Sequence[Crop],
    image: NDArray[np.uint8] | None = None,
    seconds: float | None = None,
) -> list[Solution]:
    """Solve as ``model.rwr.batch.solve_batch``, but every face by itself."""
    del engine
    each = split(calculated(u))
    return [own.solve(u, crop, image, seconds) for own, u, crop in zip(recurrences, each, crops, strict=True)]


if __name__ == "__main__":
    run_script(main)
