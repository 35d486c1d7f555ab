"""The torch engine: any weights, no export needed. On CUDA, :mod:`model.engine.cuda_engine` goes further."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import LdeqConfig
from model.engine.names import Precision
from model.errors import ModelError
from model.heatmap import decode
from model.network import Ldeq, image_statistics, normalise_image
from model.weights import load_weights


class TorchEngine:
    """Runs the model with PyTorch; states are float32 tensors on the engine's device."""

    def __init__(self, weights: Path, device: str = "cpu", threads: int | None = None) -> None:
        """Load ``weights`` onto ``device`` ("cpu" or "cuda").

        Raises:
            ModelError: for unusable weights, or if CUDA is asked for and absent.
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise ModelError("CUDA is not available to torch; use --device cpu, or install an NVIDIA driver")
        if threads is not None:
            torch.set_num_threads(threads)
        model = self._prepared(load_weights(weights))
        self._hold(model.to(device=torch.device(device), memory_format=torch.channels_last))  # type: ignore[call-overload]

    @classmethod
    def from_model(cls, model: Ldeq) -> TorchEngine:
        """Return an engine that runs ``model`` itself, on its device and in its mode, as while it trains."""
        engine = cls.__new__(cls)
        engine._hold(model)
        return engine

    def _prepared(self, model: Ldeq) -> Ldeq:
        """Return the model as it is to run, before it goes to its device."""
        return model

    def _hold(self, model: Ldeq) -> None:
        self._model = model
        self._config = model.config
        self._device = next(model.parameters()).device
        self._statistics = image_statistics(self._device)
        # Asked for now: a GPU that is gone no longer tells its name, which is reported when it is replaced.
        cuda = self._device.type == "cuda"
        self._place = f"CUDA: {torch.cuda.get_device_name(self._device)}" if cuda else "CPU"

    @property
    def config(self) -> LdeqConfig:
        """Shape and solver of the model."""
        return self._config

    @property
    def name(self) -> str:
        """Library and device that really run."""
        return f"torch, {self._place}"

    @property
    def precision(self) -> Precision:
        """Number format of the convolutions."""
        return Precision.FLOAT32

    def wait(self) -> None:
        """Return when everything asked for so far is done; on CUDA work goes on after a call has returned."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    @torch.inference_mode()
    def encode(self, crops: NDArray[np.uint8]) -> Tensor:
        """Return the injection u for RGB crops (n, input_size, input_size, 3)."""
        return self._stem(torch.from_numpy(crops).to(self._device))

    def zero_state(self, count: int) -> Tensor:
        """Return z0 = 0."""
        size = self.config.heatmap_size
        return torch.zeros(count, self._config.landmarks, size, size, device=self._device)

    @torch.inference_mode()
    def evaluate(self, z: Tensor, u: Tensor) -> Tensor:
        """Return f(z, u)."""
        return self._cell(z, u)

    @torch.inference_mode()
    def decode(self, z: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return landmarks (n, k, 2) and spread (n, k) in crop units."""
        points = self._points(z).cpu().numpy()  # one array, so that the processor waits once
        return np.ascontiguousarray(points[..., :2]), np.ascontiguousarray(points[..., 2])

    def _stem(self, crops: Tensor) -> Tensor:
        """Return u for crops (n, s, s, 3) uint8 on the device."""
        x = normalise_image(crops, self._statistics)
        u: Tensor = self._model.stem(x.contiguous(memory_format=torch.channels_last))
        return u

    def _cell(self, z: Tensor, u: Tensor) -> Tensor:
        out: Tensor = self._model.cell(z, u)
        return out

    def _points(self, z: Tensor) -> Tensor:
        """Return x, y and spread (n, k, 3) in crop units."""
        landmarks, spread = decode(z, self._config.half_pixel)
        return torch.cat([landmarks, spread[..., None]], dim=-1)
