"""What a measured motion of the face against the head says of an expression, and what is only noise.

The points of a face do not move one by one: lids close together, the chin goes with the lower lip. A measured motion m
is therefore an expression v plus noise n, both normally distributed, in the face's own frame (turned and scaled to a
mean face), with covariances that were measured on clips:

    v ~ N(0, a C),   n ~ N(0, N),   E(v | m) = a C (a C + N)^-1 m.

In the modes of the two covariances (C w = s N w) this is a gain for each: c_k = w_k . m has variance 1 by noise alone
and 1 + a s_k in all, and what is likely of it is c_k a s_k / (a s_k + 1). How much the face moves, a, differs from
frame to frame, and is estimated in each from the modes in which expressions stand out most:

    a = max(0, mean_k (c_k^2 - 1) / s_k).

While the face rests, nearly all of the measured motion is noise, and goes. ``benchmarks/expression_modes.py`` makes the
modes.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from model.array_files import read_arrays
from model.topology import POINTS

Array = NDArray[np.float64]

FILE = Path(__file__).with_name("expressions.npz")
LEADING = 8
"""Modes that tell how much the face moves."""
SMALLEST_FACE = 1e-9
"""Below this scale, in the landmarks' own unit, a face is a point, and has no frame of its own."""


class _Modes(NamedTuple):
    """The modes, strongest first. Motions are flat (196,), x and y in turns.

    Attributes:
        face: the mean face (98,), x + iy, such that its conjugate's product with landmarks is their pose.
        read: (196, modes), the coefficients of a motion.
        write: (modes, 196), the motion of coefficients.
        strengths: (modes,) variance by expressions over that by noise.
    """

    face: NDArray[np.complex128]
    read: Array
    write: Array
    strengths: Array


@cache
def _modes() -> _Modes:
    arrays = read_arrays(FILE, "the expressions of faces", *_Modes._fields)
    face = np.ascontiguousarray(arrays["face"], np.float64).view(np.complex128)[:, 0]
    face = face - face.mean()
    return _Modes(face / np.vdot(face, face).real, *(arrays[name].astype(np.float64) for name in _Modes._fields[1:]))


def expression(motion: Array, landmarks: Array) -> Array:
    """Return what is likely of a motion that was measured against the head, (n, 2); all of it unless n is 98.

    Args:
        motion: of each landmark (n, 2), any unit.
        landmarks: (n, 2) where they were before, the same unit.
    """
    if len(landmarks) != POINTS:
        return motion
    modes = _modes()
    pose = np.vdot(modes.face, np.ascontiguousarray(landmarks).view(np.complex128))  # turns and scales the mean face
    if abs(pose) < SMALLEST_FACE:
        return motion
    own = (np.ascontiguousarray(motion).view(np.complex128) / pose).view(np.float64).reshape(-1)
    seen = own @ modes.read
    amount = max(float(((seen[:LEADING] ** 2 - 1) / modes.strengths[:LEADING]).mean()), 0.0) * modes.strengths
    likely = np.asarray((seen * amount / (amount + 1)) @ modes.write)
    return np.asarray((likely.view(np.complex128) * pose).view(np.float64).reshape(-1, 2))
