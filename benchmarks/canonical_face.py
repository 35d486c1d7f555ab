"""Makes the face on which the heat map is drawn: ``python -m benchmarks.canonical_face``.

The tracker's own landmarks on the portrait of the demo clip, as they are and on the picture's mirror image, aligned and
averaged with their own mirror images, levelled by the eyes. Only needed after the portrait or the model changed; the
result, ``app/assets/canonical_face.csv``, is part of the project.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.frame import Frame
from app.core.places import ASSETS
from app.core.settings import EngineSettings, TrackingSettings
from app.tracking.pipeline import build_pipeline
from benchmarks.demo_clip.make import read_portrait
from benchmarks.script import parser_of, run_script
from model.topology import LEFT_EYE_OUTER, MIRROR, RIGHT_EYE_OUTER

DECIMALS = 4


def main() -> None:
    """Write the file."""
    parser = parser_of(__doc__)
    parser.add_argument("--portrait", type=Path, default=ASSETS / "portrait.jpg")
    parser.add_argument("-o", "--out", type=Path, default=ASSETS / "canonical_face.csv")
    arguments = parser.parse_args()
    portrait = read_portrait(arguments.portrait)
    flipped = np.ascontiguousarray(portrait[:, ::-1])
    back = landmarks(flipped)[MIRROR]
    back[:, 0] = portrait.shape[1] - 1 - back[:, 0]
    face = symmetric((landmarks(portrait) + back) / 2)
    np.savetxt(arguments.out, face, fmt=f"%.{DECIMALS}f", delimiter=",", header="x,y", comments="")
    print(f"{arguments.out}: {len(face)} points")


def landmarks(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the landmarks (98, 2) of the one face in ``image``."""
    pipeline = build_pipeline(EngineSettings(threads=1), TrackingSettings(rwr=False, measure_flicker=False))
    try:
        faces = pipeline.process(Frame(0, 0.0, image, 0.0)).faces
    finally:
        pipeline.close()
    if len(faces) != 1:
        raise SystemExit(f"The portrait must show one face, but {len(faces)} were found.")
    return faces[0].estimate.landmarks.astype(np.float64)


def symmetric(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points (98, 2) level, centred between the outer eye corners, these 1 apart, and mirror-symmetric."""
    left, right = points[LEFT_EYE_OUTER], points[RIGHT_EYE_OUTER]
    across = right - left
    turn = np.array([[across[0], across[1]], [-across[1], across[0]]]) / (across @ across)
    level = (points - (left + right) / 2) @ turn.T
    average = (level + level[MIRROR] * (-1, 1)) / 2
    return np.round(average, DECIMALS) + 0.0


if __name__ == "__main__":
    run_script(main)
