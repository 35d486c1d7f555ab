"""Labels that come from networks, averaged with what a model of ours sees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from model.network import Ldeq
from model.topology import POINTS, TO_68
from model.training.data import W300, Faces
from model.training.frozen import from_crop
from model.training.semantic import mirrored_points

NETWORKS = "ensemble-"
"""Sources whose names begin so have no labels by people."""
LIFTED = np.setdiff1d(np.arange(POINTS), TO_68)
"""The points that 300W lacks; networks added them."""


def relabelled(model: Ldeq, faces: Faces, input_size: int, batch: int = 16) -> Faces:
    """Return the faces with every label of a network halfway to the model's own point; labels of people stay.

    Two opinions with errors of their own are better together: the model sees each face plain and mirrored.

    Args:
        model: of 98 points, in evaluation mode, on the faces' device.
        faces: with the given labels.
        input_size: side of the crops.
        batch: faces at a time.
    """
    by_networks = np.char.startswith(faces.sources.astype(str), NETWORKS)
    by_both = faces.sources == W300
    landmarks = faces.landmarks.clone()
    rows = np.flatnonzero(by_networks | by_both)
    for chosen in torch.split(torch.from_numpy(rows), batch) if len(rows) else ():
        given = faces.landmarks[chosen]
        own = from_crop(mirrored_points(model, faces[chosen], input_size), given, model.config.crop_scale)
        moved = torch.from_numpy(by_networks)[chosen, None].repeat(1, POINTS)
        moved[:, LIFTED] = True
        landmarks[chosen] = torch.where(moved[..., None].to(given.device), (given + own) / 2, given)
    return replace(faces, landmarks=landmarks)
