"""The state of a training run, and the checkpoint from which it goes on as if it had not been broken off."""

from __future__ import annotations

import copy
import io
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from model.errors import ModelError
from model.files import open_whole
from model.network import Ldeq, Stem
from model.training.face_mesh import published_encoder
from model.training.recipe import Recipe
from model.weights import FACE_MESH, load_initial, read_card

CHECKPOINT = "checkpoint.pt"


@dataclass(slots=True)
class Run:
    """A run's state.

    Attributes:
        model: what is trained.
        average: of its weights over the last steps; what is validated and written.
        optimiser: of the model.
        workers: replicas that share the model's weights; the first is the model itself.
        pool: a thread for each of them.
        seconds: spent on steps.
        steps: taken.
        samples: faces that they saw.
    """

    model: Ldeq
    average: Ldeq
    optimiser: torch.optim.Optimizer
    workers: list[Ldeq]
    pool: ThreadPoolExecutor
    seconds: float = 0.0
    steps: int = 0
    samples: int = 0

    @classmethod
    def begin(
        cls, recipe: Recipe, device: torch.device, init: Path | None, workers: int = 1, encoder: Path | None = None
    ) -> Run:
        """Return a run before its first step; arguments as for :func:`model.training.loop.train`."""
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
        return cls(model.train(), average, optimiser, [model, *replicas], ThreadPoolExecutor(workers))

    def set_learning_rate(self, recipe: Recipe) -> None:
        """Set the learning rate to that of the share of the budget that is spent."""
        progress = self.seconds / (recipe.minutes * 60)
        if progress < recipe.warmup:
            factor = progress / recipe.warmup
        else:
            along = (progress - recipe.warmup) / (1 - recipe.warmup)
            factor = 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * along))
        for group in self.optimiser.param_groups:
            rate = group.get("rate", 1.0)  # checkpoints from before there were rates have none
            group["lr"] = recipe.learning_rate * factor * rate

    def gather_gradients(self, workers: int) -> None:
        """Average the gradients of the first workers into the model's."""
        for together in zip(*(worker.parameters() for worker in self.workers[:workers]), strict=True):
            found = [p.grad for p in together if p.grad is not None]
            if found:
                together[0].grad = found[0] if len(found) == 1 else torch.stack(found).mean(dim=0)

    @torch.no_grad()
    def add_to_average(self, decay: float) -> None:
        """Let the average follow the model, which keeps ``decay`` of what it was."""
        # A short memory at first: the average must not carry the initial weights along.
        decay = min(decay, (1 + self.steps) / (10 + self.steps))
        averaged = [p for p in self.average.state_dict().values() if p.is_floating_point()]
        current = [p for p in self.model.state_dict().values() if p.is_floating_point()]
        torch._foreach_lerp_(averaged, current, 1 - decay)

    def save(self, path: Path, dice: dict[str, Tensor]) -> None:
        """Write the state after the last whole step, with the random numbers of then, see :func:`dice_of`."""
        state = {
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "seconds": self.seconds,
            "steps": self.steps,
            "samples": self.samples,
            **dice,
        }
        content = io.BytesIO()  # torch hides an error of writing a file in one of its own
        torch.save(state, content)
        with open_whole(path) as file:
            file.write(content.getbuffer())

    def resume(self, path: Path, device: torch.device) -> None:
        """Take over the state, and the random numbers, that :meth:`save` has written.

        Raises:
            ModelError: where there is none, or it is damaged or another model's.
        """
        if not path.is_file():
            raise ModelError(f"nothing to resume: {path} does not exist; run without --resume to start")
        state = read_checkpoint(path)
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimiser.load_state_dict(state["optimiser"])
            seconds, steps, samples, dice = (state[name] for name in ("seconds", "steps", "samples", "random"))
            torch.set_rng_state(dice)
            if device.type == "cuda" and "random_cuda" in state:  # older checkpoints have none
                torch.cuda.set_rng_state(state["random_cuda"], device)
        except (RuntimeError, KeyError, ValueError, TypeError, AttributeError) as error:
            raise ModelError(f"{path} belongs to another model; use another --out folder: {error}") from error
        self.seconds, self.steps, self.samples = seconds, steps, samples


def read_checkpoint(path: Path) -> dict[str, Any]:
    """Return what a checkpoint holds.

    Raises:
        ModelError: where it is damaged.
    """
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # what the restricted reader raises for a damaged file may be anything
        raise ModelError(f"{path} is damaged or no checkpoint; restore it, or run without --resume to start") from error
    return state


def dice_of(device: torch.device) -> dict[str, Tensor]:
    """Return the states of the random numbers that a step on a device draws from, as a checkpoint holds them."""
    dice = {"random": torch.get_rng_state()}
    return dice | {"random_cuda": torch.cuda.get_rng_state(device)} if device.type == "cuda" else dice


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
