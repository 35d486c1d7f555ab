"""``main.py import-official``: turn a checkpoint of the LDEQ authors into weights that the other commands load."""

from __future__ import annotations

import argparse
import tempfile
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.errors import EXIT_OK, UserError
from app.core.files import check_writable, writing

if TYPE_CHECKING:
    from model.network import Ldeq

VARIANT_NAMES = ("wflw", "wflw-v")
SUFFIX = ".safetensors"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Add the ``import-official`` command; its namespace goes to :func:`run`."""
    parser = subparsers.add_parser(
        "import-official",
        help="convert a checkpoint of the LDEQ authors",
        description="Turn a checkpoint that you downloaded from the LDEQ authors into weights, their JSON and the ONNX "
        "graphs that the other commands load. Nothing in the file is executed. The authors allow research use only.",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CKPT", help="the authors' file, such as final.pth.tar")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, metavar="OUT", help=f"the weights to write, a {SUFFIX} file"
    )
    parser.add_argument(
        "--variant", choices=VARIANT_NAMES, help="which published model it is (default: what the checkpoint says)"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace outputs that exist")
    return parser


def run(args: argparse.Namespace) -> int:
    """Read, convert, export and print what was found.

    Returns:
        The exit code.

    Raises:
        UserError: for an output that cannot be written.
        ModelError: for a checkpoint that cannot be used.
    """
    _check_output(args.output, args.overwrite)
    from model.official.checkpoint import read_checkpoint
    from model.official.convert import LICENCE, convert
    from model.official.variant import choose_variant
    from model.weights import sha256

    checkpoint = read_checkpoint(args.checkpoint)
    variant, why = choose_variant(checkpoint.settings, args.variant)
    model = convert(checkpoint, variant)
    source = {"file": args.checkpoint.name, "sha256": sha256(args.checkpoint), "variant": variant.name, "found": why}
    notes = {"licence": LICENCE, "date": date.today().isoformat(), "converted_from": source}
    written = _write(args.output, model, notes)

    config = model.config
    millions = sum(weight.numel() for weight in model.parameters()) / 1e6
    print(f"LDEQ with {millions:.2f} M parameters (C {config.injection}, W {config.width}, i {config.increment})")
    print(f"variant: {variant.name} ({why}); {config.solver}, beta {config.beta}")
    print(f"licence: {LICENCE}")
    size = sum(path.stat().st_size for path in written) / 1e6
    print(f"written: {args.output}, {', '.join(path.name for path in written[1:])} ({size:.1f} MB)")
    print(f"see it live: python3 main.py live --weights {args.output}")
    return EXIT_OK


def _check_output(output: Path, overwrite: bool) -> None:
    """Check before any work that the weights and the files beside them can be written."""
    if output.suffix != SUFFIX:
        raise UserError(f"Cannot write {output}: give a name that ends in {SUFFIX}.")
    for path in _outputs(output):
        check_writable(path, overwrite=overwrite)


def _outputs(output: Path) -> tuple[Path, ...]:
    """Return every file that belongs to these weights, the weights first."""
    from model.engine.onnx_engine import graph_paths

    return (output, output.with_suffix(".json"), *graph_paths(output))


def _write(output: Path, model: Ldeq, notes: dict[str, Any]) -> tuple[Path, ...]:
    """Write weights, card and graphs in a folder of their own, then put them in place.

    So nothing is left behind and nothing is replaced if the disk fills up in between.
    """
    from model.engine.export import export_onnx
    from model.files import move_whole
    from model.weights import save_weights

    written = _outputs(output)
    with writing(output), tempfile.TemporaryDirectory(dir=output.parent, prefix=".import-") as folder:
        weights = Path(folder) / output.name
        save_weights(weights, model, notes)
        export_onnx(weights)
        for path in written:
            move_whole(weights.with_name(path.name), path)
    return written
