"""WFLW: still faces in the official list format, accuracy overall and per attribute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.errors import UserError
from app.evaluation.predict import Box, Predictor
from model.config import LANDMARKS
from model.metrics import Accuracy, accuracy, nme
from model.topology import EYES_AND_MOUTH

COORDINATES = 2 * LANDMARKS
ATTRIBUTES = ("pose", "expression", "illumination", "make-up", "occlusion", "blur")
BEFORE_PATH = COORDINATES + 4 + len(ATTRIBUTES)


@dataclass(frozen=True, slots=True, eq=False)
class WflwFace:
    """One line of a list.

    Attributes:
        landmarks: (98, 2) in pixels of the picture.
        box: the list's rectangle; the box of the landmarks where the list has none.
        attributes: one flag per :data:`ATTRIBUTES`; None where the list has none.
        path: the picture, relative to the image folder.
        where: file and line, for messages.
    """

    landmarks: NDArray[np.float32]
    box: Box
    attributes: tuple[bool, ...] | None
    path: str
    where: str


@dataclass(frozen=True, slots=True)
class WflwResult:
    """Accuracy on a list, in percent where the published figures are.

    Attributes:
        overall: of all faces. Faces that the tracker missed count as failures and not in the NME.
        nme_eyes_mouth: NME over the points of the eyes and the mouth.
        attributes: accuracy of the faces with each attribute that occurs.
        missed: faces without landmarks: not found by the tracker, or not finite.
        evaluations: mean evaluations of the cell per face found.
    """

    overall: Accuracy
    nme_eyes_mouth: float
    attributes: dict[str, Accuracy]
    missed: int
    evaluations: float


def read_list(path: Path) -> list[WflwFace]:
    """Read a list: 196 coordinates, 4 box corners, 6 attribute flags, path; or 196 coordinates and path.

    Raises:
        UserError: where the file cannot be read or a line is neither.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The list {path} cannot be read: {error}.") from error
    faces = [_face(line, f"{path}, line {number}") for number, line in enumerate(lines, 1) if line.strip()]
    if not faces:
        raise UserError(f"The list {path} is empty; give a WFLW list file.")
    return faces


def _face(line: str, where: str) -> WflwFace:
    fields = line.split(maxsplit=BEFORE_PATH)
    numbers = _leading_numbers(fields)
    if len(fields) == BEFORE_PATH + 1 and numbers >= BEFORE_PATH:
        values = np.array(fields[:BEFORE_PATH], np.float32)
        x1, y1, x2, y2 = (float(value) for value in values[COORDINATES : COORDINATES + 4])
        flags = values[COORDINATES + 4 :]
        if not np.isin(flags, (0, 1)).all():
            raise UserError(f"{where}: the six attribute flags must be 0 or 1.")
        face = WflwFace(_points(values), (x1, y1, x2, y2), tuple(bool(flag) for flag in flags), fields[-1], where)
    elif len(fields) > COORDINATES and numbers == COORDINATES:
        points = _points(np.array(fields[:COORDINATES], np.float32))
        (x1, y1), (x2, y2) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        face = WflwFace(points, (x1, y1, x2, y2), None, line.split(maxsplit=COORDINATES)[-1].strip(), where)
    else:
        raise UserError(
            f"{where}: expected 196 coordinates, 4 box corners, 6 flags and a path, or 196 coordinates and a path, "
            f"but found {numbers} numbers at the start of {len(fields)} fields."
        )
    x1, y1, x2, y2 = face.box
    if not (np.isfinite(face.landmarks).all() and x2 > x1 and y2 > y1):
        raise UserError(f"{where}: the coordinates must be finite and the box must run from x1 y1 to a larger x2 y2.")
    return face


def _points(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return values[:COORDINATES].reshape(LANDMARKS, 2)


def _leading_numbers(fields: Sequence[str]) -> int:
    for index, text in enumerate(fields):
        try:
            float(text)
        except ValueError:
            return index
    return len(fields)


def check_images(folder: Path, faces: Sequence[WflwFace]) -> None:
    """Raise :class:`UserError` for the first face whose picture is missing, before any is solved."""
    for face in faces:
        if not (folder / face.path).is_file():
            raise UserError(f"{face.where}: the picture {folder / face.path} is missing; check --images.")


def read_image(folder: Path, face: WflwFace) -> NDArray[np.uint8]:
    """Read a face's picture as RGB (h, w, 3).

    Raises:
        UserError: where it is missing or no picture.
    """
    path = folder / face.path
    try:
        data = np.fromfile(path, np.uint8)  # unlike cv2.imread, opens any path on Windows
    except OSError as error:
        raise UserError(f"{face.where}: the picture {path} cannot be opened: {error}.") from error
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    if image is None:
        raise UserError(f"{face.where}: {path} is not a picture that can be read.")
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)


def evaluate_wflw(predictor: Predictor, faces: Sequence[WflwFace], folder: Path) -> WflwResult:
    """Solve every face of a list and compare with its labels.

    Raises:
        UserError: for pictures that cannot be read, and where no face at all was found.
    """
    errors = np.full(len(faces), np.inf)
    eyes_and_mouth: list[float] = []
    evaluations: list[int] = []
    for index, face in enumerate(tqdm(faces, unit="face", disable=None)):
        image = read_image(folder, face)
        predictor.start()
        prediction = predictor.predict(image, 0.0, face.box)
        if prediction is None or not np.isfinite(prediction.landmarks).all():
            continue
        points, truth = prediction.landmarks[None], face.landmarks[None]
        errors[index] = nme(points, truth)[0]
        eyes_and_mouth.append(float(nme(points, truth, EYES_AND_MOUTH)[0]))
        evaluations.append(prediction.evaluations)
    if not evaluations:
        raise UserError("The tracker found none of the faces; try --crop rect.")
    attributes = {}
    for position, name in enumerate(ATTRIBUTES):
        chosen = [face.attributes is not None and face.attributes[position] for face in faces]
        if np.isfinite(errors[chosen]).any():
            attributes[name] = _summary(errors[chosen])
    return WflwResult(
        overall=_summary(errors),
        nme_eyes_mouth=float(np.mean(eyes_and_mouth)) * 100,
        attributes=attributes,
        missed=len(faces) - len(evaluations),
        evaluations=float(np.mean(evaluations)),
    )


def _summary(errors: NDArray[np.float64]) -> Accuracy:
    """Summarise errors of which infinite ones are missed faces: failures without an NME."""
    found = accuracy(errors[np.isfinite(errors)])
    everything = accuracy(errors)
    return Accuracy(len(errors), found.nme, everything.fr10, everything.auc10)
