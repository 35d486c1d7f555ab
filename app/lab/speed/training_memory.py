"""How much memory a training step takes, against the number of solver steps.

One step (forward, loss, backward) is taken with the gradient made in several ways: through every evaluation of an
unrolled solve, by JFB, and by implicit differentiation with each solver. Reported is the most memory that was
allocated at any time of the step beyond what was there before it: by PyTorch's memory profiler on a CPU, by
the CUDA allocator on a GPU. Weights, and what libraries keep for later steps, are therefore not in it; the weights'
gradients are.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from app.core.text_table import table
from model.config import SolverName
from model.heatmap import decode
from model.network import Ldeq
from model.training.implicit import Solve, implicit_state, jacobian_free_state

MEGABYTE = 1e6
CPU_MEMORY = 0
"""Device type of the CPU in the profiler's memory records."""

Way = Callable[[Ldeq, Tensor, int], Tensor]
"""From a model, an injection and a number of solver steps to the state that the loss sees."""


def unrolled(model: Ldeq, u: Tensor, steps: int) -> Tensor:
    """Return the state after ``steps`` evaluations and one more, all with a graph."""
    z = model.zero_state(u).contiguous(memory_format=torch.channels_last)
    for _ in range(steps + 1):
        z = model.cell(z, u)
    return z


def jacobian_free(model: Ldeq, u: Tensor, steps: int) -> Tensor:
    """Return the state of plain iteration, with the last evaluation's gradient."""
    return jacobian_free_state(model, u, forward=Solve(SolverName.FPI, steps, 0.0))[0]


def implicit_with(solver: SolverName) -> Way:
    """Return the way that finds the state and its adjoint with ``solver``, always spending every step."""

    def implicit(model: Ldeq, u: Tensor, steps: int) -> Tensor:
        solve = Solve(solver, steps, 0.0)
        return implicit_state(model, u, forward=solve, backward=solve)[0]

    return implicit


WAYS: dict[str, Way] = {
    "unrolled": unrolled,
    "JFB, fpi": jacobian_free,
    **{f"implicit, {name}": implicit_with(name) for name in SolverName},
}


@dataclass(frozen=True, slots=True)
class Memory:
    """What one training step took.

    Attributes:
        way: how the gradient was made, a name in :data:`WAYS`.
        steps: of the solver.
        peak: most bytes allocated at once beyond what was there before.
        kept: bytes that the forward pass left for the backward pass, weights not counted.
    """

    way: str
    steps: int
    peak: int
    kept: int


def measure(model: Ldeq, pictures: Tensor, name: str, steps: int) -> Memory:
    """Take one training step on normalised pictures (n, 3, s, s) and return its memory."""
    way = WAYS[name]

    def step() -> int:
        model.zero_grad(set_to_none=True)
        kept = _Kept(model)
        with torch.autograd.graph.saved_tensors_hooks(kept.note, _unchanged):
            state = way(model, model.stem(pictures), steps)
        decode(state, model.config.half_pixel)[0].square().mean().backward()
        return kept.bytes

    step()  # libraries make their kernels and plans on the first
    model.zero_grad(set_to_none=True)
    peak = peak_on_cuda if pictures.is_cuda else peak_on_cpu
    most, kept = peak(step)
    return Memory(name, steps, most, kept)


def peak_on_cuda(step: Callable[[], int]) -> tuple[int, int]:
    """Return the most bytes allocated during ``step`` beyond those before, and what it returns."""
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    value = step()
    return torch.cuda.max_memory_allocated() - before, value


def peak_on_cpu(step: Callable[[], int]) -> tuple[int, int]:
    """Return the same for the CPU, from the profiler's record of every allocation."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        value = step()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder) / "trace.json"
        profile.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    records = [
        event["args"]
        for event in sorted(events, key=lambda event: float(event.get("ts", 0)))
        if event.get("name") == "[memory]" and event["args"]["Device Type"] == CPU_MEMORY
    ]
    # The profiler's total goes on from its last session; what was freed in between is still in it.
    before = records[0]["Total Allocated"] - records[0]["Bytes"]
    return max(record["Total Allocated"] for record in records) - before, value


class _Kept:
    """Adds up what autograd saves, every piece of memory once, the model's own weights not at all."""

    def __init__(self, model: Ldeq) -> None:
        self._known = {tensor.untyped_storage().data_ptr() for tensor in model.state_dict().values()}
        self.bytes = 0

    def note(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._known:
            self._known.add(storage.data_ptr())
            self.bytes += storage.nbytes()
        return tensor


def _unchanged(tensor: Tensor) -> Tensor:
    return tensor


def report(found: Sequence[Memory]) -> str:
    """Return the tables: peak and kept megabytes, a line for each way, a column for each number of steps."""
    parts = []
    for title, name in (("peak MB", "peak"), ("kept MB", "kept")):
        rows = []
        for way in dict.fromkeys(memory.way for memory in found):
            values = {memory.steps: getattr(memory, name) / MEGABYTE for memory in found if memory.way == way}
            first, last = min(values), max(values)
            slope = (values[last] - values[first]) / max(1, last - first)
            rows.append((way, *(f"{values[steps]:.1f}" for steps in sorted(values)), f"{slope:.2f}"))
        counts = sorted({memory.steps for memory in found})
        parts.append(table((title, *map(str, counts), "a step"), rows))
    return "\n\n".join(parts)
