"""What the live flicker measure reads on the demo clip, and the true flicker, by what the face does:

    python -m benchmarks.flicker_demo

The clip's motion is known exactly, and nothing was tuned on it. ``docs/reports/flicker-ranking.md`` has the figures.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.core.settings import EngineSettings, TrackingSettings
from app.core.text_table import table
from app.sources.demo import DemoClip, demo_truth
from app.tracking.pipeline import build_pipeline
from benchmarks.script import parser_of, run_script
from model.metrics.flicker_meter import reading_of
from model.topology import inter_ocular

Array = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    parser_of(__doc__).parse_args()
    truth = demo_truth()
    squares = _squares(truth.landmarks.astype(np.float64))
    expression = (truth.mouth > 0) | (truth.blink > 0) | (truth.brows > 0)
    plain = ~expression & ~truth.occluded
    parts = {
        "the whole clip": np.full(len(plain), True),
        "still": plain & truth.still,
        "the head moves": plain & ~truth.still,
        "expressions": expression & ~truth.occluded,
        "a folder passes": truth.occluded,
    }
    rows = []
    for name, chosen in parts.items():
        known = squares[chosen & np.isfinite(squares).all(axis=1)]
        rwr, rwr_true, cold, cold_true = np.sqrt(known.mean(axis=0)).tolist()
        cells = (rwr, rwr_true, cold, cold_true, rwr / cold, rwr_true / cold_true)
        rows.append((name, str(len(known)), *(f"{value:.3f}" for value in cells)))
    print(table(("part", "frames", "RwR %", "true", "cold %", "true", "RwR / cold", "true"), rows))


def _squares(labels: Array) -> Array:
    """Return squared readings and true ones of RwR, then of cold, in every frame (n, 4); NaN where there is none."""
    found = np.full((len(labels), 4), np.nan)
    pipeline, source = build_pipeline(EngineSettings(), TrackingSettings(compare=True)), DemoClip()
    last: list[Array] | None = None
    try:
        for index in range(len(labels)):
            frame = source.read()
            assert frame is not None
            assert frame.index == index
            faces = pipeline.process(frame).faces
            estimates = [each for face in faces[:1] for each in (face.estimate, face.other) if each is not None]
            points = [each.landmarks.astype(np.float64) for each in estimates]
            if last and points:
                due = labels[index] - labels[index - 1]
                for mode, (estimate, before, after) in enumerate(zip(estimates, last, points, strict=True)):
                    if estimate.flicker is not None:
                        true = reading_of(after - before, due, float(inter_ocular(after))).overall
                        found[index, 2 * mode : 2 * mode + 2] = estimate.flicker.overall**2, true**2
            last = points
    finally:
        source.close()
        pipeline.close()
    return found


if __name__ == "__main__":
    run_script(main)
