"""Accuracy on labelled WFLW faces while a model trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.evaluation.wflw import check_images, read_image, read_list
from model.config import LdeqConfig
from model.geometry import Crop
from model.heatmap import decode
from model.metrics import accuracy, nme
from model.network import Ldeq, normalise_image
from model.solvers import SOLVER_FUNCTIONS

BATCH = 32


class WflwValidation:
    """Cold solves on the faces of a WFLW list, read and cropped once, by the list's rectangles."""

    def __init__(self, list_path: Path, images: Path, config: LdeqConfig) -> None:
        """Read the faces.

        Raises:
            UserError: where the list or a picture cannot be read.
        """
        faces = read_list(list_path)
        check_images(images, faces)
        self._config = config
        self._crops = [Crop.around_box(*face.box, config.crop_scale) for face in faces]
        self._truth = np.stack([face.landmarks for face in faces])
        self._pictures = torch.from_numpy(
            np.stack(
                [
                    crop.extract(read_image(images, face), config.input_size)
                    for crop, face in zip(self._crops, faces, strict=True)
                ]
            )
        )

    def __len__(self) -> int:
        return len(self._crops)

    def __call__(self, model: Ldeq) -> dict[str, float]:
        """Return NME and FR@10 in percent, and AUC@10, of ``model`` as it is."""
        points = np.concatenate([self._predict(model, batch) for batch in self._pictures.split(BATCH)])
        landmarks = np.stack([crop.to_frame(found) for crop, found in zip(self._crops, points, strict=True)])
        summary = accuracy(nme(landmarks, self._truth))
        return {"nme": summary.nme, "fr10": summary.fr10, "auc10": summary.auc10}

    @torch.inference_mode()
    def _predict(self, model: Ldeq, pictures: Tensor) -> NDArray[np.float32]:
        device = next(model.parameters()).device
        config = self._config
        u = model.stem(normalise_image(pictures.to(device)).contiguous(memory_format=torch.channels_last))

        def cell(z: Tensor) -> Tensor:
            out: Tensor = model.cell(z, u)
            return out

        solve = SOLVER_FUNCTIONS[config.solver]
        z, _ = solve(cell, model.zero_state(u), config.max_steps, config.tolerance)
        if config.extra_step:
            z = cell(z)
        return np.asarray(decode(z, config.half_pixel)[0].float().cpu(), np.float32)
