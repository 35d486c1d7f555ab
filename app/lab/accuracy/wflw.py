"""WFLW: still faces in the official list format, accuracy overall and per attribute."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.core.errors import UserError
from app.lab.accuracy.pictures import read_picture
from app.lab.accuracy.predict import Box, Predictor
from app.lab.accuracy.stills import StillVideo
from model.config import LANDMARKS
from model.files import is_file
from model.metrics.accuracy import nme
from model.metrics.confidence import AccuracyFigures, Figure, accuracy_figures, mean_figure
from model.metrics.flicker import nmf
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
        attributes: one flag per :data:`ATTRIBUTES`; None if the list has none.
        path: the picture, relative to the image folder.
        where: file and line, for messages.
    """

    landmarks: NDArray[np.float32]
    box: Box
    attributes: tuple[bool, ...] | None
    path: str
    where: str


@dataclass(frozen=True, slots=True, eq=False)
class FaceErrors:
    """What each of n faces measured, in the list's order.

    Attributes:
        names: picture, with ``#2`` for the second face of the same picture and so on.
        nme: (n,) in percent, of the last frame where the face was shown as a video; NaN where it was missed.
        nme_eyes_mouth: (n,) the same over the points of the eyes and the mouth.
        nmf: (n,) flicker over the frames of a still shown as a video; NaN for one frame and for missed frames.
    """

    names: tuple[str, ...]
    nme: NDArray[np.float64]
    nme_eyes_mouth: NDArray[np.float64]
    nmf: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class WflwResult:
    """Accuracy on a list, in percent where the published figures are.

    Attributes:
        overall: of all faces. Faces that the tracker missed count as failures and not in the NME.
        nme_eyes_mouth: NME over the points of the eyes and the mouth.
        nmf: flicker of stills shown as videos, mean over faces; its value is NaN for one frame.
        attributes: accuracy of the faces with each attribute that occurs.
        missed: faces without landmarks: not found by the tracker, or not finite.
        evaluations: mean evaluations of the cell per frame in which the face was found.
        faces: what each face measured.
    """

    overall: AccuracyFigures
    nme_eyes_mouth: Figure
    nmf: Figure
    attributes: dict[str, AccuracyFigures]
    missed: int
    evaluations: float
    faces: FaceErrors


def read_list(path: Path) -> list[WflwFace]:
    """Read a list: 196 coordinates, 4 box corners, 6 attribute flags, path; or 196 coordinates and path.

    A line that is there twice counts once.

    Raises:
        UserError: if the file cannot be read or a line is neither.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()  # some editors begin with a mark
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"The list {path} cannot be read: {error}.") from error
    faces: dict[tuple[str, ...], WflwFace] = {}  # each once: a face that counted twice would narrow the intervals
    for number, line in enumerate(lines, 1):
        if line.strip():
            faces.setdefault(tuple(line.split()), _face(line, f"{path}, line {number}"))
    if not faces:
        raise UserError(f"The list {path} is empty; give a WFLW list file.")
    return list(faces.values())


def _numbers(fields: list[str]) -> NDArray[np.float32]:
    """Return the numbers in texts; one too large for a picture becomes infinite, and is refused as such."""
    with np.errstate(over="ignore"):
        return np.array(fields, np.float32)


def _face(line: str, where: str) -> WflwFace:
    fields = line.split(maxsplit=BEFORE_PATH)
    numbers = _leading_numbers(fields)
    if len(fields) == BEFORE_PATH + 1 and numbers >= BEFORE_PATH:
        values = _numbers(fields[:BEFORE_PATH])
        x1, y1, x2, y2 = (float(value) for value in values[COORDINATES : COORDINATES + 4])
        flags = values[COORDINATES + 4 :]
        if not np.isin(flags, (0, 1)).all():
            raise UserError(f"{where}: the six attribute flags must be 0 or 1.")
        face = WflwFace(_points(values), (x1, y1, x2, y2), tuple(bool(flag) for flag in flags), fields[-1], where)
    elif len(fields) > COORDINATES and numbers == COORDINATES:
        points = _points(_numbers(fields[:COORDINATES]))
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
        if not is_file(folder / face.path):
            raise UserError(f"{face.where}: the picture {folder / face.path} is missing; check --images.")


def read_image(folder: Path, face: WflwFace) -> NDArray[np.uint8]:
    """Read a face's picture as RGB (h, w, 3).

    Raises:
        UserError: if it is missing or no picture.
    """
    return read_picture(folder / face.path, face.where)


def evaluate_wflw(
    predictor: Predictor, faces: Sequence[WflwFace], folder: Path, still: StillVideo | None = None
) -> WflwResult:
    """Solve every face of a list and compare with its labels.

    Args:
        predictor: what is measured.
        faces: the list.
        folder: where its pictures are.
        still: how often each picture is shown, and how; once and as it is if not given. The error is that of
            the last frame.

    Raises:
        UserError: for pictures that cannot be read, and where no face at all was found.
    """
    still = still or StillVideo()
    measured = np.full((3, len(faces)), np.nan)
    evaluations: list[int] = []
    for index, face in enumerate(tqdm(faces, unit="face", disable=None)):
        frames = np.full((still.frames, LANDMARKS, 2), np.nan, np.float32)
        predictor.start()
        for number, (seconds, image, box) in enumerate(still.play(read_image(folder, face), face.box, index)):
            prediction = predictor.predict(image, seconds, box)
            if prediction is not None:
                frames[number] = prediction.landmarks
                evaluations.append(prediction.evaluations)
        measured[:, index] = _errors(frames, face.landmarks)
    errors, eyes_and_mouth, flicker = measured
    if np.isnan(errors).all():
        raise UserError("The tracker found none of the faces; try --crop rect.")
    attributes = {}
    for position, name in enumerate(ATTRIBUTES):
        chosen = [face.attributes is not None and face.attributes[position] for face in faces]
        if np.isfinite(errors[chosen]).any():
            attributes[name] = summary_of(errors[chosen])
    return WflwResult(
        overall=summary_of(errors),
        nme_eyes_mouth=mean_figure(eyes_and_mouth),
        nmf=mean_figure(flicker),
        attributes=attributes,
        missed=int(np.isnan(errors).sum()),
        evaluations=float(np.mean(evaluations)),
        faces=FaceErrors(_names(faces), errors, eyes_and_mouth, flicker),
    )


def _errors(frames: NDArray[np.float32], truth: NDArray[np.float32]) -> tuple[float, float, float]:
    """Return the last frame's NME, that of eyes and mouth, in percent, and NMF; NaN for what cannot be measured."""
    last = frames[-1:]
    if not np.isfinite(last).all():
        return np.nan, np.nan, np.nan
    flicker = np.nan
    if len(frames) > 1 and np.isfinite(frames).all():
        flicker = nmf(frames, np.broadcast_to(truth, frames.shape))
    return float(nme(last, truth[None])[0]) * 100, float(nme(last, truth[None], EYES_AND_MOUTH)[0]) * 100, flicker


def _names(faces: Sequence[WflwFace]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    names = []
    for face in faces:
        seen[face.path] += 1
        names.append(face.path if seen[face.path] == 1 else f"{face.path}#{seen[face.path]}")
    return tuple(names)


def summary_of(percent: NDArray[np.float64]) -> AccuracyFigures:
    """Summarise errors in percent; NaN stands for a missed face: a failure without an NME."""
    return accuracy_figures(np.where(np.isnan(percent), np.inf, percent / 100))
