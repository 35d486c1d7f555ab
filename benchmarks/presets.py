"""What the presets of RwR give and take, on labelled clips, against the cold solve.

    python -m benchmarks.presets CLIPS [--frames 60]

Prints, by group of clips: flicker (NMF) and error (NME) over the cold solve's, delay in frames more than the cold
solve's, of the head and of expressions, and evaluations a frame. The other rows are settings between the presets.
"""

from __future__ import annotations

from pathlib import Path

from app.core.presets import PRESETS
from app.core.settings import EngineSettings
from app.lab.flicker.clips import find_clips
from app.lab.flicker.experiment import run_experiment
from app.lab.flicker.methods import cold, rwr
from app.tracking.engine import engine_of
from benchmarks.script import parser_of, run_script
from model.rwr.settings import RwrSettings

BETWEEN = {
    f"weight {weight:g}, {budget} evaluations": RwrSettings(recurrence_weight=weight, evaluations=budget)
    for weight, budget in ((0.0, 1), (0.5, 1), (1.0, 2), (3.0, 2), (8.0, 2))
}


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument("clips", type=Path)
    parser.add_argument("--frames", type=int)
    args = parser.parse_args()
    wanted = EngineSettings(threads=1)
    engine = engine_of(wanted)
    settings = {preset.label: preset.settings for preset in PRESETS} | BETWEEN
    methods = [cold(), *(rwr(engine, own, name) for name, own in settings.items())]
    result = run_experiment(engine, find_clips(args.clips), methods, frames=args.frames, attribution=False)
    print(f"{'group':<10} {'setting':<26} {'NMF x':>7} {'NME x':>7} {'head +':>7} {'expr. +':>8} {'evaluations':>12}")
    for method in result.results[1:]:
        for name, group in method.groups.items():
            print(
                f"{name:<10} {method.name:<26} {group.nmf_ratio:7.3f} {group.nme_ratio:7.3f} {group.lag_more:7.2f} "
                f"{group.lag_expressions_more:8.2f} {group.evaluations:12.2f}"
            )


if __name__ == "__main__":
    run_script(main)
