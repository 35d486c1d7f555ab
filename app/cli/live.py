"""``main.py live``: the live window."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.engine_options import add_engine_options, unresolved_settings
from app.cli.follow_option import add_follow_option
from app.cli.sharing_options import add_sharing_options, sharing_settings
from app.core.errors import SourceError, UserError
from app.core.modes import Baseline
from app.core.presets import PRESETS, PresetName
from app.core.settings import ModelChoice, parse_follow
from app.gui.presenters.palettes import Theme
from app.sources.spec import PathSpec, missing, parse_source

if TYPE_CHECKING:
    from app.gui.live.presenters.model import ModelInUse
    from app.gui.live.presenters.remembered import Memory, Remembered
    from app.gui.live.presenters.settings import LiveSettings


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``live`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "live",
        help="open the live window (the default)",
        description="Track faces live in a window. What no option sets is as it was last chosen in the window; at "
        "first the source is the first camera that opens, or the built-in demo clip if there is none.",
    )
    parser.add_argument(
        "--source",
        metavar="SOURCE",
        help="camera (the first one), camera:1, camera:NAME, a video, picture or folder, a stream URL, or demo",
    )
    switch = argparse.BooleanOptionalAction
    parser.add_argument(
        "--loop",
        action=switch,
        default=True,
        help="play files in a loop, at their own speed (default); --no-loop shows every frame once, as fast as it is "
        "solved, without playback controls",
    )
    parser.add_argument(
        "--rwr", choices=("on", "off"), help="start each frame's solve at the last frame's solution (at first: on)"
    )
    parser.add_argument("--compare", action=switch, help="also solve every frame in a second way")
    parser.add_argument(
        "--rival",
        choices=[each.value for each in Baseline],
        help="what to compare with: RwR off or on, whichever is not chosen (at first), or a filter",
    )
    parser.add_argument(
        "--preset",
        choices=[each.value for each in PresetName],
        help="how RwR is set: steadier, or following faster (at first: balanced)",
    )
    parser.add_argument("--ghcu", action=switch, help="repair covered landmarks, using all the others")
    parser.add_argument("--max-faces", type=int, metavar="N", help="follow the N largest faces (at first: 1)")
    add_follow_option(parser, None)
    parser.add_argument(
        "--theme", choices=[theme.value for theme in Theme], help="colours of the window (at first: system)"
    )
    parser.add_argument("--privacy", action=switch, help="blur the picture and record landmarks only")
    parser.add_argument("--mirror", action=switch, help="flip the picture left to right (at first: cameras only)")
    parser.add_argument(
        "--record-dir", type=Path, metavar="DIR", help="where recordings, report cards and snapshots go"
    )
    parser.add_argument(
        "--forget", action="store_true", help="start with the defaults, and remember nothing of this run"
    )
    add_sharing_options(parser)
    add_engine_options(parser, model=None)
    return parser


def run(args: argparse.Namespace) -> int:
    """Show the window until it is closed.

    Returns:
        The exit code.

    Raises:
        UserError: for settings, a source or a screen that cannot be used.
        ModelError: for weights that are not there.
    """
    from app.gui.display import window_problem
    from app.gui.live.presenters.remembered import Memory, default_path
    from model.weights import read_card

    memory = None if args.forget else Memory(default_path())
    settings = live_settings(args, memory)
    if args.source is not None:
        check_source(args.source)
    read_card(settings.model.engine.weights)
    problem = window_problem(sys.platform, os.environ)
    if problem is not None:
        raise UserError(problem)
    from app.gui.window import run_window

    return run_window(settings, memory)


def live_settings(args: argparse.Namespace, memory: Memory | None) -> LiveSettings:
    """Return how the window starts: as it was left, except for what the command line says.

    Raises:
        UserError: for values that cannot be used.
    """
    from app.gui.live.presenters.remembered import Remembered
    from app.gui.live.presenters.settings import LiveSettings

    chosen = with_options(Remembered() if memory is None else memory.current, args)
    return LiveSettings(
        chosen=chosen,
        realtime_loop=args.loop,
        model=_model_in_use(args, chosen),
        note="" if memory is None else memory.note,
    )


def _model_in_use(args: argparse.Namespace, chosen: Remembered) -> ModelInUse:
    """Return the weights of the command line, otherwise the chosen model, as long as its weights are there."""
    from app.gui.live.presenters.model import ModelInUse, smaller_shipped

    settings = replace(unresolved_settings(args), symmetric=chosen.symmetric)
    if args.weights is not None:
        return ModelInUse(settings)
    known = args.model is not None or smaller_shipped()
    return ModelInUse(settings, chosen.model if known else ModelChoice.AUTO)


def with_options(chosen: Remembered, args: argparse.Namespace) -> Remembered:
    """Return the remembered choices with what the command line says, which wins.

    Raises:
        UserError: for values that cannot be used.
    """
    from app.gui.live.presenters.share import ShareForm

    if args.source is None and chosen.source is not None:
        try:
            check_source(chosen.source)
        except SourceError:
            chosen = replace(chosen, source=None)
    sharing = sharing_settings(args)
    preset = next((preset.settings for preset in PRESETS if preset.name == args.preset), None)
    return chosen.given(
        source=args.source,
        rwr=None if args.rwr is None else args.rwr == "on",
        compare=args.compare,
        baseline=None if args.rival is None else Baseline(args.rival),
        recurrence=preset,
        ghcu=args.ghcu,
        max_faces=args.max_faces,
        follow=None if args.follow is None else parse_follow(args.follow),
        theme=None if args.theme is None else Theme(args.theme),
        privacy=args.privacy,
        model=None if args.model is None else ModelChoice(args.model),
        symmetric=args.symmetric or None,
        mirror=args.mirror,
        folder=None if args.record_dir is None else PathSpec(str(args.record_dir)).path.absolute(),
        share=None if sharing is None else ShareForm.of(sharing),
    )


def check_source(typed: str) -> None:
    """Catch a mistyped source before a window opens.

    Raises:
        SourceError: ``typed`` names no source that there could be, or is a path at which there is nothing.
    """
    source = parse_source(typed)
    if isinstance(source, PathSpec) and not source.exists:
        raise missing(source)
