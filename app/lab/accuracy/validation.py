"""Accuracy on labelled WFLW faces while a model trains."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from app.lab.accuracy.wflw import check_images, read_image, read_list
from model.config import LdeqConfig
from model.engine.torch_engine import TorchEngine
from model.geometry import Crop
from model.metrics.accuracy import accuracy, nme
from model.network import Ldeq
from model.rwr.cold import cold_state

BATCH = 32


class WflwValidation:
    """Cold solves on the faces of a WFLW list, read and cropped once, by the list's rectangles."""

    def __init__(self, list_path: Path, images: Path, config: LdeqConfig) -> None:
        """Read the faces.

        Raises:
            UserError: if the list or a picture cannot be read.
        """
        faces = read_list(list_path)
        check_images(images, faces)
        self._crops = [Crop.around_box(*face.box, config.crop_scale) for face in faces]
        self._truth = np.stack([face.landmarks for face in faces])
        self._pictures = np.stack(
            [
                crop.extract(read_image(images, face), config.input_size)
                for crop, face in zip(self._crops, faces, strict=True)
            ]
        )

    def __len__(self) -> int:
        return len(self._crops)

    def __call__(self, model: Ldeq) -> dict[str, float]:
        """Return NME and FR@10 in percent, and AUC@10, of ``model`` as it is."""
        engine = TorchEngine.from_model(model)
        points = []
        for start in range(0, len(self), BATCH):
            z, _ = cold_state(engine, engine.encode(self._pictures[start : start + BATCH]))
            points.append(engine.decode(z)[0])
        landmarks = np.stack(
            [crop.to_frame(found) for crop, found in zip(self._crops, np.concatenate(points), strict=True)]
        )
        summary = accuracy(nme(landmarks, self._truth))
        return {"nme": summary.nme, "fr10": summary.fr10, "auc10": summary.auc10}
