"""Fits the rigid face model of :mod:`model.signals.head` to hand-labelled faces, and prints it.

    python -m benchmarks.face_model labels.npz [--rounds 300]

``labels.npz`` holds ``landmarks`` (n, 98, 2) and ``source`` (n,); faces of the source "wflw" are used, each also
mirrored. Alternates between the pose of every face under scaled orthographic projection (with the shape fixed) and the
shape (with the poses fixed), both by least squares, without the worst tenth of the faces; the shape is kept symmetric.
This finds the shape up to a turn about the line of the eyes, which is set so that the median face has pitch 0.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.script import parser_of, run_script
from model.signals.head import FACE_MODEL, RIGID, rotation
from model.topology import MIRROR

Array = NDArray[np.float64]

KEPT_PERCENT = 90
_MIRROR = [RIGID.index(int(MIRROR[point])) for point in RIGID]


def main() -> None:
    """Print the shape in mm and how well it fits."""
    parser = parser_of(__doc__)
    parser.add_argument("labels")
    parser.add_argument("--rounds", type=int, default=300)
    arguments = parser.parse_args()
    with np.load(arguments.labels) as labels:
        faces = labels["landmarks"][labels["source"] == "wflw"].astype(np.float64)
    faces = np.concatenate([faces, (faces * (-1, 1))[:, MIRROR]])[:, list(RIGID)]
    faces -= faces.mean(axis=1, keepdims=True)
    shape = FACE_MODEL / 90
    for _ in range(arguments.rounds):
        rows, scales = poses(shape, faces)
        residual = faces / scales - (shape - shape.mean(axis=0)) @ rows.transpose(0, 2, 1)
        errors = np.sqrt((residual**2).sum(axis=2).mean(axis=1))
        kept = errors < np.percentile(errors, KEPT_PERCENT)
        shape = best_shape(rows[kept], (faces / scales)[kept])
    rows, _ = poses(shape, faces)
    pitches = np.degrees(np.arcsin(np.clip(-rows[:, 1, 2], -1, 1)))
    shape = shape @ rotation(0, float(np.median(pitches)), 0).T
    print(f"{len(faces)} faces, median error {np.median(errors) * 90:.2f} mm, pitch {np.median(pitches):+.2f} degrees")
    print(np.array2string(shape * 90, precision=1, suppress_small=True))


def poses(shape: Array, faces: Array) -> tuple[Array, Array]:
    """Return the first two rows of each face's rotation, (n, 2, 3), and its scale, (n, 1, 1)."""
    centred = shape - shape.mean(axis=0)
    left, _, right = np.linalg.svd((np.linalg.pinv(centred) @ faces).transpose(0, 2, 1), full_matrices=False)
    rows = left @ right
    seen = centred @ rows.transpose(0, 2, 1)
    scales = (seen * faces).sum(axis=(1, 2)) / (seen**2).sum(axis=(1, 2))
    return rows, scales[:, None, None]


def best_shape(rows: Array, faces: Array) -> Array:
    """Return the symmetric shape, its outer eye corners 1 apart, that poses and faces of scale 1 agree on."""
    left = np.einsum("fck,fcl->kl", rows, rows)
    right = np.einsum("fck,fnc->kn", rows, faces)
    shape = np.linalg.solve(left, right).T
    shape = (shape + shape[_MIRROR] * (-1, 1, 1)) / 2
    shape -= (shape[0] + shape[3]) / 2
    return np.asarray(shape / np.linalg.norm(shape[3] - shape[0]))


if __name__ == "__main__":
    run_script(main)
