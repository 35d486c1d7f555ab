"""Makes the graph of 8 bits of a model: ``python -m benchmarks.quantise --data FACES [--weights FILE] [--faces 48]``.

FACES are the training faces; some of them, spread over all, are solved to measure ranges.
"""

from __future__ import annotations

from pathlib import Path

import torch

from app.core.places import DEFAULT_WEIGHTS
from benchmarks.script import parser_of, run_script
from model.engine.quantise import quantise_cell
from model.training.data import load_faces
from model.training.frozen import plain_pictures
from model.weights import read_card


def main() -> None:
    """Write the graph."""
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with labels.npz and faces-*.tar")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS)
    parser.add_argument("--faces", type=int, default=48, help="how many are solved")
    arguments = parser.parse_args()
    config = read_card(arguments.weights).config
    faces = load_faces(arguments.data, torch.device("cpu"), limit=arguments.faces)
    path = quantise_cell(arguments.weights, plain_pictures(faces, config))
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    run_script(main)
