"""``main.py batch``: track many videos and pictures, as many at once as the computer, or a cluster, takes."""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from app.batch.cluster import HERE, RayCluster, import_ray
from app.batch.inputs import STANDARD_INPUT, find_inputs, read_list
from app.batch.job import PICTURE_KINDS, VIDEO_KINDS, BatchSettings, Job, OutputKind
from app.batch.pool import ProcessPool
from app.batch.report import BatchReport
from app.batch.resources import Computer, place_workers, resolve_engine, this_computer
from app.batch.run import BatchPlan, JobRunner, OpenRunner, run_batch
from app.batch.worker import track_job
from app.cli.batch_progress import BatchProgress
from app.cli.engine_options import add_engine_options, engine_settings
from app.cli.interrupts import interrupts
from app.cli.tracking_options import add_tracking_options, refuse_useless_no_audio, tracking_settings
from app.core.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, UserError
from app.core.text_table import counted
from app.sessions.plan import VideoCopy
from app.sources.spec import PathSpec


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``batch`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "batch",
        help="track many videos or photos on all cores; resumes after an interruption",
        description="Track many videos into a folder: a session for each, or videos and tables. Pictures of a folder "
        "are photos, each tracked on its own, and give one table. Finished results are skipped, so the same command "
        "resumes an interrupted run.",
    )
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="INPUT",
        help="videos, pictures, folders with everything below them, patterns such as 'a/**/*.mp4'",
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FOLDER", help="folder for all outputs")
    parser.add_argument(
        "--list",
        action="append",
        default=[],
        metavar="FILE",
        help=f"a text file with inputs, one per line ({STANDARD_INPUT}: standard input)",
    )
    parser.add_argument(
        "--session",
        action="store_true",
        help="a session for each video (the default if no output is chosen); pictures have a table instead",
    )
    parser.add_argument(
        "--video", action="store_true", help="an annotated copy of each video, as .mp4, and of each picture"
    )
    parser.add_argument(
        "--csv", action="store_true", help="a table of landmarks for each video or folder of pictures, as CSV"
    )
    parser.add_argument("--parquet", action="store_true", help="the same as Parquet")
    parser.add_argument(
        "--copy-video",
        nargs="?",
        choices=[each.value for each in VideoCopy],
        const=VideoCopy.CLOSE,
        help="copy the pictures into the sessions, compressed (close, the default) or lossless (exact); otherwise they "
        "refer to the videos",
    )
    add_tracking_options(parser)
    add_engine_options(parser)
    parser.add_argument("--no-audio", action="store_true", help="leave the audio out of the annotated videos")
    parser.add_argument("--overwrite", action="store_true", help="replace results of other settings or older inputs")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="videos or folders at once (default: one per core as far as memory allows, or one per CUDA device)",
    )
    parser.add_argument(
        "--ray",
        nargs="?",
        const=HERE,
        metavar="ADDRESS",
        help="run on a Ray cluster: its address, or auto; without ADDRESS, Ray on this computer; needs the package ray",
    )
    return parser


def run(args: argparse.Namespace, *, open_runner: OpenRunner | None = None, stop: threading.Event | None = None) -> int:
    """Track ``args.inputs`` and print the results.

    Args:
        args: from :func:`add_parser`.
        open_runner: returns who does the work; the application's own if not given.
        stop: ends the run as Ctrl-C does once it is set.

    Returns:
        The exit code: 0; 1 if an input failed; 130 where Ctrl-C ended the run.

    Raises:
        UserError: for options, folders and models that cannot be used.
    """
    folder = PathSpec(str(args.output)).path.absolute()
    words = [*args.inputs, *(word for name in args.list for word in read_list(name))]
    if args.ray is not None and PathSpec(args.ray).exists:
        raise UserError(f"--ray took {args.ray} for an address; put --ray behind the inputs, or write --ray=ADDRESS.")
    if not words:
        raise UserError("There is nothing to track: give videos, pictures, folders or patterns, or --list FILE.")
    settings = _settings(args)
    if open_runner is None and args.ray is None:
        computer = this_computer(args.device)
        if not computer.cards:
            settings = replace(settings, engine=resolve_engine(settings.engine))
        open_runner = partial(_open_processes, computer, args.workers)
    plan = BatchPlan(find_inputs(words, folder), folder, settings, args.overwrite)
    open_runner = open_runner or partial(_open_cluster, args)
    stop = stop or threading.Event()
    with interrupts(stop), BatchProgress(sys.stderr) as progress:
        report = run_batch(plan, open_runner, progress, stop.is_set)
    _print(report, plan)
    if stop.is_set():
        return EXIT_INTERRUPTED
    return EXIT_FAILURE if report.failed else EXIT_OK


def _settings(args: argparse.Namespace) -> BatchSettings:
    chosen = {
        OutputKind.SESSION: args.session,
        OutputKind.VIDEO: args.video,
        OutputKind.CSV: args.csv,
        OutputKind.PARQUET: args.parquet,
    }
    kinds = tuple(kind for kind in VIDEO_KINDS if chosen[kind]) or (OutputKind.SESSION,)
    if args.copy_video and OutputKind.SESSION not in kinds:
        raise UserError("--copy-video keeps the pictures in sessions; give --session, too.")
    refuse_useless_no_audio(args, annotated=args.video)
    chosen[OutputKind.PICTURES] = args.video
    return BatchSettings(
        kinds,
        tuple(kind for kind in PICTURE_KINDS if chosen[kind]) or (OutputKind.CSV,),
        tracking_settings(args),
        engine_settings(args),
        args.copy_video,
        audio=not args.no_audio,
    )


def _open_processes(computer: Computer, workers: int | None, jobs: Sequence[Job]) -> JobRunner:
    return ProcessPool(track_job, place_workers(len(jobs), computer, workers))


def _open_cluster(args: argparse.Namespace, jobs: Sequence[Job]) -> JobRunner:
    return RayCluster(import_ray(), track_job, args.ray, most=args.workers, device=args.device)


def _left_out(count: int, thing: str) -> str:
    return f"{counted(count, thing)} {'was' if count == 1 else 'were'} left out"


def _print(report: BatchReport, plan: BatchPlan) -> None:
    if plan.inputs.sessions:
        print(f"{_left_out(len(plan.inputs.sessions), 'session')}; session replay tracks their pictures again.")
    for folder, count in plan.inputs.beside.items():
        left_out = _left_out(count, "picture")
        print(f"{left_out} of {folder}, which holds videos; name the folders of pictures to track them.")
    if plan.inputs.unread:
        first, *others = plan.inputs.unread
        more = f" and {len(others)} more" if others else ""
        print(f"{first}{more} could not be searched; check who may read it.")
    for line in report.lines():
        print(line)
    print(f"Written: {report.folder}")
