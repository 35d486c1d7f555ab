"""``main.py session``: look at recorded sessions, replay them under other settings, compare and cut them."""

from __future__ import annotations

import argparse
import math
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import platformdirs
from tqdm import tqdm

from app.cli.engine_options import add_engine_options, engine_settings, unresolved_settings
from app.cli.interrupts import interrupts
from app.cli.option_names import typed
from app.core.errors import EXIT_FAILURE, EXIT_INTERRUPTED, EXIT_OK, UserError
from app.core.files import check_writable, write_json
from app.core.modes import Baseline, Mode
from app.core.presets import PRESETS, PresetName
from app.core.settings import EngineSettings, TrackingSettings
from app.core.text_table import table
from app.sessions.compare import compare_takes
from app.sessions.describe import damaged_files, session_lines
from app.sessions.events import EventKind, write_event_table
from app.sessions.export import export_clip
from app.sessions.form import RECORDED
from app.sessions.listing import list_sessions
from app.sessions.plain import to_plain
from app.sessions.replay import Build, Progress, replay, with_recorded_model
from app.sessions.session import Session, open_session
from app.tracking.pipeline import build_pipeline
from model.rwr.settings import RwrSettings
from model.topology import REGIONS

SESSIONS_FOLDER = "LDEQ Live"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``session`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "session",
        help="look at recorded sessions, replay, compare and cut them",
        description="Look at recorded sessions, replay them under other settings, compare takes and cut clips.",
    )
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    listing = actions.add_parser("list", help="the sessions in a folder, the newest first")
    listing.add_argument(
        "folder",
        type=Path,
        nargs="?",
        metavar="FOLDER",
        help="where to look (default: LDEQ Live in your videos folder)",
    )

    info = actions.add_parser("info", help="what a session holds")
    info.add_argument("path", type=Path, nargs="+", metavar="PATH", help="a session's folder")
    info.add_argument("--verify", action="store_true", help="check every file against its checksum")

    happened = actions.add_parser(
        "events",
        help="what happened in a session, and when: blinks, faces found and lost, changes, faults",
        description="Print what happened in a session, and when, or write it as a table.",
    )
    happened.add_argument("path", type=Path, metavar="PATH", help="a session's folder")
    happened.add_argument(
        "--kinds",
        nargs="+",
        choices=[each.value for each in EventKind],
        metavar="KIND",
        help=f"only these: {', '.join(EventKind)}",
    )
    happened.add_argument("--take", default=RECORDED, metavar="NAME", help="take that is asked (default: recorded)")
    happened.add_argument("--csv", type=Path, metavar="FILE", help="write them as CSV instead of printing them")

    again = actions.add_parser(
        "replay",
        help="track its pictures again and keep the result beside it",
        description="Track the pictures of a session again and keep the result beside the recording. Tracking settings "
        "that no option sets are those of the first recorded frame.",
    )
    again.add_argument("path", type=Path, metavar="PATH", help="a session's folder")
    again.add_argument(
        "--as-recorded",
        action="store_true",
        help="use the recorded model and settings, and change them where the recording did",
    )
    again.add_argument("--rwr", choices=("on", "off"), help="start each frame's solve at the last frame's solution")
    again.add_argument(
        "--rival",
        choices=[each.value for each in Baseline],
        help="also solve a baseline on every frame, to compare with",
    )
    again.add_argument("--preset", choices=[each.value for each in PresetName], help="how RwR is set")
    again.add_argument(
        "--weight", type=float, metavar="W", help="how strongly RwR pulls towards the last frame (balanced: 4)"
    )
    again.add_argument(
        "--evaluations", type=int, metavar="N", help="maximum number of evaluations in a warm frame (balanced: 2)"
    )
    again.add_argument("--ghcu", action=argparse.BooleanOptionalAction, help="repair covered landmarks")
    again.add_argument("--max-faces", type=int, metavar="N", help="follow the N largest faces")
    again.add_argument("--name", metavar="NAME", help="name of the take (default: made from the settings)")
    add_engine_options(again, model=None, otherwise="the recorded one if it is shipped, else ldeq-s")

    clip = actions.add_parser("export", help="cut a clip: a video, or a session of its own")
    clip.add_argument("path", type=Path, metavar="PATH", help="a session's folder")
    clip.add_argument("destination", type=Path, metavar="OUT", help="a video such as clip.mp4, or a new folder")
    clip.add_argument(
        "--from", dest="start", type=_seconds, default=0.0, metavar="S", help="start, in seconds (default: 0)"
    )
    clip.add_argument(
        "--to", dest="end", type=_seconds, default=1e9, metavar="S", help="end, in seconds (default: the end)"
    )
    clip.add_argument(
        "--take", default=RECORDED, metavar="NAME", help="take whose landmarks are exported (default: recorded)"
    )
    clip.add_argument("--annotated", action="store_true", help="draw the landmarks")

    both = actions.add_parser("compare", help="two takes of one session, or two sessions")
    both.add_argument("path", type=Path, nargs="+", metavar="PATH", help="one session's folder, or two")
    both.add_argument(
        "--takes",
        nargs=2,
        metavar=("A", "B"),
        help="which takes (default: the newest that has both --modes, or else recorded and the newest replay; of two "
        "sessions, recorded)",
    )
    both.add_argument(
        "--modes",
        nargs=2,
        choices=[each.value for each in Mode],
        metavar=("A", "B"),
        help="which mode of each (default: the chosen one)",
    )
    both.add_argument("--json", type=Path, metavar="FILE", help="also write the figures here")
    return parser


def run(args: argparse.Namespace, *, build: Build = build_pipeline, stop: threading.Event | None = None) -> int:
    """Do what ``args.action`` says.

    Args:
        args: from :func:`add_parser`.
        build: makes the pipeline of a replay.
        stop: ends the run as Ctrl-C does once it is set.

    Returns:
        The exit code: 0; 1 if ``--verify`` found damaged files; 130 after Ctrl-C.

    Raises:
        UserError: for sessions, takes, settings and outputs that cannot be used.
    """
    if args.action == "list":
        return _list(args.folder)
    if args.action == "info":
        return _info(args.path, args.verify)
    if args.action == "events":
        return _events(args)
    if args.action == "compare":
        return _compare(args)
    stop = stop or threading.Event()
    with interrupts(stop):
        return _replay(args, build, stop) if args.action == "replay" else _export(args, stop)


def _list(folder: Path | None) -> int:
    folder = Path(platformdirs.user_videos_dir()) / SESSIONS_FOLDER if folder is None else folder
    entries = list_sessions(folder)
    if not entries:
        print(f"There are no sessions in {folder}.")
        return EXIT_OK
    rows = []
    for entry in entries:
        length = "-" if entry.seconds is None else f"{entry.seconds:.1f}"
        what = entry.error or f"{entry.source}{' (privacy)' if entry.privacy else ''}, {entry.state}"
        rows.append((f"{entry.started:%Y-%m-%d %H:%M}", length, entry.name, what))
    print(table(("recorded", "seconds", "session", "source"), rows, left=4))
    return EXIT_OK


def _info(paths: list[Path], verify: bool) -> int:
    code = EXIT_OK
    for path in paths:
        session = open_session(path)
        print("\n".join(session_lines(session)))
        if verify and not session.metadata.checksums:
            print("  no checksums: the recording did not come to its end")
        elif verify:
            damaged = damaged_files(session)
            print(f"  damaged or missing: {', '.join(damaged)}" if damaged else "  every file matches its checksum")
            code = EXIT_FAILURE if damaged else code
    return code


def _events(args: argparse.Namespace) -> int:
    if args.csv is not None:
        check_writable(args.csv, overwrite=True)
    events = open_session(args.path).take(args.take).events
    chosen = [event for event in events if args.kinds is None or event.kind in args.kinds]
    if args.csv is not None:
        write_event_table(args.csv, chosen)
        print(f"Written: {args.csv}")
    elif chosen:
        rows = [(f"{event.time:.3f}", str(event.frame), event.kind, event.text) for event in chosen]
        print(table(("seconds", "frame", "kind", "what"), rows, left=2))
    else:
        print("There are no such events.")
    return EXIT_OK


def _replay(args: argparse.Namespace, build: Build, stop: threading.Event) -> int:
    session = open_session(args.path)
    tracking = _settings(args, session)
    with _bar() as progress:
        take = replay(
            session,
            tracking,
            _engine(args, session),
            as_recorded=args.as_recorded,
            name=args.name,
            progress=progress,
            stop=stop,
            build=build,
        )
    if take is None:
        print("Stopped; nothing was kept.")
        return EXIT_INTERRUPTED
    print(f"Written: {session.folder} take {take.name}")
    baseline = None if args.as_recorded else tracking.baseline_mode
    if baseline is None:
        comparison = compare_takes(session.recorded, take)
    else:
        comparison = compare_takes(take, take, mode_a=tracking.mode, mode_b=baseline)
    print("\n".join(comparison.lines()))
    return EXIT_OK


def _engine(args: argparse.Namespace, session: Session) -> EngineSettings:
    if args.model is not None or args.weights is not None:
        return engine_settings(args)
    recorded = with_recorded_model(session, unresolved_settings(args))
    return replace(recorded, symmetric=recorded.symmetric or args.symmetric)


def _settings(args: argparse.Namespace, session: Session) -> TrackingSettings:
    """Return the session's first settings with what the options change.

    Raises:
        UserError: for options that contradict each other or values that cannot be used.
    """
    of_rwr = ("preset", "weight", "evaluations")
    names = ("rwr", "rival", *of_rwr, "ghcu", "max_faces", "model")
    given = [name for name in names if getattr(args, name) is not None]
    given += ["symmetric"] if args.symmetric else []
    if args.as_recorded and given:
        raise UserError(f"--as-recorded keeps the model and every setting; leave out {typed(given[0])}.")
    tracking = session.metadata.tracking
    recurrence = tracking.recurrence
    if args.preset is not None:
        recurrence = next(preset.settings for preset in PRESETS if preset.name == args.preset)
    if args.weight is not None:
        recurrence = replace(recurrence or RwrSettings(), recurrence_weight=args.weight)
    if args.evaluations is not None:
        recurrence = replace(recurrence or RwrSettings(), evaluations=args.evaluations)
    wanted = replace(
        tracking,
        rwr=tracking.rwr if args.rwr is None else args.rwr == "on",
        compare=args.rival is not None,
        baseline=tracking.baseline if args.rival is None else Baseline(args.rival),
        recurrence=recurrence,
        ghcu=tracking.ghcu if args.ghcu is None else args.ghcu,
        max_faces=tracking.max_faces if args.max_faces is None else args.max_faces,
    )
    idle = [name for name in of_rwr if name in given and Mode.RWR not in wanted.modes]
    if idle:
        raise UserError(f"{typed(idle[0])} sets RwR, which does not run here; leave it out, or add --rwr on.")
    return wanted


def _export(args: argparse.Namespace, stop: threading.Event) -> int:
    session = open_session(args.path)
    with _bar() as progress:
        take = session.take(args.take)
        written = export_clip(
            session, take, args.start, args.end, args.destination, args.annotated, progress=progress, stop=stop
        )
    if written is None:
        print("Stopped; nothing was kept.")
        return EXIT_INTERRUPTED
    print(f"Written: {written}")
    return EXIT_OK


def _compare(args: argparse.Namespace) -> int:
    if len(args.path) > 2:
        raise UserError(f"Two sessions can be compared, not {len(args.path)}; give one or two folders.")
    if args.json is not None:
        check_writable(args.json, overwrite=True)
    sessions = [open_session(path) for path in args.path]
    first, second = sessions[0], sessions[-1]
    names = args.takes
    if names is None:
        names = _two_of(first, args.modes) if first is second else (RECORDED, RECORDED)
    mode_a, mode_b = args.modes or (None, None)
    comparison = compare_takes(first.take(names[0]), second.take(names[1]), mode_a=mode_a, mode_b=mode_b)
    shown = comparison
    if first is not second:  # their takes may have the same name
        a, b = comparison.a, comparison.b
        shown = replace(
            shown, a=replace(a, name=f"{first.name} {a.name}"), b=replace(b, name=f"{second.name} {b.name}")
        )
    print("\n".join(shown.lines()))
    if args.json is not None:
        regions = [region.name for region in REGIONS]
        unit = "percent of the inter-ocular distance, root mean square"
        facts = {"sessions": [first.name, second.name], "flicker_unit": unit, "regions": regions}
        write_json(args.json, facts | to_plain(comparison))
    return EXIT_OK


def _two_of(session: Session, modes: Sequence[str] | None) -> tuple[str, str]:
    """Return which takes of a session to compare: recorded and the newest, or twice the newest that has both modes.

    Modes that solved the same frames of one take were measured against the same motion, so that comes first.

    Raises:
        UserError: there is only one.
    """
    newest = session.take_names[-1]
    if modes is not None and modes[0] != modes[1]:
        for name in reversed(session.take_names):
            found = session.take(name).estimates
            if np.intersect1d(*(found.row[found.mode == mode] for mode in modes)).size:
                return name, name
    if newest == RECORDED:
        raise UserError(f"{session.folder} has no replay to compare with; make one with session replay.")
    return RECORDED, newest


@contextmanager
def _bar() -> Iterator[Progress]:
    """Show a progress bar on a terminal."""
    with tqdm(unit="frame", disable=None, file=sys.stderr, smoothing=0.1) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise argparse.ArgumentTypeError(f"give seconds such as 12.5, not {text!r}")
    return value
