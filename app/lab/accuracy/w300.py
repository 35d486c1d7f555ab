"""300W: still faces with 68 points in .pts files, accuracy by inter-pupil and by inter-ocular distance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.core.errors import UserError
from app.lab.accuracy.pictures import read_picture
from app.lab.accuracy.predict import Predictor
from model.config import LANDMARKS
from model.conventions import SHIFT_300W, moved_right, to_300w
from model.files import is_file
from model.metrics.accuracy import nme
from model.metrics.confidence import AccuracyFigures, accuracy_figures
from model.topology import REGIONS, TO_68, inter_pupil_68, region_points

Points = NDArray[np.float32]

POINTS = len(TO_68)
PICTURES = (".jpg", ".png", ".jpeg", ".webp", ".bmp")


@dataclass(frozen=True, slots=True, eq=False)
class W300Face:
    """One labelled picture.

    Attributes:
        landmarks: (68, 2) in pixels of the picture, pixel centres at whole numbers.
        picture: its file.
    """

    landmarks: NDArray[np.float32]
    picture: Path


@dataclass(frozen=True, slots=True, eq=False)
class W300Result:
    """Accuracy on a folder of faces.

    Attributes:
        inter_pupil: errors over the distance of the eyes' centres.
        inter_ocular: errors over the distance of the outer eye corners.
        regions: NME of each region's points, inter-pupil, in percent.
        errors: inter-pupil error of every face, in percent, in the order of ``names``; infinite where missed.
        names: the faces' file names.
        missed: faces without landmarks; they count as failures and not in the NME.
        evaluations: mean evaluations of the cell per face found.
    """

    inter_pupil: AccuracyFigures
    inter_ocular: AccuracyFigures
    regions: dict[str, float]
    errors: NDArray[np.float64]
    names: tuple[str, ...]
    missed: int
    evaluations: float


def find_faces(root: Path) -> list[W300Face]:
    """Read every .pts file of a folder and find the picture of the same name beside it.

    Raises:
        UserError: if there is none, a picture is missing, or a file does not hold 68 points.
    """
    files = sorted(root.glob("[!.]*.pts")) if root.is_dir() else []
    if not files:
        raise UserError(f"There are no .pts files in {root}; give the folder of 300W pictures and labels.")
    return [W300Face(read_pts(path), _picture(path)) for path in files]


def _picture(path: Path) -> Path:
    for suffix in PICTURES:
        picture = path.with_suffix(suffix)
        if is_file(picture):
            return picture
    raise UserError(f"{path} has no picture of the same name beside it.")


def read_pts(path: Path) -> NDArray[np.float32]:
    """Read 68 points from a .pts file, whose pixels count from 1; return them (68, 2) counted from 0.

    Raises:
        UserError: if the file cannot be read or holds something else.
    """
    try:
        text = path.read_text(encoding="ascii")
        body = text[text.index("{") + 1 : text.index("}")]
        points = np.array(body.split(), np.float32).reshape(-1, 2) - 1
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is not a .pts file: {error}.") from error
    extent = np.ptp(points, axis=0) if len(points) else np.zeros(2)
    if points.shape != (POINTS, 2) or not np.isfinite(points).all() or not extent.all():
        raise UserError(f"{path} must hold {POINTS} finite, different points; it holds {len(points)}.")
    return points


def evaluate_w300(
    predictor: Predictor, faces: Sequence[W300Face], convert: Callable[[Points], Points] = to_300w
) -> W300Result:
    """Solve every face in the box of its labels and compare.

    98 points become 300W's 68, and all points move right by what mirrored training cannot learn, see
    :mod:`model.conventions`.

    Args:
        predictor: finds 98 points or 68.
        faces: from :func:`find_faces`.
        convert: from points (n, 98, 2) to 300W's (n, 68, 2).

    Raises:
        UserError: for pictures that cannot be read, and where no face at all was found.
    """
    truths = np.stack([face.landmarks for face in faces])
    found = np.full(truths.shape, np.nan)
    evaluations: list[int] = []
    for index, face in enumerate(tqdm(faces, unit="face", disable=None)):
        (x1, y1), (x2, y2) = face.landmarks.min(axis=0).tolist(), face.landmarks.max(axis=0).tolist()
        predictor.start()
        prediction = predictor.predict(read_picture(face.picture), 0.0, (x1, y1, x2, y2))
        if prediction is None or not np.isfinite(prediction.landmarks).all():
            continue
        points = prediction.landmarks
        found[index] = moved_right(convert(points[None])[0] if len(points) == LANDMARKS else points, SHIFT_300W)
        evaluations.append(prediction.evaluations)
    if not evaluations:
        raise UserError("The tracker found none of the faces; try --crop rect.")
    pupils = inter_pupil_68(truths)
    errors = np.nan_to_num(nme(found, truths, unit=pupils), nan=np.inf)  # NaN for missed faces
    return W300Result(
        inter_pupil=accuracy_figures(errors),
        inter_ocular=accuracy_figures(np.nan_to_num(nme(found, truths), nan=np.inf)),
        regions={
            region.name: float(np.nanmean(nme(found, truths, own, pupils))) * 100
            for region in REGIONS
            if len(own := region_points(region, POINTS))
        },
        errors=errors * 100,
        names=tuple(face.picture.name for face in faces),
        missed=len(faces) - len(evaluations),
        evaluations=float(np.mean(evaluations)),
    )
