"""Steadiness and speed of other trackers and of ours, on the same frames of faces whose motion is known.

    python -m benchmarks.baselines --baseline PYTHON [--baseline PYTHON] [--clips FOLDER | --pictures FOLDER]
        [--engine NAME] [--frames N] [--json OUT]

PYTHON is an interpreter with mediapipe 0.10.21, or with dlib-bin and face_recognition_models; see
``docs/reports/other-trackers.md``. Faces: the demo clip; with ``--clips`` those clips of a folder in WFLW-V form whose
labels move as one rigid shape; with ``--pictures`` still faces set in motion. :mod:`app.lab.steadiness` says what is
measured.
"""

from __future__ import annotations

from pathlib import Path

from app.core.settings import ENGINES
from app.lab.steadiness.comparison import choose_clips, run
from app.lab.steadiness.tables import text
from benchmarks.script import add_json, parser_of, run_script, write_figures


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument("--baseline", "--rival", type=Path, action="append", default=[], metavar="PYTHON")
    faces = parser.add_mutually_exclusive_group()
    faces.add_argument("--clips", type=Path, metavar="FOLDER", help="videos and labels in WFLW-V form")
    faces.add_argument("--pictures", type=Path, metavar="FOLDER", help="300W pictures and .pts files, set in motion")
    parser.add_argument("--engine", default="auto", choices=ENGINES, help="of ours")
    parser.add_argument("--frames", type=int, help="of each clip, at most")
    add_json(parser)
    args = parser.parse_args()
    clips, others = choose_clips(args.clips, args.pictures)
    figures = run(args.baseline, clips, args.engine, args.frames) | {"not_rigid": others}
    print(text(figures))
    write_figures(args.json, figures)


if __name__ == "__main__":
    run_script(main)
