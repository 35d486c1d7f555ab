"""WFLW-V: labelled videos, accuracy and flicker per video and on average."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.core.errors import UserError
from app.core.runs import runs
from app.lab.accuracy.predict import Box, Predictor
from app.sources.video import VideoSource
from model.config import LANDMARKS
from model.files import is_file
from model.metrics.accuracy import nme
from model.metrics.flicker import nmf
from model.topology import EYES_AND_MOUTH

Points = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class VideoFiles:
    """The files of one video.

    Attributes:
        name: its ID.
        video: videos/ID.mp4.
        landmarks: landmarks/ID.npy.
        boxes: bboxes/ID.npy; None where there is no folder of that name, for the boxes of the landmarks.
    """

    name: str
    video: Path
    landmarks: Path
    boxes: Path | None


@dataclass(frozen=True, slots=True)
class VideoResult:
    """One video's figures.

    Attributes:
        name: its ID.
        frames: frames in the video.
        missed: frames in which the tracker had no landmarks for the face; they count in no figure.
        nme: mean over the frames found, in percent.
        nme_eyes_mouth: the same over the points of the eyes and the mouth.
        nmf: over all pairs of successive frames in which the face was found; NaN without such a pair.
        evaluations: mean evaluations of the cell per frame found.
    """

    name: str
    frames: int
    missed: int
    nme: float
    nme_eyes_mouth: float
    nmf: float
    evaluations: float


def find_videos(root: Path, ids: Path | None = None) -> list[VideoFiles]:
    """List the videos of a WFLW-V folder, all or those an ID file names, and check that their files exist.

    Raises:
        UserError: naming what is missing, and for IDs the line that asks for it.
    """
    if not (root / "videos").is_dir():
        raise UserError(f"{root} has no folder 'videos'; give the folder that holds videos and landmarks.")
    if ids is None:
        wanted = [(path.stem, f"{path}") for path in sorted((root / "videos").glob("[!.]*.mp4"))]
    else:
        try:
            lines = ids.read_text(encoding="utf-8-sig").splitlines()  # some editors begin with a mark
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"The ID file {ids} cannot be read: {error}.") from error
        named: dict[str, str] = {}  # each once: a clip that counted twice would narrow the intervals
        for number, line in enumerate(lines, 1):
            if line.strip():
                named.setdefault(line.strip(), f"{ids}, line {number}")
        wanted = list(named.items())
    if not wanted:
        raise UserError(f"{ids or root / 'videos'} names no video.")
    has_boxes = (root / "bboxes").is_dir()
    videos = []
    for name, where in wanted:
        boxes = root / "bboxes" / f"{name}.npy" if has_boxes else None
        files = VideoFiles(name, root / "videos" / f"{name}.mp4", root / "landmarks" / f"{name}.npy", boxes)
        for path in (files.video, files.landmarks, files.boxes):
            if path is not None and not is_file(path):
                raise UserError(f"{where}: {path} is missing.")
        videos.append(files)
    return videos


def _read_array(path: Path) -> NDArray[np.float32]:
    try:
        return np.asarray(np.load(path, allow_pickle=False), np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path} is not a numpy array that can be read: {error}.") from error


def read_labels(files: VideoFiles) -> tuple[Points, NDArray[np.float32]]:
    """Return landmarks (n, 98, 2) and boxes (n, 4) of a video.

    Raises:
        UserError: for files that are no such arrays or differ in length.
    """
    landmarks = _read_array(files.landmarks)
    if landmarks.ndim != 3 or landmarks.shape[1:] != (LANDMARKS, 2) or not np.isfinite(landmarks).all():
        raise UserError(f"{files.landmarks} must hold finite (frames, 98, 2) landmarks, not {landmarks.shape}.")
    if files.boxes is None:
        return landmarks, np.hstack([landmarks.min(axis=1), landmarks.max(axis=1)])
    boxes = _read_array(files.boxes)
    if boxes.ndim != 2 or boxes.shape[1] < 4 or len(boxes) != len(landmarks):
        raise UserError(
            f"{files.boxes} must hold one box x1 y1 x2 y2 for each of the {len(landmarks)} frames of "
            f"{files.landmarks.name}, not {boxes.shape}."
        )
    boxes = boxes[:, :4]
    if not (np.isfinite(boxes).all() and (boxes[:, 2:] > boxes[:, :2]).all()):
        raise UserError(f"{files.boxes} has a box that does not run from x1 y1 to a larger x2 y2.")
    return landmarks, boxes


def read_frames(path: Path) -> Iterator[tuple[float, NDArray[np.uint8]]]:
    """Yield time in seconds and RGB picture (h, w, 3) of each frame of a video, as the tracker sees it: upright.

    Raises:
        UserError: if it cannot be decoded as a whole.
    """
    with closing(VideoSource(path)) as source:
        while (frame := source.read()) is not None:
            yield frame.timestamp, frame.image
        if source.truncated or source.damaged:
            raise UserError(f"{path} cannot be decoded as a whole. {source.note}")


def evaluate_video(predictor: Predictor, files: VideoFiles) -> VideoResult:
    """Solve every frame of a video and compare with its labels.

    Raises:
        UserError: for unusable files, a frame count unlike the labels', or a face never found.
    """
    truth, boxes = read_labels(files)
    landmarks = np.full(truth.shape, np.nan, np.float32)
    evaluations: list[int] = []
    predictor.start()
    count = 0
    for seconds, image in read_frames(files.video):
        if count < len(truth):
            x1, y1, x2, y2 = (float(value) for value in boxes[count])
            box: Box = (x1, y1, x2, y2)
            prediction = predictor.predict(image, seconds, box)
            if prediction is not None:
                landmarks[count] = prediction.landmarks
                evaluations.append(prediction.evaluations)
        count += 1
    if count != len(truth):
        raise UserError(f"{files.video} has {count} frames, but {files.landmarks} has landmarks for {len(truth)}.")
    found = np.asarray(np.isfinite(landmarks).all(axis=(1, 2)), np.bool_)
    if not found.any():
        raise UserError(f"The tracker never found the face of {files.video}; try --crop rect.")
    return VideoResult(
        name=files.name,
        frames=count,
        missed=int(count - found.sum()),
        nme=float(nme(landmarks[found], truth[found]).mean()) * 100,
        nme_eyes_mouth=float(nme(landmarks[found], truth[found], EYES_AND_MOUTH).mean()) * 100,
        nmf=_nmf_of_runs(landmarks, truth, found),
        evaluations=float(np.mean(evaluations)),
    )


def _nmf_of_runs(landmarks: Points, truth: Points, found: NDArray[np.bool_]) -> float:
    """Return NMF over the pairs of successive frames found; one run in the usual case."""
    squares, pairs = 0.0, 0
    for first, end in runs(found):
        if end - first >= 2:
            squares += nmf(landmarks[first:end], truth[first:end]) ** 2 * (end - first - 1)
            pairs += end - first - 1
    return float(np.sqrt(squares / pairs)) if pairs else float("nan")


def evaluate_wflw_v(predictor: Predictor, videos: Sequence[VideoFiles]) -> list[VideoResult]:
    """Evaluate videos one after another; see :func:`evaluate_video`."""
    return [evaluate_video(predictor, files) for files in tqdm(videos, unit="video", disable=None)]
