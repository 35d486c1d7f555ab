"""Makes the modes by which expressions and noise are told apart in a measured motion.

    python -m benchmarks.expression_modes CLIPS [CLIPS ...] [--without ID ...]

CLIPS are folders in WFLW-V form with exact labels or nearly so. Of every list of IDs in them every second clip is used,
the first included, so that the others can tell what the modes are worth. The motion measured at the true landmarks of
one frame, against their true motion, gives the covariances; every motion counts as its mirror image, too. Only needed
after the motion estimate changed; the result, ``model/expressions.npz``, is part of the project.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from app.core.places import CANONICAL_FACE
from app.lab.accuracy.wflw_v import VideoFiles, read_frames, read_labels
from app.lab.flicker.clips import find_clips
from benchmarks.script import parser_of, run_script
from model.expressions import FILE
from model.geometry import Crop, to_complex
from model.motion import CROP_SIZE, FlowMotion, fit_similarity
from model.topology import MIRROR, POINTS

Array = NDArray[np.float64]

KEPT = 32
"""Modes that are written; the others hold no expression."""
LEAST_MOTION = 1e-5
"""A frame counts inversely to its mean squared motion plus this, in squared inter-ocular distances, so that the few in
which everything moves do not decide alone."""
UNKNOWN = 0.1
"""Noise that is alike and independent in all points, over the mean variance of the measured one."""
ORDINARY = 0.4
"""Variance of the noise of an ordinary frame over that of all: few frames make most of it."""
CROP_SCALE = 1.25


def main() -> None:
    """Write the file."""
    parser = parser_of(__doc__)
    parser.add_argument("clips", type=Path, nargs="+")
    parser.add_argument("--without", nargs="*", default=[], metavar="ID", help="clips to leave out")
    parser.add_argument("-o", "--out", type=Path, default=FILE)
    arguments = parser.parse_args()
    face = np.loadtxt(CANONICAL_FACE, delimiter=",", skiprows=1)
    pairs = [motions(files, to_complex(face)) for files in tqdm(chosen(arguments.clips, arguments.without))]
    measured, true = (np.concatenate(each) for each in zip(*pairs, strict=True))
    read, write, strengths = modes(measured, true)
    single = [np.asarray(values, np.float32) for values in (face, read, write, strengths)]
    np.savez_compressed(arguments.out, face=single[0], read=single[1], write=single[2], strengths=single[3])
    print(f"{arguments.out}: {len(measured)} motions of {len(pairs)} clips, strengths {strengths.round(1)}")


def chosen(folders: list[Path], without: list[str]) -> list[VideoFiles]:
    """Return every second clip of each list of IDs, less those ``without``."""
    found = []
    for folder in folders:
        groups: dict[str, list[VideoFiles]] = {}
        for clip in find_clips(folder):
            groups.setdefault(clip.group, []).append(clip.files)
        found += [files for group in groups.values() for files in group[::2] if files.name not in without]
    return found


def motions(files: VideoFiles, face: NDArray[np.complex128]) -> tuple[Array, Array]:
    """Return a clip's measured and true motions against the head, (2 frames - 2, 98, 2), in the frame of ``face``."""
    labels, boxes = read_labels(files)
    frames = (image for _, image in read_frames(files.video))
    found = list(_measured(FlowMotion(), labels.astype(np.float64), boxes, frames))
    centred = face - face.mean()
    pairs = np.array([[_turned(each, centred, before) for each in both] for before, both in found])
    both = np.concatenate([pairs, pairs[:, :, MIRROR] * (-1, 1)])
    return both[:, 0], both[:, 1]


def _measured(
    flow: FlowMotion, labels: Array, boxes: NDArray[np.float32], frames: Iterator[NDArray[np.uint8]]
) -> Iterator[tuple[Array, tuple[Array, Array]]]:
    """Yield the landmarks before each motion, and the measured and the true one against the head, (98, 2) pixels."""
    old = next(frames)
    for before, after, (x1, y1, x2, y2), new in zip(labels[:-1], labels[1:], boxes[1:].tolist(), frames, strict=True):
        crop = Crop.around_box(x1, y1, x2, y2, CROP_SCALE)
        motion = flow.parts(old, new, crop, before, after)
        if motion is not None:
            pixel = crop.side / CROP_SIZE
            true = after - before
            head = fit_similarity(before / pixel, true / pixel, np.ones(POINTS)) * pixel
            yield before, (motion.local, true - head)
        old = new


def _turned(motion: Array, face: NDArray[np.complex128], landmarks: Array) -> Array:
    pose = np.vdot(face, to_complex(landmarks)) / np.vdot(face, face).real
    return np.ascontiguousarray(to_complex(motion) / pose).view(np.float64).reshape(-1, 2)


def modes(measured: Array, true: Array) -> tuple[Array, Array, Array]:
    """Return what :mod:`model.expressions` calls read, write and strengths, of motions (n, 98, 2)."""
    seen, known = (each.reshape(len(each), -1) for each in (measured, true))
    share = 1 / (LEAST_MOTION + (seen**2).mean(axis=1))
    share /= share.sum()
    moving, noise = ((share[:, None] * each).T @ each for each in (known, seen - known))
    noise += UNKNOWN * np.trace(noise) / len(noise) * np.eye(len(noise))
    values, vectors = np.linalg.eigh(noise)
    whiten = vectors / np.sqrt(values) @ vectors.T
    colour = vectors * np.sqrt(values) @ vectors.T
    strengths, axes = np.linalg.eigh(whiten @ moving @ whiten)
    best = np.argsort(strengths)[::-1][:KEPT]
    return whiten @ axes[:, best] / np.sqrt(ORDINARY), (colour @ axes[:, best]).T * np.sqrt(ORDINARY), strengths[best]


if __name__ == "__main__":
    run_script(main)
