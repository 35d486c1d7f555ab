"""The training loop: time-budgeted, resumable; in bfloat16 on CUDA and on CPUs that can."""

from __future__ import annotations

import copy
import io
import json
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model.config import SolverName
from model.errors import ModelError
from model.files import open_whole
from model.network import Ldeq, Stem
from model.training.augment import augment, augment_twice
from model.training.autocast import autocast
from model.training.data import Faces
from model.training.face_mesh import published_encoder
from model.training.gradient import Gradient
from model.training.implicit import Solve, implicit_state
from model.training.objective import landmark_loss, moved_state, network_input, untracked_state
from model.training.recipe import Recipe, Stage
from model.training.semantic import LabelSearch
from model.weights import FACE_MESH, load_initial, read_card, save_weights

CHECKPOINT = "checkpoint.pt"
CHECKPOINT_SECONDS = 180.0
REPORT_SECONDS = 20.0
NO_SOLVE = Solve(SolverName.FPI, 0, 0.0)
"""The state has been evaluated already when the gradient's evaluation comes."""
ADJOINT_TOLERANCE = 1e-4

Validate = Callable[[Ldeq], dict[str, float]]
Objective = Callable[[Ldeq, Recipe, Faces, Stage], float]
"""Leaves the gradient of the loss of a step's faces in a model and returns the loss."""


@dataclass(slots=True)
class _Run:
    """A run's state. The workers are replicas that share the model's weights; the first is the model itself."""

    model: Ldeq
    average: Ldeq
    optimiser: torch.optim.Optimizer
    workers: list[Ldeq]
    pool: ThreadPoolExecutor
    seconds: float = 0.0
    steps: int = 0
    samples: int = 0


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
    run = _start(recipe, device, init, workers, encoder)
    if resume:
        _load_checkpoint(out / CHECKPOINT, run, device)
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
    dice = _dice(device)

    try:
        while run.seconds < budget:
            stage = recipe.stage_at(run.seconds / budget)
            faces = search.labels_at(run.seconds / budget, run.average, stage.input_size, report)
            started = time.perf_counter()
            chosen = torch.multinomial(draws[id(stage)], stage.batch, replacement=True).to(device)
            _set_learning_rate(run.optimiser, recipe, run.seconds / budget)
            losses.append(_step(run, recipe, faces, chosen, stage, objective or landmarks_objective))
            run.steps += 1
            run.samples += stage.batch
            now = time.perf_counter()
            run.seconds += now - started
            dice = _dice(device)
            if now - reported > REPORT_SECONDS:
                reported = now
                report(_progress(run, stage, losses))
                losses.clear()
            if now - saved > CHECKPOINT_SECONDS or run.seconds >= budget:
                _save_checkpoint(out / CHECKPOINT, run, dice)
                _save_average(weights_path, run, stage, validate, report)
                saved = time.perf_counter()
    except KeyboardInterrupt:
        _save_checkpoint(out / CHECKPOINT, run, dice)
        raise
    return weights_path


def _progress(run: _Run, stage: Stage, losses: Sequence[float]) -> str:
    return (
        f"{run.seconds / 60:6.1f} min  step {run.steps}  {run.samples} faces  {stage.input_size} px  "
        f"loss {np.mean(losses):.3f}"
    )


def _start(
    recipe: Recipe, device: torch.device, init: Path | None, workers: int = 1, encoder: Path | None = None
) -> _Run:
    model = Ldeq(recipe.model) if init is None else load_initial(init, recipe.model)
    mesh = model.stem.mesh if isinstance(model.stem, Stem) else None
    if encoder is not None and mesh is not None and (init is None or not read_card(init).config.face_mesh):
        mesh.encoder = published_encoder(encoder)
    model = model.to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(
        _parameter_groups(model, recipe), recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True
    )
    average = copy.deepcopy(model).requires_grad_(False).eval()
    replicas = [_replica(model) for _ in range(workers - 1)]
    return _Run(model.train(), average, optimiser, [model, *replicas], ThreadPoolExecutor(workers))


def _parameter_groups(model: Ldeq, recipe: Recipe) -> list[dict[str, Any]]:
    """Return AdamW's groups, each with the factor ``rate`` of its learning rate."""
    if recipe.face_mesh_rate == 1:
        return [{"params": list(model.parameters()), "rate": 1.0}]
    own: list[nn.Parameter] = []
    mesh: list[nn.Parameter] = []
    for name, value in model.named_parameters():
        (mesh if name.startswith(FACE_MESH) else own).append(value)
    return [{"params": own, "rate": 1.0}, {"params": mesh, "rate": recipe.face_mesh_rate}]


def _replica(model: Ldeq) -> Ldeq:
    replica = copy.deepcopy(model).train()
    for own, shared in zip(replica.parameters(), model.parameters(), strict=True):
        own.data = shared.data
    return replica


def _set_learning_rate(optimiser: torch.optim.Optimizer, recipe: Recipe, progress: float) -> None:
    if progress < recipe.warmup:
        factor = progress / recipe.warmup
    else:
        along = (progress - recipe.warmup) / (1 - recipe.warmup)
        factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along))
    for group in optimiser.param_groups:
        rate = group.get("rate", 1.0)  # checkpoints from before there were rates have none
        group["lr"] = recipe.learning_rate * factor * rate


def _step(run: _Run, recipe: Recipe, faces: Faces, chosen: Tensor, stage: Stage, objective: Objective) -> float:
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
    _gather_gradients(run.workers[: len(jobs)])
    norm = torch.nn.utils.clip_grad_norm_(run.model.parameters(), recipe.clip_norm)
    if math.isfinite(value) and math.isfinite(float(norm)):
        run.optimiser.step()
        _average(run, recipe.ema_decay)
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


def _gather_gradients(workers: Sequence[Ldeq]) -> None:
    """Average the workers' gradients into the first worker's."""
    for together in zip(*(worker.parameters() for worker in workers), strict=True):
        found = [p.grad for p in together if p.grad is not None]
        if found:
            together[0].grad = found[0] if len(found) == 1 else torch.stack(found).mean(dim=0)


@torch.no_grad()
def _average(run: _Run, decay: float) -> None:
    # A short memory at first: the average must not carry the initial weights along.
    decay = min(decay, (1 + run.steps) / (10 + run.steps))
    averaged = [p for p in run.average.state_dict().values() if p.is_floating_point()]
    current = [p for p in run.model.state_dict().values() if p.is_floating_point()]
    torch._foreach_lerp_(averaged, current, 1 - decay)


def _dice(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random numbers that a step on a device draws from, as a checkpoint holds them."""
    dice = {"random": torch.get_rng_state()}
    return dice | {"random_cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else dice


def _save_checkpoint(path: Path, run: _Run, dice: dict[str, Tensor]) -> None:
    """Write the run's state after its last whole step, with the random numbers of then."""
    state = {
        "model": run.model.state_dict(),
        "average": run.average.state_dict(),
        "optimiser": run.optimiser.state_dict(),
        "seconds": run.seconds,
        "steps": run.steps,
        "samples": run.samples,
        **dice,
    }
    content = io.BytesIO()  # torch hides an error of writing a file in one of its own
    torch.save(state, content)
    with open_whole(path) as file:
        file.write(content.getbuffer())


def _load_checkpoint(path: Path, run: _Run, device: torch.device) -> None:
    if not path.is_file():
        raise ModelError(f"nothing to resume: {path} does not exist; run without --resume to start")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what the restricted reader raises for a damaged file may be anything
        raise ModelError(f"{path} is damaged or no checkpoint; restore it, or run without --resume to start") from error
    try:
        run.model.load_state_dict(state["model"])
        run.average.load_state_dict(state["average"])
        run.optimiser.load_state_dict(state["optimiser"])
        seconds, steps, samples, dice = (state[name] for name in ("seconds", "steps", "samples", "random"))
        torch.set_rng_state(dice)
        if device.type == "cuda" and "random_cuda" in state:  # older checkpoints have none
            torch.cuda.set_rng_state(state["random_cuda"], device)
    except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
        raise ModelError(f"{path} belongs to another model; use another --out folder: {error}") from error
    run.seconds, run.steps, run.samples = seconds, steps, samples


def _save_average(
    path: Path, run: _Run, stage: Stage, validate: Validate | None, report: Callable[[str], None]
) -> None:
    """Validate the averaged weights, log the figures and write both to ``path``."""
    figures = validate(run.average) if validate else {}
    _log(path.with_name("log.jsonl"), run, stage.input_size, figures)
    save_weights(path, run.average, {"minutes": run.seconds / 60, "samples": run.samples, **figures})
    if figures:
        report("         " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))


def _is_saved(path: Path, run: _Run) -> bool:
    """Return whether the weights at ``path`` are those of the run's last step."""
    return (
        path.is_file() and path.with_suffix(".json").is_file() and read_card(path).notes.get("samples") == run.samples
    )


def _log(path: Path, run: _Run, size: int, figures: dict[str, float]) -> None:
    entry = {"minutes": run.seconds / 60, "steps": run.steps, "samples": run.samples, "input_size": size, **figures}
    with path.open("a") as log:
        log.write(json.dumps(entry) + "\n")
