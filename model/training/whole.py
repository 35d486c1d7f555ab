"""From labelled faces to weights that can be shipped: the ways to make them, each of which goes on where it stopped."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from model.array_files import read_arrays
from model.config import LdeqConfig
from model.files import open_whole
from model.network import Ldeq
from model.training.data import Faces
from model.training.lighten import Imitation, lightened
from model.training.loop import Objective, Validate, train
from model.training.narrow import narrowed
from model.training.recipe import Recipe
from model.training.relabel import relabelled
from model.training.run import CHECKPOINT
from model.weights import load_weights, read_card, save_weights, sha256

FIRST, REFINED = "first", "refined"
"""Folders of runs; the last one's weights are the result."""
BEGUN = "begun"
"""Folder of the weights that a model begins with when it takes them over from a teacher."""
TEACHER = "teacher"
"""Note of such weights: path of the teacher's."""
RELABELLED = "relabelled.npz"


@dataclass(frozen=True, slots=True)
class Workshop:
    """What all runs that make weights share.

    Attributes:
        faces: training data with the labels as they are given.
        out: folder for the runs and what lies between them. Where it holds parts of them already, they go on.
        workers: see :func:`model.training.loop.train`.
        validate: likewise.
        report: likewise.
    """

    faces: Faces
    out: Path
    workers: int = 1
    validate: Validate | None = None
    report: Callable[[str], None] = print

    def run(
        self,
        recipe: Recipe,
        name: str,
        *,
        faces: Faces | None = None,
        init: Path | None = None,
        encoder: Path | None = None,
        objective: Objective | None = None,
    ) -> Path:
        """Train in the folder ``name`` and return the weights; arguments as for :func:`model.training.loop.train`."""
        folder = self.out / name
        resume = (folder / CHECKPOINT).is_file()
        return train(
            faces or self.faces.mirror_consistent(),
            recipe,
            folder,
            init=None if resume else init,
            encoder=None if resume else encoder,
            resume=resume,
            objective=objective,
            workers=self.workers,
            validate=self.validate,
            report=self.report,
        )

    def relabelled(self, weights: Path, input_size: int) -> Faces:
        """Return the faces, with labels that networks gave averaged with the points of a model's ``weights``."""
        faces, path = self.faces.mirror_consistent(), self.out / RELABELLED
        by = sha256(weights)
        # A run that was broken off before its first checkpoint may begin anew with other weights.
        if path.is_file() and (self._goes_on or str(read_arrays(path, "a labels file").get("weights", by)) == by):
            return faces.labelled(read_arrays(path, "a labels file", "landmarks")["landmarks"], path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.report("labels of networks are averaged with the model's points")
        found = relabelled(self.on_device(weights), faces, input_size)
        with open_whole(path) as file:
            np.savez(file, landmarks=found.landmarks.cpu().numpy(), weights=np.array(by))
        return found

    def begun(self, config: LdeqConfig, teacher: Path, take_over: Callable[[Ldeq, LdeqConfig], Ldeq]) -> Path:
        """Return weights of a model of the shape ``config`` that begins with its teacher's."""
        path, by = self.out / BEGUN / f"{config.name}.safetensors", str(teacher.resolve())
        if not path.is_file() or not (self._goes_on or read_card(path).notes.get(TEACHER) == by):
            path.parent.mkdir(parents=True, exist_ok=True)
            save_weights(path, take_over(load_weights(teacher), config), {TEACHER: by})
        return path

    @property
    def _goes_on(self) -> bool:
        """Whether the last run has a checkpoint, and so what came before it stays."""
        return (self.out / REFINED / CHECKPOINT).is_file()

    def on_device(self, weights: Path) -> Ldeq:
        """Return a finished model where the faces are."""
        model: Ldeq = load_weights(weights).to(device=self.faces.images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        return model


def from_nothing(shop: Workshop, first: Recipe, refinement: Recipe, encoder: Path) -> Path:
    """Learn the labels as they are given, relabel what networks labelled, refine; return the weights.

    Args:
        shop: faces and folder.
        first: recipe of the first run.
        refinement: of the second.
        encoder: MediaPipe's face_landmark.tflite, for models with face-mesh features.

    Raises:
        ModelError: for checkpoints or an encoder that cannot be used.
    """
    init = shop.run(first, FIRST, encoder=encoder)
    return from_finished(shop, refinement, init, encoder)


def from_finished(shop: Workshop, recipe: Recipe, init: Path, encoder: Path) -> Path:
    """Take finished weights further on faces that they relabelled; return the new ones.

    Arguments and errors as for :func:`from_nothing`.
    """
    faces = shop.relabelled(init, recipe.stages[0].input_size)
    return shop.run(recipe, REFINED, faces=faces, init=init, encoder=encoder)


def narrowed_from(shop: Workshop, recipe: Recipe, teacher: Path, init: Path | None = None) -> Path:
    """Make the weights of a model that is narrower than its teacher.

    Args:
        shop: faces and folder.
        recipe: from :func:`model.training.recipe.narrowing_for`.
        teacher: weights that relabel the faces.
        init: weights of the narrow model that go further; None to begin with the teacher's strongest channels.

    Raises:
        ModelError: for a checkpoint, a teacher or weights that cannot be used.
    """
    init = init or shop.begun(recipe.model, teacher, narrowed)
    faces = shop.relabelled(teacher, read_card(teacher).config.input_size)
    return shop.run(recipe, REFINED, faces=faces, init=init)


def lightened_from(shop: Workshop, recipe: Recipe, teacher: Path) -> Path:
    """Make the weights of a model that is lighter than its teacher.

    Args:
        shop: faces, whose labels are not used, and folder.
        recipe: from :func:`model.training.recipe.lightening_for`.
        teacher: weights whose features the model learns.

    Raises:
        ModelError: for a checkpoint or a teacher that cannot be used.
    """
    init = shop.begun(recipe.model, teacher, lightened)
    return shop.run(recipe, REFINED, init=init, objective=Imitation(shop.on_device(teacher)))
