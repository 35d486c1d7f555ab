"""How exact are several views of a face and several models together? What the labelled faces allow, at any price.

    python -m benchmarks.averaged_views --list LIST --images IMAGES [--weights FILE ...]

Every face is solved cold in six views: in its crop, and in crops turned by 8 degrees that are 6 % larger or smaller;
three of the six are mirrored. The landmarks are averaged, within a model and over several.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.core.places import DEFAULT_WEIGHTS, SMALL_WEIGHTS, TEACHER_WEIGHTS
from app.lab.accuracy.wflw import WflwFace, read_image, read_list
from benchmarks.script import add_list, parser_of, run_script
from model.engine.base import Engine
from model.engine.open import open_engine
from model.geometry import Crop
from model.metrics.accuracy import accuracy, nme
from model.rwr.cold import cold_solve
from model.topology import flipped

Array = NDArray[np.float64]

VIEWS = (
    (1.0, 0.0, False),
    (1.0, 0.0, True),
    (1.06, 8.0, False),
    (1.06, -8.0, True),
    (0.94, -8.0, False),
    (0.94, 8.0, True),
)
"""Side over the crop's, angle in degrees, and whether the view is mirrored; the first is the crop itself."""


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__)
    add_list(parser)
    parser.add_argument("--weights", type=Path, nargs="+", default=[DEFAULT_WEIGHTS, TEACHER_WEIGHTS, SMALL_WEIGHTS])
    args = parser.parse_args()
    faces = read_list(args.list)
    solved = {}
    for weights in args.weights:
        engine = open_engine(weights, device="cpu", threads=1)
        solved[weights.stem] = np.stack([views_of(engine, read_image(args.images, face), face) for face in faces])
        for title, count in (("one view", 1), ("and its mirror image", 2), ("six views", len(VIEWS))):
            show(f"{weights.stem}, {title}", faces, solved[weights.stem][:, :count])
    for count in range(2, len(solved) + 1):
        for names in combinations(solved, count):
            together = np.concatenate([solved[name] for name in names], axis=1)
            show(f"{' and '.join(names)}, six views each", faces, together)


def views_of(engine: Engine, image: NDArray[np.uint8], face: WflwFace) -> Array:
    """Return the landmarks (views, 98, 2) in pixels of a face in each of :data:`VIEWS`."""
    config = engine.config
    crop = Crop.around_box(*face.box, config.crop_scale)
    found = []
    for size, angle, mirrored in VIEWS:
        view = replace(crop, side=crop.side * size, angle=angle)
        picture = view.extract(image, config.input_size)
        if mirrored:
            picture = np.ascontiguousarray(picture[:, ::-1])
        points = view.to_crop(cold_solve(engine, engine.encode(picture[None]), view).landmarks)
        if mirrored:
            points = flipped(points)
        found.append(view.to_frame(points))
    return np.stack(found)


def show(title: str, faces: list[WflwFace], points: Array) -> None:
    """Print the error of points (faces, views, 98, 2), averaged over the views."""
    found = accuracy(nme(points.mean(axis=1), np.stack([face.landmarks for face in faces])))
    print(f"{title:<60} NME {found.nme:.3f} %, FR@10 {found.fr10:.1f} %", flush=True)


if __name__ == "__main__":
    run_script(main)
