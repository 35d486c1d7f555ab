"""``main.py train-ghcu``: train the unit that repairs covered landmarks of a trained model."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.cli.training_options import add_data_options, check_positive, open_device, open_faces
from app.core.errors import EXIT_OK
from app.core.files import make_folder, writing
from app.core.places import DEFAULT_WEIGHTS


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``train-ghcu`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "train-ghcu",
        help="train the unit that repairs covered landmarks",
        description="Train the unit behind --ghcu on the heatmaps of a trained model, which stays unchanged; calibrate "
        "from which heatmap width on its points are better; and write it beside the model.",
    )
    add_data_options(parser)
    parser.add_argument(
        "--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="FILE", help="the trained model (default: ldeq-s)"
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="where to write (default: beside the model)")
    parser.add_argument("--minutes", type=float, metavar="M", help="minutes of training (default: the recipe's)")
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, calibrate, export.

    Returns:
        The exit code.

    Raises:
        UserError: for options and folders that cannot be used.
        ModelError: for data and weights that cannot be used.
    """
    check_positive(args, "minutes", "limit_faces")
    out = args.out or args.weights.parent
    make_folder(out)
    from model.repair.export import export_ghcu
    from model.repair.ghcu import ghcu_path
    from model.training.ghcu import GhcuRecipe, train_ghcu
    from model.weights import read_card

    landmarks = read_card(args.weights).config.landmarks
    recipe = GhcuRecipe() if args.minutes is None else GhcuRecipe(minutes=args.minutes)
    faces = open_faces(args, open_device(args.device), landmarks)
    print(f"GHCU of {args.weights.name}: {len(faces)} faces, {recipe.minutes:g} minutes", flush=True)
    with writing(out):
        card = train_ghcu(args.weights, faces, recipe, out, report=lambda line: print(line, flush=True))
        graph = export_ghcu(card)
    print(f"written: {card.path}, {graph.name}")
    first = (
        "" if card.path == ghcu_path(args.weights) else f"put these and {card.path.stem}.json beside the weights, then "
    )
    print(f"{first}use it: python3 main.py live --ghcu --weights {args.weights}")
    return EXIT_OK
