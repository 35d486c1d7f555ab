"""How much of a known corruption of labels does semantic alignment take back, and how far does it move clean ones?

    python3 -m benchmarks.corrupted_labels --list LIST --images DIR [--weights FILE] [--percent 1 2 3]
        [--label-share 0.25 0.5] [--json OUT]
    python3 -m benchmarks.corrupted_labels --data DIR --sources wflw [--limit-faces 400] [...]

:mod:`app.lab.accuracy.corrupted` says how it is measured; ``docs/reports/semantic-alignment.md`` discusses the figures.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict
from pathlib import Path

import torch
from tqdm import tqdm

from app.core.errors import UserError
from app.core.places import DEFAULT_WEIGHTS
from app.lab.accuracy.corrupted import Corruption, Direction, faces_of_list, measure, report, see
from app.lab.accuracy.report import bootstrap_values
from app.lab.accuracy.wflw import check_images, read_list
from benchmarks.script import add_json, add_list, parser_of, run_script, write_figures
from model.training.alignment import AlignmentSettings
from model.training.data import Faces, load_faces
from model.weights import load_weights


def main() -> None:
    """Parse the command line and run."""
    parser = parser_of(__doc__)
    add_list(parser, required=False)
    parser.add_argument("--data", type=Path, help="instead of a list: folder of labels.npz and faces-*.tar")
    parser.add_argument("--sources", nargs="+", help="which of its faces")
    parser.add_argument("--limit-faces", type=int, help="how many of them, from all over")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="a .safetensors file")
    parser.add_argument(
        "--percent", type=float, nargs="+", default=[1.0, 2.0, 3.0], help="noise, of the inter-ocular distance"
    )
    parser.add_argument("--label-share", type=float, nargs="+", default=[AlignmentSettings().label_share])
    add_json(parser)
    args = parser.parse_args()
    torch.set_num_threads(1)
    faces = _faces(args)
    with tqdm(total=len(faces), unit="face", disable=None, file=sys.stderr) as bar:
        seen = see(load_weights(args.weights), faces, lambda done: bar.update(done - bar.n))
    corruptions = [None, *(Corruption(percent, way) for percent in args.percent for way in Direction)]
    searches = []
    for share in args.label_share:
        settings = AlignmentSettings(label_share=share)
        for corruption in corruptions:
            found = measure(seen, corruption, settings)
            print(f"label share {share:g}", report(corruption, found), "", sep="\n", flush=True)
            groups = {name: asdict(each) for name, each in found.items()}
            noise = None if corruption is None else asdict(corruption)
            searches.append({"label_share": share, "noise": noise, "groups": groups})
    write_figures(args.json, {"faces": len(faces), "searches": searches, "bootstrap": bootstrap_values("faces")})


def _faces(args: argparse.Namespace) -> Faces:
    if args.data is not None:
        return load_faces(args.data, torch.device("cpu"), args.limit_faces, only=args.sources)
    if args.list is None or args.images is None:
        raise UserError("Give --list and --images, or --data.")
    faces = read_list(args.list)
    check_images(args.images, faces)
    return faces_of_list(faces, args.images)


if __name__ == "__main__":
    run_script(main)
