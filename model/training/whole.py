"""From labelled faces to weights that can be shipped: learn, relabel what networks labelled, refine.

Finished weights can take the place of the first run, and are then taken further.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model.files import open_whole
from model.training.data import Faces
from model.training.loop import CHECKPOINT, Validate, train
from model.training.narrow import narrowed
from model.training.recipe import Recipe, continuation_for, recipe_for, refinement_for
from model.training.relabel import relabelled
from model.weights import load_weights, read_card, save_weights

FIRST, REFINED = "first", "refined"
"""Folders of the two runs."""
NARROWED = "narrowed"
"""Folder of the weights that a narrowed model begins with."""
RELABELLED = "relabelled.npz"
SHARE_OF_FIRST = 2 / 3
"""Of the whole budget."""


WITH_FACE_MESH = "-mesh"
"""Ends the names of models with face-mesh features."""


def recipes_for(name: str, minutes: float | None = None, *, finished: bool = False) -> tuple[Recipe, Recipe]:
    """Return the first run's recipe and the refinement's, for a budget.

    Args:
        name: of a preset, or with :data:`WITH_FACE_MESH` behind it.
        minutes: of all that is trained; the recipes' own if not given.
        finished: weights take the place of the first run, and the second continues them.
    """
    plain = name.removesuffix(WITH_FACE_MESH)
    first = recipe_for(plain, minutes and minutes * SHARE_OF_FIRST)
    if finished:
        refinement = continuation_for(plain, minutes)
    else:
        refinement = refinement_for(plain, minutes and minutes * (1 - SHARE_OF_FIRST))
    model = replace(first.model, name=name, face_mesh=plain != name)
    return replace(first, model=model), replace(refinement, model=model)


def train_whole(
    faces: Faces,
    recipes: tuple[Recipe, Recipe],
    out: Path,
    *,
    encoder: Path,
    init: Path | None = None,
    workers: int = 1,
    validate: Validate | None = None,
    report: Callable[[str], None] = print,
) -> Path:
    """Make weights; where ``out`` holds parts of them already, go on from there.

    Args:
        faces: training data with the labels as they are given.
        recipes: from :func:`recipes_for`.
        out: folder for both runs and the labels between them.
        init: finished weights to go on from, in place of the first run.
        encoder: MediaPipe's face_landmark.tflite, for models with face-mesh features.
        workers: see :func:`model.training.loop.train`.
        validate: likewise.
        report: likewise.

    Returns:
        Path of the refined weights.

    Raises:
        ModelError: for checkpoints or an encoder that cannot be used.
    """
    out.mkdir(parents=True, exist_ok=True)
    faces = faces.mirror_consistent()
    first, refinement = recipes
    if init is None:
        init = _run(first, out / FIRST, faces, None, encoder, workers, validate, report)
    faces = _relabelled(init, faces, out / RELABELLED, first.stages[-1].input_size, report)
    return _run(refinement, out / REFINED, faces, init, encoder, workers, validate, report)


def train_narrowed(
    faces: Faces,
    recipe: Recipe,
    out: Path,
    *,
    teacher: Path,
    workers: int = 1,
    validate: Validate | None = None,
    report: Callable[[str], None] = print,
) -> Path:
    """Make the weights of a model that is narrower than its teacher; where ``out`` holds parts of them, go on there.

    Args:
        faces: training data with the labels as they are given.
        recipe: from :func:`model.training.recipe.narrowing_for`.
        out: folder for the labels and the run.
        teacher: weights that relabel the faces and whose strongest channels the model begins with.
        workers: see :func:`model.training.loop.train`.
        validate: likewise.
        report: likewise.

    Returns:
        Path of the weights.

    Raises:
        ModelError: for a checkpoint or a teacher that cannot be used.
    """
    init = out / NARROWED / f"{recipe.model.name}.safetensors"
    if not init.is_file():
        init.parent.mkdir(parents=True, exist_ok=True)
        save_weights(init, narrowed(load_weights(teacher), recipe.model), {"teacher": teacher.name})
    size = read_card(teacher).config.input_size
    faces = _relabelled(teacher, faces.mirror_consistent(), out / RELABELLED, size, report)
    return _run(recipe, out / REFINED, faces, init, None, workers, validate, report)


def _run(
    recipe: Recipe,
    folder: Path,
    faces: Faces,
    init: Path | None,
    encoder: Path | None,
    workers: int,
    validate: Validate | None,
    report: Callable[[str], None],
) -> Path:
    resume = (folder / CHECKPOINT).is_file()
    return train(
        faces,
        recipe,
        folder,
        init=None if resume else init,
        encoder=None if resume else encoder,
        resume=resume,
        workers=workers,
        validate=validate,
        report=report,
    )


def _relabelled(weights: Path, faces: Faces, path: Path, input_size: int, report: Callable[[str], None]) -> Faces:
    if not path.is_file():
        model = load_weights(weights).to(device=faces.images.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        report("labels of networks are averaged with the model's points")
        found = relabelled(model, faces, input_size)
        with open_whole(path) as file:
            np.savez(file, landmarks=found.landmarks.cpu().numpy())
        return found
    with np.load(path, allow_pickle=False) as found_before:
        return replace(faces, landmarks=torch.from_numpy(found_before["landmarks"]).to(faces.landmarks))
