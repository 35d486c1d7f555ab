"""The engine for NVIDIA GPUs: CUDA graphs, 16-bit convolutions if they keep the landmarks, asynchronous uploads.

Stem, one evaluation and decode are a graph each, for every batch size up to :data:`MOST_FACES` from its first use on;
larger batches start their layers one by one. States never leave the device: crops go in, points come back.
``docs/method/cuda-engine.md`` has the reasons.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.engine.captured import Captured, Function, Record, record_graph, rehearse
from model.engine.names import Precision
from model.engine.precision import AGREEMENT, HALVES, distance, halve
from model.engine.staging import Staging
from model.engine.torch_engine import TorchEngine
from model.errors import ModelError, in_short
from model.network import Ldeq

log = logging.getLogger(__name__)

MOST_FACES = 4
"""Batches up to this size are recorded; each recording holds memory of its own."""


class CudaEngine(TorchEngine):
    """Runs the model with PyTorch on CUDA; states are float32 tensors there.

    On a CPU it does the same without graphs, in the same buffers: that is for tests. Like all engines, it is used by
    one thread at a time.
    """

    _precision = Precision.FLOAT32

    def __init__(self, weights: Path, precision: Precision = Precision.FLOAT32, device: str = "cuda") -> None:
        """Load ``weights`` and record what one face needs.

        Args:
            weights: a .safetensors file.
            precision: of the convolutions, not INT8; other values and states are float32.
            device: "cuda", or "cpu".

        Raises:
            ModelError: for unusable weights, or if CUDA is absent.
            RuntimeError: if CUDA fails.
        """
        self._precision = precision
        super().__init__(weights, device)
        try:
            self._once()
        except RuntimeError as error:
            log.warning("CUDA graphs cannot be used, so layers are started one by one: %s", in_short(str(error)))
            self._graphs = False
            self._recorded.clear()
            self._once()

    def _prepared(self, model: Ldeq) -> Ldeq:
        return model if self._precision == Precision.FLOAT32 else halve(model, self._precision)

    def _hold(self, model: Ldeq) -> None:
        super()._hold(model)
        self._record: Record = record_graph if self._device.type == "cuda" else rehearse
        self._recorded: dict[tuple[str, int], Captured] = {}
        self._staging: dict[tuple[int, ...], Staging] = {}
        self._graphs = True

    def _once(self) -> None:
        """Run stem, cell and decode once for one face."""
        size = self._config.input_size
        u = self.encode(np.zeros((1, size, size, 3), np.uint8))
        self.decode(self.evaluate(self.zero_state(1), u))

    @property
    def name(self) -> str:
        """Library, device and precision in use."""
        return f"{super().name}, {self._precision}" + ("" if self._graphs else ", without graphs")

    @property
    def precision(self) -> Precision:
        """Number format of the convolutions."""
        return self._precision

    @torch.inference_mode()
    def encode(self, crops: NDArray[np.uint8]) -> Tensor:
        """Return the injection u for RGB crops (n, input_size, input_size, 3); on CUDA before it is calculated."""
        if crops.shape not in self._staging:
            self._staging[crops.shape] = Staging(crops.shape, self._device)
        return self._stem(self._staging[crops.shape].upload(crops))

    def _stem(self, crops: Tensor) -> Tensor:
        return self._run("stem", super()._stem, crops)

    def _cell(self, z: Tensor, u: Tensor) -> Tensor:
        return self._run("cell", super()._cell, z, u)

    def _points(self, z: Tensor) -> Tensor:
        return self._run("points", super()._points, z)

    def _run(self, name: str, function: Function, *values: Tensor) -> Tensor:
        """Return ``function(*values)``, replayed where this batch size is recorded."""
        count = values[0].shape[0]
        # float32 is meant to be float32, and a session played again to give the same landmarks.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            if not self._graphs or count > MOST_FACES:
                return function(*values)
            if (name, count) not in self._recorded:
                self._recorded[name, count] = Captured(function, [_buffer(value) for value in values], self._record)
            return self._recorded[name, count](*values)


def _buffer(value: Tensor) -> Tensor:
    """Return a copy of an input to record with, states and injections laid out as convolutions want them."""
    layout = torch.channels_last if value.is_floating_point() else torch.preserve_format
    return value.clone(memory_format=layout)


def open_cuda(weights: Path, precisions: Sequence[Precision] = tuple(HALVES), device: str = "cuda") -> CudaEngine:
    """Open the first of the ``precisions`` that agrees with float32, or float32 where none does.

    Raises:
        ModelError: for unusable weights, or if CUDA is absent or fails.
    """
    try:
        exact = CudaEngine(weights, Precision.FLOAT32, device)
        for precision in precisions:
            if (
                precision == Precision.BFLOAT16
                and device == "cuda"
                and not torch.cuda.is_bf16_supported(including_emulation=False)
            ):
                continue
            engine = CudaEngine(weights, precision, device)
            apart = distance(exact, engine)
            if apart <= AGREEMENT:
                log.info("landmarks of %s lie %.5f crop sides from those of float32", precision, apart)
                return engine
            log.warning(
                "%s is not used: its landmarks lie %.4f crop sides from those of float32, more than %s",
                precision,
                apart,
                AGREEMENT,
            )
    except RuntimeError as error:
        raise ModelError(f"torch cannot use CUDA ({in_short(str(error))}); use --device cpu") from error
    return exact
