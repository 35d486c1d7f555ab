"""Are faces found and solved as well when they lie or hang, and are all faces of a group found?

    python -m benchmarks.faces_at_any_angle LIST IMAGES [--angles 0 45 90 180 270] [--first 1] [--every 2]
    python -m benchmarks.faces_at_any_angle --groups PICTURE.json [PICTURE.json ...]

LIST and IMAGES are WFLW's; each picture is turned clockwise as a whole and tracked as a photo that stands alone. Beside
a group's picture lies a JSON file of the same name with the 98 points of every face, in pixels.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from app.core.frame import Frame
from app.core.settings import EngineSettings, TrackingSettings
from app.lab.accuracy.wflw import read_image, read_list
from app.sources.picture_files import read_picture
from app.tracking.pipeline import Pipeline, build_pipeline
from benchmarks.script import parser_of, run_script
from model.topology import inter_ocular

FOUND = 0.5
"""Mean error over the inter-ocular distance up to which a result counts as the labelled face."""

Array = NDArray[np.float64]


def main() -> None:
    """Measure and print."""
    parser = parser_of(__doc__)
    parser.add_argument("data", type=Path, nargs="*", metavar="LIST IMAGES")
    parser.add_argument("--angles", type=int, nargs="+", default=[0, 45, 90, 180, 270])
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--groups", type=Path, nargs="+", default=[])
    args = parser.parse_args()
    if args.groups:
        groups(args.groups)
    if args.data:
        list_path, images = args.data
        angles(list_path, images, args.angles, args.first, args.every)


def groups(labels: list[Path]) -> None:
    """Print for each picture how many of its faces are found, how well, and how many others."""
    pipeline = build_pipeline(EngineSettings(), TrackingSettings(max_faces=64))
    for path in labels:
        image = read_picture(next(each for each in path.parent.glob(f"{path.stem}.*") if each.suffix != ".json"))
        started = time.perf_counter()
        found = solve(pipeline, image)
        seconds = time.perf_counter() - started
        truth = [np.array(face) for face in json.loads(path.read_text())]
        best = [min((error(each, face) for each in found), default=np.inf) for face in truth]
        hits = [value for value in best if value < FOUND]
        false = sum(min(error(each, face) for face in truth) >= FOUND for each in found)
        print(
            f"{path.stem}: {len(hits)} of {len(truth)} faces, {false} others, NME {100 * np.mean(hits):.2f} %, "
            f"{seconds:.1f} s",
            flush=True,
        )
    pipeline.close()


def angles(list_path: Path, images: Path, turns: list[int], first: int, every: int) -> None:
    """Print for each angle how many labelled faces are found, and how well."""
    pipeline = build_pipeline(EngineSettings(), TrackingSettings())
    faces = read_list(list_path)[first::every]
    for degrees in turns:
        errors = []
        for face in faces:
            image, points = turned(read_image(images, face), face.landmarks.astype(np.float64), degrees)
            errors.append(min((error(found, points) for found in solve(pipeline, image)), default=np.inf))
        values = 100 * np.array(errors)
        found = values < 100 * FOUND
        print(
            f"{degrees:3d} degrees: {found.sum()} of {len(values)} found, their NME {values[found].mean():.2f} %, "
            f"median of all {np.median(values):.2f} %, FR@10 {100 * np.mean(values > 10):.1f} %",
            flush=True,
        )
    pipeline.close()


def solve(pipeline: Pipeline, image: NDArray[np.uint8]) -> list[Array]:
    """Return the landmarks (98, 2) of every face that is found in a photo."""
    result = pipeline.process(Frame(0, 0.0, image, 0.0, continues=False))
    return [face.estimate.landmarks.astype(np.float64) for face in result.faces]


def error(found: Array, truth: Array) -> float:
    """Return the mean distance of two faces' points over the inter-ocular distance of the second."""
    return float(np.linalg.norm(found - truth, axis=1).mean() / inter_ocular(truth))


def turned(image: NDArray[np.uint8], points: Array, degrees: float) -> tuple[NDArray[np.uint8], Array]:
    """Return a picture and points of it turned clockwise, in a frame that holds all of the picture."""
    if not degrees:
        return image, points
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    cos, sin = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = round(height * sin + width * cos), round(height * cos + width * sin)
    matrix[:, 2] += (size[0] / 2 - width / 2, size[1] / 2 - height / 2)
    whole = cv2.warpAffine(image, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(whole, np.uint8), points @ matrix[:, :2].T + matrix[:, 2]


if __name__ == "__main__":
    run_script(main)
