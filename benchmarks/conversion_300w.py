"""Learns from 300W's training faces how 98 points become its 68, depending on the shape of the face.

    python3 -m benchmarks.conversion_300w --data DIR -o FILE [--weights FILE] [--limit-faces N]
    python3 main.py evaluate 300w --root DIR --conversion FILE

The number of modes is the one with the smallest error on training faces left out of the fit.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from tqdm import tqdm

from app.core.files import check_writable
from app.core.places import DEFAULT_WEIGHTS
from app.core.text_table import table
from benchmarks.script import parser_of, run_script
from model.engine.open import open_engine
from model.training.conversion import fit_conversion, solve_faces, try_modes
from model.training.data import W300, load_faces


def main() -> None:
    """Parse the command line and run."""
    parser = parser_of(__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of labels.npz and faces-*.tar")
    parser.add_argument("--limit-faces", type=int, help="learn from so many faces only")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="of a model with 98 points")
    parser.add_argument("--threads", type=int, help="of onnxruntime")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the .npz to write")
    args = parser.parse_args()
    check_writable(args.output, overwrite=True)
    faces = load_faces(args.data, torch.device("cpu"), args.limit_faces, only=[W300]).of_300w()
    engine = open_engine(args.weights, "onnx", "cpu", args.threads)
    with tqdm(total=len(faces), unit="face", disable=None, file=sys.stderr) as bar:
        points, labels = solve_faces(engine, faces, lambda done: bar.update(done - bar.n))
    errors = try_modes(points, labels)
    print(table(("modes", "error left out"), [(f"{count}", f"{error:.3f}") for count, error in errors.items()]))
    best = min(errors, key=lambda count: errors[count])
    fit_conversion(points, labels, best).write(args.output)
    print(f"{len(faces)} faces, {best} modes. Written: {args.output}")


if __name__ == "__main__":
    run_script(main)
