"""How far off are landmarks that something covers, and how much of that does the GHCU repair?

    python3 -m benchmarks.covered_points --list LIST --images DIR [--weights FILE] [--covers 4] [--json OUT]

:mod:`app.lab.accuracy.covered` says how it is measured; ``docs/reports/ghcu.md`` discusses the figures.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from app.core.errors import UserError
from app.core.places import DEFAULT_WEIGHTS
from app.lab.accuracy.covered import figures, measure, report
from app.lab.accuracy.report import bootstrap_values
from app.lab.accuracy.wflw import check_images, read_list
from benchmarks.script import add_json, add_list, parser_of, run_script, write_figures
from model.engine.open import open_engine
from model.repair.ghcu import Ghcu


def main() -> None:
    """Parse the command line and run."""
    parser = parser_of(__doc__)
    add_list(parser)
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="with a GHCU beside them")
    parser.add_argument("--covers", type=int, default=4, help="times that each face is covered")
    parser.add_argument("--threads", type=int, help="of onnxruntime")
    add_json(parser)
    args = parser.parse_args()
    if args.covers < 1:
        raise UserError("--covers must be positive.")
    faces = read_list(args.list)
    check_images(args.images, faces)
    engine = open_engine(args.weights, "onnx", "cpu", args.threads)
    found = measure(engine, Ghcu(args.weights, args.threads), args.images, faces, args.covers)
    by_group = figures(found)
    print(report(found, by_group))
    values = {name: {way: asdict(figure) for way, figure in row.items()} for name, row in by_group.items()}
    milliseconds = float(np.median(found.milliseconds)) if len(found.milliseconds) else None
    groups = {"groups": values, "repair_milliseconds": milliseconds, "bootstrap": bootstrap_values("faces")}
    write_figures(args.json, groups)


if __name__ == "__main__":
    run_script(main)
