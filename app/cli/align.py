"""``main.py align``: search the labels of training faces with a trained model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.training_options import add_data_options, check_positive, open_device, open_faces
from app.core.errors import EXIT_OK, UserError
from app.core.files import check_writable, writing
from app.core.places import DEFAULT_WEIGHTS
from app.core.text_table import table

if TYPE_CHECKING:
    from model.training.semantic import Movement


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``align`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "align",
        help="search for better labels of training faces with a trained model",
        description="Semantic alignment's label search: move every label to its most likely place, given what is "
        "written and what a trained model sees. Writes labels for train --labels and prints how far they moved.",
    )
    add_data_options(parser)
    parser.add_argument(
        "--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="FILE", help="a .safetensors file (default: ldeq-s)"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="OUT", help="the labels to write, a .npz")
    parser.add_argument(
        "--label-share",
        type=float,
        metavar="S",
        help="share of the disagreement that is attributed to the labels, 0 to 1 (default: 0.25)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an output that exists")
    return parser


def run(args: argparse.Namespace) -> int:
    """Search, write and print.

    Returns:
        The exit code.

    Raises:
        UserError: for options and outputs that cannot be used.
        ModelError: for data and weights that cannot be used.
    """
    check_positive(args, "limit_faces")
    if args.output.suffix != ".npz":
        raise UserError(f"{args.output} must be a labels file: give a name that ends in .npz.")
    check_writable(args.output, overwrite=args.overwrite)
    import torch
    from tqdm import tqdm

    from model.topology import POINTS
    from model.training.alignment import AlignmentSettings
    from model.training.data import LABELS
    from model.training.semantic import search_labels, write_labels
    from model.weights import load_weights

    settings = AlignmentSettings() if args.label_share is None else AlignmentSettings(label_share=args.label_share)
    device = open_device(args.device)
    model = load_weights(args.weights)
    model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    faces = open_faces(args, device, POINTS)
    with tqdm(total=len(faces), unit="face", disable=None, file=sys.stderr) as bar:
        found, moved = search_labels(model, faces, settings, report=lambda done: bar.update(done - bar.n))
    print(movement_table(moved))
    if args.limit_faces is not None:
        print("Nothing written: --limit-faces looks at a part of the faces only")
        return EXIT_OK
    with writing(args.output):
        write_labels(args.labels or args.data / LABELS, args.output, found.landmarks, args.sources)
    print(f"Written: {args.output}; train with it: python3 main.py train --labels {args.output} ...")
    return EXIT_OK


def movement_table(movements: Sequence[Movement]) -> str:
    """Return how far labels moved, a line for each source and region."""
    rows = [
        (
            f"{row.source} {row.region}",
            f"{row.labels}",
            f"{row.apart:.2f}",
            f"{row.median:.2f}",
            f"{row.high:.2f}",
            f"{row.bias:.2f}",
        )
        for row in movements
    ]
    header = ("source, region", "labels", "from network", "moved", "90 %", "in common")
    return "\n".join([table(header, rows), "Medians in % of the inter-ocular distance"])
