"""``main.py train``: train a model from labelled faces."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from app.cli.option_names import typed
from app.cli.training_options import add_data_options, check_positive, open_device, open_faces
from app.core.errors import EXIT_OK, UserError
from app.core.files import check_new_file, make_folder, writing
from model.errors import ModelError
from model.training.gradient import Gradient

if TYPE_CHECKING:
    from model.config import LdeqConfig
    from model.training.data import Faces
    from model.training.loop import Validate
    from model.training.recipe import Recipe
    from model.training.whole import Workshop

CONFIGS = ("ldeq-s", "ldeq-xs", "ldeq-l")
CALIBRATION_FACES = 48
"""Solved to measure the ranges of the int8 cell; more change nothing."""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``train`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "train",
        help="train a model from labelled faces",
        description="Train a model and write its weights, their JSON and the ONNX graphs that the other commands load.",
    )
    add_data_options(parser)
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--config", choices=CONFIGS, default=CONFIGS[0], help=f"what to train in one run (default: {CONFIGS[0]})"
    )
    what.add_argument(
        "--recipe",
        choices=RECIPES,
        help="make weights as the shipped ones were made: train (or start from --init), average pseudo-labels with "
        "its own points, refine, export; ldeq-s-light and ldeq-xs learn from a teacher, --init or the shipped one",
    )
    what.add_argument(
        "--average",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="train nothing: write the mean of the weights of runs that started from the same ones",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where weights and checkpoints go")
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument("--resume", action="store_true", help="resume from the checkpoint in --out")
    beginning.add_argument("--init", type=Path, metavar="FILE", help="start from the weights of this .safetensors file")
    parser.add_argument("--minutes", type=float, metavar="M", help="minutes of training steps (default: the recipe's)")
    parser.add_argument("--learning-rate", type=float, metavar="R", help="peak learning rate (default: the recipe's)")
    parser.add_argument(
        "--input-size", type=int, metavar="N", help="side of the crops in pixels (default: the preset's)"
    )
    parser.add_argument(
        "--profiles", type=float, metavar="N", help="sample faces in profile N times as often (default: the recipe's)"
    )
    parser.add_argument(
        "--landmarks", type=int, choices=(98, 68), default=98, help="98 points (default), or the 68 of 300W"
    )
    parser.add_argument(
        "--semantic-alignment",
        action="store_true",
        help="search for better labels during training, between the given ones and what the network sees",
    )
    parser.add_argument(
        "--gradient",
        choices=[each.value for each in Gradient],
        help="gradient of the fixed point: jfb is cheap (default), implicit is exact",
    )
    parser.add_argument(
        "--validate-list", type=Path, metavar="LIST", help="WFLW list on which NME is measured during training"
    )
    parser.add_argument(
        "--validate-images", type=Path, metavar="DIR", help="the folder that the list's paths are relative to"
    )
    parser.add_argument(
        "--workers", type=int, metavar="N", help="threads that share each batch on a CPU (default: one per core)"
    )
    return parser


def run(args: argparse.Namespace) -> int:
    """Train, then export.

    Returns:
        The exit code.

    Raises:
        UserError: for options, folders and validation data that cannot be used, and where writing fails.
        ModelError: for training data, a checkpoint or weights that cannot be used.
    """
    _check(args)
    with writing(args.out):
        if args.average is not None:
            return average_runs(args)
        if args.recipe is not None:
            return make_weights(args)
        return train_recipe(args, _recipe(args))


def _recipe(args: argparse.Namespace) -> Recipe:
    """Return the recipe of ``--config`` with what other options change of it."""
    from dataclasses import replace

    from model.training.recipe import ALIGNMENTS, conversion_for, recipe_for, recipe_of_size

    recipe = (conversion_for if args.landmarks == 68 else recipe_for)(args.config, args.minutes)
    if args.gradient is not None:
        recipe = replace(recipe, gradient=Gradient(args.gradient))
    if args.input_size is not None:
        recipe = recipe_of_size(recipe, args.input_size)
    if args.learning_rate is not None:
        recipe = replace(recipe, learning_rate=args.learning_rate)
    if args.semantic_alignment:
        recipe = replace(recipe, alignments=ALIGNMENTS)
    return _drawn(args, recipe)


def train_recipe(args: argparse.Namespace, recipe: Recipe) -> int:
    """Train ``recipe`` with the folders and limits of ``args``."""
    from model.engine.export import export_onnx
    from model.training.loop import train
    from model.training.run import CHECKPOINT

    checkpoint = args.out / CHECKPOINT
    faces, workers = _begin(args, checkpoint, recipe, recipe.minutes)
    with _interrupted(checkpoint):
        weights = train(
            faces,
            recipe,
            args.out,
            init=args.init,
            resume=args.resume,
            workers=workers,
            validate=_validation(args, recipe),
            report=_say,
        )
    graphs = export_onnx(weights)
    print(f"written: {weights}, {', '.join(path.name for path in graphs)}")
    if recipe.model.landmarks == 68:
        print(f"measure it: python3 main.py evaluate 300w --root DIR --weights {weights}")
    else:
        print(f"see it live: python3 main.py live --weights {weights}")
    return EXIT_OK


def make_weights(args: argparse.Namespace) -> int:
    """Make the weights of ``--recipe`` and every graph of them."""
    weights, faces = MAKERS[args.recipe](args)
    return _export(args, weights, faces)


def average_runs(args: argparse.Namespace) -> int:
    """Make the mean of the weights of ``--average`` and every graph of it."""
    from model.training.average import averaged
    from model.weights import save_weights

    model = averaged(args.average)
    weights = args.out / f"{model.config.name}.safetensors"
    make_folder(args.out)
    check_new_file(weights)
    faces = open_faces(args, open_device(args.device), model.config.landmarks)
    save_weights(weights, model, {"averaged": [str(path) for path in args.average]})
    return _export(args, weights, faces)


def _export(args: argparse.Namespace, weights: Path, faces: Faces) -> int:
    """Write every graph of finished weights and say what to do with them."""
    from model.engine.export import export_onnx
    from model.engine.quantise import quantise_cell
    from model.training.frozen import plain_pictures
    from model.weights import read_card

    graphs = export_onnx(weights)
    some = faces.spread(CALIBRATION_FACES)
    int8 = quantise_cell(weights, plain_pictures(some, read_card(weights).config))
    print(f"written: {weights}, {', '.join(path.name for path in (*graphs, int8))}")
    print(f"for --ghcu: python3 main.py train-ghcu --data {args.data} --weights {weights}")
    return EXIT_OK


def _make_whole(args: argparse.Namespace) -> tuple[Path, Faces]:
    from app.core.places import FACE_MESH
    from model.training.recipe import recipes_for
    from model.training.whole import FIRST, REFINED, from_nothing

    if args.init is not None or (args.resume and not (args.out / FIRST).exists()):
        return _take_further(args)
    first, refinement = (_drawn(args, recipe) for recipe in recipes_for(args.recipe, args.minutes))
    with _workshop(args, (FIRST, REFINED), (first, refinement)) as shop:
        return from_nothing(shop, first, refinement, FACE_MESH), shop.faces


def _take_further(args: argparse.Namespace) -> tuple[Path, Faces]:
    from app.core.places import FACE_MESH
    from model.training.recipe import continuation_for
    from model.training.whole import REFINED, from_finished

    recipe = _drawn(args, continuation_for(args.recipe, args.minutes))
    with _workshop(args, (REFINED,), (recipe,)) as shop:
        return from_finished(shop, recipe, _own_weights(args, recipe), FACE_MESH), shop.faces


def _make_lighter(args: argparse.Namespace) -> tuple[Path, Faces]:
    from app.core.places import TEACHER_WEIGHTS
    from model.training.recipe import lightening_for
    from model.training.whole import REFINED, lightened_from

    if _goes_further(args, lambda config: config.light):
        return _take_further(args)
    recipe = _drawn(args, lightening_for(args.recipe, args.minutes))
    with _workshop(args, (REFINED,), (recipe,)) as shop:
        return lightened_from(shop, recipe, _teacher(args, recipe, TEACHER_WEIGHTS)), shop.faces


def _make_narrower(args: argparse.Namespace) -> tuple[Path, Faces]:
    from app.core.places import DEFAULT_WEIGHTS
    from model.training.recipe import narrowing_for
    from model.training.whole import REFINED, narrowed_from

    recipe = _drawn(args, narrowing_for(args.recipe, args.minutes))
    if _goes_further(args, lambda config: config.widths == recipe.model.widths):
        teacher, init = DEFAULT_WEIGHTS, _own_weights(args, recipe)
    else:
        teacher, init = _teacher(args, recipe, DEFAULT_WEIGHTS), None
    with _workshop(args, (REFINED,), (recipe,)) as shop:
        return narrowed_from(shop, recipe, teacher, init), shop.faces


MAKERS = {
    "ldeq-s": _make_whole,
    "ldeq-s-mesh": _make_whole,
    "ldeq-s-light": _make_lighter,
    "ldeq-xs": _make_narrower,
}
"""What makes the weights of a recipe; returns them and the faces."""
RECIPES = tuple(MAKERS)


def _drawn(args: argparse.Namespace, recipe: Recipe) -> Recipe:
    """Return the recipe, with faces in profile drawn as often as ``--profiles`` says."""
    from model.training.recipe import with_profiles

    return recipe if args.profiles is None else with_profiles(recipe, args.profiles)


def _goes_further(args: argparse.Namespace, is_own: Callable[[LdeqConfig], bool]) -> bool:
    """Whether finished weights of the recipe's own kind are taken further, or a run that began so goes on."""
    from model.training.whole import BEGUN
    from model.weights import read_card

    begins_so = args.init is not None and is_own(read_card(args.init).config)
    return begins_so or (args.resume and not (args.out / BEGUN).exists())


def _own_weights(args: argparse.Namespace, recipe: Recipe) -> Path:
    """Return the finished weights that are taken further: those given, or what a run that goes on has made of them."""
    from model.training.whole import REFINED

    return args.init or args.out / REFINED / f"{recipe.model.name}.safetensors"


def _teacher(args: argparse.Namespace, recipe: Recipe, usual: Path) -> Path:
    """Return the weights that a model is made from: those that a run began with, those given, or the usual ones."""
    from model.training.whole import BEGUN, TEACHER
    from model.weights import read_card

    if args.resume:
        return Path(read_card(args.out / BEGUN / f"{recipe.model.name}.safetensors").notes[TEACHER])
    return args.init or usual


@contextmanager
def _workshop(args: argparse.Namespace, runs: Sequence[str], recipes: Sequence[Recipe]) -> Iterator[Workshop]:
    """Open what the runs of these folders and recipes share; Ctrl+C says how to go on."""
    from model.training.run import CHECKPOINT
    from model.training.whole import Workshop

    checkpoint = args.out / runs[0] / CHECKPOINT
    faces, workers = _begin(args, checkpoint, recipes[0], sum(recipe.minutes for recipe in recipes))
    with _interrupted(checkpoint):
        yield Workshop(faces, args.out, workers, _validation(args, recipes[0]), _say)


def _begin(args: argparse.Namespace, checkpoint: Path, recipe: Recipe, minutes: float) -> tuple[Faces, int]:
    """Prepare folder, device and faces; return the faces and how many workers share a batch."""
    import torch

    if checkpoint.exists() and not args.resume:
        raise UserError(
            f"{args.out} already holds a training run; add --resume to go on with it, or give another --out."
        )
    if args.resume and not checkpoint.exists():
        raise ModelError(f"nothing to resume: {checkpoint} does not exist; run without --resume to start")
    make_folder(args.out)
    device = open_device(args.device)
    workers = args.workers or (1 if device.type == "cuda" else os.cpu_count() or 1)
    if device.type == "cpu":
        torch.set_num_threads(1)
    faces = open_faces(args, device, recipe.model.landmarks)
    print(
        f"{recipe.model.name}: {len(faces)} faces, {minutes:g} minutes on {device.type} "
        f"with {workers} worker{'s' * (workers > 1)}",
        flush=True,
    )
    return faces, workers


@contextmanager
def _interrupted(checkpoint: Path) -> Iterator[None]:
    """Say how to go on after Ctrl+C, or when the disk is no longer full."""
    try:
        yield
    except (KeyboardInterrupt, OSError):
        if checkpoint.exists():
            print(f"interrupted; add --resume to go on from {checkpoint}", flush=True)
        raise


def _say(line: str) -> None:
    print(line, flush=True)


def _check(args: argparse.Namespace) -> None:
    check_positive(args, "minutes", "limit_faces", "workers", "learning_rate", "input_size", "profiles")
    if (args.validate_list is None) != (args.validate_images is None):
        raise UserError("Validation needs both --validate-list and --validate-images.")
    if args.recipe is not None:
        _check_recipe(args)
    if args.average is not None:
        _check_average(args)
    if args.landmarks == 68 and args.profiles is not None:
        raise UserError("Only faces of 98 points tell how far they are turned; leave --profiles out.")
    if args.landmarks == 68 and args.validate_list is not None:
        raise UserError("A WFLW list has 98 points; leave --validate-list out and use evaluate 300w afterwards.")


def _check_recipe(args: argparse.Namespace) -> None:
    """Refuse what a recipe decides by itself."""
    names = ("labels", "sources", "learning_rate", "input_size", "gradient", "semantic_alignment", "landmarks")
    given = _first_given(args, *names)
    if given is not None:
        raise UserError(f"--recipe decides by itself what {given} would; leave it out, or use --config.")


def _check_average(args: argparse.Namespace) -> None:
    """Refuse what is for training."""
    given = _first_given(
        args,
        *("resume", "init", "minutes", "learning_rate", "input_size", "profiles", "landmarks", "semantic_alignment"),
        *("gradient", "validate_list", "validate_images", "workers"),
    )
    if given is not None:
        raise UserError(f"--average trains nothing, so {given} would do nothing; leave it out.")


def _first_given(args: argparse.Namespace, *names: str) -> str | None:
    """Return the first of some options that is given and not the usual, as it is typed; None if there is none."""
    usual = {"landmarks": 98}
    given = next((name for name in names if getattr(args, name) not in (None, False, usual.get(name))), None)
    return None if given is None else typed(given)


def _validation(args: argparse.Namespace, recipe: Recipe) -> Validate | None:
    if args.validate_list is None:
        return None
    from app.lab.accuracy.validation import WflwValidation

    return WflwValidation(args.validate_list, args.validate_images, recipe.model)
