"""The torch engine: CPU or CUDA, any weights, no export needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.config import LdeqConfig
from model.errors import ModelError
from model.heatmap import decode
from model.network import Ldeq, normalise_image
from model.weights import load_weights


class TorchEngine:
    """Runs the model with PyTorch; states are float32 tensors on the engine's device."""

    def __init__(self, weights: Path, device: str = "cpu", threads: int | None = None) -> None:
        """Load ``weights`` onto ``device`` ("cpu" or "cuda").

        Raises:
            ModelError: for unusable weights, or where CUDA is asked for and absent.
        """
        if device == "cuda" and not torch.cuda.is_available():
            raise ModelError("CUDA is not available to torch; use --device cpu, or install an NVIDIA driver")
        if threads is not None:
            torch.set_num_threads(threads)
        model = load_weights(weights)
        self._hold(model.to(device=torch.device(device), memory_format=torch.channels_last))  # type: ignore[call-overload]

    @classmethod
    def from_model(cls, model: Ldeq) -> TorchEngine:
        """Return an engine that runs ``model`` itself, on its device and in its mode, as while it trains."""
        engine = cls.__new__(cls)
        engine._hold(model)
        return engine

    def _hold(self, model: Ldeq) -> None:
        self._model = model
        self._config = model.config
        self._device = next(model.parameters()).device

    @property
    def config(self) -> LdeqConfig:
        """Shape and solver of the model."""
        return self._config

    @property
    def name(self) -> str:
        """Library and device that really run."""
        if self._device.type == "cuda":
            return f"torch, CUDA: {torch.cuda.get_device_name(self._device)}"
        return "torch, CPU"

    @torch.inference_mode()
    def encode(self, crops: NDArray[np.uint8]) -> Tensor:
        """Return the injection u for RGB crops (n, input_size, input_size, 3)."""
        x = normalise_image(torch.from_numpy(crops).to(self._device))
        u: Tensor = self._model.stem(x.contiguous(memory_format=torch.channels_last))
        return u

    def zero_state(self, count: int) -> Tensor:
        """Return z0 = 0."""
        size = self.config.heatmap_size
        return torch.zeros(count, self._config.landmarks, size, size, device=self._device)

    @torch.inference_mode()
    def evaluate(self, z: Tensor, u: Tensor) -> Tensor:
        """Return f(z, u)."""
        out: Tensor = self._model.cell(z, u)
        return out

    @torch.inference_mode()
    def decode(self, z: Tensor) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return landmarks (n, k, 2) and spread (n, k) in crop units."""
        landmarks, spread = decode(z, self.config.half_pixel)
        return landmarks.cpu().numpy(), spread.cpu().numpy()
