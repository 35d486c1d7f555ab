"""What a face's points do apart from the head: blinks, speech, smiles."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.metrics.accuracy import inter_ocular
from model.rwr.motion import fit_similarity
from model.topology import EYES_AND_MOUTH

Array = NDArray[np.float64]

FIT_EYES_APART = 60.0
"""Inter-ocular distance at which the similarity is fitted: that of the grey crop its robust scale was made for."""


def expression_steps(landmarks: NDArray[np.floating]) -> Array:
    """Return how the points of eyes and mouth move against the head, (frames - 1, 36, 2).

    The head's motion between two frames is the similarity that most of the 98 points follow, see
    :func:`model.rwr.motion.fit_similarity`. The unit is the inter-ocular distance of the earlier frame.

    Args:
        landmarks: (frames, 98, 2), any unit.
    """
    points = landmarks.astype(np.float64)
    scale = FIT_EYES_APART / np.maximum(inter_ocular(points[:-1]), np.finfo(np.float64).tiny)[:, None, None]
    before, steps = points[:-1] * scale, np.diff(points, axis=0) * scale
    trust = np.ones(points.shape[1])
    heads = [fit_similarity(start, step, trust) for start, step in zip(before, steps, strict=True)]
    return np.asarray((steps - np.reshape(heads, steps.shape))[:, EYES_AND_MOUTH] / FIT_EYES_APART)
