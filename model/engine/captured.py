"""A function of tensors as a CUDA graph: recorded once, then replayed with a single launch.

A recording works in buffers of its own: each replay reads the same memory and overwrites the last result, while solvers
and RwR keep states for longer. So arguments are copied in and results are copied out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Function = Callable[..., Tensor]
Record = Callable[[Function, Sequence[Tensor]], tuple[Callable[[], None], Tensor]]
"""Takes a function and its input buffers; returns what replays it, and the output buffer that a replay fills."""

WARM_UP = 3
"""Runs before a capture, in which libraries choose their kernels and take the memory they keep."""


def record_graph(function: Function, inputs: Sequence[Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Capture a CUDA graph of ``function(*inputs)``; see :data:`Record`.

    Raises:
        RuntimeError: if the function does something that cannot be captured, or CUDA fails.
    """
    around = torch.cuda.current_stream()
    with torch.cuda.stream(around):  # a capture that fails leaves its own stream behind as the current one
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(around)
        with torch.cuda.stream(side):
            for _ in range(WARM_UP):
                function(*inputs)
        around.wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        # Other threads (a detector, another library's session) may use CUDA meanwhile.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            output = function(*inputs)
    return graph.replay, output


def rehearse(function: Function, inputs: Sequence[Tensor]) -> tuple[Callable[[], None], Tensor]:
    """Do without a graph what :func:`record_graph` does, on any device, in buffers that behave the same."""
    output = function(*inputs).clone()

    def replay() -> None:
        output.copy_(function(*inputs))

    return replay, output


class Captured:
    """A recorded function, called like the function itself; results belong to the caller.

    Args:
        function: of tensors with the shapes of ``buffers``; must not keep anything between calls.
        buffers: its inputs when it is recorded, with values it can work on; they belong to the recording from then on.
        record: :func:`record_graph`, or :func:`rehearse`.
    """

    def __init__(self, function: Function, buffers: Sequence[Tensor], record: Record) -> None:
        self._inputs = tuple(buffers)
        self._replay, self._output = record(function, self._inputs)

    def __call__(self, *values: Tensor) -> Tensor:
        """Return the function's value.

        Raises:
            ValueError: for values of other shapes: they would be spread over the buffers.
        """
        if [value.shape for value in values] != [buffer.shape for buffer in self._inputs]:
            raise ValueError(f"recorded for other shapes than {[tuple(value.shape) for value in values]}")
        for buffer, value in zip(self._inputs, values, strict=True):
            buffer.copy_(value, non_blocking=True)
        self._replay()
        return self._output.clone()
