"""``main.py train``: train a model from labelled faces."""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app.errors import EXIT_OK, UserError
from app.settings import DEVICES

if TYPE_CHECKING:
    from model.training.loop import Validate
    from model.training.recipe import Recipe

CONFIGS = ("ldeq-s", "ldeq-l")

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""glibc's numbers for mallopt(3)."""
MALLOC_LIMIT = 2**31 - 1


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``train`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "train",
        help="train a model from labelled faces",
        description="Train a model and write its weights, their JSON and the ONNX graphs that the other commands load.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of labels.npz and faces-*.tar")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="other labels of the same pictures, in the form of labels.npz"
    )
    parser.add_argument("--config", choices=CONFIGS, default=CONFIGS[0], help=f"what to train (default: {CONFIGS[0]})")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where weights and checkpoints go")
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument("--resume", action="store_true", help="go on from the checkpoint in --out")
    beginning.add_argument("--init", type=Path, metavar="FILE", help="start from the weights of this .safetensors file")
    parser.add_argument("--minutes", type=float, metavar="M", help="minutes of training steps (default: the recipe's)")
    parser.add_argument("--limit-faces", type=int, metavar="N", help="train on N faces only, to try a recipe out")
    parser.add_argument("--validate-list", type=Path, metavar="LIST", help="WFLW list to measure the NME on as it goes")
    parser.add_argument("--validate-images", type=Path, metavar="DIR", help="the folder the list's paths start from")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where to train (default: CUDA if it works)")
    parser.add_argument(
        "--workers", type=int, metavar="N", help="threads that share each batch on a CPU (default: one a core)"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, then export.

    Returns:
        The exit code.

    Raises:
        UserError: for options, folders and validation data that cannot be used.
        ModelError: for training data, a checkpoint or weights that cannot be used.
    """
    from model.training.recipe import recipe_for

    _check(args)
    recipe = recipe_for(args.config, args.minutes)
    return train_recipe(args, recipe)


def train_recipe(args: argparse.Namespace, recipe: Recipe) -> int:
    """Train ``recipe`` with the folders and limits of ``args``."""
    import torch

    from model.export import export_onnx
    from model.training.data import load_faces
    from model.training.loop import CHECKPOINT, train

    checkpoint = args.out / CHECKPOINT
    if checkpoint.exists() and not args.resume:
        raise UserError(
            f"{args.out} already holds a training run; add --resume to go on with it, or give another --out."
        )
    _make_folder(args.out)
    device = torch.device(_device(args.device, torch.cuda.is_available()))
    workers = args.workers or (1 if device.type == "cuda" else os.cpu_count() or 1)
    if device.type == "cpu":
        torch.set_num_threads(1)
        _keep_freed_memory()
    validate = _validation(args, recipe)
    faces = load_faces(args.data, device, args.limit_faces, args.labels)
    print(
        f"{recipe.model.name}: {len(faces)} faces, {recipe.minutes:g} minutes on {device.type} "
        f"with {workers} worker{'s' * (workers > 1)}",
        flush=True,
    )
    try:
        weights = train(
            faces,
            recipe,
            args.out,
            init=args.init,
            resume=args.resume,
            workers=workers,
            validate=validate,
            report=lambda line: print(line, flush=True),
        )
    except KeyboardInterrupt:
        if checkpoint.exists():
            print(f"interrupted; add --resume to go on from {checkpoint}", flush=True)
        raise
    graphs = export_onnx(weights)
    print(f"written: {weights}, {', '.join(path.name for path in graphs)}")
    print(f"see it live: python3 main.py live --weights {weights}")
    return EXIT_OK


def _keep_freed_memory() -> None:
    """Ask glibc to keep what is freed; fetching every tensor's pages anew costs two workers a fifth of their speed."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MALLOC_LIMIT)
        mallopt(M_TRIM_THRESHOLD, MALLOC_LIMIT)


def _check(args: argparse.Namespace) -> None:
    for name in ("minutes", "limit_faces", "workers"):
        value = getattr(args, name)
        if value is not None and not value > 0:
            raise UserError(f"--{name.replace('_', '-')} must be positive, not {value}.")
    if (args.validate_list is None) != (args.validate_images is None):
        raise UserError("Validation needs both --validate-list and --validate-images.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"The folder {folder} cannot be made: {error.strerror}; give another --out.") from error


def _device(wanted: str, cuda: bool) -> str:
    if wanted == "auto":
        return "cuda" if cuda else "cpu"
    if wanted == "cuda" and not cuda:
        raise UserError("CUDA is not available to PyTorch here; run main.py doctor to see why, or use --device cpu.")
    return wanted


def _validation(args: argparse.Namespace, recipe: Recipe) -> Validate | None:
    if args.validate_list is None:
        return None
    from app.training.validation import WflwValidation

    return WflwValidation(args.validate_list, args.validate_images, recipe.model)
