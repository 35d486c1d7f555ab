"""``main.py train-uncertainty``: find out how far off landmarks are, given the spread of their heatmaps."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.training_options import add_data_options, check_positive, open_faces
from app.core.errors import EXIT_OK, UserError
from app.core.files import writing
from app.core.places import DEFAULT_WEIGHTS
from app.core.text_table import counted, table
from model.engine.names import Device

if TYPE_CHECKING:
    from model.engine.base import Engine
    from model.training.uncertainty import Solved

FACES = 640
"""Of those that people labelled with 98 points."""
LEAST = 2
"""Faces to learn from; and unseen ones, half of which scale the discs and half check them."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``train-uncertainty`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "train-uncertainty",
        help="calibrate the uncertainty of landmarks",
        description="Fit the discs that hold 50, 80 and 95 % of the landmarks to a model's errors on training faces, "
        "half of them partly covered; scale them on every second unseen face, check them on the others, and write "
        "their constants into the weights' JSON.",
    )
    add_data_options(parser)
    parser.add_argument(
        "--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="FILE", help="the trained model (default: ldeq-s)"
    )
    parser.add_argument("--list", type=Path, required=True, metavar="LIST", help="WFLW list of unseen faces")
    parser.add_argument(
        "--images", type=Path, required=True, metavar="DIR", help="the folder that the list's paths are relative to"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Fit, check, write and print.

    Returns:
        The exit code.

    Raises:
        UserError: for options and lists that cannot be used.
        ModelError: for data and weights that cannot be used.
    """
    check_positive(args, "limit_faces")
    if args.device == Device.CUDA:
        raise UserError("Uncertainty is calibrated on the CPU; leave --device out.")
    import torch
    from tqdm import tqdm

    from model.engine.open import open_engine
    from model.training.data import WFLW
    from model.training.uncertainty import fit, held, solve_faces, widened
    from model.uncertainty import NOTE, PERCENTS
    from model.weights import read_card, write_card

    args.sources = args.sources or [WFLW]
    args.limit_faces = args.limit_faces or FACES
    card = read_card(args.weights)
    engine = open_engine(args.weights, device="cpu")
    faces = open_faces(args, torch.device("cpu"), card.config.landmarks)
    if len(faces) < LEAST:
        raise UserError(f"The uncertainty of landmarks needs {LEAST} faces or more to learn from; there is only one.")
    unseen = _solve_unseen(engine, args.list, args.images)
    with tqdm(total=len(faces), unit="face", disable=None, file=sys.stderr) as bar:
        learned = solve_faces(engine, faces, report=lambda done: bar.update(done - bar.n))
    chosen, others = (unseen[half::2] for half in (0, 1))
    first = fit(learned)
    calibration = widened(first, chosen)
    rows = [
        (name, *(f"{value:.1f}" for value in held(calibration, values).values()))
        for name, values in (("every second unseen face", chosen), ("the others", others))
    ]
    print(table(("discs hold, in %", *(f"{percent} %" for percent in PERCENTS)), rows))
    factor = calibration.quantiles[0] / first.quantiles[0]
    print(f"exponent {calibration.exponent:.2f}, discs {factor:.2f} x as wide as on faces of the training")
    with writing(args.weights.with_suffix(".json")):
        write_card(dataclasses.replace(card, notes={**card.notes, NOTE: calibration.to_dict()}))
    print(f"written: {args.weights.with_suffix('.json')}")
    return EXIT_OK


def _solve_unseen(engine: Engine, path: Path, images: Path) -> Solved:
    """Return cold solves of a list's faces by its boxes."""
    from app.lab.accuracy.wflw import check_images, read_image, read_list
    from model.geometry import Crop
    from model.rwr.cold import cold_state
    from model.training.uncertainty import joined, solved_of

    faces = read_list(path)
    if len(faces) < LEAST:
        raise UserError(f"{path} names {counted(len(faces), 'face')}; give {LEAST} or more.")
    check_images(images, faces)
    parts = []
    for face in faces:
        crop = Crop.around_box(*face.box, engine.config.crop_scale)
        u = engine.encode(crop.extract(read_image(images, face), engine.config.input_size)[None])
        points, spread = engine.decode(cold_state(engine, u)[0])
        parts.append(solved_of(engine, u, points, spread, crop.to_crop(face.landmarks)[None]))
    return joined(parts)
