"""``main.py lab``: how still, how right and how late RwR and filters are, on labelled clips."""

from __future__ import annotations

import argparse
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.cli.engine_options import add_engine_options, engine_settings
from app.core.errors import EXIT_OK, UserError

if TYPE_CHECKING:
    from app.lab.flicker.experiment import Experiment

DEFAULT_OUT = Path("runs") / "lab"
LEAST_SCALE, LARGEST_SCALE = 0.1, 10.0


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``lab`` command; its namespace goes to :func:`run`."""
    from app.lab.flicker.grid import KEYS

    parser = subparsers.add_parser(
        "lab",
        help="flicker against accuracy and lag: RwR and filters on labelled clips",
        description="Measure accuracy, flicker and lag of RwR and of filters on labelled clips, over a grid of "
        "settings, and where the flicker comes from. Writes lab.html, its plots as PNG and PDF, and lab.json.",
    )
    parser.add_argument(
        "clips", type=Path, metavar="CLIPS", help="folder with videos, landmarks and, if it has them, bboxes (WFLW-V)"
    )
    parser.add_argument(
        "--ids",
        type=Path,
        nargs="+",
        default=[],
        metavar="FILE",
        help="files of IDs, each a group reported on its own (default: the folder's *_ids.txt)",
    )
    parser.add_argument("--frames", type=int, metavar="N", help="only the first N frames of each clip")
    parser.add_argument(
        "--methods",
        nargs="+",
        default=list(KEYS),
        metavar="NAME",
        help=f"methods to measure beside cold (default: {' '.join(KEYS)})",
    )
    parser.add_argument(
        "--scale", type=float, metavar="S", help="crop side over the box's larger side (default: the model's own)"
    )
    parser.add_argument(
        "--no-attribution",
        "--no-blame",
        dest="attribution",
        action="store_false",
        help="do not measure how much of the flicker comes from the crop",
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help=f"where to write (default: {DEFAULT_OUT})"
    )
    parser.add_argument("--no-page", action="store_true", help="write lab.json only, no page and no plots")
    add_engine_options(parser)
    return parser


def run(args: argparse.Namespace) -> int:
    """Measure, print the tables and write the files.

    Args:
        args: from :func:`add_parser`.

    Returns:
        The exit code.

    Raises:
        UserError: for clips, settings and outputs that cannot be used.
        ModelError: for weights that cannot.
    """
    from app.core.files import check_folder, make_folder, write_json
    from app.lab.flicker.clips import FEWEST_FRAMES, find_clips
    from app.lab.flicker.experiment import run_experiment
    from app.lab.flicker.grid import families_of, methods_of
    from app.lab.flicker.report import printed, values
    from app.tracking.engine import engine_of
    from model.config import LANDMARKS
    from model.weights import read_card

    if args.frames is not None and args.frames < FEWEST_FRAMES:
        raise UserError(f"--frames must be at least {FEWEST_FRAMES}, not {args.frames}.")
    if args.scale is not None and not LEAST_SCALE <= args.scale <= LARGEST_SCALE:
        raise UserError(f"--scale must be between {LEAST_SCALE:g} and {LARGEST_SCALE:g}, not {args.scale:g}.")
    families = families_of(args.methods)
    wanted = engine_settings(args)
    clips = find_clips(args.clips, args.ids)
    card = read_card(wanted.weights)
    if card.config.landmarks != LANDMARKS:
        raise UserError(f"{card.path.name} finds {card.config.landmarks} points; the lab's clips have {LANDMARKS}.")
    make_folder(args.out)
    check_folder(args.out, args.out)
    engine = engine_of(wanted)
    scale = card.config.crop_scale if args.scale is None else args.scale
    provenance: dict[str, Any] = {
        "date": date.today().isoformat(),
        "weights": {"name": card.config.name, "file": card.path.name, "sha256": card.files.get(card.path.name)},
        "engine": engine.name,
        "settings": {"frames": args.frames, "scale": scale, "threads": wanted.threads, "methods": args.methods},
    }
    experiment = run_experiment(
        engine, clips, methods_of(engine, families), frames=args.frames, scale=scale, attribution=args.attribution
    )
    print(printed(experiment))
    write_json(args.out / "lab.json", values(experiment, provenance))
    written = args.out / "lab.json"
    if not args.no_page:
        written = _write_page(args.out, experiment, provenance)
    print(f"\nWritten: {written}")
    return EXIT_OK


def _write_page(folder: Path, experiment: Experiment, provenance: dict[str, Any]) -> Path:
    from app.core.files import write_whole
    from app.lab.flicker.page import page
    from app.lab.flicker.plots import draw
    from app.lab.flicker.report import chosen_methods

    pictures = draw(experiment, chosen_methods(experiment))
    target = folder / "lab.html"
    for name, picture in pictures.items():
        write_whole(folder / f"{name}.png", picture.png)
        write_whole(folder / f"{name}.pdf", picture.pdf)
    write_whole(target, page(experiment, pictures, provenance).encode(errors="replace"))  # names need not be text
    return target
