"""How far off are landmarks that something covers, and how much of that does the GHCU repair?

    python3 -m benchmarks.covered_points --list LIST --images DIR [--weights FILE] [--covers 4] [--json OUT]

:mod:`app.lab.accuracy.covered` says how it is measured; ``docs/reports/ghcu.md`` discusses the figures.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np

from app.core.errors import UserError
from app.core.files import check_writable, write_json
from app.core.places import DEFAULT_WEIGHTS
from app.lab.accuracy.covered import figures, measure, report
from app.lab.accuracy.report import bootstrap_values
from app.lab.accuracy.wflw import check_images, read_list
from model.engine.open import open_engine
from model.errors import ModelError
from model.repair.ghcu import Ghcu


def main() -> int:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python3 -m benchmarks.covered_points", description=__doc__.splitlines()[0])
    parser.add_argument("--list", type=Path, required=True, help="WFLW list")
    parser.add_argument("--images", type=Path, required=True, help="the folder its paths start from")
    parser.add_argument("--weights", type=Path, default=DEFAULT_WEIGHTS, help="with a GHCU beside them")
    parser.add_argument("--covers", type=int, default=4, help="times that each face is covered")
    parser.add_argument("--threads", type=int, help="of onnxruntime")
    parser.add_argument("--json", type=Path, help="also write the figures as JSON")
    args = parser.parse_args()
    try:
        if args.json is not None:
            check_writable(args.json, overwrite=True)
        if args.covers < 1:
            raise UserError("--covers must be positive.")
        faces = read_list(args.list)
        check_images(args.images, faces)
        engine = open_engine(args.weights, "onnx", "cpu", args.threads)
        found = measure(engine, Ghcu(args.weights, args.threads), args.images, faces, args.covers)
        by_group = figures(found)
        print(report(found, by_group))
        if args.json is not None:
            values = {
                name: {
                    way: {"value": figure.value, "low": figure.low, "high": figure.high} for way, figure in row.items()
                }
                for name, row in by_group.items()
            }
            milliseconds = float(np.median(found.milliseconds)) if len(found.milliseconds) else None
            write_json(
                args.json,
                {"groups": values, "repair_milliseconds": milliseconds, "bootstrap": bootstrap_values("faces")},
            )
    except (UserError, ModelError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
