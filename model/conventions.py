"""How people placed the points of WFLW and of 300W: how far right of what is seen, and one scheme against the other.

Both schemes name the same features and place them differently: 300W's contour ends lie lower, its points on the inner
lips nearer to the middle. A model of 98 points is therefore compared with labels of 300W
after a shift that is constant for each point in the face's frame.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from array_api_compat import array_namespace, device
from numpy.typing import NDArray

from model.array_files import read_arrays
from model.errors import ModelError
from model.files import open_whole
from model.geometry import from_complex, to_complex
from model.topology import LEFT_EYE_OUTER, LEFT_EYE_OUTER_68, RIGHT_EYE_OUTER, RIGHT_EYE_OUTER_68, TO_68, eye_corners

WFLW_SHIFT = 0.005
"""How far right of what is seen the labels of WFLW lie, in inter-ocular distances; mirrored, they lie left of it. Their
pixels are probably counted from the edge of the picture, ours from the centre of a pixel."""
SHIFT_300W = 0.009
"""How far right of what is seen the labels of 300W lie, in inter-ocular distances. A network that learns from pictures
and their mirror images places its points in between, because mirrored labels lie left. Measured on the training faces
with ``ldeq-s``, whose points, from plain and mirrored pictures alike, lie this far left of the labels."""

# fmt: off
OFFSETS_300W = np.array([
    # contour
    (13, 368), (-37, 376), (21, 344), (31, 307), (76, 240), (134, 164), (206, 90), (186, 89), (55, -41), (-105,
    11), (-188, 5), (-177, 91), (-152, 169), (-123, 242), (-113, 285), (-73, 367), (-90, 375),
    # brows
    (-319, -33), (-425, 47), (-199, -96), (67, -40), (229, 174), (-285, 115), (-58, -78), (187, -106), (391, 88),
    (208, -3),
    # nose
    (14, -249), (17, -327), (20, -428), (37, -412), (65, -47), (32, 35), (-6, 113), (-51, 31), (-149, -26),
    # eyes
    (94, -55), (310, -122), (-341, -92), (-167, -19), (-291, -46), (244, 3), (57, -20), (308, -126), (-355, -107),
    (-192, -51), (-266, -14), (285, -40),
    # mouth
    (-55, -1), (-53, -37), (-158, -117), (-52, 60), (155, -105), (58, -7), (-7, -14), (-228, 288), (-315, 235),
    (-30, 136), (315, 245), (212, 304), (161, 8), (616, 9), (-49, 52), (-604, 6), (-218, 9), (-643, 32), (-46,
    -25), (642, 44),
]) / 10_000
# fmt: on
"""From a point of WFLW to 300W's, (68, 2): along the line of the outer eye corners and square to it, downwards in an
upright face, in inter-ocular distances. The mean over the 2,012 faces of the 300W training parts."""


def to_300w(landmarks: Any) -> Any:
    """Return 300W's 68 points (..., 68, 2) for WFLW's 98 (..., 98, 2), numpy or torch, in the same units."""
    xp = array_namespace(landmarks)
    points = landmarks[..., TO_68, :]
    along = points[..., RIGHT_EYE_OUTER_68, None, :] - points[..., LEFT_EYE_OUTER_68, None, :]
    across = xp.stack([-along[..., 1], along[..., 0]], axis=-1)
    offsets = xp.asarray(OFFSETS_300W, dtype=landmarks.dtype, device=device(landmarks))
    return points + offsets[:, :1] * along + offsets[:, 1:] * across


def moved_right(landmarks: Any, distance: float) -> Any:
    """Return landmarks (..., k, 2) of either scheme, moved right in the picture by parts of the inter-ocular distance.

    Args:
        landmarks: numpy or torch, 98 points or the 68 of 300W.
        distance: in inter-ocular distances; negative for left.
    """
    xp = array_namespace(landmarks)
    left, right = eye_corners(landmarks.shape[-2])
    eyes = landmarks[..., right, :] - landmarks[..., left, :]
    step = distance * xp.sqrt(xp.sum(eyes * eyes, axis=-1))[..., None]
    return xp.stack([landmarks[..., 0] + step, landmarks[..., 1]], axis=-1)


MOST_SCORE = 3.0
"""Standard deviations of a mode beyond which a face counts as if it were here; there is nothing to learn from."""


@dataclass(frozen=True, slots=True, eq=False)
class ShapeConversion:
    """From 98 points to 300W's 68 by offsets that depend on the shape of the face: on its pose and its expression.

    Shapes and offsets are in the face's frame: divided by the vector between the outer eye corners, as complex numbers.

    Attributes:
        mean: (196,) mean shape of the 98 points about their mean.
        modes: (m, 196) directions of shape; a shape's scores along them have variance 1.
        offsets: (m + 1, 136) what is added to :func:`to_300w`'s points: always, and for a score of 1 along each mode.
    """

    mean: NDArray[np.float64]
    modes: NDArray[np.float64]
    offsets: NDArray[np.float64]

    def __call__(self, landmarks: NDArray[np.floating]) -> NDArray[np.float32]:
        """Return 300W's 68 points (n, 68, 2) for 98 points (n, 98, 2)."""
        shapes, eyes = face_frame(landmarks)
        offsets = self.scores(shapes) @ self.offsets[1:] + self.offsets[0]
        moved = to_300w(landmarks) + from_complex(offsets.view(np.complex128) * eyes[:, None])
        return np.asarray(moved, np.float32)

    def scores(self, shapes: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores (n, m) of shapes (n, 196)."""
        return np.clip((shapes - self.mean) @ self.modes.T, -MOST_SCORE, MOST_SCORE)

    def write(self, path: Path) -> None:
        """Write it as .npz."""
        with open_whole(path) as file:
            np.savez(file, **asdict(self))


def read_conversion(path: Path) -> ShapeConversion:
    """Read what :meth:`ShapeConversion.write` wrote.

    Raises:
        ModelError: if the file cannot be read or holds something else.
    """
    names = ("mean", "modes", "offsets")
    values = read_arrays(path, "a conversion to 300W's points", *names)
    try:
        found = ShapeConversion(*(values[name].astype(np.float64) for name in names))
    except ValueError as error:  # text
        raise ModelError(f"{path} is not a conversion to 300W's points: {error}") from error
    modes = len(found.modes)
    if [value.shape for value in (found.mean, found.modes, found.offsets)] != [(196,), (modes, 196), (modes + 1, 136)]:
        raise ModelError(f"{path} is not a conversion from 98 to 68 points")
    return found


def face_frame(landmarks: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
    """Return the shapes (n, 196) of 98 points (n, 98, 2) in the face's frame, and the eyes' vectors (n,)."""
    points = to_complex(landmarks)
    eyes = points[:, RIGHT_EYE_OUTER] - points[:, LEFT_EYE_OUTER]
    shapes = (points - points.mean(axis=1, keepdims=True)) / eyes[:, None]
    return np.ascontiguousarray(shapes).view(np.float64), eyes
