"""The options of every command that runs the model."""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from app.core.places import DEFAULT_WEIGHTS
from app.core.settings import DEVICES, ENGINES, SHIPPED, EngineSettings, ModelChoice
from model.engine.names import Device, EngineName

MODELS = tuple(choice.value for choice in ModelChoice)


def add_engine_options(
    parser: argparse.ArgumentParser,
    *,
    model: ModelChoice | None = ModelChoice.LDEQ_S,
    otherwise: str = "as chosen in the window",
) -> None:
    """Add ``--model``, ``--weights``, ``--engine`` and more; see :func:`engine_settings`.

    Args:
        parser: of the command.
        model: what ``--model`` is if it is not given; None leaves that to the command.
        otherwise: which model the command takes then.
    """
    what = parser.add_mutually_exclusive_group()
    usual = otherwise if model is None else model
    what.add_argument(
        "--model",
        choices=MODELS,
        default=model,
        help="ldeq-s, the smaller and faster ldeq-xs, or auto: the most accurate that keeps up with a camera on this "
        f"computer (default: {usual})",
    )
    what.add_argument("--weights", type=Path, metavar="FILE", help="other weights, a .safetensors file")
    parser.add_argument("--engine", choices=ENGINES, default="auto", help="what runs the model (default: auto)")
    parser.add_argument(
        "--device", choices=DEVICES, default="auto", help="where it runs (default: auto, CUDA if it works)"
    )
    add_threads_option(parser)
    parser.add_argument(
        "--symmetric",
        action="store_true",
        help="let the model see each face and its mirror image: 1 to 3 %% less error, for 1.5 x the time of a frame",
    )


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Add ``--threads``, those of the model."""
    parser.add_argument(
        "--threads", type=int, metavar="N", help="CPU threads of the model (default: half of the processors, 2 to 4)"
    )


def add_weights_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--model`` and ``--weights`` where the engines are not chosen; :func:`weights_of` reads them."""
    what = parser.add_mutually_exclusive_group()
    names = [choice.value for choice in SHIPPED]
    what.add_argument(
        "--model", choices=names, default=ModelChoice.LDEQ_S, help=f"which model (default: {ModelChoice.LDEQ_S})"
    )
    what.add_argument("--weights", type=Path, metavar="FILE", help="other weights, a .safetensors file")


def weights_of(args: argparse.Namespace) -> Path:
    """Return the weights that :func:`add_weights_options` asked for."""
    given: Path | None = args.weights
    return SHIPPED[ModelChoice(args.model)] if given is None else given


def engine_settings(args: argparse.Namespace) -> EngineSettings:
    """Return what the options say; ``--model auto`` may measure, which takes some seconds.

    Raises:
        UserError: for values that cannot be used.
        ModelError: for an engine or device that does not work, where ``--model auto`` has to measure.
    """
    settings = unresolved_settings(args)
    if args.weights is not None:
        return settings
    if args.model != ModelChoice.AUTO:
        return replace(settings, weights=SHIPPED[ModelChoice(args.model)])
    from app.tracking.model_choice import automatic_model

    return automatic_model(settings, ghcu=getattr(args, "ghcu", False))


def unresolved_settings(args: argparse.Namespace) -> EngineSettings:
    """Return what the options say but for ``--model``.

    Raises:
        UserError: for values that cannot be used.
    """
    weights = DEFAULT_WEIGHTS if args.weights is None else args.weights
    return EngineSettings(weights, EngineName(args.engine), Device(args.device), args.threads, args.symmetric)
