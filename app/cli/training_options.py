"""What the commands that learn from labelled faces have in common: their data, device, folder and memory."""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.option_names import typed
from app.core.errors import UserError
from app.core.memory import keep_freed_memory
from app.core.settings import DEVICES

if TYPE_CHECKING:
    import torch

    from model.training.data import Faces


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--data``, ``--labels``, ``--sources``, ``--limit-faces`` and ``--device``."""
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder of labels.npz and faces-*.tar")
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help="other labels for the same pictures, in the format of labels.npz"
    )
    parser.add_argument("--sources", nargs="+", metavar="NAME", help="use the faces of these sources only")
    parser.add_argument("--limit-faces", type=int, metavar="N", help="use only N faces, for a trial run")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where it runs (default: CUDA if it works)")


def check_positive(args: argparse.Namespace, *names: str) -> None:
    """Raise :class:`UserError` for the first of some options that is given and not positive, or infinite."""
    for name in names:
        value = getattr(args, name)
        if value is not None and not 0 < value < math.inf:
            raise UserError(f"{typed(name)} must be positive and finite, not {value}.")


def open_faces(args: argparse.Namespace, device: torch.device, landmarks: int) -> Faces:
    """Load the faces that the data options choose, with 98 points or the 68 of those from 300W.

    Raises:
        ModelError: for data that cannot be used.
    """
    from model.training.data import W300, load_faces

    only = (W300,) if landmarks == 68 and args.sources is None else args.sources
    faces = load_faces(args.data, device, args.limit_faces, args.labels, only)
    return faces.of_300w() if landmarks == 68 else faces


def open_device(wanted: str) -> torch.device:
    """Return the device that ``--device`` means; on a CPU, prepare this process for it.

    Raises:
        UserError: if CUDA is asked for and not there.
    """
    import torch

    name = device_name(wanted, torch.cuda.is_available())
    if name == "cpu":
        keep_freed_memory()
    return torch.device(name)


def device_name(wanted: str, cuda: bool) -> str:
    """Return "cuda" or "cpu" for what ``--device`` says, where CUDA works or does not.

    Raises:
        UserError: if CUDA is asked for and not there.
    """
    if wanted == "auto":
        return "cuda" if cuda else "cpu"
    if wanted == "cuda" and not cuda:
        raise UserError("CUDA is not available to PyTorch here; run main.py doctor to see why, or use --device cpu.")
    return wanted
