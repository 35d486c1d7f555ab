"""``main.py bench``: how fast every stage is here, with every engine that is present."""

from __future__ import annotations

import argparse
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.engine_options import add_threads_option, add_weights_options, weights_of
from app.core.errors import EXIT_OK, UserError
from app.core.places import DEMO_CLIP
from app.core.settings import ENGINES
from model.engine.names import Device, EngineName

if TYPE_CHECKING:
    from app.lab.speed.baseline import BaselineTurns
    from app.lab.speed.report import EngineFigures
    from model.engine.base import Engine


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``bench`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "bench",
        help="measure the speed of every stage and engine on this computer",
        description="Measure every stage of a frame, and the whole pipeline, with every available engine in turn. "
        "Takes a minute or two; close other programs.",
    )
    parser.add_argument(
        "--video", type=Path, default=DEMO_CLIP, metavar="FILE", help="a video with one face (default: the demo clip)"
    )
    add_weights_options(parser)
    parser.add_argument(
        "--engine",
        action="append",
        choices=[name for name in ENGINES if name != "auto"],
        help="only this engine; repeatable",
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="where engines run (default: cpu)")
    add_threads_option(parser)
    parser.add_argument("--frames", type=int, default=150, metavar="N", help="frames measured by stage (default: 150)")
    parser.add_argument(
        "--seconds", type=float, default=4.0, metavar="S", help="length of each end-to-end turn (default: 4)"
    )
    parser.add_argument(
        "--rounds", type=int, default=3, metavar="N", help="end-to-end turns of each engine (default: 3)"
    )
    parser.add_argument(
        "--baseline",
        "--rival",
        type=Path,
        action="append",
        metavar="PYTHON",
        help="a Python with mediapipe 0.10.21, or dlib-bin and face_recognition_models, to compare with; repeatable",
    )
    parser.add_argument("--json", type=Path, metavar="OUT", help="also write all figures as JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure and print; return the exit code.

    Raises:
        UserError: for options, a video or a file that cannot be used.
        ModelError: for unusable weights, or an engine that was asked for and is not there.
    """
    from app.core.files import check_writable, write_json
    from app.lab.speed.report import text

    threads = 1 if args.threads is None else args.threads
    if min(args.frames, args.rounds, threads) < 1 or not 0 < args.seconds < 3600:
        raise UserError("--frames, --rounds, --threads and --seconds must be positive, and --seconds below an hour.")
    if args.json is not None:
        check_writable(args.json, overwrite=True)
    values = measure(args)
    print(text(values))
    if args.json is not None:
        write_json(args.json, values)
    return EXIT_OK


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Return all figures."""
    from app.gui.painting import Painting
    from app.lab.speed.baseline import BaselineTurns, find_baselines
    from app.lab.speed.floor import measure_ceiling, stage_work
    from app.lab.speed.report import EngineFigures, engine_values, floor_values, quantiles
    from app.lab.speed.stages import run_stages
    from app.lab.speed.start import run_start
    from app.sources.video import VideoSource
    from model.engine.open import default_threads

    weights = weights_of(args)
    installed = [each for python in args.baseline or [] for each in find_baselines(python)]
    threads = default_threads() if args.threads is None else args.threads
    engines = open_engines(weights, args.engine, threads, args.device)
    config = next(iter(engines.values())).config
    work, ceiling = stage_work(config), measure_ceiling(threads)
    source = VideoSource(args.video)
    try:
        times, common = run_stages(source, engines, args.frames, Painting().paint)
    finally:
        source.close()
    if not common.milliseconds or not any(each.evaluations for each in times.values()):
        raise UserError(f"{args.video} is too short or shows no face; give a video of some seconds with one.")
    device = Device(args.device)
    figures = {
        name: EngineFigures(engine.name, engine.precision, device, times[name]) for name, engine in engines.items()
    }
    with BaselineTurns(installed, args.video, args.frames) as baselines:
        turns(args, figures, threads, baselines)
    for name, each in figures.items():
        each.start = run_start(args.video, weights, name, args.threads, args.device)
    return {
        "computer": f"{platform.platform()}, {platform.processor() or platform.machine()}",
        "video": f"{args.video.name}, {source.info.width}x{source.info.height}",
        "weights": weights.name,
        "threads": threads,
        "device": args.device,
        "floor": floor_values(work, ceiling),
        "common_ms": {stage: quantiles(values) for stage, values in common.milliseconds.items()},
        "engines": {name: engine_values(each, work, ceiling) for name, each in figures.items()},
        "rivals_ms": {name: quantiles(values) for name, values in baselines.milliseconds.items()},
    }


def turns(args: argparse.Namespace, figures: dict[str, EngineFigures], threads: int, baselines: BaselineTurns) -> None:
    """Let engines end to end and baselines take turns, round by round."""
    from app.core.settings import EngineSettings, TrackingSettings
    from app.lab.speed.live import run_live
    from app.tracking.pipeline import build_pipeline

    for _ in range(args.rounds):
        for name, each in figures.items():
            settings = EngineSettings(weights_of(args), EngineName(name), Device(args.device), threads)

            def build(settings: EngineSettings = settings) -> Any:
                return build_pipeline(settings, TrackingSettings())

            each.rounds.append(run_live(args.video, build, args.seconds))
        baselines.run()


def open_engines(weights: Path, names: list[str] | None, threads: int, device: str = "cpu") -> dict[str, Engine]:
    """Open the engines of these names on a device; of all of them those that there are.

    Raises:
        ModelError: if one that was named is not there, or there is none.
    """
    from model.engine.open import open_engine
    from model.errors import ModelError

    if names:
        return {name: open_engine(weights, name, device, threads) for name in dict.fromkeys(names)}
    engines: dict[str, Engine] = {}
    problems: list[ModelError] = []
    for name in (name for name in ENGINES if name != "auto"):
        try:
            engines[name] = open_engine(weights, name, device, threads)
        except ModelError as error:
            problems.append(error)
    if not engines:
        raise problems[0]
    return engines
