"""``main.py track``: follow the faces in a video, picture, folder or stream without a window."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

from app.cli.engine_options import add_engine_options, engine_settings
from app.cli.interrupts import interrupts
from app.cli.track_report import TrackReport
from app.errors import EXIT_INTERRUPTED, EXIT_OK, SourceError, UserError
from app.pipeline.frame import Frame, FrameResult
from app.recording.audio import AudioCopy, SourceTiming, probe_timing
from app.recording.outputs import OutputPlan, Outputs
from app.recording.video import VIDEO_SUFFIXES
from app.sessions.form import is_session
from app.sessions.metadata import EngineFacts
from app.sessions.tracked import CLOSE, COPIES, open_tracked_session
from app.sessions.writer import SessionWriter
from app.settings import EngineSettings, TrackingSettings
from app.sources.base import Source, SourceInfo
from app.sources.images import PICTURE_SUFFIXES, ImageSource, list_pictures
from app.sources.video import VideoSource
from model.errors import ModelError

EVERY_FACE = 64
"""Most faces followed with ``--every-face``."""


class Processor(Protocol):
    """The part of :class:`app.pipeline.pipeline.Pipeline` that this command drives."""

    @property
    def engine_name(self) -> str: ...

    def process(self, frame: Frame) -> FrameResult: ...

    def close(self) -> None: ...


OpenSource = Callable[[str], Source]
BuildPipeline = Callable[[EngineSettings, TrackingSettings], Processor]


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``track`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "track",
        help="track a video, picture, folder or stream without a window",
        description="Track the faces of a video, a picture, a folder of pictures or a stream and write an "
        "annotated copy, with the source's exact timing and its audio, a table of landmarks, or a session.",
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
    parser.add_argument("--session", type=Path, metavar="FOLDER", help="everything, to be replayed and compared")
    parser.add_argument(
        "--copy-video",
        nargs="?",
        choices=COPIES,
        const=CLOSE,
        help="keep the pictures in the session, too, small or (exact) every value; else it refers to INPUT",
    )
    parser.add_argument("--rwr", choices=("on", "off"), default="on", help="start each frame's solve at the last one's")
    parser.add_argument("--ghcu", action="store_true", help="repair covered landmarks from all the others")
    faces = parser.add_mutually_exclusive_group()
    faces.add_argument("--every-face", action="store_true", help=f"follow every face (up to {EVERY_FACE})")
    faces.add_argument("--max-faces", type=int, default=1, metavar="N", help="follow the N largest faces (default: 1)")
    add_engine_options(parser)
    parser.add_argument("--no-audio", action="store_true", help="leave the audio out of the annotated video")
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    parser.set_defaults(run=run)
    return parser


def run(
    args: argparse.Namespace,
    *,
    open_source: OpenSource | None = None,
    build_pipeline: BuildPipeline | None = None,
    stop: threading.Event | None = None,
) -> int:
    """Track ``args.input`` and write what was asked for.

    Args:
        args: from :func:`add_parser`.
        open_source: opens the input; the application's own if not given.
        build_pipeline: makes what finds landmarks; the application's own if not given.
        stop: ends the run as Ctrl-C does once it is set.

    Returns:
        The exit code: 0, or 130 where Ctrl-C ended the run (every output is finished then, too).

    Raises:
        UserError: for inputs, weights and outputs that cannot be used. What was tracked before the
            error has been written.
    """
    max_faces = EVERY_FACE if args.every_face else args.max_faces
    tracking = TrackingSettings(rwr=args.rwr == "on", max_faces=max_faces, ghcu=args.ghcu)
    engine = engine_settings(args)
    plan = _plan(args)
    path = _path(args.input)
    plan.check([*plan.pictures, path] if path.exists() else [])
    stop = stop or threading.Event()
    report = TrackReport()
    with ExitStack() as stack:
        stack.enter_context(interrupts(stop))
        source = (open_source or _application_source)(args.input)
        stack.callback(source.close)
        try:
            pipeline = (build_pipeline or _application_pipeline)(engine, tracking)
        except ModelError as error:
            raise UserError(f"The model cannot be used: {error}.") from error
        stack.callback(pipeline.close)
        outputs = _open_outputs(args, plan, source)
        session = _open_session(args, plan, source.info, EngineFacts.of(pipeline.engine_name, engine))
        started = time.monotonic()
        problem = _track(source, pipeline, outputs, session, report, stop)
        seconds = time.monotonic() - started
    interrupted = stop.is_set()
    if not (report.frames or problem or interrupted):
        problem = SourceError(f"{args.input} holds no pictures that can be read; choose another input.")
    for line in [*report.lines(seconds, interrupted, plan), *_remarks(args, source, outputs)]:
        print(line)
    if problem is not None:
        raise problem
    return EXIT_INTERRUPTED if interrupted else EXIT_OK


def _track(
    source: Source,
    pipeline: Processor,
    outputs: Outputs,
    session: SessionWriter | None,
    report: TrackReport,
    stop: threading.Event,
) -> UserError | None:
    """Drive every frame through; the outputs are finished whatever happens.

    Returns:
        The error that ended the run early, if one did.
    """
    problem: UserError | None = None
    complete = False
    try:
        with tqdm(total=source.info.frames, unit="frame", disable=None, file=sys.stderr, smoothing=0.1) as bar:
            while not stop.is_set():
                frame = source.read()
                if frame is None:
                    complete = True
                    break
                result = pipeline.process(frame)
                outputs.write(result)
                if session is not None:
                    session.write(result)
                report.add(result)
                bar.update()
    except UserError as error:
        problem = error
    finally:
        closing: list[Callable[[], None]] = [partial(outputs.close, complete=complete)]
        if session is not None:
            closing += [partial(session.close, _reason(complete, problem)), session.add_checksums]
        for close in closing:
            try:
                close()
            except UserError as error:
                problem = problem or error
    return problem


def _reason(complete: bool, problem: UserError | None) -> str:
    """Return why a session ends."""
    return str(problem) if problem is not None else "end of the input" if complete else "interrupted"


def _plan(args: argparse.Namespace) -> OutputPlan:
    tables = tuple(path for path in (args.csv, args.parquet) if path is not None)
    for path, suffix in ((args.csv, ".csv"), (args.parquet, ".parquet")):
        if path is not None and path.suffix.lower() != suffix:
            raise UserError(f"{path} is to hold {suffix[1:].upper()}: give a name that ends in {suffix}.")
    if args.copy_video and args.session is None:
        raise UserError("--copy-video keeps the pictures in a session; give --session FOLDER, too.")
    if is_session(_path(args.input)):
        raise UserError(f"{args.input} is a session; give its video, or use: session replay {args.input}")
    return OutputPlan(args.output, tables, args.overwrite, _pictures(args.input), args.session)


def _path(spec: str) -> Path:
    return Path(spec.strip()).expanduser()


def _pictures(spec: str) -> tuple[Path, ...]:
    """Return the input's picture files, in the order in which the source counts them."""
    path = _path(spec)
    if path.is_dir():
        return list_pictures(path)
    return (path,) if path.is_file() and path.suffix.lower() in PICTURE_SUFFIXES else ()


def _open_outputs(args: argparse.Namespace, plan: OutputPlan, source: Source) -> Outputs:
    path, info = _path(args.input), source.info
    timing: SourceTiming | None = None
    audio: AudioCopy | None = None
    if path.is_file() and not plan.pictures:
        timing = probe_timing(path)
        if timing is not None and plan.view is not None and not args.no_audio:
            audio = AudioCopy(path, timing.start)
    return Outputs(plan, live=info.live, timing=timing, frame_rate=info.fps, audio=audio)


def _open_session(
    args: argparse.Namespace, plan: OutputPlan, info: SourceInfo, engine: EngineFacts
) -> SessionWriter | None:
    if plan.session is None:
        return None
    path = _path(args.input)
    timing = probe_timing(path) if path.is_file() and not plan.pictures else None
    video = path if timing is not None else None
    return open_tracked_session(
        plan.session, args.input, info, engine, video=video, timing=timing, copy=args.copy_video
    )


def _remarks(args: argparse.Namespace, source: Source, outputs: Outputs) -> list[str]:
    """Return sentences about what could not be read or copied."""
    note = source.note if isinstance(source, VideoSource | ImageSource) else ""
    remarks = [note] if note else []
    if outputs.audio is not None:
        if outputs.audio.left_out:
            names = ", ".join(outputs.audio.left_out)
            remarks.append(
                f"Audio in {names} does not fit into {args.output.suffix} and was left out; .mkv can hold it."
            )
        if outputs.audio.damaged:
            remarks.append(f"The audio of {args.input} is damaged; what could be read was copied.")
    return remarks


def _application_source(spec: str) -> Source:
    from app.sources.open import open_source

    return open_source(spec)


def _application_pipeline(engine: EngineSettings, tracking: TrackingSettings) -> Processor:
    from app.pipeline.pipeline import build_pipeline

    return build_pipeline(engine, tracking)
