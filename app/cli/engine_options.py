"""The options of every command that runs the model."""

from __future__ import annotations

import argparse
from pathlib import Path

from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import DEVICES, ENGINES, EngineSettings
from model.engine.names import Device, EngineName


def add_engine_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--weights``, ``--engine``, ``--device`` and ``--threads``; :func:`engine_settings` reads them."""
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, metavar="FILE", help="a .safetensors file")
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="what runs the model (default: auto)")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="where it runs (default: auto)")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads of the model (default: half of the processors, at most 4)"
    )


def engine_settings(args: argparse.Namespace) -> EngineSettings:
    """Return what the options say.

    Raises:
        UserError: for values that cannot be used.
    """
    return EngineSettings(args.weights, EngineName(args.engine), Device(args.device), args.threads)
