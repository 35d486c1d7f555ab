"""``main.py track``: follow the faces in a video, picture, folder or stream without a window."""

from __future__ import annotations

import argparse
import sys
import threading
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from app.batch.track import (
    BuildPipeline,
    OpenSource,
    TrackRequest,
    pictures_of,
    refuse_session,
    track_input,
)
from app.cli.engine_options import add_engine_options, engine_settings
from app.cli.interrupts import interrupts
from app.cli.tracking_options import add_tracking_options, refuse_useless_no_audio, tracking_settings
from app.core.errors import EXIT_INTERRUPTED, EXIT_OK, SourceError, UserError
from app.media.outputs import OutputPlan
from app.media.video import VIDEO_SUFFIXES
from app.sessions.plan import VideoCopy
from app.sources.open import open_source
from app.sources.spec import PathSpec, SourceKind, SourceSpec, parse_source
from app.tracking.pipeline import build_pipeline


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``track`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "track",
        help="track a video, picture, folder or stream without a window",
        description="Track the faces of a video, a picture, a folder of pictures or a stream, and write an annotated "
        "copy (with the exact timing and the audio of the source), a table of landmarks, or a session.",
    )
    parser.add_argument("input", metavar="INPUT", help="video, picture, folder of pictures or stream URL")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        metavar="OUT",
        help=f"annotated video ({', '.join(VIDEO_SUFFIXES)}), or a picture or folder where INPUT is one",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="landmark table as CSV")
    parser.add_argument("--parquet", type=Path, metavar="FILE", help="landmark table as Parquet")
    parser.add_argument("--session", type=Path, metavar="FOLDER", help="a session, which can be replayed and compared")
    parser.add_argument(
        "--copy-video",
        nargs="?",
        choices=[each.value for each in VideoCopy],
        const=VideoCopy.CLOSE,
        help="copy the pictures into the session, compressed (close, the default) or lossless (exact); otherwise it "
        "refers to INPUT",
    )
    add_tracking_options(parser)
    add_engine_options(parser)
    parser.add_argument("--no-audio", action="store_true", help="leave the audio out of the annotated video")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    return parser


def run(
    args: argparse.Namespace,
    *,
    open_source: OpenSource = open_source,
    build_pipeline: BuildPipeline = build_pipeline,
    stop: threading.Event | None = None,
) -> int:
    """Track ``args.input`` and write what was asked for.

    Args:
        args: from :func:`add_parser`.
        open_source: opens the input.
        build_pipeline: makes what finds landmarks.
        stop: ends the run as Ctrl-C does once it is set.

    Returns:
        The exit code: 0, or 130 where Ctrl-C ended the run (every output is finished then, too).

    Raises:
        UserError: for inputs, weights and outputs that cannot be used. What was tracked before the
            error has been written.
    """
    tracking = tracking_settings(args)
    engine = engine_settings(args)
    source = parse_source(args.input)
    plan = _plan(args, source)
    request = TrackRequest(source, plan, tracking, engine, args.copy_video, audio=not args.no_audio)
    plan.check([*plan.pictures, source.path] if isinstance(source, PathSpec) and source.exists else [])
    stop = stop or threading.Event()
    with interrupts(stop), ExitStack() as stack:
        bars: list[tqdm] = []

        def progress(frames: int, total: int | None) -> None:
            if not bars:
                bar = tqdm(total=total, unit="frame", disable=None, file=sys.stderr, smoothing=0.1)
                bars.append(stack.enter_context(bar))
            bars[0].update(frames - bars[0].n)

        tracked = track_input(
            request, stopped=stop.is_set, progress=progress, open_source=open_source, build_pipeline=build_pipeline
        )
    interrupted, problem = stop.is_set(), tracked.problem
    if not (tracked.report.frames or problem or interrupted):
        problem = SourceError(f"{args.input} holds no pictures that can be read; choose another input.")
    model = f"{engine.weights.stem} on {tracked.engine}"
    for line in [*tracked.report.lines(tracked.seconds, interrupted, plan, model), *tracked.remarks]:
        print(line)
    if problem is not None:
        raise problem
    return EXIT_INTERRUPTED if interrupted else EXIT_OK


def _plan(args: argparse.Namespace, source: SourceSpec) -> OutputPlan:
    tables = tuple(path for path in (args.csv, args.parquet) if path is not None)
    for path, suffix in ((args.csv, ".csv"), (args.parquet, ".parquet")):
        if path is not None and path.suffix.lower() != suffix:
            raise UserError(f"{path} must be {suffix[1:].upper()}: give a name that ends in {suffix}.")
    if args.copy_video and args.session is None:
        raise UserError("--copy-video keeps the pictures in a session; give --session FOLDER, too.")
    refuse_useless_no_audio(args, annotated=args.output is not None and args.output.suffix.lower() in VIDEO_SUFFIXES)
    refuse_session(source)
    pictures = pictures_of(source)
    if isinstance(source, PathSpec) and source.exists and source.kind is SourceKind.FOLDER and not pictures:
        raise UserError(f"{args.input} holds no pictures; choose another folder, or use batch for one of videos.")
    return OutputPlan(args.output, tables, args.overwrite, pictures, args.session)
