"""The training loop: time-budgeted, resumable; in bfloat16 on CUDA and on CPUs that can."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from model.config import SolverName
from model.network import Ldeq
from model.training.augment import augment, augment_twice
from model.training.autocast import autocast
from model.training.data import Faces
from model.training.gradient import Gradient
from model.training.implicit import Solve, implicit_state
from model.training.objective import landmark_loss, moved_state, network_input, untracked_state
from model.training.recipe import Recipe, Stage
from model.training.run import CHECKPOINT, Run, dice_of
from model.training.semantic import LabelSearch
from model.weights import read_card, save_weights

CHECKPOINT_SECONDS = 180.0
REPORT_SECONDS = 20.0
NO_SOLVE = Solve(SolverName.FPI, 0, 0.0)
"""The state has been evaluated already when the gradient's evaluation comes."""
ADJOINT_TOLERANCE = 1e-4

Validate = Callable[[Ldeq], dict[str, float]]
Objective = Callable[[Ldeq, Recipe, Faces, Stage], float]
"""Leaves the gradient of the loss of a step's faces in a model and returns the loss."""


def train(
    faces: Faces,
    recipe: Recipe,
    out: Path,
    *,
    init: Path | None = None,
    encoder: Path | None = None,
    resume: bool = False,
    objective: Objective | None = None,
    workers: int = 1,
    validate: Validate | None = None,
    report: Callable[[str], None] = print,
) -> Path:
    """Train a model and write its averaged weights.

    Args:
        faces: training data; its device is the one trained on.
        recipe: what to do.
        out: folder for the checkpoint, the log and the weights; made if missing.
        init: weights to start from.
        encoder: MediaPipe's face_landmark.tflite; face-mesh features that ``init`` lacks begin with its weights.
        resume: continue from the checkpoint in ``out``.
        objective: what is learned; landmarks if not given.
        workers: threads that share each batch; on a CPU one single-threaded worker per core is faster than
            one worker with many threads, and suffers less from other programs.
        validate: called with the averaged model at every checkpoint; its figures go into the log.
        report: where progress lines go.

    Returns:
        Path of the safetensors file, written at every checkpoint and at the end.

    Raises:
        ModelError: nothing to resume, or weights that do not fit the recipe's model.
    """
    out.mkdir(parents=True, exist_ok=True)
    device = faces.images.device
    torch.manual_seed(recipe.seed)
    run = Run.begin(recipe, device, init, workers, encoder)
    if resume:
        run.resume(out / CHECKPOINT, device)
        report(f"resumed at step {run.steps}, {run.seconds / 60:.1f} of {recipe.minutes:g} minutes")
    weights_path = out / f"{recipe.model.name}.safetensors"
    (out / "recipe.json").write_text(json.dumps(recipe.to_dict(), indent=2))
    search = LabelSearch(faces, recipe.alignments, out, resume)
    draws = {id(stage): faces.draw_weights(stage.draw, stage.turned) for stage in recipe.stages}
    budget = recipe.minutes * 60
    # Where the run was interrupted while it was validated for the last time:
    if run.seconds >= budget and not _is_saved(weights_path, run):
        _save_average(weights_path, run, recipe.stages[-1], validate, report)
    saved = reported = time.perf_counter()
    losses: list[float] = []
    dice = dice_of(device)

    try:
        while run.seconds < budget:
            stage = recipe.stage_at(run.seconds / budget)
            faces = search.labels_at(run.seconds / budget, run.average, stage.input_size, report)
            started = time.perf_counter()
            chosen = torch.multinomial(draws[id(stage)], stage.batch, replacement=True).to(device)
            run.set_learning_rate(recipe)
            losses.append(_step(run, recipe, faces, chosen, stage, objective or landmarks_objective))
            run.steps += 1
            run.samples += stage.batch
            now = time.perf_counter()
            run.seconds += now - started
            dice = dice_of(device)
            if now - reported > REPORT_SECONDS:
                reported = now
                report(_progress(run, stage, losses))
                losses.clear()
            if now - saved > CHECKPOINT_SECONDS or run.seconds >= budget:
                run.save(out / CHECKPOINT, dice)
                _save_average(weights_path, run, stage, validate, report)
                saved = time.perf_counter()
    except KeyboardInterrupt:
        run.save(out / CHECKPOINT, dice)
        raise
    return weights_path


def _progress(run: Run, stage: Stage, losses: Sequence[float]) -> str:
    return (
        f"{run.seconds / 60:6.1f} min  step {run.steps}  {run.samples} faces  {stage.input_size} px  "
        f"loss {np.mean(losses):.3f}"
    )


def _step(run: Run, recipe: Recipe, faces: Faces, chosen: Tensor, stage: Stage, objective: Objective) -> float:
    """Take one step; every worker computes the gradient of its part of the batch.

    A loss or gradient that is not finite changes nothing: one such step would make all weights useless.
    """
    parts = chosen.chunk(len(run.workers))
    run.optimiser.zero_grad(set_to_none=True)
    jobs = [
        run.pool.submit(objective, worker, recipe, faces[part], stage)
        for worker, part in zip(run.workers, parts, strict=False)
    ]
    value = float(np.mean([job.result() for job in jobs]))
    run.gather_gradients(len(jobs))
    norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), recipe.clip_norm)
    if math.isfinite(value) and math.isfinite(float(norm)):
        run.optimiser.step()
        run.add_to_average(recipe.ema_decay)
    return value


def landmarks_objective(model: Ldeq, recipe: Recipe, faces: Faces, stage: Stage) -> float:
    """Leave the gradient of :func:`~model.training.objective.landmark_loss` in ``model`` and return the loss."""
    model.zero_grad(set_to_none=True)
    paired = bool(torch.rand(()) < recipe.pair_chance)
    untracked = int(torch.multinomial(torch.tensor(recipe.untracked), 1))
    how = stage.input_size, recipe.model.crop_scale, recipe.augmentation.narrowed(stage.geometry)
    # The geometry of augmentation and moves stays in float32: bfloat16 would round half a cell away.
    half = autocast(faces.images.device.type)
    earlier = None
    if paired:
        before, now, landmarks, weights = augment_twice(faces, *how)
        with half, torch.no_grad():
            earlier = untracked_state(model, model.stem(network_input(before)), max(untracked, 1))
        z = moved_state(earlier, 1.0, recipe.moves)
        with half:
            u = model.stem(network_input(now))
    else:
        now, landmarks, weights = augment(faces, *how)
        with half:
            u = model.stem(network_input(now))
            z = untracked_state(model, u, untracked)
        if untracked:
            z = moved_state(z, recipe.warm_chance, recipe.moves)
    with half:
        z = _tracked(model, u, z, recipe)
    loss = landmark_loss(z, landmarks, weights, recipe.model.half_pixel, recipe.loss, earlier)
    loss.backward()  # type: ignore[no-untyped-call]
    return float(loss.detach())


def _tracked(model: Ldeq, u: Tensor, z: Tensor, recipe: Recipe) -> Tensor:
    """Return the evaluation of the cell at z that carries the gradient."""
    if recipe.gradient == Gradient.JFB:
        out: Tensor = model.cell(z, u)
        return out
    solver, steps = recipe.model.solver, recipe.model.max_steps
    return implicit_state(model, u, z, forward=NO_SOLVE, backward=Solve(solver, steps, ADJOINT_TOLERANCE))[0]


def _save_average(path: Path, run: Run, stage: Stage, validate: Validate | None, report: Callable[[str], None]) -> None:
    """Validate the averaged weights, log the figures and write both to ``path``."""
    figures = validate(run.average) if validate else {}
    _log(path.with_name("log.jsonl"), run, stage.input_size, figures)
    save_weights(path, run.average, {"minutes": run.seconds / 60, "samples": run.samples, **figures})
    if figures:
        report("         " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))


def _is_saved(path: Path, run: Run) -> bool:
    """Return whether the weights at ``path`` are those of the run's last step."""
    return (
        path.is_file() and path.with_suffix(".json").is_file() and read_card(path).notes.get("samples") == run.samples
    )


def _log(path: Path, run: Run, size: int, figures: dict[str, float]) -> None:
    entry = {"minutes": run.seconds / 60, "steps": run.steps, "samples": run.samples, "input_size": size, **figures}
    with path.open("a") as log:
        log.write(json.dumps(entry) + "\n")
