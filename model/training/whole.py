"""From labelled faces to weights that can be shipped: learn, relabel what networks labelled, refine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model.files import open_whole
from model.training.data import Faces
from model.training.loop import CHECKPOINT, Validate, train
from model.training.recipe import Recipe, recipe_for, refinement_for
from model.training.relabel import relabelled
from model.weights import load_weights

FIRST, REFINED = "first", "refined"
"""Folders of the two runs."""
RELABELLED = "relabelled.npz"
SHARE_OF_FIRST = 2 / 3
"""Of the whole budget."""


WITH_FACE_MESH = "-mesh"
"""Ends the names of models with face-mesh features."""


def recipes_for(name: str, minutes: float | None = None) -> tuple[Recipe, Recipe]:
    """Return the first run's recipe and the refinement's, for a budget.

    Args:
        name: of a preset, or with :data:`WITH_FACE_MESH` behind it.
        minutes: of both runs together; the recipes' own if not given.
    """
    plain = name.removesuffix(WITH_FACE_MESH)
    first = recipe_for(plain, minutes and minutes * SHARE_OF_FIRST)
    refinement = refinement_for(plain, minutes and minutes * (1 - SHARE_OF_FIRST))
    model = replace(first.model, name=name, face_mesh=plain != name)
    return replace(first, model=model), replace(refinement, model=model)


def train_whole(
    faces: Faces,
    recipes: tuple[Recipe, Recipe],
    out: Path,
    *,
    encoder: Path,
    workers: int = 1,
    validate: Validate | None = None,
    report: Callable[[str], None] = print,
) -> Path:
    """Make weights; where ``out`` holds parts of them already, go on from there.

    Args:
        faces: training data with the labels as they are given.
        recipes: from :func:`recipes_for`.
        out: folder for both runs and the labels between them.
        encoder: MediaPipe's face_landmark.tflite, for models with face-mesh features.
        workers: see :func:`model.training.loop.train`.
        validate: likewise.
        report: likewise.

    Returns:
        Path of the refined weights.

    Raises:
        ModelError: for checkpoints or an encoder that cannot be used.
    """
    faces = faces.mirror_consistent()
    first, refinement = recipes

    def run(recipe: Recipe, folder: Path, now: Faces, init: Path | None) -> Path:
        resume = (folder / CHECKPOINT).is_file()
        return train(
            now,
            recipe,
            folder,
            init=None if resume else init,
            encoder=None if resume else encoder,
            resume=resume,
            workers=workers,
            validate=validate,
            report=report,
        )

    weights = run(first, out / FIRST, faces, None)
    return run(refinement, out / REFINED, _relabelled(weights, faces, out / RELABELLED, first, report), weights)


def _relabelled(weights: Path, faces: Faces, path: Path, recipe: Recipe, report: Callable[[str], None]) -> Faces:
    if not path.is_file():
        model = load_weights(weights).to(device=faces.images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        report("labels of networks are averaged with the model's points")
        found = relabelled(model, faces, recipe.stages[-1].input_size)
        with open_whole(path) as file:
            np.savez(file, landmarks=found.landmarks.cpu().numpy())
        return found
    with np.load(path, allow_pickle=False) as found_before:
        return replace(faces, landmarks=torch.from_numpy(found_before["landmarks"]).to(faces.landmarks))
