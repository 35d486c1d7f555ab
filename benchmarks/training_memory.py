"""How much memory does a training step take, against the number of solver steps?

    python3 -m benchmarks.training_memory [--weights FILE] [--size 64] [--batch 2] [--device cpu] [--json OUT]

:mod:`app.lab.speed.training_memory` says how it is measured; ``docs/reports/training-memory.md`` discusses the figures.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

import torch

from app.core.errors import UserError
from app.core.places import DEFAULT_WEIGHTS
from app.lab.speed.training_memory import WAYS, measure, report
from benchmarks.script import add_json, parser_of, run_script, write_figures
from model.weights import load_weights

STEPS = (1, 2, 4, 8, 16)


def main() -> None:
    """Parse the command line and run."""
    parser = parser_of(__doc__)
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--size", type=int, default=64, help="side of the pictures in pixels, a multiple of 64")
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--steps", type=int, nargs="+", default=STEPS, help="numbers of solver steps")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    add_json(parser)
    args = parser.parse_args()
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # the profiler announces every start on stderr
    if min(args.size, args.batch, *args.steps) < 1 or args.size % 64:
        raise UserError("--size must be a positive multiple of 64, --batch and --steps positive.")
    if args.device == "cuda" and not torch.cuda.is_available():
        raise UserError("PyTorch finds no CUDA GPU here; use --device cpu.")
    model = load_weights(args.weights)
    channels_last = {"device": args.device, "memory_format": torch.channels_last}
    model = model.to(**channels_last).train()
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randn(args.batch, 3, args.size, args.size, generator=generator).to(**channels_last)
    found = [measure(model, pictures, way, steps) for way in WAYS for steps in args.steps]
    print(f"{model.config.name}, {args.batch} pictures of {args.size} px, float32, {args.device}")
    print(report(found))
    how = {"model": model.config.name, "size": args.size, "batch": args.batch, "device": args.device}
    write_figures(args.json, how | {"memory": [asdict(memory) for memory in found]})


if __name__ == "__main__":
    run_script(main)
