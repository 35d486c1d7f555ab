"""``main.py live``: the live window."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from app.cli.engine_options import add_engine_options, engine_settings
from app.errors import SourceError, UserError
from app.settings import TrackingSettings


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``live`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "live",
        help="open the live window (the default)",
        description="Track faces live in a window. Without --source the first camera that opens is shown, or the "
        "built-in demo clip where there is none.",
    )
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="camera (the first one), camera:1, camera:NAME, a video, picture or folder, a stream URL, or demo",
    )
    parser.add_argument(
        "--loop",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="play files at their own speed, again and again (default); --no-loop shows every frame once, as fast "
        "as it is solved",
    )
    parser.add_argument("--rwr", choices=("on", "off"), default="on", help="start each frame's solve at the last one's")
    parser.add_argument("--compare", action="store_true", help="solve every frame with RwR and without")
    parser.add_argument("--ghcu", action="store_true", help="repair covered landmarks from all the others")
    parser.add_argument("--max-faces", type=int, default=1, metavar="N", help="follow the N largest faces (default: 1)")
    parser.add_argument(
        "--mirror", action=argparse.BooleanOptionalAction, help="flip the picture left to right (default: cameras only)"
    )
    parser.add_argument("--record-dir", type=Path, metavar="DIR", help="where recordings and snapshots go")
    add_engine_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Show the window until it is closed.

    Returns:
        The exit code.

    Raises:
        UserError: for settings, a source or a screen that cannot be used.
        ModelError: for weights that are not there.
    """
    from app.gui.settings import LiveSettings
    from app.gui.system import window_problem
    from model.weights import read_card

    settings = LiveSettings(
        source=args.source,
        realtime_loop=args.loop,
        tracking=TrackingSettings(rwr=args.rwr == "on", compare=args.compare, max_faces=args.max_faces, ghcu=args.ghcu),
        engine=engine_settings(args),
        mirror=args.mirror,
        record_folder=args.record_dir,
    )
    if args.source is not None:
        check_source(args.source)
    read_card(args.weights)
    problem = window_problem(sys.platform, os.environ)
    if problem is not None:
        raise UserError(problem)
    from app.gui.window import run_window

    return run_window(settings)


def check_source(spec: str) -> None:
    """Catch a mistyped path before a window opens.

    Raises:
        SourceError: where ``spec`` can only be a path, and nothing is there.
    """
    kind = spec.partition(":")[0].lower()
    if kind in ("camera", "demo") or "://" in spec or Path(spec).expanduser().exists():
        return
    raise SourceError(f"There is no file or folder {spec}: check its name, or give camera, demo or a stream's URL.")
