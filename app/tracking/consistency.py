"""Whether a crop shows an upright face: a network that sees one gives the mirrored picture the mirrored answer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from model.geometry import Crop
from model.rwr.solution import Solution
from model.topology import flipped

DOUBTFUL = 0.02
"""Mirror gap above which a crop hardly shows an upright face: with ``ldeq-s``, 1 % of the validation faces in their own
crops lie above it, and 98 % of them upside down."""
CONVINCING = 0.6
"""Share of the best gap so far that a crop beside the detector's must stay below."""
HANGING = 90.0
"""Degrees beyond which a turned crop is rarely right."""
GROWTH, SHIFT = 1.6, 0.5
"""Of such crops: the side over that of the detector's, and how far they are moved, in sides of their own."""


def mirror_gap(crop: Crop, answer: Solution, mirrored: Solution) -> float:
    """Return how far apart the landmarks of a crop and those of its mirrored picture lie on average, in crop sides.

    Args:
        crop: of both.
        answer: for the picture.
        mirrored: for the mirrored picture, as if that were the picture.

    Returns:
        Infinity where one of the solves failed.
    """
    own, other = crop.to_crop(answer.landmarks), flipped(crop.to_crop(mirrored.landmarks))
    gap = float(np.linalg.norm(own - other, axis=1).mean())
    return gap if math.isfinite(gap) else math.inf


def crops_beside(crop: Crop) -> tuple[Crop, ...]:
    """Return larger crops that show what lies around one, in case the detector is wrong about it.

    They are for the first frame: a video has other frames in which the detector may do better, and no time.
    """
    side = GROWTH * crop.side
    return tuple(
        replace(crop, centre_x=crop.centre_x + right * side, centre_y=crop.centre_y + down * side, side=side)
        for right, down in ((0.0, 0.0), (0.0, -SHIFT), (0.0, SHIFT), (-SHIFT, 0.0), (SHIFT, 0.0))
    )
